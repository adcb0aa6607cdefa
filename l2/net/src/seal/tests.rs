//! What opens and what does not.

use super::*;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const HERE: IfIndex = IfIndex(7);

fn ring(ids: &[u32]) -> KeyRing {
    ids.iter()
        .map(|&id| {
            (
                KeyId(id),
                Key::new(&[u8::try_from(id).unwrap(); 32]).unwrap(),
            )
        })
        .collect()
}

fn speaker(name: &str, instance: u64, ids: &[u32]) -> Seal {
    let mut seal = Seal::new(
        ClusterId([9; 16]),
        NodeName::new(name).unwrap(),
        Incarnation(1),
        Instance(instance),
    );
    seal.set_keys(ring(ids));
    seal
}

#[test]
fn a_frame_opens_once_and_tells_its_sender() {
    let (mut a, mut b) = (speaker("a", 1, &[1, 2]), speaker("b", 2, &[2]));
    let frame = a.seal(KeyId(2), MAC, b"hello").unwrap();
    let opened = b.open(HERE, MAC, &frame).unwrap();
    assert_eq!(
        (opened.sender.as_str(), &opened.plaintext[..]),
        ("a", &b"hello"[..])
    );
    assert_eq!(b.open(HERE, MAC, &frame), Err(OpenError::Replayed));
    // On another interface of the same segment it is news: membership is per interface.
    assert!(b.open(IfIndex(8), MAC, &frame).is_ok());
}

#[test]
fn no_byte_of_a_frame_can_be_changed_or_cut() {
    let (mut a, mut b) = (speaker("a", 1, &[1]), speaker("b", 2, &[1]));
    let frame = a.seal(KeyId(1), MAC, b"claim").unwrap();
    for at in 0..frame.len() {
        let mut changed = frame.clone();
        changed[at] ^= 0x01;
        assert!(b.open(HERE, MAC, &changed).is_err(), "byte {at} changed");
        assert!(b.open(HERE, MAC, &frame[..at]).is_err(), "cut at {at}");
    }
    assert!(
        b.open(HERE, MacAddr([2, 0, 0, 0, 0, 9]), &frame).is_err(),
        "from another address"
    );
    assert!(
        b.open(HERE, MAC, &frame).is_ok(),
        "the window was moved by a forged frame"
    );
}

#[test]
fn keys_clusters_and_processes_do_not_mix() {
    let mut a = speaker("a", 1, &[1, 3]);
    assert_eq!(a.seal(KeyId(2), MAC, b"x"), None);
    let frame = a.seal(KeyId(3), MAC, b"x").unwrap();
    assert_eq!(
        speaker("b", 2, &[1]).open(HERE, MAC, &frame),
        Err(OpenError::UnknownKey)
    );
    let mut other_key = speaker("b", 2, &[]);
    other_key.set_keys(KeyRing::from([(KeyId(3), Key::new(&[0; 32]).unwrap())]));
    assert_eq!(other_key.open(HERE, MAC, &frame), Err(OpenError::Forged));
    let mut other_cluster = Seal::new(
        ClusterId([1; 16]),
        NodeName::new("b").unwrap(),
        Incarnation(1),
        Instance(2),
    );
    other_cluster.set_keys(ring(&[3]));
    assert_eq!(
        other_cluster.open(HERE, MAC, &frame),
        Err(OpenError::Forged)
    );
}

#[test]
fn a_raised_incarnation_seals_under_another_subkey() {
    let (mut a, mut b) = (speaker("a", 1, &[1]), speaker("b", 2, &[1]));
    let before = a.seal(KeyId(1), MAC, b"same").unwrap();
    a.set_incarnation(Incarnation(5));
    let after = a.seal(KeyId(1), MAC, b"same").unwrap();
    assert_ne!(before[before.len() - 20..], after[after.len() - 20..]);
    assert!(b.open(HERE, MAC, &before).is_ok());
    assert!(
        b.open(HERE, MAC, &after).is_ok(),
        "the counter started afresh under a new process"
    );
}

#[test]
fn a_key_is_never_printed() {
    assert_eq!(format!("{:?}", Key::new(&[0x41; 32]).unwrap()), "Key(…)");
    assert_eq!(Key::new(&[0; 31]), None);
}
