//! Folders of labs, by the length of the path they are made in.

use std::os::unix::net::UnixListener;
use std::path::Path;

use super::{SHORT, SOCKET_NAME, create, parent};

#[test]
fn a_folder_is_made_where_sockets_fit() {
    let prefix = "ringbolt-lab-4194304-kube-conformance-0-";
    assert_eq!(parent(Path::new("/var/tmp"), prefix), Path::new("/var/tmp"));
    let long = Path::new("/srv/someone/with/a/long/name/and/deep/folders");
    assert_eq!(parent(long, prefix), Path::new(SHORT));
}

#[test]
fn the_longest_socket_fits_into_the_longest_folder_that_is_taken() {
    let outer = tempfile::Builder::new().tempdir_in(SHORT).unwrap();
    let prefix = "ringbolt-lab-1-";
    let mut deep = outer.path().to_path_buf();
    while parent(&deep.join("d"), prefix) != Path::new(SHORT) {
        deep = deep.join("d");
    }
    std::fs::create_dir_all(&deep).unwrap();
    let folder = tempfile::Builder::new()
        .prefix(prefix)
        .tempdir_in(&deep)
        .unwrap();
    let socket = folder.path().join("s".repeat(SOCKET_NAME - 1));
    UnixListener::bind(&socket).unwrap();
    let beyond = folder.path().join("s".repeat(SOCKET_NAME + 3));
    assert!(UnixListener::bind(beyond).is_err());
}

#[test]
fn two_folders_of_one_name_are_two() {
    let folders = [create("same").unwrap(), create("same").unwrap()];
    assert_ne!(folders[0], folders[1]);
    for folder in folders {
        std::fs::remove_dir(folder).unwrap();
    }
}
