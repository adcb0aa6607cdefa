//! What the index makes of objects that are said elsewhere to be where they are.

use ringbolt_config::decode;
use serde_json::{Value, json};

use super::*;

fn apply(index: &mut Index, kind: Kind, object: Value) {
    let object = decode(kind, object).expect("a good object");
    index.apply(Change::Apply(object));
}

#[test]
fn a_password_is_looked_for_in_the_namespace_that_secrets_are_in() {
    let mut index = Index::default();
    apply(
        &mut index,
        Kind::Secret,
        json!({"metadata": {"namespace": "lb", "name": "rope"}, "data": {"password": "c2VjcmV0"}}),
    );
    apply(
        &mut index,
        Kind::BGPPeer,
        json!({
            "metadata": {"name": "tor"},
            "spec": {
                "myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1",
                "passwordSecret": {"name": "rope"},
            },
        }),
    );
    index.resolve();
    assert_eq!(index.problems.len(), 1, "{:?}", index.problems);
    let concerns = index.secrets_are_in("lb".into());
    assert!(matches!(concerns[..], [Concern::Configuration]));
    index.resolve();
    assert!(index.problems.is_empty(), "{:?}", index.problems);
    assert!(index.secrets_are_in("lb".into()).is_empty());
}
