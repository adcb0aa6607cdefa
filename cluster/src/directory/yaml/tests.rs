//! Values as the core schema has them, errors at their place, and paths found again in texts.

use serde_json::json;

use super::*;

#[test]
fn scalars_become_what_json_would_have() {
    for (text, value) in [
        ("a: null", json!({"a": null})),
        ("a:", json!({"a": null})),
        ("a: true", json!({"a": true})),
        ("a: yes", json!({"a": "yes"})),
        ("a: 'true'", json!({"a": "true"})),
        ("a: 179", json!({"a": 179})),
        ("a: -1", json!({"a": -1})),
        ("a: +1", json!({"a": 1})),
        ("a: 0x1F", json!({"a": 31})),
        ("a: 0o17", json!({"a": 15})),
        (
            "a: 18446744073709551615",
            json!({"a": 18_446_744_073_709_551_615_u64}),
        ),
        ("a: 1.5", json!({"a": 1.5})),
        ("a: 1e3", json!({"a": 1000.0})),
        ("a: .5", json!({"a": 0.5})),
        ("a: 192.0.2.1", json!({"a": "192.0.2.1"})),
        ("a: 192.0.2.0/24", json!({"a": "192.0.2.0/24"})),
        ("a: 2001:db8::1", json!({"a": "2001:db8::1"})),
        ("a: 65000:1", json!({"a": "65000:1"})),
        ("a: 80-90", json!({"a": "80-90"})),
        ("a: .inf", json!({"a": ".inf"})),
        ("a: !!str 12", json!({"a": "12"})),
        ("a: \"x\\ny\"", json!({"a": "x\ny"})),
        ("a: |\n  b\n  c\n", json!({"a": "b\nc\n"})),
    ] {
        assert_eq!(parse(text).unwrap(), [value], "{text}");
    }
}

#[test]
fn documents_without_content_are_left_out() {
    assert_eq!(parse("").unwrap(), Vec::<Value>::new());
    assert_eq!(
        parse("# nothing\n---\n---\n# still\n").unwrap(),
        Vec::<Value>::new()
    );
    assert_eq!(
        parse("---\na: 1\n---\n---\nb: 2\n...\n").unwrap(),
        [json!({"a":1}), json!({"b":2})]
    );
}

#[test]
fn anchors_and_merge_keys_are_followed() {
    let text = "base: &b {x: 1, y: 2}\nover:\n  <<: *b\n  y: 3\nsame: *b\n";
    assert_eq!(
        parse(text).unwrap(),
        [json!({"base": {"x":1,"y":2}, "over": {"x":1,"y":3}, "same": {"x":1,"y":2}})]
    );
}

#[test]
fn aliases_cannot_blow_a_document_up() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..9 {
        let below = format!("*a{}", level - 1);
        let list = vec![below; 10].join(",");
        text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
    }
    let error = parse(&text).unwrap_err();
    assert_eq!(error.message, "aliases make the document too large");
}

#[test]
fn nesting_is_bounded() {
    let text = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(
        parse(&text).unwrap_err().message,
        "the document is nested too deeply"
    );
    assert!(parse(&format!("{}{}", "[".repeat(60), "]".repeat(60))).is_ok());
}

#[test]
fn errors_name_line_and_column() {
    let error = parse("a: 1\nb: 2\na: 3\n").unwrap_err();
    assert_eq!((error.line, error.column), (3, 1));
    assert_eq!(error.message, "key `a` stands twice");
    let error = parse("a: [1, 2\nb: 3\n").unwrap_err();
    assert!(error.line >= 2, "{error:?}");
    let error = parse("? [a]\n: b\n").unwrap_err();
    assert_eq!(error.message, "a key must be a text");
}

#[test]
fn any_prefix_of_a_text_is_parsed_or_refused_without_panic() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: \"a\", labels: {x: 'y'}}\nspec:\n  ports:\n  - {port: 80}\n  - port: 81 # x\n  b: &c |\n   d\n  e: *c\n---\nf: !!str 1\n";
    for end in 0..=text.len() {
        let _ = parse(&text[..end]);
        let _ = locate(&text[..end], "spec.ports[1].port");
    }
}

#[test]
fn paths_are_found_in_the_text() {
    let text = "# head\nkind: Service\nspec:\n  # one\n  ports:\n    - port: 80\n    # two\n    - name: b\n      port: 81\n  selector: {app: web, a.b/c: d}\n";
    for (path, place) in [
        ("kind", (2, 1)),
        ("spec", (3, 1)),
        ("spec.ports", (5, 3)),
        ("spec.ports[0].port", (6, 7)),
        ("spec.ports[1]", (8, 7)),
        ("spec.ports[1].port", (9, 7)),
        ("spec.ports[1].protocol", (8, 7)),
        ("spec.ports[7].port", (5, 3)),
        ("spec.selector.a.b/c", (10, 24)),
        ("spec.selector[\"a.b/c\"]", (10, 24)),
        ("spec.type", (3, 1)),
        ("status", (2, 1)),
    ] {
        assert_eq!(locate(text, path), Some(place), "{path}");
    }
    assert_eq!(
        locate("{\"spec\":{\"a\":[1,{\"b\":2}]}}", "spec.a[1].b"),
        Some((1, 18))
    );
}
