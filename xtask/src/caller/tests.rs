//! Who is who, from the files that say so.

use super::{Person, effective_uid, person_of};

#[test]
fn the_effective_user_is_the_second_number() {
    assert_eq!(
        effective_uid("Name:\tx\nUid:\t1000\t0\t1000\t1000\n"),
        Some(0)
    );
    assert_eq!(effective_uid("Name:\tx\n"), None);
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
