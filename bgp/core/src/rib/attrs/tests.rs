//! Values are shared while used and forgotten afterwards.

use super::*;

#[test]
fn equal_values_share_an_id_until_the_last_user_leaves() {
    let mut interner = Interner::new();
    let one = interner.acquire("a".to_owned());
    let same = interner.acquire("a".to_owned());
    let other = interner.acquire("b".to_owned());
    assert_eq!(one, same);
    assert_ne!(one, other);
    assert_eq!(interner.len(), 2);
    interner.release(one);
    assert!(interner.is_live(one));
    assert_eq!(**interner.get(one), "a");
    interner.release(one);
    assert!(!interner.is_live(one));
    assert_eq!(interner.len(), 1);
}

#[test]
fn an_id_never_names_another_value() {
    let mut interner = Interner::new();
    let first = interner.acquire(1);
    interner.release(first);
    assert_ne!(interner.acquire(1), first);
    assert_ne!(interner.acquire(2), first);
}

#[test]
fn ids_do_not_run_out_in_the_life_of_a_session() {
    let mut interner = Interner::new();
    interner.next = u32::MAX.into();
    let last_narrow = interner.acquire(1);
    assert_ne!(interner.acquire(2), last_narrow);
}
