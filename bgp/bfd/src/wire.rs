//! The control packet, RFC 5880 §4.1. Decoding is total and judges what can be judged without
//! knowing the session, in the order of §6.8.6.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
//! |                       My Discriminator                        |
//! |                      Your Discriminator                       |
//! |                 Desired Min TX Interval (µs)                  |
//! |                 Required Min RX Interval (µs)                 |
//! |               Required Min Echo RX Interval (µs)              |
//! ```

use std::num::{NonZeroU8, NonZeroU32};

use thiserror::Error;

#[cfg(test)]
mod tests;

/// Octets of a control packet without authentication.
pub const PACKET_LEN: usize = 24;
const VERSION: u8 = 1;
/// Least length with an authentication section (its type and length).
const AUTHENTICATED_LEN: u8 = 26;

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const INDEPENDENT: u8 = 0x08;
const AUTHENTICATED: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// The state of one end (RFC 5880 §4.1, Sta).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Held down by its operator; says nothing about the path.
    AdminDown,
    /// Nothing heard, or the path failed.
    Down,
    /// The other end is heard, and may not hear us.
    Init,
    /// Both ends hear each other.
    Up,
}

impl State {
    /// Every state, in the order of its code.
    pub const ALL: [Self; 4] = [Self::AdminDown, Self::Down, Self::Init, Self::Up];

    const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            _ => Self::Up,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::AdminDown => 0,
            Self::Down => 1,
            Self::Init => 2,
            Self::Up => 3,
        }
    }
}

/// Why the sender last left Up (RFC 5880 §4.1, Diag).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Diagnostic {
    /// 0
    None,
    /// 1: nothing arrived for a detection time.
    DetectionTimeExpired,
    /// 2
    EchoFailed,
    /// 3: the other end said Down.
    NeighborSignaledDown,
    /// 4
    ForwardingPlaneReset,
    /// 5
    PathDown,
    /// 6
    ConcatenatedPathDown,
    /// 7: an operator holds it down.
    AdministrativelyDown,
    /// 8
    ReverseConcatenatedPathDown,
    /// 9 to 31: not assigned when this was written.
    Unknown(u8),
}

impl Diagnostic {
    const fn from_bits(bits: u8) -> Self {
        match bits & 0x1f {
            0 => Self::None,
            1 => Self::DetectionTimeExpired,
            2 => Self::EchoFailed,
            3 => Self::NeighborSignaledDown,
            4 => Self::ForwardingPlaneReset,
            5 => Self::PathDown,
            6 => Self::ConcatenatedPathDown,
            7 => Self::AdministrativelyDown,
            8 => Self::ReverseConcatenatedPathDown,
            other => Self::Unknown(other),
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::None => 0,
            Self::DetectionTimeExpired => 1,
            Self::EchoFailed => 2,
            Self::NeighborSignaledDown => 3,
            Self::ForwardingPlaneReset => 4,
            Self::PathDown => 5,
            Self::ConcatenatedPathDown => 6,
            Self::AdministrativelyDown => 7,
            Self::ReverseConcatenatedPathDown => 8,
            Self::Unknown(code) => code & 0x1f,
        }
    }
}

/// A control packet without authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Why the sender last left Up.
    pub diagnostic: Diagnostic,
    /// The sender's state.
    pub state: State,
    /// P: the sender wants its times confirmed by a packet with F.
    pub poll: bool,
    /// F: the answer to P.
    pub finished: bool,
    /// C: the sender's BFD survives its control plane (RFC 5882 §4.3).
    pub control_plane_independent: bool,
    /// D: the sender wants no periodic packets while both ends are up.
    pub demand: bool,
    /// Packets in a row whose loss is a failure.
    pub detect_mult: NonZeroU8,
    /// The sender's number for the session.
    pub my_discriminator: NonZeroU32,
    /// Our number for the session, once the sender knows it.
    pub your_discriminator: Option<NonZeroU32>,
    /// µs between packets the sender would like to send.
    pub desired_min_tx_us: u32,
    /// µs between packets the sender can take; 0 asks for none.
    pub required_min_rx_us: u32,
    /// µs between echo packets the sender reflects; 0 is none.
    pub required_min_echo_rx_us: u32,
}

/// Why a datagram is no packet for anybody (RFC 5880 §6.8.6: it is discarded).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Fewer octets than a packet has.
    #[error("{octets} octets are no control packet")]
    TooShort {
        /// Octets there were.
        octets: usize,
    },
    /// Another version of the protocol.
    #[error("version {version}, not {VERSION}")]
    Version {
        /// The version in the packet.
        version: u8,
    },
    /// Length below the least, or beyond the datagram.
    #[error("length {length} in a datagram of {octets} octets")]
    Length {
        /// The Length field.
        length: u8,
        /// Octets there were.
        octets: usize,
    },
    /// Detect Mult is zero.
    #[error("a detection multiplier of zero")]
    ZeroMultiplier,
    /// The Multipoint bit is set.
    #[error("the multipoint bit is set")]
    Multipoint,
    /// My Discriminator is zero.
    #[error("my discriminator is zero")]
    ZeroDiscriminator,
    /// Init or Up without the discriminator that such a state implies.
    #[error("your discriminator is zero in a packet that says {state:?}")]
    NoDiscriminator {
        /// The sender's state.
        state: State,
    },
    /// The packet is authenticated, and no session here is.
    #[error("authentication is not supported")]
    Authenticated,
}

impl Packet {
    /// Reads a datagram. Octets after the packet are ignored (§6.8.6 judges the Length field only).
    ///
    /// # Errors
    /// Names the first rule of RFC 5880 §6.8.6 that the datagram breaks.
    pub fn decode(datagram: &[u8]) -> Result<Self, DecodeError> {
        let octets = datagram.len();
        let Some((head, _)) = datagram.split_first_chunk::<PACKET_LEN>() else {
            return Err(DecodeError::TooShort { octets });
        };
        let [vers_diag, flags, mult, length, numbers @ ..] = *head;
        let version = vers_diag >> 5;
        if version != VERSION {
            return Err(DecodeError::Version { version });
        }
        let authenticated = flags & AUTHENTICATED != 0;
        let least = if authenticated { AUTHENTICATED_LEN } else { 24 };
        if length < least || usize::from(length) > octets {
            return Err(DecodeError::Length { length, octets });
        }
        let detect_mult = NonZeroU8::new(mult).ok_or(DecodeError::ZeroMultiplier)?;
        if flags & MULTIPOINT != 0 {
            return Err(DecodeError::Multipoint);
        }
        let [mine, yours, tx, rx, echo] = words(numbers);
        let my_discriminator = NonZeroU32::new(mine).ok_or(DecodeError::ZeroDiscriminator)?;
        let state = State::from_bits(flags >> 6);
        let your_discriminator = NonZeroU32::new(yours);
        if your_discriminator.is_none() && matches!(state, State::Init | State::Up) {
            return Err(DecodeError::NoDiscriminator { state });
        }
        if authenticated {
            return Err(DecodeError::Authenticated);
        }
        Ok(Self {
            diagnostic: Diagnostic::from_bits(vers_diag),
            state,
            poll: flags & POLL != 0,
            finished: flags & FINAL != 0,
            control_plane_independent: flags & INDEPENDENT != 0,
            demand: flags & DEMAND != 0,
            detect_mult,
            my_discriminator,
            your_discriminator,
            desired_min_tx_us: tx,
            required_min_rx_us: rx,
            required_min_echo_rx_us: echo,
        })
    }

    /// The packet's octets.
    #[must_use]
    pub fn encode(&self) -> [u8; PACKET_LEN] {
        let mut flags = self.state.bits() << 6;
        for (set, bit) in [
            (self.poll, POLL),
            (self.finished, FINAL),
            (self.control_plane_independent, INDEPENDENT),
            (self.demand, DEMAND),
        ] {
            if set {
                flags |= bit;
            }
        }
        let head = [
            VERSION << 5 | self.diagnostic.bits(),
            flags,
            self.detect_mult.get(),
            24,
        ];
        let [m0, m1, m2, m3] = self.my_discriminator.get().to_be_bytes();
        let yours = self.your_discriminator.map_or(0, NonZeroU32::get);
        let [y0, y1, y2, y3] = yours.to_be_bytes();
        let [t0, t1, t2, t3] = self.desired_min_tx_us.to_be_bytes();
        let [r0, r1, r2, r3] = self.required_min_rx_us.to_be_bytes();
        let [e0, e1, e2, e3] = self.required_min_echo_rx_us.to_be_bytes();
        let [h0, h1, h2, h3] = head;
        [
            h0, h1, h2, h3, m0, m1, m2, m3, y0, y1, y2, y3, t0, t1, t2, t3, r0, r1, r2, r3, e0, e1,
            e2, e3,
        ]
    }
}

/// The five numbers after the first word.
fn words(octets: [u8; 20]) -> [u32; 5] {
    let (words, _) = octets.as_chunks::<4>();
    let mut numbers = [0; 5];
    for (number, word) in numbers.iter_mut().zip(words) {
        *number = u32::from_be_bytes(*word);
    }
    numbers
}
