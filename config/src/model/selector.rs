//! Label selectors, compiled once and evaluated often.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::selector::{LabelOperator, LabelSelector};

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// Why a selector cannot be used; the index is that of `matchExpressions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SelectorProblem {
    /// `In` and `NotIn` need values.
    #[error("the operator needs values")]
    NoValues {
        /// Which expression.
        index: usize,
    },
    /// `Exists` and `DoesNotExist` take none.
    #[error("the operator takes no values")]
    NeedlessValues {
        /// Which expression.
        index: usize,
    },
}

impl SelectorProblem {
    /// The expression at fault.
    pub const fn index(self) -> usize {
        match self {
            Self::NoValues { index } | Self::NeedlessValues { index } => index,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In(BTreeSet<Box<str>>),
    NotIn(BTreeSet<Box<str>>),
    Exists,
    DoesNotExist,
}

/// One selector: all requirements hold, or it does not match. Without requirements it matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<(Box<str>, Requirement)>,
}

impl Selector {
    /// Compiles a selector.
    pub fn compile(api: &LabelSelector) -> Result<Self, SelectorProblem> {
        let mut requirements = Vec::new();
        for (key, value) in api.match_labels.iter().flatten() {
            let one = BTreeSet::from([value.as_str().into()]);
            requirements.push((key.as_str().into(), Requirement::In(one)));
        }
        for (index, expression) in api.match_expressions.iter().flatten().enumerate() {
            let values: BTreeSet<Box<str>> = expression
                .values
                .iter()
                .flatten()
                .map(|v| v.as_str().into())
                .collect();
            let requirement = match (expression.operator, values.is_empty()) {
                (LabelOperator::In, false) => Requirement::In(values),
                (LabelOperator::NotIn, false) => Requirement::NotIn(values),
                (LabelOperator::Exists, true) => Requirement::Exists,
                (LabelOperator::DoesNotExist, true) => Requirement::DoesNotExist,
                (LabelOperator::In | LabelOperator::NotIn, true) => {
                    return Err(SelectorProblem::NoValues { index });
                }
                (LabelOperator::Exists | LabelOperator::DoesNotExist, false) => {
                    return Err(SelectorProblem::NeedlessValues { index });
                }
            };
            requirements.push((expression.key.as_str().into(), requirement));
        }
        Ok(Self { requirements })
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|(key, requirement)| {
            let value = labels.get(&**key).map(String::as_str);
            match requirement {
                Requirement::In(values) => value.is_some_and(|v| values.contains(v)),
                Requirement::NotIn(values) => !value.is_some_and(|v| values.contains(v)),
                Requirement::Exists => value.is_some(),
                Requirement::DoesNotExist => value.is_none(),
            }
        })
    }
}

/// A list of selectors of which one must match; an empty list stands for everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selectors(Vec<Selector>);

impl Selectors {
    /// A list of compiled selectors.
    pub fn new(selectors: Vec<Selector>) -> Self {
        Self(selectors)
    }

    /// Whether no selector was given, so that everything matches.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.is_empty() || self.matches_one(labels)
    }

    /// Whether one of the selectors that were given matches; with none given, nothing does.
    pub fn matches_one(&self, labels: &Labels) -> bool {
        self.0.iter().any(|selector| selector.matches(labels))
    }
}

#[cfg(test)]
mod tests;
