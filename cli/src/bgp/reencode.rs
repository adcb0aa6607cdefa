//! A message encoded and decoded again must be the same message.
//!
//! An UPDATE whose parts may not share a message comes back as several, in any order of families:
//! what is compared is what they say together.

use std::collections::BTreeMap;

use bytes::BytesMut;
use ringbolt_bgp::types::{Family, Prefix};
use ringbolt_bgp::wire::{
    self, BlockRefusal, DecodeError, Message, NextHop, PathAttributes, Reaction, Update,
};
use thiserror::Error;

use super::terms::Terms;

#[cfg(test)]
mod tests;

/// What differs.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum Difference {
    #[error("reencode: cannot be encoded: {0}")]
    Refused(#[from] BlockRefusal),
    #[error("reencode: does not decode again: {0}")]
    Broken(#[from] DecodeError),
    #[error("reencode: ends inside a message")]
    CutOff,
    #[error("reencode: has faults that the message had not: reaction {0:?}")]
    Faults(Reaction),
    #[error("reencode: {part} differs: {was} became {is}")]
    Part {
        part: &'static str,
        was: String,
        is: String,
    },
}

/// Whether `message` survives.
pub(super) fn check(message: &Message, terms: &Terms) -> Result<(), Difference> {
    let mut bytes = BytesMut::new();
    wire::encode(message, &terms.encoding(), &mut bytes)?;
    let mut again = Vec::new();
    let mut rest: &[u8] = &bytes;
    while !rest.is_empty() {
        let frame = wire::frame(rest, terms.ctx.limit)?.ok_or(Difference::CutOff)?;
        again.push(wire::decode(frame, &terms.ctx)?);
        rest = rest.get(frame.len()..).unwrap_or_default();
    }
    compare(message, &again)
}

/// Whether `again` says what `message` said.
fn compare(message: &Message, again: &[Message]) -> Result<(), Difference> {
    let Message::Update(update) = message else {
        return same("message", std::slice::from_ref(message), again);
    };
    let mut updates = Vec::new();
    for piece in again {
        let Message::Update(update) = piece else {
            return same("message", std::slice::from_ref(message), again);
        };
        if update.reaction() != Reaction::Accept {
            return Err(Difference::Faults(update.reaction()));
        }
        updates.push(update);
    }
    let was = Said::new(&[update]);
    let is = Said::new(&updates);
    same("end_of_rib", &was.end_of_rib, &is.end_of_rib)?;
    same("withdrawn", &was.withdrawn, &is.withdrawn)?;
    same("attributes", &was.attributes, &is.attributes)?;
    same("announced", &was.announced, &is.announced)
}

/// What UPDATEs say together.
#[derive(Debug, Default)]
struct Said<'a> {
    withdrawn: Vec<Prefix>,
    attributes: Vec<&'a PathAttributes>,
    announced: BTreeMap<(Family, NextHop), Vec<Prefix>>,
    end_of_rib: Vec<Family>,
}

impl<'a> Said<'a> {
    fn new(updates: &[&'a Update]) -> Self {
        let mut said = Self::default();
        for update in updates {
            said.withdrawn.extend(&update.withdrawn);
            said.end_of_rib.extend(update.end_of_rib);
            let Some(announced) = &update.announced else {
                continue;
            };
            if said.attributes.last() != Some(&&announced.attributes) {
                said.attributes.push(&announced.attributes);
            }
            for reach in &announced.reaches {
                let prefixes = said
                    .announced
                    .entry((reach.family, reach.next_hop))
                    .or_default();
                prefixes.extend(&reach.prefixes);
            }
        }
        said.withdrawn.sort();
        said.announced.values_mut().for_each(|all| all.sort());
        said
    }
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(
    part: &'static str,
    was: &T,
    is: &T,
) -> Result<(), Difference> {
    if was == is {
        return Ok(());
    }
    Err(Difference::Part {
        part,
        was: format!("{was:?}"),
        is: format!("{is:?}"),
    })
}
