//! The sum against the vectors its authors publish.

use super::*;

#[test]
fn the_published_vectors_come_out() {
    for (text, sum) in [
        ("", 0xcbf2_9ce4_8422_2325_u64),
        ("a", 0xaf63_dc4c_8601_ec8c),
        ("foobar", 0x8594_4171_f739_67e8),
    ] {
        let mut whole = Checksum::new();
        whole.add(text);
        assert_eq!(whole.value(), sum, "{text}");
        let mut written = Checksum::new();
        write!(written, "{text}").unwrap();
        assert_eq!(written.value(), sum, "{text}");
    }
}
