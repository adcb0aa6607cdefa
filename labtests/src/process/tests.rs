//! Whose users there are.

use super::is_whole;

#[test]
fn a_user_namespace_of_an_ordinary_person_has_one_user() {
    assert!(is_whole("         0          0 4294967295\n"));
    assert!(is_whole("0 1000 1\n1 100000 65536\n"));
    assert!(!is_whole("         0       1000          1\n"));
}
