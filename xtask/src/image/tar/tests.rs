//! Archives as the system's own tar reads them.

use std::process::{Command, Stdio};
use std::{env, fs};

use super::*;

#[test]
fn the_systems_tar_reads_what_is_written() {
    let mut archive = Archive::default();
    archive.folder("a").unwrap();
    let long = vec![7_u8; 3 * BLOCK + 1];
    archive.file("a/long", 0o644, &long).unwrap();
    archive.file("a/run", 0o755, b"x").unwrap();
    archive.file("empty", 0o600, b"").unwrap();
    let folder = env::temp_dir().join(format!("ringbolt-tar-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("one.tar");
    fs::write(&file, archive.finish()).unwrap();
    let listed = Command::new("tar").arg("-tvf").arg(&file).output().unwrap();
    let unpacked = Command::new("tar")
        .arg("-xf")
        .arg(&file)
        .arg("-C")
        .arg(&folder)
        .stderr(Stdio::inherit())
        .status()
        .unwrap();
    let read = fs::read(folder.join("a/long")).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert!(listed.status.success() && listed.stderr.is_empty());
    let listed = String::from_utf8(listed.stdout).unwrap();
    let lines: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let seen: Vec<(&str, &str, &str)> = lines
        .iter()
        .map(|words| (words[0], words[2], *words.last().unwrap()))
        .collect();
    assert_eq!(
        seen,
        [
            ("drwxr-xr-x", "0", "a/"),
            ("-rw-r--r--", "1537", "a/long"),
            ("-rwxr-xr-x", "1", "a/run"),
            ("-rw-------", "0", "empty"),
        ]
    );
    assert!(unpacked.success());
    assert_eq!(read, long);
}

#[test]
fn a_name_that_has_no_room_is_refused_and_not_cut() {
    let mut archive = Archive::default();
    assert!(archive.file(&"n".repeat(101), 0o644, b"").is_err());
    assert!(archive.file(&"n".repeat(100), 0o644, b"").is_ok());
}
