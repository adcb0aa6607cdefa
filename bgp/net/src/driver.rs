//! The task that owns the Router: gives it what happens, does what it asks, and wakes it in time.
//!
//! It never waits for a peer, and does nothing for long: a large change is originated in slices,
//! a table is sent one chunk per connection at a time, and between two steps everything that has
//! happened meanwhile is taken in. [`connections`] holds the connections, [`requests`] what the
//! handle asks for.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringbolt_bgp::router::{Event, Input, Output, Router};
use ringbolt_bgp::session::PeerConfig;
use ringbolt_bgp::types::{Asn, ConnId, PeerId};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::connector::DialError;
use crate::handle::{Request, Settings, Stats};
use crate::listener::Listeners;
use crate::report::Log;
use crate::stream::Chunk;

mod connections;
mod requests;

use connections::{Connections, More};
use requests::Slice;

/// Reports that may wait for the driver. Each connection adds a few at most.
const REPORTS: usize = 256;
/// Reports taken in between two looks at everything else.
const BURST: usize = 64;
/// Least time between two publications of the stats.
const PUBLISH: Duration = Duration::from_millis(100);
/// How often the stats are published while a peer is behind, and interface addresses are read.
const SURVEY: Duration = Duration::from_secs(3);

/// What tasks tell the driver.
#[derive(Debug)]
pub(crate) enum Report {
    /// An attempt to dial has ended.
    Dialled {
        conn: ConnId,
        outcome: Result<TcpStream, DialError>,
    },
    /// Somebody dialled us.
    Accepted {
        socket: TcpStream,
        remote: SocketAddr,
    },
    /// Bytes arrived.
    Bytes { conn: ConnId, chunk: Chunk },
    /// The kernel took bytes.
    Sent { conn: ConnId, bytes: usize },
    /// A connection has ended.
    Closed { conn: ConnId },
}

/// Everything the task owns.
pub(crate) struct Driver {
    router: Router,
    peers: BTreeMap<PeerId, PeerConfig>,
    connections: Connections,
    listeners: Listeners,
    queue: mpsc::Receiver<Request>,
    reports: mpsc::Receiver<Report>,
    /// Originations that have been asked for and are not carried out.
    backlog: VecDeque<Slice>,
    /// Until then, nothing is sent while there is a backlog.
    kept_back_until: Instant,
    node_addresses: Vec<IpAddr>,
    dial_errors: BTreeMap<PeerId, DialError>,
    refused: u64,
    /// Connections accepted so far, which number them.
    accepted: u64,
    asn: Asn,
    leave: Leave,
    /// Who waits for the end.
    waiting: Vec<oneshot::Sender<()>>,
    /// Whether a handle is left to ask for anything.
    handles: Handles,
    publisher: Publisher,
    events: broadcast::Sender<Event>,
    log: Log,
    next_survey: Instant,
}

/// How far the driver's own end is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// Not asked for.
    Staying,
    /// The Router is taking leave of its peers.
    Leaving,
    /// The Router has; connections may still carry its last words.
    Left,
}

/// The stats, and when they are due.
struct Publisher {
    stats: watch::Sender<Arc<Stats>>,
    /// Something changed since the last publication.
    dirty: Dirty,
    not_before: Instant,
}

/// Whether anybody can still ask.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Handles {
    Held,
    Dropped,
}

/// Whether anything changed that readers of the stats have not seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dirty {
    Clean,
    Changed,
}

impl Driver {
    pub(crate) fn new(
        settings: Settings,
        queue: mpsc::Receiver<Request>,
        events: broadcast::Sender<Event>,
    ) -> (Self, watch::Receiver<Arc<Stats>>) {
        let now = Instant::now();
        let (report, reports) = mpsc::channel(REPORTS);
        let router = Router::new(&settings.router, now);
        let (stats, receiver) = watch::channel(Arc::new(Stats {
            router: router.stats(),
            listeners: BTreeMap::new(),
            dial_errors: BTreeMap::new(),
            refused: 0,
        }));
        let driver = Self {
            router,
            peers: BTreeMap::new(),
            connections: Connections::new(report.clone()),
            listeners: Listeners::new(settings.listen, report),
            queue,
            reports,
            backlog: VecDeque::new(),
            kept_back_until: now,
            node_addresses: Vec::new(),
            dial_errors: BTreeMap::new(),
            refused: 0,
            accepted: 0,
            asn: settings.router.asn,
            leave: Leave::Staying,
            waiting: Vec::new(),
            handles: Handles::Held,
            publisher: Publisher {
                stats,
                dirty: Dirty::Clean,
                not_before: now,
            },
            events,
            log: Log::default(),
            next_survey: now + SURVEY,
        };
        (driver, receiver)
    }

    /// Runs until leave has been taken of everybody.
    ///
    /// Every await of the loop is cancel-safe: receiving from a channel, and sleeping.
    pub(crate) async fn run(mut self) {
        loop {
            self.carry_out();
            let more = match self.keeps_back() {
                true => More::No,
                false => self.connections.fill(&mut self.router),
            };
            self.carry_out();
            self.publish_if_due();
            if self.has_ended() {
                break;
            }
            let busy = more == More::Yes || !self.backlog.is_empty();
            let asks = self.handles == Handles::Held && self.backlog.is_empty();
            let wake = tokio::time::Instant::from_std(self.next_deadline());
            tokio::select! {
                report = self.reports.recv() => {
                    self.take(report.expect("the driver holds a sender itself"));
                }
                request = self.queue.recv(), if asks => self.request(request),
                () = tokio::time::sleep_until(wake) => {}
                () = tokio::task::yield_now(), if busy => {}
            }
            for _ in 0..BURST {
                let Ok(report) = self.reports.try_recv() else {
                    break;
                };
                self.take(report);
            }
            self.tick();
            self.originate_a_slice();
        }
        for done in self.waiting {
            // An error means that nobody waits any more.
            let _ = done.send(());
        }
    }

    /// Gives the Router an input.
    fn handle(&mut self, input: Input<'_>) {
        self.router.handle(input, Instant::now());
        self.connections.wake();
        self.publisher.dirty = Dirty::Changed;
    }

    /// Does what the Router asks, until it asks for nothing more.
    fn carry_out(&mut self) {
        while let Some(output) = self.router.poll_output() {
            match output {
                Output::Connect { conn, peer, target } => {
                    self.connections.dial(conn, peer, target);
                }
                Output::Close { conn, flush } => {
                    if let Some(ended) = self.connections.close(conn, flush, &mut self.router) {
                        self.handle(ended.input(conn));
                    }
                }
                Output::Event(event) => self.event(event),
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.log.write(&event);
        self.publisher.dirty = Dirty::Changed;
        if event == Event::ShutdownComplete {
            self.leave = Leave::Left;
        }
        // An error means that nobody listens.
        let _ = self.events.send(event);
    }

    /// Takes in what a task has to say.
    fn take(&mut self, report: Report) {
        match report {
            Report::Dialled { conn, outcome } => self.dialled(conn, outcome),
            Report::Accepted { socket, remote } => self.accepted(socket, remote),
            Report::Bytes { conn, chunk } => {
                if self.connections.is_live(conn) {
                    self.handle(Input::Bytes {
                        conn,
                        bytes: &chunk.bytes,
                    });
                }
            }
            Report::Sent { conn, bytes } => {
                if self.connections.sent(conn, bytes) {
                    self.handle(Input::Sent { conn, bytes });
                }
            }
            Report::Closed { conn } => {
                if self.connections.remove(conn) {
                    self.handle(Input::Closed { conn });
                }
            }
        }
        self.carry_out();
    }

    fn has_ended(&self) -> bool {
        self.leave == Leave::Left && self.connections.is_empty()
    }

    fn next_deadline(&self) -> Instant {
        let publish = match self.publisher.dirty {
            Dirty::Clean => None,
            Dirty::Changed => Some(self.publisher.not_before),
        };
        let router = self.router.next_deadline().map(|(at, _)| at);
        let due = [router, publish, self.listeners.next_deadline()];
        due.into_iter()
            .flatten()
            .fold(self.next_survey, Instant::min)
    }

    /// Does what has become due.
    fn tick(&mut self) {
        let now = Instant::now();
        if self.router.next_deadline().is_some_and(|(at, _)| at <= now) {
            self.handle(Input::Tick);
        }
        if self.listeners.next_deadline().is_some_and(|at| at <= now) {
            self.listeners.tick(now);
            self.publisher.dirty = Dirty::Changed;
        }
        if self.next_survey <= now {
            self.next_survey = now + SURVEY;
            self.survey();
        }
    }

    /// Follows what changes without telling: addresses of interfaces, and the time for which a
    /// peer has been behind.
    fn survey(&mut self) {
        for (conn, next_hops) in self.connections.changed_next_hops(&self.node_addresses) {
            self.handle(Input::SetNextHops { conn, next_hops });
        }
        let behind = |peer: &ringbolt_bgp::router::PeerStats| {
            peer.oldest_unsent.is_some() || peer.send_stalled.is_some()
        };
        if self
            .publisher
            .stats
            .borrow()
            .router
            .peers
            .values()
            .any(behind)
        {
            self.publisher.dirty = Dirty::Changed;
        }
    }

    fn publish_if_due(&mut self) {
        let now = Instant::now();
        if self.publisher.dirty == Dirty::Clean || now < self.publisher.not_before {
            return;
        }
        self.publisher.dirty = Dirty::Clean;
        self.publisher.not_before = now + PUBLISH;
        self.publisher.stats.send_replace(Arc::new(Stats {
            router: self.router.stats(),
            listeners: self.listeners.stats(),
            dial_errors: self.dial_errors.clone(),
            refused: self.refused,
        }));
    }
}
