//! What a patch says, and what it makes of what was there.

use proptest::prelude::*;

use super::*;
use crate::fake::merged;

#[test]
fn what_is_the_same_needs_no_patch() {
    let status = json!({"node": "a", "conditions": [{"type": "Ready"}], "more": {"x": 1}});
    assert_eq!(difference(&status, &status), None);
    assert_eq!(difference(&Value::Null, &Value::Null), None);
    assert_eq!(difference(&json!({}), &json!({"unset": null})), None);
}

#[test]
fn a_patch_has_what_differs_and_takes_away_what_is_gone() {
    let old = json!({"kept": 1, "changed": {"a": 1, "b": 2}, "gone": true});
    let new = json!({"kept": 1, "changed": {"a": 1, "b": 3}, "come": [1]});
    let patch = json!({"changed": {"b": 3}, "gone": null, "come": [1]});
    assert_eq!(difference(&old, &new), Some(patch));
}

/// JSON objects without nulls: a merge patch cannot make those, and our statuses have none.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0..3_u8).prop_map(Value::from)
    ];
    let inner = leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            fields(inner),
        ]
    });
    fields(inner)
}

fn fields(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let fields = prop::collection::btree_map("[a-c]", value, 0..3);
    fields.prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

proptest! {
    #[test]
    fn a_patch_makes_the_old_into_the_new(old in document(), new in document()) {
        let patch = difference(&old, &new);
        prop_assert_eq!(patch.is_none(), old == new);
        let made = merged(&old, &patch.unwrap_or_else(|| json!({})));
        prop_assert_eq!(made, new);
    }
}

fn keeping() -> ServiceStatusPatch {
    ServiceStatusPatch {
        key: "default/web".parse().unwrap(),
        uid: "some-uid".parse().unwrap(),
        resource_version: "7".parse().unwrap(),
        ingress: Part::Keep,
        finalizer: FinalizerChange::Keep,
        allocated_from: Part::Keep,
        conditions: Vec::new(),
    }
}

#[test]
fn every_patch_of_a_service_names_uid_and_version_and_nothing_that_is_kept() {
    let metadata = json!({"uid": "some-uid", "resourceVersion": "7"});
    assert_eq!(of_service(&keeping()), json!({"metadata": metadata}));
}

#[test]
fn addresses_are_written_as_canonical_text_with_their_mode() {
    let mut patch = keeping();
    patch.ingress = Part::Set(vec!["2001:DB8:0::1".parse().unwrap()]);
    let entry = json!({"ip": "2001:db8::1", "ipMode": "VIP"});
    assert_eq!(
        of_service(&patch)["status"]["loadBalancer"]["ingress"],
        json!([entry])
    );
}
