//! Whose users there are, and which programs.

use std::path::{Path, PathBuf};

use super::{NotHere, is_found, is_whole, require_program};

#[test]
fn a_user_namespace_of_an_ordinary_person_has_one_user() {
    assert!(is_whole("         0          0 4294967295\n"));
    assert!(is_whole("0 1000 1\n1 100000 65536\n"));
    assert!(!is_whole("         0       1000          1\n"));
}

#[test]
fn a_program_is_looked_for_where_its_path_says_or_on_the_path() {
    let folders = || {
        ["/nowhere", "/usr/bin", "/bin"]
            .map(PathBuf::from)
            .into_iter()
    };
    assert!(is_found(Path::new("sh"), folders()));
    assert!(is_found(Path::new("/bin/sh"), folders().take(1)));
    assert!(!is_found(Path::new("sh"), folders().take(1)));
    assert!(!is_found(Path::new("/nowhere/sh"), folders()));
}

#[test]
fn a_program_that_is_not_installed_is_a_reason_to_skip() {
    let error = require_program(Path::new("ringbolt-no-such-program")).unwrap_err();
    assert!(error.is::<NotHere>(), "{error:#}");
}
