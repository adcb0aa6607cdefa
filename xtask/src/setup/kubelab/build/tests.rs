//! The key of the cache.

use super::Key;

#[test]
fn a_key_differs_when_any_part_does() {
    let key = |parts: &[&str]| {
        let mut key = Key::default();
        parts.iter().for_each(|part| key.add(part.as_bytes()));
        key.name()
    };
    assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
    assert_ne!(key(&["a", "b"]), key(&["b", "a"]));
    assert_ne!(key(&["ab", ""]), key(&["a", "b"]));
    assert_eq!(key(&[]), "cbf29ce484222325");
}
