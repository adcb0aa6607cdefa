//! Community objects: one table of aliases.

use std::collections::BTreeMap;

use super::faults::Faults;
use super::problem::{Problem, Reason};
use crate::api::Community as Object;
use crate::model::community::{Community, CommunityTable};
use crate::names::{Kind, ObjectRef};
use crate::snapshot::Snapshot;

/// Aliases of one object.
pub(super) type Aliases = BTreeMap<Box<str>, Community>;

/// The aliases of one object.
pub(super) fn compile(object: &Object, faults: &mut Faults) -> Option<Aliases> {
    let mut aliases = Aliases::new();
    for (index, alias) in object.spec.communities.iter().flatten().enumerate() {
        let field = format!("spec.communities[{index}]");
        if alias.name.is_empty() {
            faults.add(&format!("{field}.name"), Reason::Missing);
        }
        let value = faults.parse(
            &format!("{field}.value"),
            &alias.value,
            Reason::InvalidCommunity,
        );
        let Some(value) = value else { continue };
        if aliases
            .insert(alias.name.as_str().into(), value)
            .is_some_and(|old| old != value)
        {
            faults.add(&format!("{field}.name"), Reason::Duplicate);
        }
    }
    Some(aliases)
}

/// Unites the aliases of all objects. Where two disagree the older object is right.
pub(super) fn unite<'a>(
    snapshot: &Snapshot,
    objects: impl Iterator<Item = (&'a str, &'a Aliases)>,
    problems: &mut Vec<Problem>,
) -> CommunityTable {
    let age = |name: &str| {
        let created = snapshot
            .communities
            .get(name)?
            .metadata
            .creation_timestamp
            .clone()?;
        Some(created.0)
    };
    let mut sorted: Vec<_> = objects
        .map(|(name, aliases)| (age(name), name, aliases))
        .collect();
    sorted.sort_by_key(|(age, name, _)| (age.is_none(), *age, *name));
    let reference = |name: &str| ObjectRef {
        kind: Kind::Community,
        namespace: None,
        name: name.into(),
    };
    let mut table: BTreeMap<Box<str>, (Community, &str)> = BTreeMap::new();
    for (_, name, aliases) in sorted {
        for (alias, value) in aliases {
            let (present, owner) = table.entry(alias.clone()).or_insert((*value, name));
            if present != value {
                problems.push(Problem {
                    object: reference(name),
                    field: "spec.communities".into(),
                    reason: Reason::AliasConflict {
                        alias: alias.clone(),
                        other: reference(owner),
                    },
                });
            }
        }
    }
    CommunityTable::new(
        table
            .into_iter()
            .map(|(alias, (value, _))| (alias, value))
            .collect(),
    )
}
