//! Collects the problems of one object while it is read.

use std::str::FromStr;

use serde::Serialize;

use super::problem::{Effect, Problem, Reason};
use crate::api::selector::LabelSelector;
use crate::model::selector::{Selector, Selectors};
use crate::names::{Kind, ObjectRef};
use crate::served;

/// Problems of one object.
pub(super) struct Faults {
    object: ObjectRef,
    pub(super) problems: Vec<Problem>,
}

impl Faults {
    pub(super) fn new(kind: Kind, name: &str) -> Self {
        let object = ObjectRef {
            kind,
            namespace: None,
            name: name.into(),
        };
        Self {
            object,
            problems: Vec::new(),
        }
    }

    /// Starts with what of the spec is not served in this version.
    pub(super) fn of_spec(kind: Kind, name: &str, spec: &impl Serialize) -> Self {
        let mut faults = Self::new(kind, name);
        // Our specs are plain data; should one not serialise, the fields are still read one by one.
        let spec = serde_json::to_value(spec).unwrap_or_default();
        for field in served::refusals(kind, &spec) {
            let path = field.map_or_else(|| "spec".to_owned(), |field| format!("spec.{field}"));
            faults.add(&path, Reason::NotImplemented);
        }
        faults
    }

    pub(super) fn add(&mut self, field: &str, reason: Reason) {
        let object = self.object.clone();
        self.problems.push(Problem {
            object,
            field: field.into(),
            reason,
        });
    }

    /// Whether the object cannot be in force as it stands.
    pub(super) fn refused(&self) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.reason.effect() == Effect::Refused)
    }

    /// A value that parses, or nothing and a problem.
    pub(super) fn parse<T: FromStr>(
        &mut self,
        field: &str,
        text: &str,
        reason: impl FnOnce(T::Err) -> Reason,
    ) -> Option<T> {
        text.trim()
            .parse()
            .map_err(|error| self.add(field, reason(error)))
            .ok()
    }

    /// A number within bounds, or nothing and a problem.
    pub(super) fn within<N: Copy + Into<u64>>(
        &mut self,
        field: &str,
        number: N,
        min: u64,
        max: u64,
    ) -> Option<N> {
        let inside = (min..=max).contains(&number.into());
        if !inside {
            self.add(field, Reason::OutOfRange { min, max });
        }
        inside.then_some(number)
    }

    /// A compiled selector; one with a problem selects nothing that anybody gets to see.
    pub(super) fn selector(&mut self, field: &str, api: &LabelSelector) -> Selector {
        Selector::compile(api).unwrap_or_else(|problem| {
            let path = format!("{field}.matchExpressions[{}]", problem.index());
            self.add(&path, Reason::InvalidSelector(problem));
            Selector::default()
        })
    }

    /// Compiled selectors.
    pub(super) fn selectors(
        &mut self,
        field: &str,
        list: Option<&Vec<LabelSelector>>,
    ) -> Selectors {
        let all = list.into_iter().flatten().enumerate();
        let compiled = all
            .map(|(i, api)| self.selector(&format!("{field}[{i}]"), api))
            .collect();
        Selectors::new(compiled)
    }
}
