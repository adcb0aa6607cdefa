//! Every spelling of every wish, and what happens when two disagree.

use super::*;
use crate::service::Concern;

#[test]
fn every_spelling_of_a_wish_is_understood() {
    for name in POOL {
        assert_eq!(
            read_one(&[(name, "front")]).pool,
            Some("front".parse().unwrap()),
            "{name}"
        );
    }
    for name in SHARING {
        let key = read_one(&[(name, "key one")]).sharing_key;
        assert_eq!(key, Some("key one".parse().unwrap()), "{name}");
    }
    let both = [
        "192.0.2.1".parse::<IpAddr>().unwrap(),
        "2001:db8::1".parse().unwrap(),
    ];
    for name in ADDRESSES {
        assert_eq!(
            read_one(&[(name, " 2001:db8::1 ,192.0.2.1")]).addresses,
            both,
            "{name}"
        );
    }
}

#[test]
fn two_spellings_that_agree_are_one_wish() {
    let (asked, problems) = read_all(
        &[
            ("metallb.io/loadBalancerIPs", "192.0.2.1,2001:db8::1"),
            ("ringbolt.io/loadBalancerIPs", "2001:db8:0::1, 192.0.2.1"),
            ("metallb.universe.tf/address-pool", "p"),
            ("ringbolt.io/address-pool", "p"),
        ],
        Some("192.0.2.1"),
    );
    assert_eq!(problems, []);
    assert_eq!(asked.addresses.len(), 2);
}

#[test]
fn two_spellings_that_disagree_are_refused_with_both_names() {
    for spellings in [POOL, SHARING] {
        for other in &spellings[1..] {
            let (_, problems) = read_all(&[(spellings[0], "a"), (other, "b")], None);
            let first = Field::Annotation(spellings[0]);
            let second = Field::Annotation(other);
            assert_eq!(problems, [ServiceProblem::Disagreement { first, second }]);
            assert_eq!(problems[0].concerns(), Concern::Request);
        }
    }
    let (_, problems) = read_all(
        &[(ADDRESSES[0], "192.0.2.1"), (ADDRESSES[3], "192.0.2.2")],
        None,
    );
    assert_eq!(problems[0].reason(), "Disagreement");
    let (_, problems) = read_all(&[(ADDRESSES[1], "192.0.2.1")], Some("192.0.2.2"));
    let first = Field::Annotation(ADDRESSES[1]);
    let second = Field::Spec("loadBalancerIP");
    assert_eq!(problems, [ServiceProblem::Disagreement { first, second }]);
}

#[test]
fn a_wish_is_known_by_the_spelling_that_was_used() {
    let single = Field::Spec("loadBalancerIP");
    let (asked, _) = read_all(&[], Some("192.0.2.1"));
    assert_eq!(asked.spelling.addresses, Some(single));
    assert_eq!(
        (asked.spelling.pool, asked.spelling.sharing_key),
        (None, None)
    );
    for (pool, (addresses, sharing)) in POOL.iter().zip(ADDRESSES.iter().zip(SHARING)) {
        let wishes = [(*pool, "p"), (*addresses, "192.0.2.1"), (*sharing, "k")];
        let (asked, problems) = read_all(&wishes, Some("192.0.2.1"));
        assert_eq!(problems, []);
        let spelling = Spelling {
            addresses: Some(Field::Annotation(addresses)),
            pool: Some(Field::Annotation(pool)),
            sharing_key: Some(Field::Annotation(sharing)),
        };
        assert_eq!(asked.spelling, spelling);
    }
    let (asked, _) = read_all(&[(ADDRESSES[0], " "), (POOL[0], "")], None);
    assert_eq!(asked.spelling, Spelling::default());
}

#[test]
fn a_problem_names_its_field_apart_and_never_twice() {
    for (annotations, text) in [
        (
            vec![(POOL[1], "a"), (POOL[0], "b")],
            "disagrees with metadata.annotations[metallb.io/address-pool]",
        ),
        (
            vec![(ADDRESSES[1], "192.0.2.1,192.0.2.2")],
            "more than one address of one family",
        ),
        (
            vec![(LINK_BANDWIDTH, "1")],
            "is not implemented in this version",
        ),
        (
            vec![(MED, "high")],
            "\"high\" is not a value of this attribute",
        ),
    ] {
        let (_, problems) = read_all(&annotations, None);
        assert_eq!(problems[0].to_string(), text);
        assert!(!text.contains(&problems[0].field().to_string()), "{text}");
    }
}

#[test]
fn requests_that_cannot_be_meant_are_refused() {
    for (text, reason) in [
        ("not-an-ip", "InvalidAddress"),
        ("0.0.0.0", "InvalidAddress"),
        ("192.0.2.1,192.0.2.2", "TwoOfOneFamily"),
        ("2001:db8::1,2001:db8::2", "TwoOfOneFamily"),
        ("192.0.2.1;2001:db8::1", "InvalidAddress"),
    ] {
        let (asked, problems) = read_all(&[(ADDRESSES[0], text)], None);
        assert_eq!(problems[0].reason(), reason, "{text}");
        assert!(asked.addresses.is_empty());
        let (_, problems) = read_all(&[], Some(text));
        assert_eq!(problems[0].field(), Field::Spec("loadBalancerIP"));
    }
    let (_, problems) = read_all(&[(POOL[0], "Not A Name")], None);
    assert_eq!(problems[0].reason(), "InvalidPoolName");
    let (_, problems) = read_all(&[(SHARING[0], &"k".repeat(1025))], None);
    assert_eq!(problems[0].reason(), "InvalidSharingKey");
}

#[test]
fn annotations_of_known_domains_that_nothing_reads_are_reported() {
    let annotations = [
        POOL[1],
        ALLOCATED_FROM,
        MED,
        "metallb.io/ip-allocated-from-pool",
        "metallb.io/pool",
        "purelb.io/x",
        "a.io/b",
    ];
    let annotations = annotations
        .iter()
        .map(|name| ((*name).to_owned(), String::new()))
        .collect();
    assert_eq!(
        unread(&annotations),
        ["metallb.io/pool".into(), "purelb.io/x".into()]
    );
}

#[test]
fn an_empty_annotation_is_as_good_as_none() {
    let (asked, problems) = read_all(
        &[
            (POOL[0], ""),
            (POOL[1], "p"),
            (ADDRESSES[0], " "),
            (SHARING[0], ""),
        ],
        Some(""),
    );
    assert_eq!(problems, []);
    assert_eq!(asked.pool, Some("p".parse().unwrap()));
}

#[test]
fn attributes_are_read_and_a_bad_one_does_not_stop_the_request() {
    let good = [
        (COMMUNITIES, "65000:1, no-export"),
        (MED, "7"),
        (LOCAL_PREF, "200"),
        (AS_PATH_PREPEND, "2"),
    ];
    let attributes = read_one(&good).attributes;
    assert_eq!(
        attributes.communities,
        ["65000:1".into(), "no-export".into()]
    );
    assert_eq!(
        (attributes.med, attributes.local_pref),
        (Some(7), Some(200))
    );
    assert_eq!(attributes.as_path_prepend, Some(2));
    let many = "1:1,".repeat(MAX_COMMUNITIES + 1);
    for (name, text, reason) in [
        (MED, "-1", "InvalidAttribute"),
        (LOCAL_PREF, "4294967296", "InvalidAttribute"),
        (AS_PATH_PREPEND, "33", "InvalidAttribute"),
        (COMMUNITIES, &many, "InvalidAttribute"),
        (LINK_BANDWIDTH, "1", "NotImplemented"),
    ] {
        let (_, problems) = read_all(&[(name, text)], None);
        assert_eq!(
            (problems.len(), problems[0].reason()),
            (1, reason),
            "{name}"
        );
        assert_eq!(problems[0].concerns(), Concern::Attributes);
        assert_eq!(problems[0].field(), Field::Annotation(name));
    }
}

fn read_one(pairs: &[(&str, &str)]) -> Asked {
    let (asked, problems) = read_all(pairs, None);
    assert_eq!(problems, []);
    asked
}

fn read_all(pairs: &[(&str, &str)], single: Option<&str>) -> (Asked, Vec<ServiceProblem>) {
    let annotations = pairs
        .iter()
        .map(|(k, v)| ((*k).into(), (*v).into()))
        .collect();
    let mut problems = Vec::new();
    let asked = read(&annotations, single, &mut problems);
    (asked, problems)
}
