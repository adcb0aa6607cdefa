//! The nouns every other module speaks: AS numbers, identifiers, families, prefixes, secrets.
//!
//! Values of these types are valid by construction: a [`HoldTime`] of one second or a
//! [`RouterId`] of zero does not exist. The module knows nothing of messages or sessions.

use std::fmt;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use thiserror::Error;

#[cfg(test)]
mod tests;

/// An autonomous system number, four octets wide (RFC 6793).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asn(pub u32);

impl Asn {
    /// AS_TRANS: stands in for a number that does not fit in two octets (RFC 6793 §9).
    pub const TRANS: Self = Self(23_456);
    /// AS 0, which nobody may use as an origin or a neighbour (RFC 7607).
    pub const ZERO: Self = Self(0);

    /// The number as a two-octet field carries it: itself, or [`Asn::TRANS`] when it does not fit.
    #[must_use]
    pub fn in_two_octets(self) -> u16 {
        u16::try_from(self.0).unwrap_or(23_456)
    }

    /// Whether an old, two-octet speaker can carry this number.
    #[must_use]
    pub fn fits_two_octets(self) -> bool {
        u16::try_from(self.0).is_ok()
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A BGP identifier: any value but zero (RFC 6286 §2.1), written like an IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterId(NonZeroU32);

impl RouterId {
    /// `None` for zero.
    #[must_use]
    pub fn new(value: u32) -> Option<Self> {
        NonZeroU32::new(value).map(Self)
    }

    /// The identifier as a number; the collision rule compares these (RFC 4271 §6.8).
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The identifier in the notation people use for it.
    #[must_use]
    pub fn to_addr(self) -> Ipv4Addr {
        Ipv4Addr::from(self.0.get())
    }
}

impl TryFrom<Ipv4Addr> for RouterId {
    type Error = ZeroRouterId;

    fn try_from(address: Ipv4Addr) -> Result<Self, ZeroRouterId> {
        Self::new(u32::from(address)).ok_or(ZeroRouterId)
    }
}

impl fmt::Display for RouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_addr().fmt(f)
    }
}

impl fmt::Debug for RouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RouterId({self})")
    }
}

/// 0.0.0.0 is not a BGP identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("0.0.0.0 is not a BGP identifier")]
pub struct ZeroRouterId;

/// An address family as it stands on the wire, known to us or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AfiSafi {
    /// Address family identifier (IANA "Address Family Numbers").
    pub afi: u16,
    /// Subsequent address family identifier (RFC 4760 §6).
    pub safi: u8,
}

impl fmt::Display for AfiSafi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.afi, self.safi)
    }
}

/// An address family this speaker carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// AFI 1, SAFI 1.
    Ipv4Unicast,
    /// AFI 2, SAFI 1.
    Ipv6Unicast,
}

impl Family {
    /// Every family, in wire order.
    pub const ALL: [Self; 2] = [Self::Ipv4Unicast, Self::Ipv6Unicast];

    /// The code points of the family.
    #[must_use]
    pub const fn afi_safi(self) -> AfiSafi {
        match self {
            Self::Ipv4Unicast => AfiSafi { afi: 1, safi: 1 },
            Self::Ipv6Unicast => AfiSafi { afi: 2, safi: 1 },
        }
    }

    /// The family of these code points, when it is one of ours.
    #[must_use]
    pub const fn from_afi_safi(raw: AfiSafi) -> Option<Self> {
        match raw {
            AfiSafi { afi: 1, safi: 1 } => Some(Self::Ipv4Unicast),
            AfiSafi { afi: 2, safi: 1 } => Some(Self::Ipv6Unicast),
            AfiSafi { .. } => None,
        }
    }

    /// The family a prefix belongs to.
    #[must_use]
    pub const fn of(prefix: &Prefix) -> Self {
        match prefix {
            IpNet::V4(_) => Self::Ipv4Unicast,
            IpNet::V6(_) => Self::Ipv6Unicast,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4Unicast => "ipv4-unicast",
            Self::Ipv6Unicast => "ipv6-unicast",
        })
    }
}

/// A set of [`Family`]: two bits, so that it is copied rather than allocated.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilySet(u8);

impl FamilySet {
    /// No family.
    pub const EMPTY: Self = Self(0);
    /// Every family there is.
    pub const ALL: Self = Self(0b11);

    const fn bit(family: Family) -> u8 {
        match family {
            Family::Ipv4Unicast => 0b01,
            Family::Ipv6Unicast => 0b10,
        }
    }

    /// Just this family.
    #[must_use]
    pub const fn only(family: Family) -> Self {
        Self(Self::bit(family))
    }

    /// Whether `family` is in the set.
    #[must_use]
    pub const fn contains(self, family: Family) -> bool {
        self.0 & Self::bit(family) != 0
    }

    /// Adds `family`.
    pub const fn insert(&mut self, family: Family) {
        self.0 |= Self::bit(family);
    }

    /// Takes `family` out.
    pub const fn remove(&mut self, family: Family) {
        self.0 &= !Self::bit(family);
    }

    /// What both sets hold.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What either set holds.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is no family in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members in wire order.
    pub fn iter(self) -> impl Iterator<Item = Family> {
        Family::ALL
            .into_iter()
            .filter(move |family| self.contains(*family))
    }
}

impl FromIterator<Family> for FamilySet {
    fn from_iter<I: IntoIterator<Item = Family>>(families: I) -> Self {
        let mut set = Self::EMPTY;
        families.into_iter().for_each(|family| set.insert(family));
        set
    }
}

impl fmt::Debug for FamilySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A route's destination. Canonical everywhere inside the crate: host bits are zero, which the
/// decoder guarantees and [`canonical`] restores for prefixes that come from elsewhere.
pub type Prefix = IpNet;

/// The prefix with its host bits cleared.
#[must_use]
pub fn canonical(prefix: &Prefix) -> Prefix {
    prefix.trunc()
}

/// The name of a configured peer (of the BGPPeer object it came from).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerName(Arc<str>);

impl PeerName {
    /// Names are opaque here; their syntax is the configuration's concern.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Identifies one session: the peer object it came from, and which of that object's sessions it
/// is when the object stands for several (one per selected node).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId {
    name: PeerName,
    instance: Option<Arc<str>>,
}

impl PeerId {
    /// The only session of a peer object.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: PeerName::new(name),
            instance: None,
        }
    }

    /// One of several sessions of a peer object.
    #[must_use]
    pub fn with_instance(name: impl Into<Arc<str>>, instance: impl Into<Arc<str>>) -> Self {
        Self {
            name: PeerName::new(name),
            instance: Some(instance.into()),
        }
    }

    /// The peer object.
    #[must_use]
    pub fn name(&self) -> &PeerName {
        &self.name
    }

    /// Which session of it, where there are several.
    #[must_use]
    pub fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.instance {
            None => self.name.fmt(f),
            Some(instance) => write!(f, "{}/{instance}", self.name),
        }
    }
}

/// One TCP connection, numbered by the Router for those it dials and by the driver for those it
/// accepts; never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A hold time: off, or at least three seconds (RFC 4271 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldTime(u16);

impl HoldTime {
    /// Neither side expects keepalives.
    pub const OFF: Self = Self(0);

    /// `seconds` as the wire carries them; one and two do not exist.
    ///
    /// # Errors
    /// [`HoldTimeTooShort`] for one and two seconds.
    pub const fn from_secs(seconds: u16) -> Result<Self, HoldTimeTooShort> {
        match seconds {
            1 | 2 => Err(HoldTimeTooShort { seconds }),
            _ => Ok(Self(seconds)),
        }
    }

    /// Seconds as the wire carries them; zero is off.
    #[must_use]
    pub const fn as_secs(self) -> u16 {
        self.0
    }

    /// The span after which silence ends a session; `None` when off.
    #[must_use]
    pub fn duration(self) -> Option<Duration> {
        (self.0 != 0).then(|| Duration::from_secs(u64::from(self.0)))
    }

    /// The smaller of two offers (RFC 4271 §4.2): an offer of zero switches the timer off.
    #[must_use]
    pub fn negotiate(self, other: Self) -> Self {
        self.min(other)
    }
}

/// A hold time of one or two seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a hold time of {seconds} s is neither zero nor at least 3 s")]
pub struct HoldTimeTooShort {
    /// What was asked for.
    pub seconds: u16,
}

/// Whether a peer is in our AS or in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peering {
    /// iBGP: same AS.
    Internal,
    /// eBGP: another AS.
    External,
}

/// A value that no log line may show.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Seals `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one caller that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
