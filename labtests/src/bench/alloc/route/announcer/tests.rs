//! The one message, octet by octet.

use super::update;

#[test]
fn an_update_names_the_attributes_it_has_and_the_host() {
    let body = update([10, 201, 0, 1].into(), [10, 99, 1, 3].into(), 65003);
    let attributes = [
        0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xeb, 0x40, 3, 4, 10, 99, 1, 3,
    ];
    let expected = [&[0, 0, 0, 20][..], &attributes, &[32, 10, 201, 0, 1]].concat();
    assert_eq!(body, expected);
}
