//! The far end of a benchmark: a BGP speaker that says as little as possible, marks in a bitmap which prefixes it
//! has been told, and notes when it had them all.
//!
//! Reads just enough of RFC 4271 to do that, with code of its own: what is measured is not also the measure.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

use crate::netns::Netns;

/// A range of host routes that a sink waits for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) first: Ipv4Addr,
    pub(super) count: u32,
}

/// What a sink has seen of the range it waits for.
#[derive(Debug, Default)]
struct Progress {
    first: u32,
    seen: Vec<bool>,
    left: usize,
    complete_at: Option<Instant>,
    ended: Option<String>,
}

/// A sink: a session with the daemon under test, read by a thread of its own until the daemon ends it.
#[derive(Debug)]
pub(super) struct Sink {
    address: Ipv4Addr,
    shared: Arc<(Mutex<Progress>, Condvar)>,
}

const PATIENCE: Duration = Duration::from_secs(30);
const HOLD_TIME_S: u16 = 240;
const OPEN: u8 = 1;
pub(super) const UPDATE: u8 = 2;
const NOTIFICATION: u8 = 3;
const KEEPALIVE: u8 = 4;

impl Sink {
    /// Dials the daemon from `address` inside `space` and brings the session up.
    pub(super) fn dial(space: &Netns, address: Ipv4Addr, asn: u16, to: Ipv4Addr) -> Result<Self> {
        let stream = space.inside(|| connect(address, to))??;
        let shared = Arc::new((Mutex::new(Progress::default()), Condvar::new()));
        let sink = Self {
            address,
            shared: Arc::clone(&shared),
        };
        let mut session = Session::begin(stream, asn, address)?;
        thread::spawn(move || {
            let end = session.follow(&mut |update| mark(update, &shared));
            let (progress, changed) = &*shared;
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress.ended = Some(end.map_or_else(
                |error| format!("{error:#}"),
                |()| "it was closed".to_owned(),
            ));
            changed.notify_all();
        });
        Ok(sink)
    }

    /// From here on waits for this range, from nothing.
    pub(super) fn expect(&self, range: Range) -> Result<()> {
        let mut progress = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = usize::try_from(range.count)?;
        progress.first = u32::from(range.first);
        progress.seen = vec![false; count];
        progress.left = count;
        progress.complete_at = None;
        Ok(())
    }

    /// Waits for the whole range; returns when the last prefix came.
    pub(super) fn wait(&self, limit: Duration) -> Result<Instant> {
        let (progress, changed) = &*self.shared;
        let progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        let pending =
            |progress: &mut Progress| progress.complete_at.is_none() && progress.ended.is_none();
        let (progress, _) = changed
            .wait_timeout_while(progress, limit, pending)
            .unwrap_or_else(PoisonError::into_inner);
        match (progress.complete_at, &progress.ended) {
            (Some(at), _) => Ok(at),
            (None, Some(end)) => bail!("{}: the session ended: {end}", self.address),
            (None, None) => bail!(
                "{}: {} of {} prefixes are missing",
                self.address,
                progress.left,
                progress.seen.len()
            ),
        }
    }
}

/// When the last of them had everything it waits for.
pub(super) fn last(sinks: &[Sink]) -> Result<Instant> {
    let times: Vec<Instant> = sinks
        .iter()
        .map(|sink| sink.wait(LIMIT))
        .collect::<Result<_>>()?;
    times.into_iter().max().context("there are sinks")
}

/// How long a range may take to arrive.
const LIMIT: Duration = Duration::from_secs(60);

/// A TCP connection from one of several addresses.
pub(super) fn connect(from: Ipv4Addr, to: Ipv4Addr) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect_timeout(&SocketAddr::from((to, 179)).into(), Duration::from_secs(2))?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

/// The connection and what of it has not been understood yet.
pub(super) struct Session {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Session {
    /// Brings a session up on a new connection.
    pub(super) fn begin(stream: TcpStream, asn: u16, address: Ipv4Addr) -> Result<Self> {
        let mut session = Self {
            stream,
            buffer: Vec::new(),
        };
        session
            .open(asn, address)
            .with_context(|| format!("the session of {address}"))?;
        Ok(session)
    }

    fn open(&mut self, asn: u16, id: Ipv4Addr) -> Result<()> {
        self.stream.set_read_timeout(Some(PATIENCE))?;
        self.stream.write_all(&open_message(asn, id))?;
        let mut opened = false;
        loop {
            let (kind, body) = self.message()?;
            match kind {
                OPEN => {
                    opened = true;
                    self.stream.write_all(&message(KEEPALIVE, &[]))?;
                }
                KEEPALIVE if opened => return Ok(()),
                NOTIFICATION => bail!("refused with {body:?}"),
                other => bail!("a message of type {other} instead of OPEN"),
            }
        }
    }

    /// Reads until the connection ends; `told` is given every UPDATE.
    pub(super) fn follow(&mut self, told: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.stream.set_read_timeout(None)?;
        loop {
            let (kind, body) = self.message()?;
            match kind {
                UPDATE => told(&body)?,
                KEEPALIVE => self.stream.write_all(&message(KEEPALIVE, &[]))?,
                NOTIFICATION => bail!("NOTIFICATION {body:?}"),
                _ => {}
            }
        }
    }

    /// The next message: its type and its body.
    fn message(&mut self) -> Result<(u8, Vec<u8>)> {
        loop {
            if let Some(head) = self.buffer.first_chunk::<19>() {
                let length = usize::from(u16::from_be_bytes([head[16], head[17]]));
                let kind = head[18];
                ensure!(length >= 19, "a message of {length} octets");
                if self.buffer.len() >= length {
                    let body = self.buffer[19..length].to_vec();
                    self.buffer.drain(..length);
                    return Ok((kind, body));
                }
            }
            let mut chunk = [0_u8; 65536];
            let length = self.stream.read(&mut chunk)?;
            ensure!(length > 0, "the connection was closed");
            self.buffer.extend_from_slice(&chunk[..length]);
        }
    }
}

/// Marks the host routes of an UPDATE's last section (RFC 4271 section 4.3).
fn mark(body: &[u8], shared: &(Mutex<Progress>, Condvar)) -> Result<()> {
    let mut prefixes = announced(body).context("an UPDATE that ends too early")?;
    let mut progress = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
    while let [32, a, b, c, d, rest @ ..] = prefixes {
        prefixes = rest;
        let offset = u32::from_be_bytes([*a, *b, *c, *d]).wrapping_sub(progress.first);
        let Ok(offset) = usize::try_from(offset) else {
            continue;
        };
        if progress.seen.get(offset) == Some(&false) {
            progress.seen[offset] = true;
            progress.left -= 1;
            if progress.left == 0 {
                progress.complete_at = Some(Instant::now());
                shared.1.notify_all();
            }
        }
    }
    ensure!(prefixes.is_empty(), "a prefix that is no host route");
    Ok(())
}

/// The announced prefixes of an UPDATE, as they stand on the wire.
fn announced(body: &[u8]) -> Option<&[u8]> {
    let (withdrawn, rest) = body.split_first_chunk::<2>()?;
    let rest = rest.get(usize::from(u16::from_be_bytes(*withdrawn))..)?;
    let (attributes, rest) = rest.split_first_chunk::<2>()?;
    rest.get(usize::from(u16::from_be_bytes(*attributes))..)
}

pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 19).unwrap_or(u16::MAX);
    let mut bytes = vec![0xff; 16];
    bytes.extend(length.to_be_bytes());
    bytes.push(kind);
    bytes.extend(body);
    bytes
}

/// OPEN with IPv4 unicast, route refresh and four-octet AS numbers.
fn open_message(asn: u16, id: Ipv4Addr) -> Vec<u8> {
    let [high, low] = asn.to_be_bytes();
    let capabilities = [1, 4, 0, 1, 0, 1, 2, 0, 65, 4, 0, 0, high, low];
    let mut body = vec![4, high, low];
    body.extend(HOLD_TIME_S.to_be_bytes());
    body.extend(id.octets());
    body.extend([16, 2, 14]);
    body.extend(capabilities);
    message(OPEN, &body)
}

/// The address of a sink, as daemons are told it.
pub(super) fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, 0, 2 + number)
}

/// The AS number of a sink.
pub(super) fn asn(number: u8) -> u16 {
    65002 + u16::from(number)
}

/// How many sinks there are.
pub(super) const SINKS: u8 = 4;

/// The daemon under test.
pub(super) const DAEMON: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
pub(super) const DAEMON_ASN: u32 = 65000;

/// The daemon's address as any address.
pub(super) fn daemon() -> IpAddr {
    DAEMON.into()
}

#[cfg(test)]
mod tests;
