//! Targets, met and missed.

use super::{Line, Reference, Target};

fn line(ours: f64, target: Target) -> Line {
    Line {
        case: "x".to_owned(),
        metric: "time",
        unit: "s",
        ours,
        reference: Some(Reference {
            value: 2.0,
            name: "other".to_owned(),
        }),
        target,
    }
}

#[test]
fn a_ratio_is_of_the_reference_and_an_absolute_is_not() {
    assert!(line(1.0, Target::Ratio(0.5)).is_met());
    assert!(!line(1.1, Target::Ratio(0.5)).is_met());
    assert!(!line(1.0, Target::Absolute(0.5)).is_met());
}

#[test]
fn without_a_reference_only_an_absolute_target_can_be_met() {
    let alone = |target| Line {
        reference: None,
        ..line(1.0, target)
    };
    assert!(alone(Target::Absolute(1.0)).is_met());
    assert!(!alone(Target::Ratio(1.0)).is_met());
}

#[test]
fn programs_find_every_field() {
    let value = line(1.0, Target::Ratio(0.5)).json();
    for field in [
        "case",
        "metric",
        "unit",
        "ours",
        "reference",
        "reference_name",
        "ratio",
        "target",
        "met",
    ] {
        assert!(!value[field].is_null(), "{field}");
    }
}
