//! Which session a packet belongs to: RFC 5880 §6.3 and §6.8.6, RFC 5881 §3 and §5, RFC 5883 §3
//! and §5. Owns the index; knows sessions by the driver's key only.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use thiserror::Error;

use crate::session::config::Hop;
use crate::wire::Packet;

#[cfg(test)]
mod tests;

/// How a datagram came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// From and on what.
    pub source: Source,
    /// TTL or hop limit it arrived with; `None` when the kernel did not tell.
    pub ttl: Option<u8>,
}

/// What tells paths apart as long as the other end does not know our discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Port 3784: the interface and the address it came from.
    Single {
        /// Index of the interface; of a session, 0 stands for any: the TTL proves that the sender is
        /// on a link of ours.
        interface: u32,
        /// Source address.
        remote: IpAddr,
    },
    /// Port 4784: both addresses.
    Multi {
        /// Destination address; of a session, the unspecified one stands for any.
        local: IpAddr,
        /// Source address.
        remote: IpAddr,
    },
}

impl Source {
    /// The same sender, wherever it comes in.
    const fn anywhere(self) -> Self {
        match self {
            Self::Single { remote, .. } => Self::Single {
                interface: 0,
                remote,
            },
            Self::Multi { remote, .. } => Self::Multi {
                local: match remote {
                    IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                    IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                },
                remote,
            },
        }
    }
}

/// Why a packet is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum Discard {
    /// No session has that discriminator.
    #[error("no session has this discriminator")]
    UnknownDiscriminator,
    /// The packet does not know our discriminator, and no session is with its sender.
    #[error("no session is with this sender")]
    UnknownSource,
    /// A packet of a single-hop session on the port of multihop ones, or the reverse.
    #[error("the session is of the other kind of hop")]
    OtherPort,
    /// It came from further away than its session's other end can be.
    #[error("it came from too far away")]
    Ttl,
}

#[derive(Clone, Debug)]
struct Entry<K> {
    key: K,
    source: Source,
    hop: Hop,
}

/// The index over all sessions. `K` is how the driver names one.
#[derive(Clone, Debug)]
pub struct Demux<K> {
    sessions: BTreeMap<NonZeroU32, Entry<K>>,
    sources: BTreeMap<Source, NonZeroU32>,
}

impl<K> Default for Demux<K> {
    fn default() -> Self {
        Self {
            sessions: BTreeMap::new(),
            sources: BTreeMap::new(),
        }
    }
}

impl<K> Demux<K> {
    /// Adds a session, or replaces the one with that discriminator. Of two sessions with one
    /// source, the later gets the packets that know no discriminator.
    pub fn insert(&mut self, discriminator: NonZeroU32, source: Source, hop: Hop, key: K) {
        self.remove(discriminator);
        self.sources.insert(source, discriminator);
        let entry = Entry { key, source, hop };
        self.sessions.insert(discriminator, entry);
    }

    /// Forgets a session.
    pub fn remove(&mut self, discriminator: NonZeroU32) {
        if let Some(entry) = self.sessions.remove(&discriminator)
            && self.sources.get(&entry.source) == Some(&discriminator)
        {
            self.sources.remove(&entry.source);
        }
    }

    /// Whether a session has that discriminator.
    #[must_use]
    pub fn contains(&self, discriminator: NonZeroU32) -> bool {
        self.sessions.contains_key(&discriminator)
    }

    /// The session of a packet. Once the sender knows our discriminator nothing else counts, so
    /// its address may change (RFC 5880 §6.3); the TTL must hold in any case.
    ///
    /// # Errors
    /// Why it is nobody's.
    pub fn find(&self, packet: &Packet, arrival: &Arrival) -> Result<&K, Discard> {
        let discriminator = match packet.your_discriminator {
            Some(yours) => yours,
            None => *self
                .sources
                .get(&arrival.source)
                .or_else(|| self.sources.get(&arrival.source.anywhere()))
                .ok_or(Discard::UnknownSource)?,
        };
        let entry = self
            .sessions
            .get(&discriminator)
            .ok_or(Discard::UnknownDiscriminator)?;
        match (entry.hop, arrival.source) {
            (Hop::Single, Source::Single { .. }) | (Hop::Multi { .. }, Source::Multi { .. }) => {}
            (Hop::Single, Source::Multi { .. }) | (Hop::Multi { .. }, Source::Single { .. }) => {
                return Err(Discard::OtherPort);
            }
        }
        if arrival.ttl.is_some_and(|ttl| entry.hop.admits(ttl)) {
            Ok(&entry.key)
        } else {
            Err(Discard::Ttl)
        }
    }
}
