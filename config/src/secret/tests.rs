//! Secrets: values go in and are not printed.

use serde_json::json;

use super::*;

#[test]
fn a_printed_secret_shows_no_value() {
    let object = serde_json::from_value(json!({
        "data": {"password": "aHVudGVyMg==", "other": "aGlkZGVu"},
        "stringData": {"other": "plainly"},
    }));
    let view = SecretView::new("ns".into(), "s".into(), object.unwrap());
    assert_eq!(view.entries["password"].expose(), b"hunter2");
    assert_eq!(view.entries["other"].expose(), b"plainly");
    let printed = format!("{view:?} {view:#?}");
    for hidden in ["hunter2", "aHVudGVyMg", "hidden", "plainly", "104, 117"] {
        assert!(!printed.contains(hidden), "{printed}");
    }
    assert!(printed.contains("<7 secret bytes>"));
}
