//! Clients of the lab: one question by TCP or UDP, and a steady stream of datagrams with its losses and gaps.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use crate::netns::Netns;

/// How a question is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

/// What a pod answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) pod: String,
    /// The client as the pod saw it.
    pub(crate) seen: IpAddr,
}

impl Answer {
    fn parse(line: &str) -> Result<(Self, &str)> {
        let mut words = line.trim().splitn(3, ' ');
        let (Some(pod), Some(seen)) = (words.next(), words.next()) else {
            return Err(anyhow!("not an answer: {line}"));
        };
        let seen: SocketAddr = seen
            .parse()
            .with_context(|| format!("not an answer: {line}"))?;
        Ok((
            Self {
                pod: pod.to_owned(),
                seen: seen.ip(),
            },
            words.next().unwrap_or_default(),
        ))
    }
}

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks once, from a new port.
pub(crate) fn ask(space: &Netns, transport: Transport, to: SocketAddr) -> Result<Answer> {
    space.inside(|| match transport {
        Transport::Tcp => ask_tcp(to),
        Transport::Udp => ask_udp(to),
    })?
}

/// Asks `count` times and returns the names of the pods that answered; every question must be answered.
pub(crate) fn ask_many(
    space: &Netns,
    transport: Transport,
    to: SocketAddr,
    count: usize,
) -> Result<BTreeSet<String>> {
    (0..count)
        .map(|_| ask(space, transport, to).map(|answer| answer.pod))
        .collect()
}

fn ask_tcp(to: SocketAddr) -> Result<Answer> {
    let mut stream =
        TcpStream::connect_timeout(&to, PATIENCE).with_context(|| format!("TCP to {to}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")?;
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .with_context(|| format!("TCP answer of {to}"))?;
    let (_, body) = text
        .split_once("\r\n\r\n")
        .with_context(|| format!("TCP answer of {to}: {text}"))?;
    Answer::parse(body).map(|(answer, _)| answer)
}

fn ask_udp(to: SocketAddr) -> Result<Answer> {
    let socket = bound_for(to)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(b"hello")?;
    let mut buffer = [0_u8; 2048];
    let length = socket
        .recv(&mut buffer)
        .with_context(|| format!("UDP answer of {to}"))?;
    Answer::parse(&String::from_utf8_lossy(&buffer[..length])).map(|(answer, _)| answer)
}

fn bound_for(to: SocketAddr) -> Result<UdpSocket> {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to).with_context(|| format!("UDP to {to}"))?;
    Ok(socket)
}

/// What became of a stream.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) sent: usize,
    pub(crate) answered: usize,
    /// The longest time between the sends of two datagrams that were answered, with none answered between.
    pub(crate) gap: Duration,
}

impl Account {
    pub(crate) fn lost(&self) -> usize {
        self.sent - self.answered
    }
}

/// A stream of datagrams at a steady rate from one port. Stop it to get its account.
#[derive(Debug)]
pub(crate) struct Stream {
    stop: Arc<AtomicBool>,
    sender: JoinHandle<Result<Vec<Instant>>>,
    receiver: JoinHandle<Vec<u64>>,
}

/// How long late answers are waited for after the last datagram.
const LATE: Duration = Duration::from_secs(1);

impl Stream {
    pub(crate) fn start(space: &Netns, to: SocketAddr, per_second: u32) -> Result<Self> {
        let socket = space.inside(|| bound_for(to))??;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let incoming = socket.try_clone()?;
        let stop = Arc::new(AtomicBool::new(false));
        let sending = Arc::clone(&stop);
        let done = Arc::new(AtomicBool::new(false));
        let sent_all = Arc::clone(&done);
        let sender = thread::spawn(move || {
            let sent = send_steadily(&socket, per_second, &sending);
            sent_all.store(true, Ordering::SeqCst);
            sent
        });
        let receiver = thread::spawn(move || receive(&incoming, &done));
        Ok(Self {
            stop,
            sender,
            receiver,
        })
    }

    /// Sends no more; late answers still count.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Stops, waits for late answers, and accounts.
    pub(crate) fn finish(self) -> Result<Account> {
        self.stop();
        let sends = self
            .sender
            .join()
            .map_err(|_| anyhow!("the sender panicked"))??;
        let numbers = self
            .receiver
            .join()
            .map_err(|_| anyhow!("the receiver panicked"))?;
        Ok(account(&sends, &numbers))
    }
}

fn account(sends: &[Instant], numbers: &[u64]) -> Account {
    let answered: BTreeSet<usize> = numbers
        .iter()
        .filter_map(|number| usize::try_from(*number).ok())
        .filter(|number| *number < sends.len())
        .collect();
    let times: Vec<Instant> = answered.iter().map(|number| sends[*number]).collect();
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
    Account {
        sent: sends.len(),
        answered: answered.len(),
        gap: gaps.max().unwrap_or_default(),
    }
}

fn send_steadily(socket: &UdpSocket, per_second: u32, stop: &AtomicBool) -> Result<Vec<Instant>> {
    let started = Instant::now();
    let mut sends = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let number = u32::try_from(sends.len()).context("too long a stream")?;
        let due = started + Duration::from_secs(1) * number / per_second;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        sends.push(Instant::now());
        // A datagram the kernel refuses (no neighbour yet) is a datagram without an answer.
        socket.send(number.to_string().as_bytes()).ok();
    }
    Ok(sends)
}

fn receive(socket: &UdpSocket, sent_all: &AtomicBool) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut buffer = [0_u8; 2048];
    let mut end = None;
    loop {
        if let Ok(length) = socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]);
            let said = Answer::parse(&text)
                .ok()
                .and_then(|(_, said)| said.parse::<u64>().ok());
            numbers.extend(said);
        }
        if sent_all.load(Ordering::SeqCst) {
            let end = *end.get_or_insert_with(|| Instant::now() + LATE);
            if Instant::now() >= end {
                return numbers;
            }
        }
    }
}

#[cfg(test)]
mod tests;
