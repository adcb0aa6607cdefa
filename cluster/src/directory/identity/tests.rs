//! Who makes an identity, and when it is made anew.

use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::directory::WatchMode;

#[test]
fn the_controller_alone_makes_an_identity_and_everybody_reads_it() {
    let folder = TempDir::new().unwrap();
    let look = Some(look(1, 2));
    assert_eq!(
        read_or_make(&settings(&folder, Role::Speaker), look),
        Ok(None)
    );
    let made = read_or_make(&settings(&folder, Role::Controller), look).unwrap();
    assert!(made.is_some());
    for role in [Role::Controller, Role::Speaker, Role::Reader] {
        assert_eq!(
            read_or_make(&settings(&folder, role), look),
            Ok(made.clone())
        );
    }
}

#[test]
fn another_device_or_inode_is_another_cluster() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder, Role::Controller);
    let first = read_or_make(&settings, Some(look(1, 2))).unwrap();
    let second = read_or_make(&settings, Some(look(1, 3))).unwrap();
    let third = read_or_make(&settings, Some(look(2, 3))).unwrap();
    assert!(first != second && second != third && first != third);
}

#[test]
fn without_a_directory_there_is_no_identity() {
    let folder = TempDir::new().unwrap();
    assert_eq!(
        read_or_make(&settings(&folder, Role::Controller), None),
        Ok(None)
    );
}

#[test]
fn a_file_that_says_nothing_is_replaced() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(FILE), "{").unwrap();
    let made = read_or_make(&settings(&folder, Role::Controller), Some(look(1, 2)));
    assert!(made.unwrap().is_some());
}

fn settings(folder: &TempDir, role: Role) -> Settings {
    Settings {
        directory: folder.path().to_owned(),
        state: folder.path().to_owned(),
        role,
        watch: WatchMode::ScanOnly,
        rescan: Duration::from_secs(2),
    }
}

fn look(device: u64, inode: u64) -> Look {
    Look {
        device,
        inode,
        size: 0,
        modified: (0, 0),
    }
}
