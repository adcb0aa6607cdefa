//! Selectors against Kubernetes' rules and against a naive evaluator.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::api::selector::LabelRequirement;

#[test]
fn an_empty_selector_matches_everything_and_an_empty_list_too() {
    let none = Labels::new();
    assert!(compile(json!({})).matches(&none));
    assert!(Selectors::default().matches(&none));
    assert!(!Selectors::default().matches_one(&none));
}

#[test]
fn absence_satisfies_not_in_and_does_not_exist_alone() {
    let matches = |operator: &str, values: &[&str]| {
        let expression = json!({"key": "zone", "operator": operator, "values": values});
        compile(json!({"matchExpressions": [expression]})).matches(&Labels::new())
    };
    assert!(matches("NotIn", &["a"]));
    assert!(matches("DoesNotExist", &[]));
    assert!(!matches("In", &["a"]));
    assert!(!matches("Exists", &[]));
}

#[test]
fn operators_without_the_values_they_need_are_refused_by_place() {
    let problem = |operator: &str, values: serde_json::Value| {
        let good = json!({"key": "a", "operator": "Exists"});
        let bad = json!({"key": "a", "operator": operator, "values": values});
        let api = serde_json::from_value(json!({"matchExpressions": [good, bad]})).unwrap();
        Selector::compile(&api).unwrap_err()
    };
    assert_eq!(
        problem("In", json!([])),
        SelectorProblem::NoValues { index: 1 }
    );
    assert_eq!(
        problem("NotIn", json!(null)),
        SelectorProblem::NoValues { index: 1 }
    );
    assert_eq!(
        problem("Exists", json!(["x"])),
        SelectorProblem::NeedlessValues { index: 1 }
    );
    assert_eq!(problem("DoesNotExist", json!(["x"])).index(), 1);
}

#[test]
fn a_list_of_selectors_needs_one_match() {
    let list = Selectors::new(vec![
        compile(json!({"matchLabels": {"a": "1"}})),
        compile(json!({"matchLabels": {"b": "2", "c": "3"}})),
    ]);
    assert!(list.matches(&labels(&[("a", "1")])));
    assert!(list.matches(&labels(&[("b", "2"), ("c", "3")])));
    assert!(!list.matches(&labels(&[("b", "2")])));
    assert!(!list.is_all());
}

proptest! {
    #[test]
    fn the_evaluator_agrees_with_a_naive_one(api in any_selector(), labels in any_labels()) {
        let expected = naive(&api, &labels);
        match Selector::compile(&api) {
            Ok(selector) => prop_assert_eq!(Some(selector.matches(&labels)), expected),
            Err(_) => prop_assert_eq!(None, expected),
        }
    }
}

/// The rules of the API documentation, one by one; `None` for a selector that is not valid.
fn naive(api: &LabelSelector, labels: &Labels) -> Option<bool> {
    let mut result = true;
    for (key, value) in api.match_labels.iter().flatten() {
        result &= labels.get(key) == Some(value);
    }
    for expression in api.match_expressions.iter().flatten() {
        let values = expression.values.clone().unwrap_or_default();
        let present = labels.get(&expression.key);
        let listed = present.is_some_and(|value| values.contains(value));
        result &= match expression.operator {
            LabelOperator::In if !values.is_empty() => listed,
            LabelOperator::NotIn if !values.is_empty() => !listed,
            LabelOperator::Exists if values.is_empty() => present.is_some(),
            LabelOperator::DoesNotExist if values.is_empty() => present.is_none(),
            _ => return None,
        };
    }
    Some(result)
}

fn any_labels() -> impl Strategy<Value = Labels> {
    prop::collection::btree_map("[abc]", "[xyz]", 0..4)
}

fn any_selector() -> impl Strategy<Value = LabelSelector> {
    let operator = prop::sample::select(vec![
        LabelOperator::In,
        LabelOperator::NotIn,
        LabelOperator::Exists,
        LabelOperator::DoesNotExist,
    ]);
    let values = prop::option::of(prop::collection::vec("[xyz]", 0..3));
    let expression =
        ("[abc]", operator, values).prop_map(|(key, operator, values)| LabelRequirement {
            key,
            operator,
            values,
        });
    let expressions = prop::option::of(prop::collection::vec(expression, 0..3));
    (
        prop::option::of(prop::collection::btree_map("[abc]", "[xyz]", 0..2)),
        expressions,
    )
        .prop_map(|(match_labels, match_expressions)| LabelSelector {
            match_labels,
            match_expressions,
        })
}

fn compile(api: serde_json::Value) -> Selector {
    Selector::compile(&serde_json::from_value(api).unwrap()).unwrap()
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()))
        .collect()
}
