//! The task that owns the [`Announcer`]: turns what happens into inputs, outputs into frames.
//!
//! It never waits for anything but its sources: sockets are non-blocking, a frame the kernel does not take is given
//! back as `SendFailed`. Within a turn frames are answered one by one, each before the next is read.
//!
//! Sources are looked at in a fixed order: requests and link events, which are few; then frames, a bounded number per
//! turn; then time, which after a turn of frames has its turn in any case. So no flood keeps the others waiting, and
//! after a pause of the process nothing is announced before what was said meanwhile has been read.
//!
//! Cancel safety: every branch of the `select!` is a wait without effect; what was read is handled outside of it.

mod events;

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use ringbolt_l2::announcer::{
    Advertisement, Announcer, Event, Identity, Input, Interface, InterfaceChoice, Keys, Output,
};
use ringbolt_l2::types::{ClusterId, IfIndex, Instance, InterfaceName, KeyId, MacAddr};
use tokio::sync::{mpsc, oneshot, watch};

use crate::filter::{ETHERNET_HEADER, ETHERTYPE_RINGBOLT};
use crate::handle::{Drained, Request, Settings, Stats};
use crate::incarnation::Counter;
use crate::interfaces;
use crate::joins::Joins;
use crate::ports::{Channel, Ports, SPEAKERS_GROUP, Writer};
use crate::seal::{KeyRing, OpenError, Opened, Seal};

/// Stats follow an event this soon, so that a burst of events costs one snapshot; later where a snapshot takes more than
/// a twentieth of it.
const STATS_AFTER_EVENT: Duration = Duration::from_millis(100);
const COST_AFTER_EVENT: u32 = 20;
/// Stats without an event: counters move on. Later where a snapshot takes more than a thousandth of it.
const STATS_IDLE: Duration = Duration::from_secs(2);
const COST_IDLE: u32 = 1_000;
const STATS_IDLE_MAX: Duration = Duration::from_secs(30);
/// Shortest Ethernet frame without its checksum.
const FRAME_BYTES_MIN: usize = 60;

/// Runs until the last handle is dropped.
pub(crate) async fn run(
    settings: Settings,
    mut requests: mpsc::Receiver<Request>,
    publish: watch::Sender<Arc<Stats>>,
) {
    let mut interfaces = interfaces::follow();
    let mut driver = Driver::new(settings, publish);
    loop {
        let wake = driver.wake();
        tokio::select! {
            biased;
            request = requests.recv() => match request {
                Some(request) => driver.request(request, &interfaces.asked_for),
                None => return,
            },
            // A pattern that an ended task does not match, so that its end costs no endless turns.
            Ok(()) = interfaces.current.changed() => {
                let current = interfaces.current.borrow_and_update().clone();
                driver.interfaces(current);
            }
            Some(index) = interfaces.notify.recv() => driver.handle(Input::NotifyPeers { interface: index }),
            () = poll_fn(|context| driver.ports.poll_readable(context)) => driver.turn(),
            () = tokio::time::sleep_until(wake.into()) => driver.tick(),
        }
    }
}

/// Everything the task owns: the sockets, and apart from them what is done with a frame while they lend it out.
struct Driver {
    ports: Ports,
    station: Station,
    publish: watch::Sender<Arc<Stats>>,
    interfaces: Vec<Interface>,
    /// Those of them that the core was told of.
    usable: Vec<Interface>,
}

impl Driver {
    fn new(settings: Settings, publish: watch::Sender<Arc<Stats>>) -> Self {
        Self {
            ports: Ports::new(),
            station: Station::new(settings),
            publish,
            interfaces: Vec::new(),
            usable: Vec::new(),
        }
    }

    /// When to wake at the latest.
    fn wake(&self) -> Instant {
        let deadline = self.station.core.next_deadline().map(|(at, _why)| at);
        deadline.map_or(self.station.stats_due, |at| at.min(self.station.stats_due))
    }

    fn handle(&mut self, input: Input<'_>) {
        self.station.handle(input, &self.ports.writer());
    }

    fn request(&mut self, request: Request, asked_for: &watch::Sender<BTreeSet<InterfaceName>>) {
        match request {
            Request::Cluster(cluster) => {
                if let Some(identity) = self.station.identify(cluster) {
                    self.handle(Input::SetNode(identity));
                }
            }
            Request::Keys(ring) => {
                let keys = self.station.set_keys(ring);
                self.handle(Input::SetKeys(keys));
            }
            Request::Advertisements(advertisements) => {
                let named = named(&advertisements);
                asked_for.send_if_modified(|asked| {
                    let changed = *asked != named;
                    *asked = named;
                    changed
                });
                self.handle(Input::SetAdvertisements(advertisements));
            }
            Request::Addresses(addresses) => self.handle(Input::SetAddresses(addresses)),
            Request::ChangeAddresses { set, removed } => {
                self.handle(Input::ChangeAddresses { set, removed });
            }
            Request::ExpectedSpeakers(speakers) => {
                self.handle(Input::SetExpectedSpeakers(speakers));
            }
            Request::Drain(done) => {
                self.station.draining.push(done);
                self.handle(Input::Drain);
            }
            Request::Undrain => {
                // Whoever still waits for a hand-over learns that there is none.
                self.station.draining.clear();
                self.handle(Input::Undrain);
            }
            Request::Leave(done) => {
                self.station.leaving.push(done);
                self.handle(Input::Leave);
            }
        }
        self.station.stats_soon();
    }

    fn interfaces(&mut self, interfaces: Vec<Interface>) {
        self.interfaces = interfaces;
        self.open_ports();
        self.station.stats_soon();
    }

    /// Opens what can be opened, and tells the core about those interfaces alone: it must not claim where it is deaf.
    fn open_ports(&mut self) {
        // An index that another device has got: for the core one interface goes and another one comes.
        self.ports.close_lost();
        self.tell_interfaces();
        self.ports.keep(&self.interfaces);
        self.tell_interfaces();
    }

    fn tell_interfaces(&mut self) {
        let usable: Vec<Interface> = self
            .interfaces
            .iter()
            .filter(|interface| self.ports.is_open(interface.index))
            .cloned()
            .collect();
        if usable != self.usable {
            self.usable.clone_from(&usable);
            self.station.joins.keep(|index| self.ports.is_open(index));
            self.handle(Input::SetInterfaces(usable));
        }
    }

    /// Frames first, a bounded number; then what is due, however many more there are.
    fn turn(&mut self) {
        self.read();
        if self.wake() <= Instant::now() {
            self.tick();
        }
    }

    fn read(&mut self) {
        let station = &mut self.station;
        self.ports
            .read(|interface, channel, frame, writer| match channel {
                Channel::Arp => station.handle(Input::Arp { interface, frame }, writer),
                Channel::Ndp => station.handle(Input::Ndp { interface, frame }, writer),
                Channel::Sealed => station.open(interface, frame, writer),
            });
    }

    fn tick(&mut self) {
        self.handle(Input::Tick);
        let now = Instant::now();
        if self.station.stats_due > now {
            return;
        }
        if !self.ports.failures().is_empty() || self.ports.any_lost() {
            self.open_ports();
        }
        self.publish.send_replace(Arc::new(Stats {
            announcer: self.station.core.stats(),
            interfaces: self.interfaces.clone(),
            failures: self.ports.failures().clone(),
            kernel_drops: self.ports.drops(),
            sealed_refused: self.station.sealed_refused,
        }));
        self.station.stats_made(now, Instant::now());
    }
}

/// The announcer with its seal and its group memberships; it writes through whatever [`Writer`] it is lent.
struct Station {
    settings: Settings,
    cluster: Option<ClusterId>,
    core: Announcer,
    joins: Joins,
    seal: Option<Seal>,
    keys: KeyRing,
    counter: Counter,
    stats_due: Instant,
    stats_cost: Duration,
    sealed_refused: u64,
    draining: Vec<oneshot::Sender<Drained>>,
    leaving: Vec<oneshot::Sender<()>>,
}

impl Station {
    fn new(settings: Settings) -> Self {
        let counter = Counter::new(settings.incarnation_file.clone());
        Self {
            settings,
            cluster: None,
            core: Announcer::new(),
            joins: Joins::default(),
            seal: None,
            keys: KeyRing::new(),
            counter,
            stats_due: Instant::now(),
            stats_cost: Duration::ZERO,
            sealed_refused: 0,
            draining: Vec::new(),
            leaving: Vec::new(),
        }
    }

    /// A life in this cluster begins: the next incarnation, and a seal of its own. `None` where it has begun before.
    fn identify(&mut self, cluster: ClusterId) -> Option<Identity> {
        if self.cluster.replace(cluster) == Some(cluster) {
            return None;
        }
        let node = self.settings.node.clone();
        let (incarnation, instance) = (self.counter.begin(), random_instance());
        let mut seal = Seal::new(cluster, node.clone(), incarnation, instance);
        seal.set_keys(self.keys.clone());
        self.seal = Some(seal);
        Some(Identity {
            cluster,
            node,
            incarnation,
            instance,
        })
    }

    fn set_keys(&mut self, ring: KeyRing) -> Keys {
        let keys = if ring.is_empty() {
            Keys::Missing
        } else {
            Keys::Present(ring.keys().copied().collect())
        };
        if let Some(seal) = &mut self.seal {
            seal.set_keys(ring.clone());
        }
        self.keys = ring;
        keys
    }

    /// Gives the core its input and carries out everything it wants.
    fn handle(&mut self, input: Input<'_>, writer: &Writer<'_>) {
        self.core.handle(input, Instant::now());
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Send {
                    interface,
                    frame,
                    purpose,
                } => {
                    if writer.send(interface, &frame).is_err() {
                        self.core
                            .handle(Input::SendFailed { interface, purpose }, Instant::now());
                    }
                }
                Output::SendSealed {
                    interface,
                    plaintext,
                    key,
                } => {
                    self.send_sealed(writer, interface, &plaintext, key);
                }
                Output::JoinGroup { interface, group } => self.joins.join(interface, group),
                Output::LeaveGroup { interface, group } => self.joins.leave(interface, group),
                Output::Event(event) => self.event(event),
            }
        }
    }

    fn open(&mut self, interface: IfIndex, frame: &[u8], writer: &Writer<'_>) {
        let Some(seal) = &mut self.seal else { return };
        let Some((source, payload)) = sealed_parts(frame) else {
            self.sealed_refused += 1;
            return;
        };
        match seal.open(interface, source, payload) {
            Ok(Opened { sender, plaintext }) => {
                self.handle(
                    Input::Opened {
                        interface,
                        sender,
                        plaintext: &plaintext,
                    },
                    writer,
                );
            }
            Err(OpenError::UnknownKey) => self.handle(Input::KeyUnknown { interface }, writer),
            Err(error) => {
                self.sealed_refused += 1;
                tracing::trace!(%interface, %error, "sealed frame refused");
            }
        }
    }

    fn send_sealed(
        &mut self,
        writer: &Writer<'_>,
        interface: IfIndex,
        plaintext: &[u8],
        key: KeyId,
    ) {
        let Some(source) = writer.mac(interface) else {
            return;
        };
        let Some(payload) = self
            .seal
            .as_mut()
            .and_then(|seal| seal.seal(key, source, plaintext))
        else {
            return;
        };
        if let Err(error) = writer.send(interface, &sealed_frame(source, &payload)) {
            // Hellos are repeated, claims too: a lost one is as if the wire had lost it.
            tracing::debug!(%interface, %error, "sealed frame not sent");
        }
    }

    fn event(&mut self, event: Event) {
        events::log(&event);
        match event {
            Event::IncarnationRaised { incarnation } => {
                self.counter.store(incarnation);
                if let Some(seal) = &mut self.seal {
                    seal.set_incarnation(incarnation);
                }
            }
            Event::Drained { abandoned } => {
                for done in self.draining.drain(..) {
                    let _nobody_waits = done.send(Drained { abandoned });
                }
            }
            Event::Left => {
                for done in self.leaving.drain(..) {
                    let _nobody_waits = done.send(());
                }
            }
            _ => {}
        }
        self.stats_soon();
    }

    fn stats_soon(&mut self) {
        let delay = STATS_AFTER_EVENT.max(self.stats_cost * COST_AFTER_EVENT);
        self.stats_due = self.stats_due.min(Instant::now() + delay);
    }

    /// A snapshot was begun and published at these times.
    fn stats_made(&mut self, begun: Instant, published: Instant) {
        self.stats_cost = published.saturating_duration_since(begun);
        let idle = (self.stats_cost * COST_IDLE).clamp(STATS_IDLE, STATS_IDLE_MAX);
        self.stats_due = published + idle;
    }
}

/// Ethernet header, length of the payload, payload, padding.
fn sealed_frame(source: MacAddr, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a plaintext has at most 1,100 bytes");
    let mut frame = Vec::with_capacity(ETHERNET_HEADER + 2 + payload.len());
    frame.extend(SPEAKERS_GROUP.0);
    frame.extend(source.0);
    frame.extend(ETHERTYPE_RINGBOLT.to_be_bytes());
    frame.extend(length.to_be_bytes());
    frame.extend(payload);
    frame.resize(frame.len().max(FRAME_BYTES_MIN), 0);
    frame
}

/// Source and payload of what [`sealed_frame`] makes; the length says where padding begins.
fn sealed_parts(frame: &[u8]) -> Option<(MacAddr, &[u8])> {
    let (header, rest) = frame.split_first_chunk::<ETHERNET_HEADER>()?;
    let source = header
        .get(6..12)
        .and_then(|bytes| <[u8; 6]>::try_from(bytes).ok())?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    Some((
        MacAddr(source),
        rest.get(..usize::from(u16::from_be_bytes(*length)))?,
    ))
}

/// Interfaces that some advertisement names.
fn named(advertisements: &[Advertisement]) -> BTreeSet<InterfaceName> {
    advertisements
        .iter()
        .filter_map(|advertisement| match &advertisement.interfaces {
            InterfaceChoice::Named(names) => Some(names.iter().cloned()),
            InterfaceChoice::Any => None,
        })
        .flatten()
        .collect()
}

/// 64 bits that no other process has; the pid and the time stand in where the system has no randomness to give.
fn random_instance() -> Instance {
    let mut bytes = [0; 8];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let nanos = u64::from(since_epoch.subsec_nanos()) ^ since_epoch.as_secs().rotate_left(30);
        bytes = (nanos ^ u64::from(std::process::id()).rotate_left(48)).to_be_bytes();
    }
    Instance(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests;
