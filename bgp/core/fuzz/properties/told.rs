//! What one peer has told us, by its own bytes: a second reading of the stream beside the Router's.
//!
//! It trusts the decoder, which has properties of its own, and knows nothing of Adj-RIB-Ins.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use ringbolt_bgp::session::{Negotiated, Refresh};
use ringbolt_bgp::types::{Asn, Family, Prefix, RouterId};
use ringbolt_bgp::wire::{self, AsnWidth, DecodeCtx, Message, MessageLimit, RefreshForm, Update};

/// Who we are on the session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Us {
    pub(crate) asn: Asn,
    pub(crate) router_id: RouterId,
    pub(crate) address: IpAddr,
}

/// What must have become of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing that was said ends it.
    Stands,
    /// Something did.
    Ended,
}

/// The routes of an Established session.
#[derive(Debug)]
pub(crate) struct Told {
    ctx: DecodeCtx,
    unread: Vec<u8>,
    routes: BTreeSet<Prefix>,
    /// When the last complete message came.
    pub(crate) heard: Instant,
}

impl Told {
    pub(crate) fn new(agreed: &Negotiated, now: Instant) -> Self {
        let ctx = DecodeCtx {
            asn_width: agreed.asn_width,
            families: agreed.families,
            extended_next_hop: agreed.extended_next_hop,
            peering: agreed.peering,
            refresh: match agreed.refresh {
                Refresh::Enhanced => RefreshForm::Enhanced,
                Refresh::Plain | Refresh::Unsupported => RefreshForm::Plain,
            },
            limit: MessageLimit::Standard,
        };
        Self {
            ctx,
            unread: Vec::new(),
            routes: BTreeSet::new(),
            heard: now,
        }
    }

    /// Whether sessions with wide AS numbers read what is written for them.
    pub(crate) fn asn_width(&self) -> AsnWidth {
        self.ctx.asn_width
    }

    pub(crate) fn len(&self, family: Family) -> usize {
        let of = |prefix: &&Prefix| Family::of(prefix) == family;
        self.routes.iter().filter(of).count()
    }

    /// The peer says more.
    pub(crate) fn read(
        &mut self,
        bytes: &[u8],
        us: Us,
        limit: Option<usize>,
        now: Instant,
    ) -> Fate {
        self.unread.extend(bytes);
        loop {
            let message = match wire::frame(&self.unread, self.ctx.limit) {
                Ok(None) => return Fate::Stands,
                Ok(Some(frame)) => (frame.len(), wire::decode(frame, &self.ctx)),
                Err(_) => return Fate::Ended,
            };
            let (octets, Ok(message)) = message else {
                return Fate::Ended;
            };
            self.unread.drain(..octets);
            self.heard = now;
            match message {
                Message::Open(_) | Message::Notification(_) => return Fate::Ended,
                Message::Keepalive | Message::RouteRefresh(_) => {}
                Message::Update(update) => {
                    if self.update(update, us, limit) == Fate::Ended {
                        return Fate::Ended;
                    }
                }
            }
        }
    }

    fn update(&mut self, update: Update, us: Us, limit: Option<usize>) -> Fate {
        for prefix in &update.withdrawn {
            self.routes.remove(prefix);
        }
        let Some(announced) = update.announced else {
            return Fate::Stands;
        };
        let id = us.router_id.to_addr();
        let said = &announced.attributes;
        let ours = said.as_path.asns().any(|asn| asn == us.asn)
            || said.originator_id == Some(id)
            || said.cluster_list.contains(&id);
        for reach in &announced.reaches {
            let usable = !ours && reach.next_hop.address() != us.address;
            for prefix in &reach.prefixes {
                if usable {
                    self.routes.insert(*prefix);
                } else {
                    self.routes.remove(prefix);
                }
                if limit.is_some_and(|limit| usable && self.len(reach.family) > limit) {
                    return Fate::Ended;
                }
            }
        }
        Fate::Stands
    }
}
