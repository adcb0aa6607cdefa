//! The CRDs: fresh, bounded, and their CEL rules.

mod cel;
mod schema;

use std::path::PathBuf;

use super::*;

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(path)
}

/// Asserts that a generated file is fresh; with `RINGBOLT_BLESS=1` it is written instead.
pub(crate) fn assert_fresh(path: &str, text: &str) {
    let file = repository(path);
    if std::env::var_os("RINGBOLT_BLESS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
    }
    let present = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        present == text,
        "{path} is stale; RINGBOLT_BLESS=1 cargo test --locked -p ringbolt-config writes it"
    );
}
