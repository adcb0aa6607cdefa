//! Names of namespaces, read back.

use super::{is_living_lab, owner};

#[test]
fn only_namespaces_of_labs_have_an_owner() {
    assert_eq!(owner("rb123-router"), Some(123));
    assert_eq!(owner("rb-router"), None);
    assert_eq!(owner("kube"), None);
}

#[test]
fn a_killed_lab_is_not_running_although_its_id_is_still_there() {
    assert!(is_living_lab("Name:\tlabtests\nState:\tS (sleeping)\n"));
    assert!(!is_living_lab("Name:\tlabtests\nState:\tZ (zombie)\n"));
    assert!(!is_living_lab("Name:\tbash\nState:\tS (sleeping)\n"));
    assert!(!is_living_lab(""));
}
