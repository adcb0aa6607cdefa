//! What is kept, laid over what people wrote.

use super::*;
use ringbolt_config::Kind;

#[test]
fn a_record_is_stored_and_read_as_it_is() {
    let record = record();
    assert_eq!(Record::from_value(record.to_value()), Some(record));
    assert_eq!(Record::from_value(json!({"metadata": 1})), None);
}

#[test]
fn everything_is_laid_over_a_document_for_its_controller() {
    let mut value = json!({"metadata": {"name": "web", "annotations": {"a": "b"}}, "spec": {}});
    lay_over(&mut value, Some(&record()), Overlay::Whole);
    let metadata = &value["metadata"];
    assert_eq!(metadata["uid"], "u");
    assert_eq!(metadata["resourceVersion"], "7");
    assert_eq!(metadata["generation"], 3);
    assert_eq!(metadata["finalizers"], json!(["f"]));
    assert_eq!(metadata["annotations"], json!({"a": "b", "c": "d"}));
    assert_eq!(value["status"], json!({"x": 1}));
}

#[test]
fn parts_are_laid_over_for_others() {
    for (overlay, present) in [
        (Overlay::Identity, "uid"),
        (Overlay::Generation, "generation"),
        (Overlay::Annotations, "annotations"),
    ] {
        let mut value = json!({"metadata": {"name": "web"}});
        lay_over(&mut value, Some(&record()), overlay);
        for key in [
            "uid",
            "generation",
            "annotations",
            "resourceVersion",
            "finalizers",
        ] {
            assert_eq!(
                value["metadata"].get(key).is_some(),
                key == present,
                "{overlay:?} {key}"
            );
        }
        assert_eq!(value.get("status"), None);
    }
}

#[test]
fn an_object_beside_which_nothing_is_kept_has_a_version_to_write_against() {
    let mut value = json!({"metadata": {"name": "web"}});
    lay_over(&mut value, None, Overlay::Whole);
    assert_eq!(value["metadata"]["resourceVersion"], UNWRITTEN);
    assert_eq!(Record::version(None), UNWRITTEN);
}

/// The examples of RFC 7396, appendix A.
#[test]
fn merge_patches_do_what_the_rfc_shows() {
    for (target, patch, result) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (
            json!({"a": "b"}),
            json!({"b": "c"}),
            json!({"a": "b", "b": "c"}),
        ),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (
            json!({"a": "b", "b": "c"}),
            json!({"a": null}),
            json!({"b": "c"}),
        ),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (
            json!({"a": {"b": "c"}}),
            json!({"a": {"b": "d", "c": null}}),
            json!({"a": {"b": "d"}}),
        ),
        (
            json!({"a": [{"b": "c"}]}),
            json!({"a": [1]}),
            json!({"a": [1]}),
        ),
        (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        (json!({"a": "b"}), json!(["c"]), json!(["c"])),
        (json!({"a": "foo"}), json!(null), json!(null)),
        (
            json!({"e": null}),
            json!({"a": 1}),
            json!({"e": null, "a": 1}),
        ),
        (
            json!([1, 2]),
            json!({"a": "b", "c": null}),
            json!({"a": "b"}),
        ),
        (
            json!({}),
            json!({"a": {"bb": {"ccc": null}}}),
            json!({"a": {"bb": {}}}),
        ),
    ] {
        let mut merged = target.clone();
        merge_patch(&mut merged, patch.clone());
        assert_eq!(merged, result, "{target} with {patch}");
    }
}

fn record() -> Record {
    let mut record = Record::new(&ObjectRef::new(Kind::Service, None, "web").unwrap());
    record.metadata.uid = Some("u".to_owned());
    record.metadata.resource_version = Some("7".to_owned());
    record.metadata.generation = Some(3);
    record.metadata.finalizers = vec!["f".to_owned()];
    record
        .metadata
        .annotations
        .insert("c".to_owned(), "d".into());
    record.status = Some(json!({"x": 1}));
    record
}
