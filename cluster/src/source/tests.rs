//! How a problem reads for people, and which words it has for programs.

use std::io::ErrorKind;

use super::*;

#[test]
fn a_problem_says_what_it_knows_and_no_more() {
    let mut problem = SourceProblem {
        file: Some(Arc::new("m/web.yaml".into())),
        line: Some(7),
        column: Some(3),
        object: Some(ObjectRef::new(Kind::Service, None, "web").unwrap()),
        field: Some("spec.ports[0].port".to_owned()),
        trouble: Trouble::InvalidField {
            message: "must be 1 to 65535".into(),
        },
    };
    assert_eq!(
        problem.to_string(),
        "m/web.yaml:7:3: Service default/web: spec.ports[0].port: must be 1 to 65535"
    );
    assert_eq!(
        (problem.reason(), problem.severity()),
        ("InvalidField", Severity::Refused)
    );
    problem.line = None;
    problem.object = None;
    problem.field = None;
    problem.trouble = Trouble::FileUnreadable {
        cause: ErrorKind::PermissionDenied,
    };
    assert_eq!(
        problem.to_string(),
        "m/web.yaml: the file cannot be read (permission denied); its last good objects stay"
    );
    problem.file = None;
    problem.trouble = Trouble::NotForPeople;
    assert_eq!(problem.to_string(), "is not read from manifests");
    assert_eq!(problem.severity(), Severity::Ignored);
}
