//! What a client sees on its wire: who claims an address by ARP or NDP, and which machine packets come from.
//!
//! Listens on a packet socket and understands no more than that. Deep decoding is `capture`'s.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use socket2::{Domain, Protocol, Socket, Type};

use crate::netns::Netns;

/// A hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mac([u8; 6]);

impl Mac {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes: Vec<u8> = text
            .split(':')
            .map_while(|part| u8::from_str_radix(part, 16).ok())
            .collect();
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// What a frame said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// "This address is mine": an ARP packet's sender, or the target of a neighbour advertisement.
    Claim(IpAddr),
    /// An IP packet from this address.
    Packet(IpAddr),
}

/// A frame that was seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) source: Mac,
    pub(crate) said: Said,
}

/// A listener on all interfaces of a namespace. Stop it to read what it saw.
#[derive(Debug)]
pub(crate) struct Listener {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Seen>>,
}

/// ETH_P_ALL of linux/if_ether.h.
const EVERY_PROTOCOL: u16 = 0x0003;

impl Listener {
    pub(crate) fn start(space: &Netns) -> Result<Self> {
        let protocol = Protocol::from(i32::from(EVERY_PROTOCOL.to_be()));
        let socket = space
            .inside(|| Socket::new(Domain::PACKET, Type::RAW, Some(protocol)))?
            .context("packet socket")?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let thread = thread::spawn(move || listen(socket, &until));
        Ok(Self { stop, thread })
    }

    pub(crate) fn finish(self) -> Result<Vec<Seen>> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread
            .join()
            .map_err(|_| anyhow!("the listener panicked"))
    }
}

fn listen(mut socket: Socket, stop: &AtomicBool) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut buffer = [0_u8; 2048];
    while !stop.load(Ordering::SeqCst) {
        let Ok(length) = socket.read(&mut buffer) else {
            continue;
        };
        if let Some((source, said)) = read(&buffer[..length]) {
            seen.push(Seen { source, said });
        }
    }
    seen
}

/// Everyone who claimed the address.
pub(crate) fn claimants(seen: &[Seen], address: IpAddr) -> BTreeSet<Mac> {
    seen.iter()
        .filter(|frame| frame.said == Said::Claim(address))
        .map(|frame| frame.source)
        .collect()
}

/// Source and meaning of an Ethernet frame, if it is one of those we look for.
fn read(frame: &[u8]) -> Option<(Mac, Said)> {
    let source = Mac(frame.get(6..12)?.try_into().ok()?);
    let payload = frame.get(14..)?;
    let said = match frame.get(12..14)? {
        [0x08, 0x06] => Said::Claim(IpAddr::V4(v4(payload, 14)?)),
        [0x08, 0x00] => Said::Packet(IpAddr::V4(v4(payload, 12)?)),
        // Next header ICMPv6, type 136: a neighbour advertisement (RFC 4861 section 4.4).
        [0x86, 0xdd] if payload.get(6) == Some(&58) && payload.get(40) == Some(&136) => {
            Said::Claim(IpAddr::V6(v6(payload, 48)?))
        }
        [0x86, 0xdd] => Said::Packet(IpAddr::V6(v6(payload, 8)?)),
        _ => return None,
    };
    Some((source, said))
}

fn v4(payload: &[u8], at: usize) -> Option<Ipv4Addr> {
    let bytes: [u8; 4] = payload.get(at..at + 4)?.try_into().ok()?;
    Some(Ipv4Addr::from(bytes))
}

fn v6(payload: &[u8], at: usize) -> Option<Ipv6Addr> {
    let bytes: [u8; 16] = payload.get(at..at + 16)?.try_into().ok()?;
    Some(Ipv6Addr::from(bytes))
}

#[cfg(test)]
mod tests;
