//! Messages to bytes and back. Decoding checks every length and range; encoding cannot fail for a value that exists.
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use ipnet::IpNet;

use super::reader::Reader;
use super::{
    ADDRESSES_MAX, AdvertisementId, Claim, CounterKnown, ENTRIES_MAX, Eligibility, Eligible, Hello,
    HelloFlags, INTERVAL_MAX, INTERVAL_MIN, KEYS_MAX, Listing, Message, READ_BYTES_MAX, Record,
    Release, Scope, Sender, Successor, VERSION,
};
use crate::announcer::PLAINTEXT_BYTES_MAX;
use crate::types::{
    ClusterId, Epoch, Incarnation, Instance, KeyId, MacAddr, NodeName, Standing, View,
};

const MAGIC: [u8; 2] = *b"RB";

const HELLO: u8 = 1;
const ELIGIBILITY: u8 = 2;
const CLAIM: u8 = 3;
const RELEASE: u8 = 4;
const LISTING: u8 = 5;
const ASK_NODE: u8 = 6;
const ASK_ADDRESS: u8 = 7;
const COUNTER: u8 = 8;

const JOINING: u8 = 1;
const DRAINING: u8 = 2;
const LEAVING: u8 = 4;

/// Why a plaintext is not a message of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It ends within a field.
    #[error("the message is too short")]
    Short,
    /// It is longer than any frame.
    #[error("the message is too long")]
    Long,
    /// It does not begin with "RB".
    #[error("not a message of ours")]
    Magic,
    /// Another version of the format.
    #[error("version {0} of the format is not known")]
    Version(u8),
    /// A record's body is longer than its fields.
    #[error("record {0} has bytes left over")]
    Trailing(u8),
    /// A field is out of range.
    #[error("record {0} has a field out of range")]
    Range(u8),
    /// A name is empty, too long or not UTF-8.
    #[error("a name is not one")]
    Name,
}

/// Reads the plaintext of a frame. Records of unknown kinds are skipped.
///
/// # Errors
/// When it is malformed anywhere: a part of it is never used.
pub fn decode(plaintext: &[u8]) -> Result<Message, DecodeError> {
    if plaintext.len() > READ_BYTES_MAX {
        return Err(DecodeError::Long);
    }
    let mut reader = Reader::new(plaintext);
    if reader.array::<2>()? != MAGIC {
        return Err(DecodeError::Magic);
    }
    match reader.u8()? {
        VERSION => {}
        other => return Err(DecodeError::Version(other)),
    }
    let sender = Sender {
        cluster: ClusterId(reader.array()?),
        node: node_name(&mut reader)?,
        incarnation: Incarnation(reader.u64()?),
        instance: Instance(reader.u64()?),
        sequence: reader.u64()?,
    };
    let mut records = Vec::new();
    while !reader.is_empty() {
        let kind = reader.u8()?;
        let length = usize::from(reader.u16()?);
        let mut body = Reader::new(reader.bytes(length)?);
        let Some(record) = decode_record(kind, &mut body)? else {
            continue;
        };
        if !body.is_empty() {
            return Err(DecodeError::Trailing(kind));
        }
        records.push(record);
    }
    Ok(Message { sender, records })
}

fn decode_record(kind: u8, body: &mut Reader<'_>) -> Result<Option<Record>, DecodeError> {
    Ok(Some(match kind {
        HELLO => Record::Hello(decode_hello(body)?),
        ELIGIBILITY => Record::Eligibility(decode_eligibility(body)?),
        CLAIM => Record::Claim(Claim {
            address: address(kind, body)?,
            epoch: Epoch(body.u64()?),
            view: match body.u8()? {
                0 => None,
                1 => Some(View(body.u64()?)),
                _ => return Err(DecodeError::Range(kind)),
            },
            standing: standing(body)?,
            moves: body.u8()?,
        }),
        RELEASE => Record::Release(Release {
            address: address(kind, body)?,
            epoch: Epoch(body.u64()?),
            successor: match body.u8()? {
                0 => Successor::Nobody,
                1 => Successor::Claimed,
                _ => return Err(DecodeError::Range(kind)),
            },
        }),
        LISTING => {
            let listing = Listing {
                list: body.u32()?,
                part: body.u16()?,
                parts: body.u16()?,
            };
            if listing.part >= listing.parts {
                return Err(DecodeError::Range(kind));
            }
            Record::Listing(listing)
        }
        ASK_NODE => Record::AskNode(node_name(body)?),
        ASK_ADDRESS => Record::AskAddress(address(kind, body)?),
        COUNTER => Record::Counter(CounterKnown {
            node: node_name(body)?,
            instance: Instance(body.u64()?),
            incarnation: Incarnation(body.u64()?),
        }),
        _ => return Ok(None),
    }))
}

fn decode_hello(body: &mut Reader<'_>) -> Result<Hello, DecodeError> {
    let interval = Duration::from_millis(u64::from(body.u32()?));
    let flags = body.u8()?;
    let mac = MacAddr(body.array()?);
    if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) || !mac.is_station() {
        return Err(DecodeError::Range(HELLO));
    }
    let held = body.u32()?;
    let digest = body.u64()?;
    let eligibility = body.u64()?;
    let keys = (0..count(HELLO, body, KEYS_MAX)?).map(|_| body.u32().map(KeyId));
    let keys = keys.collect::<Result<BTreeSet<_>, _>>()?;
    let addresses = (0..count(HELLO, body, ADDRESSES_MAX)?).map(|_| {
        let address = address(HELLO, body)?;
        IpNet::new(address, body.u8()?).map_err(|_| DecodeError::Range(HELLO))
    });
    let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
    let flags = HelloFlags {
        joining: flags & JOINING != 0,
        draining: flags & DRAINING != 0,
        leaving: flags & LEAVING != 0,
    };
    Ok(Hello {
        interval,
        flags,
        mac,
        held,
        digest,
        eligibility,
        keys,
        addresses,
    })
}

fn decode_eligibility(body: &mut Reader<'_>) -> Result<Eligibility, DecodeError> {
    let (list, part, parts) = (body.u64()?, body.u8()?, body.u8()?);
    if part >= parts {
        return Err(DecodeError::Range(ELIGIBILITY));
    }
    let entries = (0..count(ELIGIBILITY, body, ENTRIES_MAX)?).map(|_| {
        Ok(Eligible {
            advertisement: AdvertisementId(body.u64()?),
            standing: standing(body)?,
            scope: match body.u8()? {
                0 => Scope::Named,
                1 => Scope::OnLink,
                2 => Scope::Default,
                _ => return Err(DecodeError::Range(ELIGIBILITY)),
            },
        })
    });
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    Ok(Eligibility {
        list,
        part,
        parts,
        entries,
    })
}

fn count(kind: u8, body: &mut Reader<'_>, limit: usize) -> Result<usize, DecodeError> {
    match usize::from(body.u8()?) {
        count if count <= limit => Ok(count),
        _ => Err(DecodeError::Range(kind)),
    }
}

fn node_name(body: &mut Reader<'_>) -> Result<NodeName, DecodeError> {
    let length = usize::from(body.u8()?);
    let text = std::str::from_utf8(body.bytes(length)?).map_err(|_| DecodeError::Name)?;
    NodeName::new(text).map_err(|_| DecodeError::Name)
}

fn address(kind: u8, body: &mut Reader<'_>) -> Result<IpAddr, DecodeError> {
    match body.u8()? {
        4 => Ok(Ipv4Addr::from(body.array::<4>()?).into()),
        6 => Ok(Ipv6Addr::from(body.array::<16>()?).into()),
        _ => Err(DecodeError::Range(kind)),
    }
}

fn standing(body: &mut Reader<'_>) -> Result<Standing, DecodeError> {
    Ok(Standing {
        preference: body.u32()?,
        weight: body.u16()?,
    })
}

/// The bytes of a message. Names and lists are cut to what a reader accepts.
#[must_use]
pub fn encode(message: &Message) -> Bytes {
    let mut buffer = BytesMut::with_capacity(PLAINTEXT_BYTES_MAX);
    put_sender(&mut buffer, &message.sender);
    for record in &message.records {
        put_record(&mut buffer, record);
    }
    buffer.freeze()
}

/// Fills messages with records, each message at most [`PLAINTEXT_BYTES_MAX`] long.
#[derive(Debug)]
pub(crate) struct Packer {
    sender: Sender,
    /// Stands first in every message, where there is one: a part of a list says so.
    buffer: BytesMut,
    empty: usize,
}

impl Packer {
    /// `sender.sequence` is that of the first message; it grows with each.
    pub(crate) fn new(sender: Sender) -> Self {
        let mut buffer = BytesMut::with_capacity(PLAINTEXT_BYTES_MAX);
        put_sender(&mut buffer, &sender);
        let empty = buffer.len();
        Self {
            sender,
            buffer,
            empty,
        }
    }

    /// Adds a record; gives back the message before it when that is full.
    pub(crate) fn push(&mut self, record: &Record) -> Option<Bytes> {
        let mark = self.buffer.len();
        put_record(&mut self.buffer, record);
        if self.buffer.len() <= PLAINTEXT_BYTES_MAX || mark == self.empty {
            return None;
        }
        let record = self.buffer.split_off(mark);
        let full = self.flush();
        self.buffer.extend_from_slice(&record);
        full
    }

    /// The message under way, if it says anything.
    pub(crate) fn flush(&mut self) -> Option<Bytes> {
        if self.buffer.len() == self.empty {
            return None;
        }
        self.sender.sequence += 1;
        let mut next = BytesMut::with_capacity(PLAINTEXT_BYTES_MAX);
        put_sender(&mut next, &self.sender);
        Some(std::mem::replace(&mut self.buffer, next).freeze())
    }

    /// The sequence number that the next message would have.
    pub(crate) fn sequence(&self) -> u64 {
        self.sender.sequence
    }
}

fn put_sender(buffer: &mut BytesMut, sender: &Sender) {
    buffer.put_slice(&MAGIC);
    buffer.put_u8(VERSION);
    buffer.put_slice(&sender.cluster.0);
    put_name(buffer, &sender.node);
    buffer.put_u64(sender.incarnation.0);
    buffer.put_u64(sender.instance.0);
    buffer.put_u64(sender.sequence);
}

fn put_record(buffer: &mut BytesMut, record: &Record) {
    let kind = match record {
        Record::Hello(_) => HELLO,
        Record::Eligibility(_) => ELIGIBILITY,
        Record::Claim(_) => CLAIM,
        Record::Release(_) => RELEASE,
        Record::Listing(_) => LISTING,
        Record::AskNode(_) => ASK_NODE,
        Record::AskAddress(_) => ASK_ADDRESS,
        Record::Counter(_) => COUNTER,
    };
    buffer.put_u8(kind);
    let length_at = buffer.len();
    buffer.put_u16(0);
    put_body(buffer, record);
    let length = u16::try_from(buffer.len() - length_at - 2).expect("records are bounded");
    buffer[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
}

fn put_body(buffer: &mut BytesMut, record: &Record) {
    match record {
        Record::Hello(hello) => put_hello(buffer, hello),
        Record::Eligibility(eligibility) => {
            buffer.put_u64(eligibility.list);
            buffer.put_u8(eligibility.part);
            buffer.put_u8(eligibility.parts);
            let entries = &eligibility.entries[..eligibility.entries.len().min(ENTRIES_MAX)];
            put_count(buffer, entries.len());
            for entry in entries {
                buffer.put_u64(entry.advertisement.0);
                put_standing(buffer, entry.standing);
                buffer.put_u8(match entry.scope {
                    Scope::Named => 0,
                    Scope::OnLink => 1,
                    Scope::Default => 2,
                });
            }
        }
        Record::Claim(claim) => {
            put_address(buffer, claim.address);
            buffer.put_u64(claim.epoch.0);
            match claim.view {
                None => buffer.put_u8(0),
                Some(View(view)) => {
                    buffer.put_u8(1);
                    buffer.put_u64(view);
                }
            }
            put_standing(buffer, claim.standing);
            buffer.put_u8(claim.moves);
        }
        Record::Release(release) => {
            put_address(buffer, release.address);
            buffer.put_u64(release.epoch.0);
            buffer.put_u8(match release.successor {
                Successor::Nobody => 0,
                Successor::Claimed => 1,
            });
        }
        Record::Listing(listing) => {
            buffer.put_u32(listing.list);
            buffer.put_u16(listing.part);
            buffer.put_u16(listing.parts);
        }
        Record::AskNode(node) => put_name(buffer, node),
        Record::AskAddress(address) => put_address(buffer, *address),
        Record::Counter(known) => {
            put_name(buffer, &known.node);
            buffer.put_u64(known.instance.0);
            buffer.put_u64(known.incarnation.0);
        }
    }
}

fn put_hello(buffer: &mut BytesMut, hello: &Hello) {
    let interval = hello.interval.clamp(INTERVAL_MIN, INTERVAL_MAX);
    buffer.put_u32(u32::try_from(interval.as_millis()).expect("at most 120 s"));
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    buffer.put_u8(
        flag(hello.flags.joining, JOINING)
            | flag(hello.flags.draining, DRAINING)
            | flag(hello.flags.leaving, LEAVING),
    );
    buffer.put_slice(&hello.mac.0);
    buffer.put_u32(hello.held);
    buffer.put_u64(hello.digest);
    buffer.put_u64(hello.eligibility);
    // The newest keys matter most: they are the ones to be agreed on.
    let keys: Vec<KeyId> = hello.keys.iter().rev().take(KEYS_MAX).copied().collect();
    put_count(buffer, keys.len());
    for KeyId(key) in keys {
        buffer.put_u32(key);
    }
    let addresses = &hello.addresses[..hello.addresses.len().min(ADDRESSES_MAX)];
    put_count(buffer, addresses.len());
    for network in addresses {
        put_address(buffer, network.addr());
        buffer.put_u8(network.prefix_len());
    }
}

fn put_count(buffer: &mut BytesMut, count: usize) {
    buffer.put_u8(u8::try_from(count).expect("lists are cut to 255 or fewer"));
}

fn put_name(buffer: &mut BytesMut, name: &NodeName) {
    put_count(buffer, name.as_str().len());
    buffer.put_slice(name.as_str().as_bytes());
}

fn put_address(buffer: &mut BytesMut, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            buffer.put_u8(4);
            buffer.put_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            buffer.put_u8(6);
            buffer.put_slice(&address.octets());
        }
    }
}

fn put_standing(buffer: &mut BytesMut, standing: Standing) {
    buffer.put_u32(standing.preference);
    buffer.put_u16(standing.weight);
}
