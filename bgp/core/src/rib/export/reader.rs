//! One peer's place in the change log, and the writing of what it has not been told.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::BytesMut;

use crate::per_family::PerFamily;
use crate::policy::Withheld;
use crate::policy::export::{Audience, Told, evaluate};
use crate::rib::attrs::InternId;
use crate::rib::bits::BitSet;
use crate::rib::loc::{LocRib, Slot};
use crate::rib::log::ChangeLog;
use crate::rib::pack::{self, BlockIndex, Tail};
use crate::sabotage::{Sabotage, Saboteur};
use crate::session::{Negotiated, Refresh};
use crate::types::{Family, FamilySet, Prefix};
use crate::wire::{AttributeBlock, EncodeCtx, RefreshKind, RouteRefresh, encode_end_of_rib};

/// Octets written in one go; what a socket buffer takes without waiting.
const BUDGET: usize = 64 * 1024;
/// What a message costs apart from its prefixes, about.
const MESSAGE_COST: usize = 64;
/// Verdicts remembered beyond twice the number of attribute sets in use.
const MEMO_SLACK: usize = 64;

/// How far a reader may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The log's released end.
    pub(crate) released: u64,
    /// Where it stood when everything known at start had been originated, once that is so.
    pub(crate) complete: Option<u64>,
}

/// What a call of [`Reader::transmit`] wrote.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// UPDATEs, End-of-RIB included.
    pub(crate) updates: u64,
    /// Other messages.
    pub(crate) refreshes: u64,
    /// Slots whose withdrawal went out.
    pub(crate) let_go: Vec<(Family, Slot)>,
}

impl Written {
    pub(crate) fn add(&mut self, other: Self) {
        self.updates += other.updates;
        self.refreshes += other.refreshes;
        self.let_go.extend(other.let_go);
    }
}

/// A peer with an Established session.
#[derive(Debug)]
pub(crate) struct Reader {
    audience: Audience,
    ctx: EncodeCtx,
    refresh: Refresh,
    /// RFC 7313 §4: with graceful restart, End-of-RIB comes before any bracket.
    brackets_wait: Brackets,
    families: FamilySet,
    places: PerFamily<Place>,
    behind_since: Option<Instant>,
    saboteur: Saboteur,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Brackets {
    AtOnce,
    AfterEndOfRib,
}

/// How far one family is.
#[derive(Debug, Default)]
struct Place {
    cursor: u64,
    /// Slots the peer holds.
    sent: BitSet,
    /// Slots behind the cursor that wait for company.
    kept: Vec<Slot>,
    end_of_rib: Marker,
    repetition: Repetition,
    verdicts: BTreeMap<InternId, Result<BlockIndex, Withheld>>,
    blocks: Vec<AttributeBlock>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Marker {
    #[default]
    Due,
    Sent,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Repetition {
    #[default]
    None,
    /// Asked for and not begun.
    Due,
    /// Begun and not complete.
    Running,
}

impl Reader {
    pub(crate) fn new(
        audience: Audience,
        negotiated: &Negotiated,
        start: PerFamily<u64>,
        now: Instant,
        saboteur: Saboteur,
    ) -> Self {
        Self {
            audience,
            ctx: negotiated.encode_ctx(),
            refresh: negotiated.refresh,
            brackets_wait: match negotiated.graceful_restart {
                Some(_) => Brackets::AfterEndOfRib,
                None => Brackets::AtOnce,
            },
            families: negotiated.families,
            places: PerFamily::from_fn(|family| Place {
                cursor: *start.get(family),
                ..Place::default()
            }),
            behind_since: Some(now),
            saboteur,
        }
    }

    pub(crate) const fn families(&self) -> FamilySet {
        self.families
    }

    pub(crate) const fn audience(&self) -> &Audience {
        &self.audience
    }

    pub(crate) fn holds(&self, family: Family, slot: Slot) -> bool {
        self.places.get(family).sent.contains(slot)
    }

    pub(crate) fn holds_any(&self) -> bool {
        self.families.iter().any(|family| self.told(family) > 0)
    }

    pub(crate) const fn told(&self, family: Family) -> usize {
        self.places.get(family).sent.len()
    }

    pub(crate) fn end_of_rib_sent(&self, family: Family) -> bool {
        self.places.get(family).end_of_rib == Marker::Sent
    }

    /// Something the peer must be told happened at `since`.
    pub(crate) fn fell_behind(&mut self, since: Instant) {
        self.behind_since.get_or_insert(since);
    }

    pub(crate) const fn caught_up(&mut self) {
        self.behind_since = None;
    }

    pub(crate) const fn behind_since(&self) -> Option<Instant> {
        self.behind_since
    }

    pub(crate) fn is_up_to_date(&self, heads: &PerFamily<u64>) -> bool {
        self.families.iter().all(|family| {
            let place = self.places.get(family);
            place.cursor >= *heads.get(family)
                && place.kept.is_empty()
                && place.repetition == Repetition::None
        })
    }

    /// The peer wants a family again.
    pub(crate) fn repeat(&mut self, family: Family) {
        if self.families.contains(family) {
            self.places.get_mut(family).repetition = Repetition::Due;
        }
    }

    /// What the peer may be told has changed: everything is looked at again.
    pub(crate) fn change_audience(&mut self, change: impl FnOnce(&mut Audience)) {
        change(&mut self.audience);
        let keep_cursor = self.saboteur.breaks(Sabotage::KeepCursorOnParting);
        for family in Family::ALL {
            let place = self.places.get_mut(family);
            place.forget_verdicts();
            if !keep_cursor {
                place.rewind();
            }
        }
    }

    /// Writes what is due of one family, as far as the budget goes.
    pub(crate) fn transmit(
        &mut self,
        family: Family,
        table: &LocRib,
        bounds: Bounds,
        buf: &mut BytesMut,
    ) -> Written {
        let mut written = Written::default();
        self.begin_repetition(family, buf, &mut written);
        let due = self.collect(family, table, bounds);
        written.updates += pack::withdraw(&due.gone, family, self.ctx.limit, buf);
        written
            .let_go
            .extend(due.let_go.into_iter().map(|slot| (family, slot)));

        let Place {
            blocks, sent, kept, ..
        } = self.places.get_mut(family);
        let mut announced = due.announced;
        let told = |slot| sent.insert(slot);
        let packed = pack::announce(&mut announced, blocks, table, due.tail, buf, told);
        written.updates += packed.messages;
        if !self.saboteur.breaks(Sabotage::ForgetKept) {
            *kept = packed.kept;
        }
        if due.tail == Tail::Send || self.saboteur.breaks(Sabotage::EndOfRibTooEarly) {
            self.end_repetition(family, buf, &mut written);
            self.end_of_rib(family, bounds, buf, &mut written);
        }
        written
    }

    fn begin_repetition(&mut self, family: Family, buf: &mut BytesMut, written: &mut Written) {
        let place = self.places.get_mut(family);
        let wait = self.brackets_wait == Brackets::AfterEndOfRib
            && self.refresh == Refresh::Enhanced
            && place.end_of_rib == Marker::Due;
        if place.repetition != Repetition::Due || wait {
            return;
        }
        place.repetition = Repetition::Running;
        if !self.saboteur.breaks(Sabotage::KeepCursorOnRefresh) {
            place.rewind();
        }
        self.bracket(family, RefreshKind::BeginOfRib, buf, written);
    }

    fn end_repetition(&mut self, family: Family, buf: &mut BytesMut, written: &mut Written) {
        let place = self.places.get_mut(family);
        if place.repetition == Repetition::Running {
            place.repetition = Repetition::None;
            self.bracket(family, RefreshKind::EndOfRib, buf, written);
        }
    }

    /// BoRR or EoRR, for a peer that knows them (RFC 7313 §4).
    fn bracket(
        &self,
        family: Family,
        kind: RefreshKind,
        buf: &mut BytesMut,
        written: &mut Written,
    ) {
        if self.refresh == Refresh::Enhanced {
            RouteRefresh {
                family: family.afi_safi(),
                kind,
            }
            .encode(buf);
            written.refreshes += 1;
        }
    }

    /// End-of-RIB: once per session, after a full view that holds all that was known at start.
    fn end_of_rib(
        &mut self,
        family: Family,
        bounds: Bounds,
        buf: &mut BytesMut,
        written: &mut Written,
    ) {
        let place = self.places.get_mut(family);
        let complete = bounds.complete.is_some_and(|mark| place.cursor >= mark)
            || self.saboteur.breaks(Sabotage::EndOfRibTooEarly);
        let again = self.saboteur.breaks(Sabotage::EndOfRibTwice) && written.updates > 0;
        if complete && (place.end_of_rib == Marker::Due || again) {
            place.end_of_rib = Marker::Sent;
            encode_end_of_rib(family, buf);
            written.updates += 1;
        }
    }

    /// Moves the cursor and sorts what it passes into withdrawals and announcements.
    fn collect(&mut self, family: Family, table: &LocRib, bounds: Bounds) -> Due {
        let Self {
            audience,
            ctx,
            places,
            saboteur,
            ..
        } = self;
        let place = places.get_mut(family);
        place.prune_verdicts(table);
        let mut due = Due::default();
        let mut judge = Judge {
            audience,
            ctx: *ctx,
            table,
            saboteur: *saboteur,
        };
        for slot in std::mem::take(&mut place.kept) {
            // One that has changed since stands in the log again, ahead of the cursor.
            if table.position(slot) < place.cursor {
                judge.consider(slot, place, &mut due);
            }
        }
        let end = place.end(table, bounds, *saboteur);
        for (position, slot) in table.log().from(place.cursor, end) {
            if due.cost >= BUDGET {
                due.tail = Tail::Keep;
                return due;
            }
            place.cursor = position + 1;
            if table.is_latest(slot, position) {
                judge.consider(slot, place, &mut due);
            }
        }
        place.cursor = place.cursor.max(end);
        due
    }
}

/// What is to be written.
#[derive(Debug)]
struct Due {
    gone: Vec<Prefix>,
    let_go: Vec<Slot>,
    announced: Vec<(BlockIndex, Slot)>,
    cost: usize,
    tail: Tail,
}

impl Default for Due {
    fn default() -> Self {
        Self {
            gone: Vec::new(),
            let_go: Vec::new(),
            announced: Vec::new(),
            cost: 0,
            tail: Tail::Send,
        }
    }
}

struct Judge<'a> {
    audience: &'a Audience,
    ctx: EncodeCtx,
    table: &'a LocRib,
    saboteur: Saboteur,
}

impl Judge<'_> {
    fn consider(&mut self, slot: Slot, place: &mut Place, due: &mut Due) {
        let verdict = self
            .table
            .offers_of(slot)
            .map(|offers| self.verdict(offers, place));
        let prefix = self.table.prefix(slot);
        let octets = 1 + usize::from(prefix.prefix_len()).div_ceil(8);
        if let Some(Ok(block)) = verdict {
            let same = due.announced.last().is_some_and(|(last, _)| *last == block);
            due.cost += octets + if same { 0 } else { MESSAGE_COST };
            due.announced.push((block, slot));
            return;
        }
        let held = place.sent.remove(slot);
        if held != self.saboteur.breaks(Sabotage::InvertSentBits) {
            due.cost += octets;
            due.gone.push(prefix);
            due.let_go.push(slot);
        }
    }

    /// What the peer is told about routes with these originations; asked of the policy once.
    fn verdict(&self, offers: InternId, place: &mut Place) -> Result<BlockIndex, Withheld> {
        if let Some(verdict) = place.verdicts.get(&offers) {
            return *verdict;
        }
        let family = self.table.family();
        let verdict = evaluate(self.table.offers().get(offers), family, self.audience)
            .and_then(|told| place.block(&told, family, self.ctx));
        place.verdicts.insert(offers, verdict);
        verdict
    }
}

impl Place {
    /// How far to read. A peer that is about to be told that its view is whole drops what was not
    /// in it: a route that changed a moment ago must not wait in a batch then.
    fn end(&self, table: &LocRib, bounds: Bounds, saboteur: Saboteur) -> u64 {
        let about_to_end = self.end_of_rib == Marker::Due && bounds.complete.is_some();
        let whole = about_to_end || self.repetition == Repetition::Running;
        if whole && !saboteur.breaks(Sabotage::EndInsideBatch) {
            table.log().head()
        } else {
            bounds.released
        }
    }

    fn rewind(&mut self) {
        self.cursor = ChangeLog::START;
        self.kept.clear();
    }

    fn forget_verdicts(&mut self) {
        self.verdicts.clear();
        self.blocks.clear();
    }

    /// Attribute sets come and go; what is remembered of those that went is dropped in bulk.
    fn prune_verdicts(&mut self, table: &LocRib) {
        if self.verdicts.len() > 2 * table.offers().len() + MEMO_SLACK {
            self.forget_verdicts();
        }
    }

    fn block(
        &mut self,
        told: &Told,
        family: Family,
        ctx: EncodeCtx,
    ) -> Result<BlockIndex, Withheld> {
        let block = AttributeBlock::new(&told.attributes, family, told.next_hop, &ctx)
            .map_err(|_| Withheld::AttributesTooLarge)?;
        let index = BlockIndex::try_from(self.blocks.len()).expect("pruned long before");
        self.blocks.push(block);
        Ok(index)
    }
}
