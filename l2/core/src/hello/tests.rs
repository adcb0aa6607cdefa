//! Messages both ways, and everything that is not one.
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::announcer::PLAINTEXT_BYTES_MAX;
use crate::types::NAME_BYTES_MAX;

fn sender(name: &str) -> Sender {
    Sender {
        cluster: ClusterId([7; 16]),
        node: NodeName::new(name).unwrap(),
        incarnation: Incarnation(3),
        instance: Instance(0x1122),
        sequence: 9,
    }
}

fn hello() -> Hello {
    Hello {
        interval: Duration::from_millis(2_400),
        flags: HelloFlags {
            joining: true,
            draining: false,
            leaving: false,
        },
        mac: MacAddr([2, 0, 0, 0, 0, 1]),
        held: 4,
        digest: 0xabcd,
        eligibility: 77,
        keys: [KeyId(1), KeyId(20)].into(),
        addresses: vec![
            "10.0.0.1/24".parse().unwrap(),
            "fe80::1/64".parse().unwrap(),
        ],
    }
}

fn claim(index: u16, view: Option<View>) -> Claim {
    Claim {
        address: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, index).into(),
        epoch: Epoch(u64::from(index)),
        view,
        standing: Standing {
            preference: 5,
            weight: 2,
        },
        moves: 3,
    }
}

fn one_of_each() -> Vec<Record> {
    let standing = Standing::default();
    let entries = [Scope::Named, Scope::OnLink, Scope::Default];
    let entries = entries.map(|scope| Eligible {
        advertisement: AdvertisementId(3),
        standing,
        scope,
    });
    let release = |successor| Release {
        address: Ipv4Addr::LOCALHOST.into(),
        epoch: Epoch(4),
        successor,
    };
    vec![
        Record::Hello(hello()),
        Record::Eligibility(Eligibility {
            list: 77,
            part: 1,
            parts: 2,
            entries: entries.to_vec(),
        }),
        Record::Claim(claim(1, None)),
        Record::Claim(claim(2, Some(View(12)))),
        Record::Release(release(Successor::Nobody)),
        Record::Release(release(Successor::Claimed)),
        Record::Listing(Listing {
            list: 5,
            part: 0,
            parts: 1,
        }),
        Record::AskNode(NodeName::new("other").unwrap()),
        Record::AskAddress(Ipv4Addr::new(10, 0, 0, 9).into()),
        Record::Counter(CounterKnown {
            node: NodeName::new("node").unwrap(),
            instance: Instance(1),
            incarnation: Incarnation(2),
        }),
    ]
}

#[test]
fn every_record_is_read_as_it_was_written() {
    let message = Message {
        sender: sender("node"),
        records: one_of_each(),
    };
    assert_eq!(decode(&encode(&message)), Ok(message));
}

#[test]
fn the_head_of_a_message_has_its_fixed_bytes() {
    let message = Message {
        sender: sender("ab"),
        records: vec![Record::AskAddress(Ipv4Addr::new(1, 2, 3, 4).into())],
    };
    let mut expected = b"RB\x01".to_vec();
    expected.extend([7; 16]);
    expected.extend(b"\x02ab");
    expected.extend([
        0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0x11, 0x22, 0, 0, 0, 0, 0, 0, 0, 9,
    ]);
    expected.extend([7, 0, 5, 4, 1, 2, 3, 4]);
    assert_eq!(encode(&message), expected);
}

#[test]
fn a_message_cut_at_any_length_is_refused_or_ends_between_records() {
    let message = Message {
        sender: sender("node"),
        records: one_of_each(),
    };
    let bytes = encode(&message);
    let mut whole = 0;
    for length in 0..bytes.len() {
        if let Ok(shorter) = decode(&bytes[..length]) {
            assert_eq!(
                shorter.records[..],
                message.records[..shorter.records.len()]
            );
            whole += 1;
        }
    }
    assert_eq!(whole, message.records.len());
}

#[test]
fn a_record_of_an_unknown_kind_is_skipped() {
    let mut message = Message {
        sender: sender("node"),
        records: Vec::new(),
    };
    let mut bytes = encode(&message).to_vec();
    bytes.extend([200, 0, 3, 1, 2, 3]);
    message
        .records
        .push(Record::AskAddress(Ipv4Addr::LOCALHOST.into()));
    let known = encode(&message);
    bytes.extend(&known[known.len() - 8..]);
    assert_eq!(decode(&bytes), Ok(message));
}

#[test]
fn fields_out_of_range_are_refused() {
    let cases = [
        Record::Hello(Hello {
            mac: MacAddr::BROADCAST,
            ..hello()
        }),
        Record::Listing(Listing {
            list: 1,
            part: 3,
            parts: 3,
        }),
        Record::Eligibility(Eligibility {
            list: 1,
            part: 0,
            parts: 0,
            entries: Vec::new(),
        }),
    ];
    for record in cases {
        let bytes = encode(&Message {
            sender: sender("node"),
            records: vec![record],
        });
        assert!(matches!(decode(&bytes), Err(DecodeError::Range(_))));
    }
    let good = encode(&Message {
        sender: sender("node"),
        records: Vec::new(),
    });
    let mut version = good.to_vec();
    version[2] = 2;
    assert_eq!(decode(&version), Err(DecodeError::Version(2)));
    let mut magic = good.to_vec();
    magic[0] = b'X';
    assert_eq!(decode(&magic), Err(DecodeError::Magic));
    let mut trailing = good.to_vec();
    trailing.extend([5, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0xff]);
    assert_eq!(decode(&trailing), Err(DecodeError::Trailing(5)));
    assert_eq!(decode(&vec![0; READ_BYTES_MAX + 1]), Err(DecodeError::Long));
}

#[test]
fn intervals_outside_their_bounds_cannot_be_stated() {
    let record = Record::Hello(hello());
    let mut bytes = encode(&Message {
        sender: sender("node"),
        records: vec![record],
    })
    .to_vec();
    let at = bytes.len() - usize::from(u16::from_be_bytes([bytes[49], bytes[50]]));
    for interval in [0_u32, 99, 120_001, u32::MAX] {
        bytes[at..at + 4].copy_from_slice(&interval.to_be_bytes());
        assert_eq!(decode(&bytes), Err(DecodeError::Range(1)), "{interval} ms");
    }
}

#[test]
fn packed_messages_stay_within_their_size_and_lose_nothing() {
    let name = "n".repeat(NAME_BYTES_MAX);
    let mut packer = Packer::new(sender(&name));
    let records: Vec<Record> = (0..500)
        .map(|index| Record::Claim(claim(index, Some(View(1)))))
        .collect();
    let mut messages: Vec<_> = records
        .iter()
        .filter_map(|record| packer.push(record))
        .collect();
    messages.extend(packer.flush());
    assert!(packer.flush().is_none());
    assert!(
        messages
            .iter()
            .all(|message| message.len() <= PLAINTEXT_BYTES_MAX)
    );
    let decoded: Vec<Message> = messages
        .iter()
        .map(|message| decode(message).unwrap())
        .collect();
    let sequences: Vec<u64> = decoded
        .iter()
        .map(|message| message.sender.sequence)
        .collect();
    assert!(sequences.windows(2).all(|pair| pair[1] == pair[0] + 1));
    let unpacked: Vec<Record> = decoded
        .into_iter()
        .flat_map(|message| message.records)
        .collect();
    assert_eq!(unpacked, records);
}

#[test]
fn the_longest_hello_with_a_full_list_fits_one_message() {
    let name = "n".repeat(NAME_BYTES_MAX);
    let addresses = (0..30)
        .map(|last| format!("fd00::{last:x}/64").parse().unwrap())
        .collect();
    let keys = (0..30).map(KeyId).collect();
    let hello = Hello {
        addresses,
        keys,
        ..hello()
    };
    let entry = Eligible {
        advertisement: AdvertisementId(1),
        standing: Standing::default(),
        scope: Scope::Named,
    };
    let entries = vec![entry; ENTRIES_MAX];
    let list = Eligibility {
        list: 1,
        part: 0,
        parts: 1,
        entries,
    };
    let message = Message {
        sender: sender(&name),
        records: vec![Record::Hello(hello), Record::Eligibility(list)],
    };
    let bytes = encode(&message);
    assert!(bytes.len() <= PLAINTEXT_BYTES_MAX, "{}", bytes.len());
    let Record::Hello(read) = &decode(&bytes).unwrap().records[0] else {
        panic!()
    };
    assert_eq!(
        (read.keys.len(), read.addresses.len()),
        (KEYS_MAX, ADDRESSES_MAX)
    );
    assert!(read.keys.contains(&KeyId(29)));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn no_changed_message_panics_and_what_is_read_is_written_the_same(
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8),
    ) {
        let message = Message { sender: sender("node"), records: one_of_each() };
        let mut bytes = encode(&message).to_vec();
        for (at, byte) in changes {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        if let Ok(read) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&read)), Ok(read));
        }
    }
}
