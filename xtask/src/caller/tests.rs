//! Who is who, from the files that say so.

use super::{Person, Standing, effective_uid, person_of};

#[test]
fn the_effective_user_is_the_second_number() {
    assert_eq!(
        effective_uid("Name:\tx\nUid:\t1000\t0\t1000\t1000\n"),
        Some(0)
    );
    assert_eq!(effective_uid("Name:\tx\n"), None);
}

#[test]
fn root_is_who_has_the_rights_and_not_only_the_number() {
    let standing = |uid: u32, rights: &str| {
        Standing::of(&format!(
            "Uid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapEff:\t{rights}\n"
        ))
    };
    assert_eq!(standing(0, "000001ffffffffff"), Standing::Root);
    // What Docker gives, with NET_ADMIN alone, and with SYS_ADMIN alone.
    assert_eq!(standing(0, "00000000a80425fb"), Standing::RootByName);
    assert_eq!(standing(0, "00000000a80435fb"), Standing::RootByName);
    assert_eq!(standing(0, "00000000a82425fb"), Standing::RootByName);
    assert_eq!(standing(0, "00000000a82435fb"), Standing::Root);
    assert_eq!(standing(1000, "000001ffffffffff"), Standing::Ordinary);
    assert_eq!(Standing::of(""), Standing::Ordinary);
}

#[test]
fn a_person_is_found_by_uid_and_not_by_gid() {
    let passwd = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1001:Ann:/home/ann:/bin/sh\n";
    let ann = Person {
        uid: 1000,
        gid: 1001,
        name: "ann".into(),
        home: "/home/ann".into(),
    };
    assert_eq!(person_of(passwd, 1000), Some(ann));
    assert_eq!(person_of(passwd, 1001), None);
}
