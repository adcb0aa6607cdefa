//! What is gathered from files and directories, and under which names it comes back.

use std::fs;

use super::*;

#[test]
fn a_directory_gives_its_manifests_in_order_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    for name in ["b.yml", "a.yaml", "c.json", ".hidden.yaml", "notes.txt"] {
        fs::write(place.path().join(name), "").unwrap();
    }
    fs::create_dir(place.path().join("d.yaml")).unwrap();
    let found = manifests(place.path()).unwrap();
    let names: Vec<_> = found
        .iter()
        .map(|path| path.file_name().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["a.yaml", "b.yml", "c.json"]);
}

#[test]
fn every_link_leads_back_to_the_name_that_was_given() {
    let place = tempfile::tempdir().unwrap();
    let named = place.path().join("pool.manifest");
    fs::write(&named, "kind: Pool").unwrap();
    let gathered = Gathered::new(&[named.clone(), named.clone()]).unwrap();
    assert_eq!(gathered.originals.len(), 2);
    for link in gathered.originals.keys() {
        assert_eq!(
            gathered.original(&link.to_string_lossy()),
            named.display().to_string()
        );
        assert_eq!(fs::read_to_string(link).unwrap(), "kind: Pool");
        assert!(
            link.extension().is_some_and(|ending| ending == "yaml"),
            "{}",
            link.display()
        );
    }
    assert_eq!(gathered.original("/elsewhere"), "/elsewhere");
}

#[test]
fn a_path_without_manifests_is_an_error_that_names_it() {
    let place = tempfile::tempdir().unwrap();
    for path in [place.path().to_owned(), place.path().join("missing")] {
        let error = Gathered::new(std::slice::from_ref(&path)).err().unwrap();
        assert!(
            format!("{error:#}").contains(&path.display().to_string()),
            "{error:#}"
        );
    }
}

#[test]
fn only_an_error_makes_the_verdict_bad() {
    let finding = |severity| Finding {
        severity,
        file: None,
        line: None,
        column: None,
        object: None,
        field: None,
        reason: "Any",
        message: String::new(),
    };
    assert_eq!(verdict(&[]), Verdict::Good);
    assert_eq!(verdict(&[finding(Weight::Warning)]), Verdict::Good);
    assert_eq!(
        verdict(&[finding(Weight::Warning), finding(Weight::Error)]),
        Verdict::Bad
    );
}
