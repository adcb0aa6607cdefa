//! Images whose parts are swapped, and programs that are not alone.

use std::env;

use super::super::oci::{About, image};
use super::*;

/// A file that goes with the value.
struct File(PathBuf);

impl File {
    fn holding(name: &str, content: &[u8]) -> Self {
        let path = env::temp_dir().join(format!("ringbolt-image-{}-{name}", std::process::id()));
        fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// This very test program: dynamic, and of this machine's format.
fn dynamic() -> Vec<u8> {
    fs::read(env::current_exe().unwrap()).unwrap()
}

fn complaint(file: &File) -> String {
    match check(&file.0) {
        Err(Failure::Failed(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_program_that_needs_a_loader_is_refused() {
    let about = About::of("1.2.3", None).unwrap();
    let file = File::holding("dynamic", &image(&dynamic(), &about).unwrap());
    let why = complaint(&file);
    assert!(why.contains("which the image does not have"), "{why}");
}

#[test]
fn a_program_that_is_none_is_refused() {
    let about = About::of("1.2.3", None).unwrap();
    let file = File::holding("text", &image(b"#!/bin/sh\n", &about).unwrap());
    let why = complaint(&file);
    assert!(why.contains("no ELF file"), "{why}");
}

#[test]
fn a_layer_that_was_changed_after_its_digest_was_taken_is_seen() {
    let about = About::of("1.2.3", None).unwrap();
    let mut bytes = image(b"\x7fELF-original", &about).unwrap();
    let at = bytes
        .windows(8)
        .position(|window| window == b"original")
        .unwrap();
    bytes[at] = b'O';
    let file = File::holding("changed", &bytes);
    let why = complaint(&file);
    assert!(why.contains("has another digest"), "{why}");
}

#[test]
fn an_archive_that_is_no_image_is_refused() {
    let file = File::holding("empty", &[0; 1024]);
    let why = complaint(&file);
    assert!(why.contains("oci-layout"), "{why}");
}
