//! What is there, and who said yes.

use super::{Consent, PROGRAMS, Purpose, is_installed};

#[test]
fn a_program_that_exists_nowhere_is_missing() {
    assert!(is_installed("sh"));
    assert!(!is_installed("no-such-program"));
    assert!(!is_installed("bgpd@no-such-folder"));
}

#[test]
fn the_flag_is_consent() {
    assert_eq!(Consent::from_args(&["--yes".to_owned()]), Consent::Given);
}

#[test]
fn every_purpose_brings_a_program() {
    for purpose in Purpose::ALL {
        assert!(
            PROGRAMS.iter().any(|program| program.purpose == *purpose),
            "{purpose:?}"
        );
    }
}
