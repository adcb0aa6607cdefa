//! Problems of all three sources as people and programs read them.

use std::path::PathBuf;
use std::sync::Arc;

use ringbolt_cluster::{SourceProblem, Trouble};
use serde_json::{Value, json};

use super::*;
use crate::samples;

#[test]
fn the_samples_have_no_problem() {
    assert_eq!(texts(&samples::listing(samples::cluster())), [""; 0]);
}

#[test]
fn a_problem_of_a_file_says_where_it_is() {
    let mut listing = samples::listing([]);
    listing.problems = [problem(Trouble::InvalidField {
        message: "must be an integer".into(),
    })]
    .into();
    assert_eq!(
        texts(&listing),
        ["error: given/web.yaml:7:3: spec.ports[0].port: must be an integer (InvalidField)"]
    );
}

#[test]
fn both_files_of_a_duplicate_have_the_names_the_user_gave() {
    let mut listing = samples::listing([]);
    let other = Arc::new(PathBuf::from("read/other.yaml"));
    listing.problems = [problem(Trouble::Duplicate { other })].into();
    let text = texts(&listing).remove(0);
    assert!(
        text.contains("given/web.yaml") && text.contains("given/other.yaml"),
        "{text}"
    );
    assert!(!text.contains("read/"), "{text}");
}

#[test]
fn what_only_loses_a_part_is_a_warning() {
    let mut listing = samples::listing([]);
    listing.problems = [problem(Trouble::NotForPeople)].into();
    let found = find(&listing, &rename);
    assert_eq!(found[0].severity, Weight::Warning);
    assert_eq!(found[0].reason, "NotForPeople");
}

#[test]
fn the_resolver_names_object_field_and_reason() {
    let mut peer = samples::peer();
    peer["spec"]["vrf"] = json!("red");
    let mut advertisement = samples::advertisement();
    advertisement["spec"]["ipAddressPools"] = json!(["missing"]);
    let texts = texts(&samples::listing([peer, advertisement]));
    assert!(
        texts.iter().any(|text| text
            == "error: BGPPeer tor: spec.vrf: is not implemented in this version (NotImplemented)"),
        "{texts:?}"
    );
    assert!(
        texts
            .iter()
            .any(|text| text.contains("BGPAdvertisement services: spec.ipAddressPools[0]")),
        "{texts:?}"
    );
}

#[test]
fn a_request_that_cannot_be_read_is_an_error_and_an_attribute_a_warning() {
    let web = annotated(json!({"ringbolt.io/loadBalancerIPs": "here", "ringbolt.io/med": "much"}));
    let texts = texts(&samples::listing([web]));
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(
        texts.contains(
            &"error: Service default/web: metadata.annotations[ringbolt.io/loadBalancerIPs]: \
              \"here\" is not an IP address (InvalidAddress)"
                .to_owned()
        ),
        "{texts:?}"
    );
    assert!(
        texts
            .iter()
            .any(|text| text.starts_with("warning: ") && text.contains("ringbolt.io/med")),
        "{texts:?}"
    );
}

#[test]
fn an_annotation_that_nothing_reads_is_told_and_not_guessed() {
    let web = annotated(json!({"ringbolt.io/adress-pool": "public", "example.org/any": "thing"}));
    assert_eq!(
        texts(&samples::listing([web])),
        [
            "warning: Service default/web: metadata.annotations[ringbolt.io/adress-pool]: \
          nothing here reads this annotation (NotRead)"
        ]
    );
}

#[test]
fn a_pod_network_that_is_none_is_told() {
    let mut node = samples::node("node-1");
    node["spec"]["podCIDRs"] = json!(["10.0.0.0/33"]);
    assert_eq!(
        texts(&samples::listing([node])),
        ["warning: Node node-1: spec.podCIDRs: \"10.0.0.0/33\" is not a CIDR (InvalidPodCIDR)"]
    );
}

#[test]
fn the_summary_counts_and_names_what_was_passed_over() {
    let mut listing = samples::listing([samples::pool()]);
    assert_eq!(
        summary(&listing, &[]),
        "1 object read, 0 errors, 0 warnings"
    );
    listing.skipped = Arc::new([("Deployment".to_owned(), 2)].into());
    listing.problems = [
        problem(Trouble::InvalidName),
        problem(Trouble::NotForPeople),
    ]
    .into();
    let found = find(&listing, &rename);
    assert_eq!(
        summary(&listing, &found),
        "1 object read, 1 error, 1 warning; passed over: 2 Deployment"
    );
}

#[test]
fn programs_read_what_is_known_and_nothing_else() {
    let mut listing = samples::listing([]);
    listing.problems = [problem(Trouble::InvalidName)].into();
    let mut found = serde_json::to_value(find(&listing, &rename)).unwrap();
    assert_eq!(
        found[0].take(),
        json!({
            "severity": "error", "file": "given/web.yaml", "line": 7, "column": 3,
            "field": "spec.ports[0].port", "reason": "InvalidName",
            "message": "is not a name such an object can have",
        })
    );
}

fn texts(listing: &Listing) -> Vec<String> {
    find(listing, &rename).iter().map(Finding::text).collect()
}

fn rename(file: &str) -> String {
    file.replace("read/", "given/")
}

fn problem(trouble: Trouble) -> SourceProblem {
    SourceProblem {
        file: Some(Arc::new("read/web.yaml".into())),
        line: Some(7),
        column: Some(3),
        object: None,
        field: Some("spec.ports[0].port".to_owned()),
        trouble,
    }
}

fn annotated(annotations: Value) -> Value {
    let mut web = samples::web();
    web["metadata"]["annotations"] = annotations;
    web
}
