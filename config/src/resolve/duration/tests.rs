//! Durations in Go's notation.

use super::*;

#[test]
fn go_durations_are_read() {
    for (text, millis) in [
        ("90s", 90_000),
        ("1m30s", 90_000),
        ("1.5s", 1_500),
        (".5s", 500),
        ("500ms", 500),
        ("1h", 3_600_000),
        ("0s", 0),
        ("0", 0),
    ] {
        assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
    }
}

#[test]
fn what_is_no_duration_is_not_read() {
    for text in [
        "",
        "s",
        "90",
        "-1s",
        "1d",
        "1s1",
        "1..5s",
        ".s",
        "99999999999999h",
        "ä",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}
