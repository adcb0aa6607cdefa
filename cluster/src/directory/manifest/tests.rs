//! Texts to objects, one at a time.

use super::*;

#[test]
fn a_text_is_cut_at_document_markers_alone() {
    let cut = |text| {
        let segments = segments(text, Format::Yaml);
        assert_eq!(
            segments.iter().map(|(_, text)| *text).collect::<String>(),
            text
        );
        segments
    };
    assert_eq!(cut(""), [(0, "")]);
    assert_eq!(cut("a: 1\n"), [(0, "a: 1\n")]);
    assert_eq!(
        cut("---\na: 1\n--- # two\nb: 2"),
        [(0, "---\na: 1\n"), (2, "--- # two\nb: 2")]
    );
    assert_eq!(
        cut("a: 1\r\n---\r\nb: 2\r\n"),
        [(0, "a: 1\r\n"), (1, "---\r\nb: 2\r\n")]
    );
    assert_eq!(cut("a: |\n  ---\n---x\n"), [(0, "a: |\n  ---\n---x\n")]);
    assert_eq!(
        cut("%YAML 1.2\n---\na: 1\n---\nb: 2\n").len(),
        1,
        "directives are left to the parser"
    );
}

#[test]
fn a_list_is_unwrapped_and_its_problems_are_found_in_it() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: a}\n  spec: {ports: [{port: 80}]}\n- apiVersion: v1\n  kind: Service\n  metadata: {name: b}\n  spec:\n    ports:\n    - port: 0\n";
    let segment = read(text, Format::Yaml).unwrap();
    assert_eq!(names(&segment), ["Service default/a"]);
    assert_eq!(segment.documents, 1);
    let problem = &segment.problems[0];
    assert_eq!(
        problem.field.as_deref(),
        Some("items[1].spec.ports[0].port")
    );
    assert_eq!((problem.line, problem.column), (Some(13), Some(7)));
}

#[test]
fn kinds_of_others_are_counted_and_ours_of_another_version_are_refused() {
    let segment = read_yaml("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n");
    assert_eq!(segment.skipped, ["apps/v1 Deployment"]);
    assert!(segment.problems.is_empty());
    let segment =
        read_yaml("apiVersion: ringbolt.io/v1\nkind: IPAddressPool\nmetadata: {name: a}\n");
    assert!(segment.skipped.is_empty());
    assert_eq!(segment.problems[0].trouble.reason(), "InvalidField");
}

#[test]
fn a_document_without_identity_makes_the_file_unclear() {
    for (text, missing) in [
        ("a: 1\n", "apiVersion"),
        ("- 1\n", "apiVersion"),
        ("just text\n", "apiVersion"),
        ("apiVersion: v1\n", "kind"),
        ("apiVersion: v1\nkind: Service\n", "metadata"),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {}\n",
            "metadata.name",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: 5}\n",
            "metadata.name",
        ),
        ("apiVersion: v1\nkind: List\n", "items"),
    ] {
        let segment = read_yaml(text);
        assert!(segment.unidentified, "{text}");
        assert_eq!(
            segment.problems[0].trouble,
            Trouble::Unidentified { missing },
            "{text}"
        );
    }
    for (metadata, field) in [
        ("{name: A}", "metadata.name"),
        ("{name: ../x}", "metadata.name"),
        ("{name: a, namespace: '..'}", "metadata.namespace"),
    ] {
        let segment = read_yaml(&format!(
            "apiVersion: v1\nkind: Service\nmetadata: {metadata}\n"
        ));
        assert!(segment.unidentified);
        assert_eq!(segment.problems[0].trouble, Trouble::InvalidName);
        assert_eq!(segment.problems[0].field.as_deref(), Some(field));
    }
}

#[test]
fn what_people_do_not_write_is_taken_out_and_named() {
    let text = "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  uid: x\n  resourceVersion: '7'\n  finalizers: [b]\n  deletionTimestamp: 2024-01-01T00:00:00Z\nspec: {type: LoadBalancer, ports: [{port: 80}]}\nstatus: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}\n";
    let segment = read_yaml(text);
    let Object::Service(view) = &segment.objects[0].1.object else {
        panic!("a Service")
    };
    assert_eq!(view.uid, ringbolt_config::Uid::unassigned());
    assert!(!view.deleting && view.ingress.is_empty());
    assert_eq!(segment.problems.len(), 1);
    assert_eq!(segment.problems[0].trouble, Trouble::NotForPeople);
    assert_eq!(
        (segment.problems[0].line, segment.problems[0].column),
        (Some(10), Some(1))
    );
}

#[test]
fn an_empty_status_of_an_exported_object_is_no_problem() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\nstatus: {loadBalancer: {}}\n";
    assert!(read_yaml(text).problems.is_empty());
}

#[test]
fn the_status_of_a_node_is_read() {
    let text = "apiVersion: v1\nkind: Node\nmetadata: {name: n}\nstatus: {addresses: [{type: InternalIP, address: 192.0.2.1}]}\n";
    let segment = read_yaml(text);
    let Object::Node(view) = &segment.objects[0].1.object else {
        panic!("a Node")
    };
    assert_eq!(view.addresses.len(), 1);
    assert!(segment.problems.is_empty());
}

#[test]
fn a_speaker_object_of_people_is_refused() {
    let segment =
        read_yaml("apiVersion: ringbolt.io/v1beta1\nkind: Speaker\nmetadata: {name: n}\n");
    assert!(segment.objects.is_empty());
    assert_eq!(segment.problems[0].trouble, Trouble::KindNotForPeople);
    assert!(!segment.unidentified);
}

#[test]
fn unknown_fields_of_our_kinds_are_refused_with_their_place() {
    let text = "apiVersion: ringbolt.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: a}\nspec:\n  addresses: [192.0.2.0/24]\n  autoasign: true\n";
    let segment = read_yaml(text);
    assert!(segment.objects.is_empty());
    assert_eq!(segment.refused.len(), 1);
    let problem = &segment.problems[0];
    assert_eq!(problem.field.as_deref(), Some("spec.autoasign"));
    assert_eq!((problem.line, problem.column), (Some(6), Some(3)));
}

#[test]
fn json_is_read_from_its_own_files_and_from_yaml_files() {
    let json = r#"{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}}"#;
    assert_eq!(names(&read(json, Format::Json).unwrap()), ["Node a"]);
    assert_eq!(names(&read(json, Format::Yaml).unwrap()), ["Node a"]);
    let two = format!("{json}\n{}", json.replace("\"a\"", "\"b\""));
    assert_eq!(
        names(&read(&two, Format::Json).unwrap()),
        ["Node a", "Node b"]
    );
    let error = read(&format!("{json}\n{{\"a\": }}"), Format::Json).unwrap_err();
    assert_eq!((error.line, error.column), (2, 7));
    let bad = format!("{json}\n\n{}", json.replace("\"a\"", "\"A\""));
    let segment = read(&bad, Format::Json).unwrap();
    assert_eq!(segment.problems[0].line, Some(3));
}

#[test]
fn equal_objects_in_other_words_are_equal_documents() {
    let one = read_yaml(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\n",
    );
    let two = read_yaml(
        "kind: Service\napiVersion: v1\nspec:\n  ports:\n  - protocol: TCP\n    port: 80\nmetadata:\n  namespace: default\n  name: \"a\"\n",
    );
    assert_eq!(one.objects[0].1.json, two.objects[0].1.json);
}

#[test]
fn a_misspelt_field_of_a_service_is_named_with_its_place_and_the_service_is_used() {
    let segment = read_yaml(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  externalTraficPolicy: Local\n  ports: [{port: 80}]\n",
    );
    assert_eq!(names(&segment), ["Service default/a"]);
    let [problem] = &segment.problems[..] else {
        panic!("{:?}", segment.problems);
    };
    assert_eq!(problem.trouble, Trouble::UnknownField);
    assert_eq!(problem.field.as_deref(), Some("spec.externalTraficPolicy"));
    assert_eq!((problem.line, problem.column), (Some(5), Some(3)));
}

fn read_yaml(text: &str) -> Segment {
    read(text, Format::Yaml).unwrap()
}

fn names(segment: &Segment) -> Vec<String> {
    segment
        .objects
        .iter()
        .map(|(name, _)| name.to_string())
        .collect()
}
