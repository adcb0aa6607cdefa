//! The identifiers and small numbers of layer 2: nodes, interfaces, advertisements, keys, epochs, views.
//!
//! Every one is a newtype, so that an epoch cannot be passed for a view. Nothing here decides anything.
use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;

/// Longest name a node or an advertisement may have: a DNS subdomain (RFC 1123 §2.1), in bytes.
pub const NAME_BYTES_MAX: usize = 253;

/// A name was empty or longer than [`NAME_BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name must have 1 to 253 bytes, this one has {bytes}")]
pub struct NameLengthError {
    /// Length of what was given, in bytes.
    pub bytes: usize,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a name of 1 to [`NAME_BYTES_MAX`] bytes.
            ///
            /// # Errors
            /// When it is empty or longer.
            pub fn new(name: &str) -> Result<Self, NameLengthError> {
                match name.len() {
                    1..=NAME_BYTES_MAX => Ok(Self(Arc::from(name))),
                    bytes => Err(NameLengthError { bytes }),
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameLengthError;

            fn from_str(name: &str) -> Result<Self, NameLengthError> {
                Self::new(name)
            }
        }
    };
}

name! {
    /// Name of a node, as its Node object has it.
    NodeName
}
name! {
    /// Name of an L2Advertisement.
    AdvertisementName
}
name! {
    /// Name of a network interface, as the kernel has it.
    InterfaceName
}
name! {
    /// A Service, as `namespace/name`: only shown and compared, never taken apart.
    ServiceName
}

/// A network interface by its kernel index. Meaningful on this node alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfIndex(pub u32);

impl fmt::Display for IfIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// ff:ff:ff:ff:ff:ff.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// 00:00:00:00:00:00, "not known" in the bodies of ARP requests.
    pub const ZERO: Self = Self([0; 6]);

    /// Whether one single station can be meant: neither a group (broadcast is one) nor zero.
    #[must_use]
    pub fn is_station(self) -> bool {
        self.0[0] & 1 == 0 && self != Self::ZERO
    }

    /// The Ethernet group of an IPv6 multicast group (RFC 2464 §7).
    #[must_use]
    pub fn of_ipv6_group(group: Ipv6Addr) -> Self {
        let [.., a, b, c, d] = group.octets();
        Self([0x33, 0x33, a, b, c, d])
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which cluster a frame belongs to; frames of another one are not ours to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub [u8; 16]);

/// Orders the lives of one node's speaker: a restart has a higher one. No clock is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

/// Tells two processes that use one node name apart. Random, never ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instance(pub u64);

/// Decimal id of a key in the Secret; the highest is the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

/// How many times the ownership of one address on one segment has been claimed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Version of the endpoints a claim rests on: the sum of the generations of the Service's EndpointSlices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct View(pub u64);

/// A node's place in an advertisement: preference sorts first, weight shares among equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Standing {
    /// Higher goes first, whatever the hash says.
    pub preference: u32,
    /// Relative share among nodes of equal preference; 0 counts as 1.
    pub weight: u16,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            preference: 0,
            weight: 1,
        }
    }
}
