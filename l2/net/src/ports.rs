//! The sockets of every announcing interface, kept in step with what netlink says.
//!
//! Owns opening, closing and retrying; reads and writes frames. Does not look into them, save for the Ethertype by
//! which a frame leaves through the right socket.

use std::collections::BTreeMap;
use std::io;
use std::task::{Context, Poll};

use ringbolt_l2::announcer::Interface;
use ringbolt_l2::types::{IfIndex, MacAddr};
use tracing::{info, warn};

use crate::filter::{self, ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV6, ETHERTYPE_RINGBOLT};
use crate::socket::{Binding, PacketSocket};

/// Where speakers send sealed frames: a locally administered Ethernet group of our own.
pub(crate) const SPEAKERS_GROUP: MacAddr = MacAddr([0x03, 0x52, 0x42, 0x4c, 0x32, 0x01]);
/// Frames taken from one socket before the others get their turn.
const FRAMES_PER_TURN: usize = 64;
/// Longest frame read: whatever exceeds an Ethernet MTU is none of ours.
const FRAME_BYTES_MAX: usize = 2_048;

/// Why an interface has no sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// `CAP_NET_RAW` is missing.
    #[error("packet sockets need CAP_NET_RAW")]
    NotPermitted,
    /// The kernel refused for another reason.
    #[error("cannot open packet sockets: {0:?}")]
    Refused(io::ErrorKind),
}

impl PortError {
    /// The word that status and metrics use.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotPermitted => "MissingCapability",
            Self::Refused(_) => "SocketRefused",
        }
    }
}

/// Which socket a frame came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Channel {
    Sealed,
    Arp,
    Ndp,
}

/// In the order they are read: after a pause of the process it should first learn what it does not own any more, and
/// only then answer the questions that piled up.
const CHANNELS: [Channel; 3] = [Channel::Sealed, Channel::Arp, Channel::Ndp];

#[derive(Debug)]
struct Port {
    name: String,
    mac: MacAddr,
    sockets: [PacketSocket; 3],
}

/// All sockets of this node.
#[derive(Debug)]
pub(crate) struct Ports {
    open: BTreeMap<IfIndex, Port>,
    failed: BTreeMap<IfIndex, PortError>,
    /// Sockets that may have frames, in the order they were found readable.
    readable: Vec<(IfIndex, Channel)>,
    buffer: Vec<u8>,
    drops: u64,
}

impl Ports {
    pub(crate) fn new() -> Self {
        Self {
            open: BTreeMap::new(),
            failed: BTreeMap::new(),
            readable: Vec::new(),
            buffer: vec![0; FRAME_BYTES_MAX],
            drops: 0,
        }
    }

    /// Whether the device behind some socket is gone although its index is in use: another device has got it.
    pub(crate) fn any_lost(&self) -> bool {
        self.open.iter().any(|(index, port)| port.is_lost(*index))
    }

    /// Closes the ports whose device is gone.
    pub(crate) fn close_lost(&mut self) {
        self.open.retain(|index, port| !port.is_lost(*index));
    }

    /// Opens what is new, closes what is gone, tries again what failed.
    pub(crate) fn keep(&mut self, interfaces: &[Interface]) {
        let wanted = |index: &IfIndex| interfaces.iter().any(|interface| interface.index == *index);
        self.open.retain(|index, _| wanted(index));
        self.failed.retain(|index, _| wanted(index));
        for interface in interfaces {
            if let Some(port) = self.open.get_mut(&interface.index) {
                port.mac = interface.mac;
                continue;
            }
            match Port::open(interface) {
                Ok(port) => {
                    info!(interface = %interface.name, mac = %interface.mac, "announcing on interface");
                    self.failed.remove(&interface.index);
                    self.open.insert(interface.index, port);
                }
                Err(error) => {
                    if self.failed.insert(interface.index, error) != Some(error) {
                        warn!(interface = %interface.name, %error, reason = error.reason(), "cannot announce on interface, retrying");
                    }
                }
            }
        }
    }

    /// Interfaces without sockets, and why.
    pub(crate) fn failures(&self) -> &BTreeMap<IfIndex, PortError> {
        &self.failed
    }

    pub(crate) fn is_open(&self, interface: IfIndex) -> bool {
        self.open.contains_key(&interface)
    }

    /// Ready when at least one socket has a frame. Every call registers with all sockets, so none is missed.
    pub(crate) fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.readable.clear();
        for (index, port) in &self.open {
            for (channel, socket) in CHANNELS.iter().zip(&port.sockets) {
                // An error is found, and counted, by the read.
                if socket.poll_readable(context).is_ready() {
                    self.readable.push((*index, *channel));
                }
            }
        }
        if self.readable.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    /// Hands each waiting frame to `take`, at most [`FRAMES_PER_TURN`] per socket.
    pub(crate) fn read(&mut self, mut take: impl FnMut(IfIndex, Channel, &[u8], &Writer<'_>)) {
        let writer = Writer { open: &self.open };
        for (index, channel) in self.readable.drain(..) {
            let Some(socket) = self.open.get(&index).map(|port| port.socket(channel)) else {
                continue;
            };
            for _frame in 0..FRAMES_PER_TURN {
                match socket.try_read(&mut self.buffer) {
                    Ok(Some(length)) => {
                        if let Some(frame) = self.buffer.get(..length) {
                            take(index, channel, frame, &writer);
                        }
                    }
                    Ok(None) => break,
                    // ENETDOWN: told once per change, and found by the first read after it; netlink has said the rest.
                    Err(error) if error.kind() == io::ErrorKind::NetworkDown => {}
                    Err(error) => {
                        warn!(interface = %index, %error, "reading failed");
                        break;
                    }
                }
            }
        }
    }

    pub(crate) fn writer(&self) -> Writer<'_> {
        Writer { open: &self.open }
    }

    /// Frames the kernel dropped for lack of room since the start.
    pub(crate) fn drops(&mut self) -> u64 {
        for port in self.open.values() {
            for socket in &port.sockets {
                self.drops += u64::from(socket.take_drops().unwrap_or_default());
            }
        }
        self.drops
    }
}

impl Port {
    fn open(interface: &Interface) -> Result<Self, PortError> {
        let open = |ethertype, filter: &[_], group| {
            PacketSocket::open(&Binding {
                interface: interface.index,
                ethertype,
                filter,
                group,
            })
            .map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => PortError::NotPermitted,
                other => PortError::Refused(other),
            })
        };
        Ok(Self {
            name: interface.name.to_string(),
            mac: interface.mac,
            sockets: [
                open(ETHERTYPE_RINGBOLT, &filter::sealed(), Some(SPEAKERS_GROUP))?,
                open(ETHERTYPE_ARP, &filter::arp(), None)?,
                open(ETHERTYPE_IPV6, &filter::ndp(), None)?,
            ],
        })
    }

    fn is_lost(&self, index: IfIndex) -> bool {
        let bound =
            |socket: &PacketSocket| socket.bound_to().is_ok_and(|bound| bound == Some(index));
        !self.sockets.iter().all(bound)
    }

    fn socket(&self, channel: Channel) -> &PacketSocket {
        let [sealed, arp, ndp] = &self.sockets;
        match channel {
            Channel::Sealed => sealed,
            Channel::Arp => arp,
            Channel::Ndp => ndp,
        }
    }
}

/// The sending half, usable while frames are being read.
pub(crate) struct Writer<'a> {
    open: &'a BTreeMap<IfIndex, Port>,
}

impl Writer<'_> {
    /// Our Ethernet address on the interface.
    pub(crate) fn mac(&self, interface: IfIndex) -> Option<MacAddr> {
        self.open.get(&interface).map(|port| port.mac)
    }

    /// Writes a frame through the socket of its Ethertype.
    pub(crate) fn send(&self, interface: IfIndex, frame: &[u8]) -> io::Result<()> {
        let port = self.open.get(&interface).ok_or(io::ErrorKind::NotFound)?;
        let channel = match ethertype(frame) {
            Some(ETHERTYPE_ARP) => Channel::Arp,
            Some(ETHERTYPE_IPV6) => Channel::Ndp,
            _ => Channel::Sealed,
        };
        port.socket(channel).send(frame).inspect_err(|error| {
            tracing::debug!(interface = port.name, %error, "frame not sent");
        })
    }
}

fn ethertype(frame: &[u8]) -> Option<u16> {
    let header = frame.get(..ETHERNET_HEADER)?;
    header
        .last_chunk::<2>()
        .map(|bytes| u16::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests;
