//! Prefixes to UPDATEs: grouped by what is said about them, messages filled to the limit.
//!
//! Withdrawals and announcements never share a message, nor do families (RFC 7606 §5.1). Knows
//! nothing of peers: [`super::export`] says what is due.

use bytes::BytesMut;

use crate::types::{Family, Prefix};
use crate::wire::{AttributeBlock, MessageLimit, Room, UpdateBuilder};

use super::loc::{LocRib, Slot};

#[cfg(test)]
mod tests;

/// Which of a reader's attribute blocks goes with a slot.
pub(crate) type BlockIndex = u32;

/// Whether a group's last message must go out although there is room in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing more is due.
    Send,
    /// More is due: what would not fill a message may wait for company.
    Keep,
}

/// What a call of [`announce`] did.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    /// UPDATEs written.
    pub(crate) messages: u64,
    /// Slots that wait for company.
    pub(crate) kept: Vec<Slot>,
}

/// Writes `due`, which gets sorted by block, as messages; calls `told` for each slot written.
///
/// With [`Tail::Keep`] a group that has filled a message keeps what does not fill another; a group
/// that has not is written all the same, so that every call makes progress.
pub(crate) fn announce(
    due: &mut [(BlockIndex, Slot)],
    blocks: &[AttributeBlock],
    table: &LocRib,
    tail: Tail,
    buf: &mut BytesMut,
    mut told: impl FnMut(Slot),
) -> Packed {
    // Stable and linear on what is sorted already, as nearly everything is.
    due.sort_by_key(|(block, _)| *block);
    let mut packed = Packed::default();
    for group in due.chunk_by(|(one, _), (other, _)| one == other) {
        let Some(block) = group
            .first()
            .and_then(|(block, _)| blocks.get(*block as usize))
        else {
            continue;
        };
        let mut rest = group;
        while !rest.is_empty() {
            let start = buf.len();
            let mut message = UpdateBuilder::announce(buf, block);
            let mut full = Room::Added;
            let mut taken = 0;
            for (_, slot) in rest {
                full = message.push(&table.prefix(*slot));
                if full == Room::Full {
                    break;
                }
                taken += 1;
            }
            message.finish();
            let alone = rest.len() == group.len();
            if full == Room::Added && tail == Tail::Keep && !alone {
                buf.truncate(start);
                packed.kept.extend(rest.iter().map(|(_, slot)| *slot));
                break;
            }
            debug_assert!(taken > 0, "a block has room for one prefix at least");
            if taken == 0 {
                break;
            }
            let (written, left) = rest.split_at(taken);
            written.iter().for_each(|(_, slot)| told(*slot));
            packed.messages += 1;
            rest = left;
        }
    }
    packed
}

/// Writes `gone` as messages and says how many.
pub(crate) fn withdraw(
    gone: &[Prefix],
    family: Family,
    limit: MessageLimit,
    buf: &mut BytesMut,
) -> u64 {
    let mut rest = gone;
    let mut messages = 0;
    while !rest.is_empty() {
        let mut message = UpdateBuilder::withdraw(buf, family, limit);
        let taken = rest
            .iter()
            .take_while(|prefix| message.push(prefix) == Room::Added)
            .count();
        message.finish();
        debug_assert!(
            taken > 0,
            "an empty message has room for one prefix at least"
        );
        if taken == 0 {
            break;
        }
        messages += 1;
        rest = &rest[taken..];
    }
    messages
}
