//! Who is on a segment: the members of one interface, as their hellos describe them.
//!
//! A member is a node heard within three of its own stated intervals; it goes at once when it says goodbye or a verdict
//! falls. The counter alone orders the lives of a node. A second process that uses a living member's name does not
//! replace it: only when the member has been silent for one interval since the other was first heard does the new life
//! count. What members own is in `claim`; what follows from their coming and going is decided by the announcer.
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ipnet::IpNet;

use crate::announcer::LossCause;
use crate::hello::{AdvertisementId, Eligibility, Eligible, Hello, HelloFlags, Listing, Sender};
use crate::owner::node_seed;
use crate::types::{Incarnation, Instance, KeyId, MacAddr, NodeName};

/// A member is silent after this many of its intervals.
pub(crate) const INTERVALS_MAX: u32 = 3;
/// A node that hears nobody takes part after this.
pub(crate) const LISTEN_ALONE: Duration = Duration::from_secs(3);
/// A node that hears others takes part after this many of the longest interval heard.
pub(crate) const LISTEN_INTERVALS: u32 = 2;

/// Members of one segment; bounds what invented names can cost a holder of the key.
const MEMBERS_MAX: usize = 10_000;
/// Two processes of one name are two, and not a restart, when the first is heard this long after the second.
const OVERLAP: Duration = Duration::from_millis(500);

/// A node on the segment.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) incarnation: Incarnation,
    pub(crate) instance: Instance,
    /// See [`node_seed`].
    pub(crate) seed: u64,
    pub(crate) mac: MacAddr,
    pub(crate) flags: HelloFlags,
    pub(crate) keys: BTreeSet<KeyId>,
    pub(crate) addresses: Vec<IpNet>,
    pub(crate) held: u32,
    pub(crate) digest: u64,
    /// Its advertisements; `None` until its first list is complete.
    pub(crate) eligible: Option<BTreeMap<AdvertisementId, Eligible>>,
    /// When to ask it for what it holds, because our table and its digest differ.
    pub(crate) ask_at: Option<Instant>,
    /// Grows while asking does not help.
    pub(crate) ask_pause: Duration,
    /// It listed what it holds since we asked last.
    pub(crate) has_answered: bool,
    pub(crate) listing: Option<ListingUnderWay>,
    list: u64,
    assembling: Option<Assembly>,
    sequence: u64,
    interval: Duration,
    last_heard: Instant,
    rival: Option<Rival>,
    /// Where it stands in `Members::expiry`.
    deadline: Instant,
}

/// Parts of an eligibility list that came so far.
#[derive(Debug)]
struct Assembly {
    list: u64,
    parts: u8,
    came: BTreeMap<u8, Vec<Eligible>>,
}

/// Parts of a full list of claims that came so far.
#[derive(Debug)]
pub(crate) struct ListingUnderWay {
    pub(crate) list: u32,
    pub(crate) parts: u16,
    pub(crate) came: BTreeSet<u16>,
    pub(crate) addresses: BTreeSet<std::net::IpAddr>,
}

/// Another process that uses a member's name.
#[derive(Debug, Clone, Copy)]
struct Rival {
    instance: Instance,
    incarnation: Incarnation,
    first: Instant,
    last: Instant,
}

/// How a message's sender stands to what we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Not a member yet: only a hello makes it one.
    Stranger,
    /// The member's process.
    Current,
    /// Another process of that name whose counter is not higher: it should know.
    Behind(Incarnation),
    /// Another process of that name with a higher counter; the member may still be alive.
    Rival,
    /// Two processes of that name are alive; this is not the one we know.
    Duplicate,
}

/// What a hello changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A new member.
    Joined,
    /// Nothing that decisions rest on.
    Same,
    /// Its flags, prefixes or list of advertisements.
    Changed,
    /// An older one than the last.
    Late,
}

impl Member {
    fn new(sender: &Sender, hello: &Hello, now: Instant) -> Self {
        let mut member = Self {
            incarnation: sender.incarnation,
            instance: sender.instance,
            seed: node_seed(&sender.node),
            mac: hello.mac,
            flags: hello.flags,
            keys: BTreeSet::new(),
            addresses: Vec::new(),
            held: 0,
            digest: 0,
            eligible: None,
            ask_at: None,
            ask_pause: Duration::ZERO,
            has_answered: false,
            listing: None,
            list: 0,
            assembling: None,
            sequence: 0,
            interval: hello.interval,
            last_heard: now,
            rival: None,
            deadline: now,
        };
        member.take(sender, hello);
        member
    }

    /// Whether it may be given an address.
    pub(crate) fn is_candidate(&self) -> bool {
        !(self.flags.joining || self.flags.draining || self.flags.leaving)
    }

    /// Whether what it holds counts.
    pub(crate) fn may_hold(&self) -> bool {
        self.is_candidate()
    }

    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// Two live processes use the name.
    pub(crate) fn is_duplicate(&self, now: Instant) -> bool {
        self.rival.is_some_and(|rival| {
            self.last_heard >= rival.first + OVERLAP
                && now < rival.last + self.interval * INTERVALS_MAX
        })
    }

    fn take(&mut self, sender: &Sender, hello: &Hello) {
        self.incarnation = self.incarnation.max(sender.incarnation);
        self.sequence = sender.sequence;
        self.mac = hello.mac;
        self.flags = hello.flags;
        self.held = hello.held;
        self.digest = hello.digest;
        self.interval = hello.interval;
        self.keys.clone_from(&hello.keys);
        self.addresses.clone_from(&hello.addresses);
        self.list = hello.eligibility;
    }

    fn expires_at(&self) -> Instant {
        let silent = self.last_heard + self.interval * INTERVALS_MAX;
        match self.rival {
            // A new life has begun and the old one has not been heard since: it has one interval to contradict.
            Some(rival)
                if rival.incarnation > self.incarnation && self.last_heard <= rival.first =>
            {
                silent.min(rival.first + self.interval)
            }
            _ => silent,
        }
    }

    fn loss_cause(&self, now: Instant) -> LossCause {
        match now < self.last_heard + self.interval * INTERVALS_MAX {
            true => LossCause::Restarted,
            false => LossCause::Silent,
        }
    }

    /// Takes one part of a list; says whether the list in force changed.
    fn assemble(&mut self, part: Eligibility) -> Heard {
        if part.list != self.list {
            return Heard::Late;
        }
        let assembly = match &mut self.assembling {
            Some(assembly) if assembly.list == part.list && assembly.parts == part.parts => {
                assembly
            }
            other => other.insert(Assembly {
                list: part.list,
                parts: part.parts,
                came: BTreeMap::new(),
            }),
        };
        assembly.came.insert(part.part, part.entries);
        if assembly.came.len() < usize::from(assembly.parts) {
            return Heard::Same;
        }
        let entries = self
            .assembling
            .take()
            .into_iter()
            .flat_map(|assembly| assembly.came);
        let entries = entries.flat_map(|(_, entries)| entries);
        let list = Some(entries.map(|entry| (entry.advertisement, entry)).collect());
        let outcome = if self.eligible == list {
            Heard::Same
        } else {
            Heard::Changed
        };
        self.eligible = list;
        outcome
    }

    /// The listing that claims of this message belong to.
    pub(crate) fn begin_listing(&mut self, listing: Listing) -> &mut ListingUnderWay {
        let fits = self
            .listing
            .as_ref()
            .is_some_and(|known| known.list == listing.list && known.parts == listing.parts);
        if !fits {
            self.listing = None;
        }
        let under_way = self.listing.get_or_insert_with(|| ListingUnderWay {
            list: listing.list,
            parts: listing.parts,
            came: BTreeSet::new(),
            addresses: BTreeSet::new(),
        });
        under_way.came.insert(listing.part);
        under_way
    }
}

/// The members of one segment.
#[derive(Debug, Default)]
pub(crate) struct Members {
    by_name: BTreeMap<NodeName, Member>,
    by_mac: BTreeMap<MacAddr, NodeName>,
    expiry: BTreeSet<(Instant, NodeName)>,
    /// The last life heard of nodes that are not members any more: an earlier one is not taken for a new one.
    departed: BTreeMap<NodeName, (Incarnation, Instance)>,
}

impl Members {
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeName, &Member)> {
        self.by_name.iter()
    }

    pub(crate) fn get(&self, node: &NodeName) -> Option<&Member> {
        self.by_name.get(node)
    }

    pub(crate) fn get_mut(&mut self, node: &NodeName) -> Option<&mut Member> {
        self.by_name.get_mut(node)
    }

    /// The member whose interface has this Ethernet address.
    pub(crate) fn by_mac(&self, mac: MacAddr) -> Option<&NodeName> {
        self.by_mac.get(&mac)
    }

    /// The longest interval that any member states.
    pub(crate) fn longest_interval(&self) -> Option<Duration> {
        self.by_name.values().map(Member::interval).max()
    }

    pub(crate) fn any_duplicate(&self, now: Instant) -> bool {
        self.by_name.values().any(|member| member.is_duplicate(now))
    }

    /// Notes that a message came, and says whose it is.
    pub(crate) fn admit(&mut self, sender: &Sender, now: Instant) -> Admission {
        let Some(member) = self.by_name.get_mut(&sender.node) else {
            return match self.departed.get(&sender.node) {
                Some((known, instance))
                    if sender.incarnation < *known
                        || (sender.incarnation == *known && sender.instance != *instance) =>
                {
                    Admission::Behind(*known)
                }
                _ => Admission::Stranger,
            };
        };
        let admission = if member.instance == sender.instance {
            member.last_heard = now;
            Admission::Current
        } else {
            let rival = match &mut member.rival {
                Some(rival) if rival.instance == sender.instance => rival,
                other => other.insert(Rival {
                    instance: sender.instance,
                    incarnation: sender.incarnation,
                    first: now,
                    last: now,
                }),
            };
            rival.last = now;
            rival.incarnation = sender.incarnation;
            match sender.incarnation > member.incarnation {
                true if member.is_duplicate(now) => Admission::Duplicate,
                true => Admission::Rival,
                false => Admission::Behind(member.incarnation),
            }
        };
        self.reschedule(&sender.node);
        admission
    }

    /// Takes the hello of a stranger or of a member's process.
    pub(crate) fn hear(&mut self, sender: &Sender, hello: &Hello, now: Instant) -> Heard {
        let full = self.by_name.len() >= MEMBERS_MAX;
        let outcome = match self.by_name.get_mut(&sender.node) {
            None if full => return Heard::Late,
            None => {
                self.by_name
                    .insert(sender.node.clone(), Member::new(sender, hello, now));
                Heard::Joined
            }
            Some(member) if sender.sequence < member.sequence => return Heard::Late,
            Some(member) => {
                let before = (member.flags, member.mac);
                let addresses = std::mem::take(&mut member.addresses);
                let old_mac = member.mac;
                member.take(sender, hello);
                if self.by_mac.get(&old_mac) == Some(&sender.node) {
                    self.by_mac.remove(&old_mac);
                }
                match before == (member.flags, member.mac) && addresses == member.addresses {
                    true => Heard::Same,
                    false => Heard::Changed,
                }
            }
        };
        self.by_mac.insert(hello.mac, sender.node.clone());
        self.reschedule(&sender.node);
        outcome
    }

    /// Takes a part of a member's list of advertisements.
    pub(crate) fn hear_eligibility(&mut self, node: &NodeName, part: Eligibility) -> Heard {
        self.by_name
            .get_mut(node)
            .map_or(Heard::Late, |member| member.assemble(part))
    }

    /// Takes a node out. The way of every death: timeout, verdict, goodbye.
    pub(crate) fn remove(&mut self, node: &NodeName) -> Option<Member> {
        let member = self.by_name.remove(node)?;
        self.expiry.remove(&(member.deadline, node.clone()));
        if self.by_mac.get(&member.mac) == Some(node) {
            self.by_mac.remove(&member.mac);
        }
        if self.departed.len() >= MEMBERS_MAX {
            self.departed.pop_first();
        }
        let last = match member.rival {
            Some(rival) if rival.incarnation > member.incarnation => {
                (rival.incarnation, rival.instance)
            }
            _ => (member.incarnation, member.instance),
        };
        self.departed.insert(node.clone(), last);
        Some(member)
    }

    /// The next member that has been silent too long, with the reason it counts as lost.
    pub(crate) fn next_expired(&self, now: Instant) -> Option<(NodeName, LossCause)> {
        let (_, node) = self
            .expiry
            .first()
            .filter(|(deadline, _)| *deadline <= now)?;
        let cause = self
            .by_name
            .get(node)
            .map_or(LossCause::Silent, |member| member.loss_cause(now));
        Some((node.clone(), cause))
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.expiry.first().map(|(deadline, _)| *deadline)
    }

    /// Gives every member `pause` more: we did not listen that long.
    pub(crate) fn forgive(&mut self, pause: Duration) {
        for member in self.by_name.values_mut() {
            member.last_heard += pause;
        }
        let nodes: Vec<NodeName> = self.by_name.keys().cloned().collect();
        for node in &nodes {
            self.reschedule(node);
        }
    }

    fn reschedule(&mut self, node: &NodeName) {
        let Some(member) = self.by_name.get_mut(node) else {
            return;
        };
        self.expiry.remove(&(member.deadline, node.clone()));
        member.deadline = member.expires_at();
        self.expiry.insert((member.deadline, node.clone()));
    }
}

#[cfg(test)]
mod tests;
