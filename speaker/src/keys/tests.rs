//! Which Secrets and files make a ring, and that nothing of a key is ever shown.

use std::fs;

use ringbolt_config::secret::{SecretBytes, SecretView};

use super::{KEY_BYTES, KeyRing};

#[test]
fn keys_of_a_secret_are_ordered_by_number_and_not_by_text() {
    let ring = KeyRing::from_secret(&secret(&[("10", KEY_BYTES), ("9", KEY_BYTES)])).unwrap();
    assert_eq!(ring.iter().map(|(id, _)| id).collect::<Vec<_>>(), [9, 10]);
}

#[test]
fn one_bad_entry_refuses_the_ring_and_is_named_without_its_value() {
    for (entry, length, reason) in [
        ("new", KEY_BYTES, "InvalidKeyId"),
        ("01", KEY_BYTES, "InvalidKeyId"),
        ("4294967296", KEY_BYTES, "InvalidKeyId"),
        ("2", 31, "InvalidKeyLength"),
        ("2", 33, "InvalidKeyLength"),
    ] {
        let problem =
            KeyRing::from_secret(&secret(&[("1", KEY_BYTES), (entry, length)])).unwrap_err();
        assert_eq!(problem.reason(), reason, "{entry} of {length} bytes");
    }
}

#[test]
fn a_key_file_has_an_id_and_hexadecimal_digits_on_each_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    let digits = "00ff".repeat(16);
    fs::write(
        &path,
        format!("# since spring\n1 {digits}\n\n2  {digits}\n"),
    )
    .unwrap();
    let ring = KeyRing::from_file(&path).unwrap();
    assert_eq!(ring.iter().map(|(id, _)| id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(ring.iter().next().unwrap().1.expose()[..2], [0x00, 0xff]);
    for bad in [
        "1",
        "x 00",
        &format!("1 {}", &digits[1..]),
        &format!("1 {digits}g0"),
    ] {
        fs::write(&path, format!("\n{bad}\n")).unwrap();
        let problem = KeyRing::from_file(&path).unwrap_err();
        assert_eq!(problem.reason(), "InvalidKeyFile");
        assert!(problem.to_string().contains("keys:2:"), "{problem}");
    }
    let missing = KeyRing::from_file(&dir.path().join("none")).unwrap_err();
    assert_eq!(missing.reason(), "KeyFileUnreadable");
}

#[test]
fn a_ring_shows_ids_alone() {
    let ring = KeyRing::from_secret(&secret(&[("7", KEY_BYTES)])).unwrap();
    assert_eq!(format!("{ring:?}"), "{7}");
}

fn secret(entries: &[(&str, usize)]) -> SecretView {
    let entries = entries
        .iter()
        .map(|(name, length)| ((*name).to_owned(), SecretBytes::new(&vec![0xab; *length])));
    SecretView {
        namespace: "ringbolt".into(),
        name: "ringbolt-speaker-key".into(),
        entries: entries.collect(),
    }
}
