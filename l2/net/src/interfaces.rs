//! Which interfaces this node has, followed by netlink.
//!
//! One task: listen for changes, dump everything, publish if different. Every notification leads to a full dump, so a
//! lost one (ENOBUFS) costs time, not truth. Owns the netlink connection; which interfaces may announce is decided in
//! [`choice`], without any I/O.

mod choice;
mod netlink;

use std::collections::BTreeSet;
use std::time::Duration;

use ringbolt_l2::announcer::Interface;
use ringbolt_l2::types::{IfIndex, InterfaceName};
use tokio::sync::{mpsc, watch};
use tracing::warn;

/// Least time between two dumps: a burst of changes costs two.
const QUIET: Duration = Duration::from_millis(20);
/// A dump without being told: finds changed routes, which are not subscribed to (a router's node may have a million).
const RESYNC: Duration = Duration::from_secs(30);
/// Pause after netlink failed.
const RETRY: Duration = Duration::from_secs(1);

/// What the rest of the crate sees of the task.
pub(crate) struct Interfaces {
    /// All interfaces that may announce, sorted by index.
    pub(crate) current: watch::Receiver<Vec<Interface>>,
    /// Interfaces whose stations should hear of us again (bond failover, VM migration).
    pub(crate) notify: mpsc::Receiver<IfIndex>,
    /// Names that an advertisement asks for: they may announce whatever their name looks like.
    pub(crate) asked_for: watch::Sender<BTreeSet<InterfaceName>>,
}

/// Starts the task; it ends when the receivers are dropped.
pub(crate) fn follow() -> Interfaces {
    let (publish, current) = watch::channel(Vec::new());
    let (notify_sender, notify) = mpsc::channel(64);
    let (asked_for, asked) = watch::channel(BTreeSet::new());
    tokio::spawn(run(publish, notify_sender, asked));
    Interfaces {
        current,
        notify,
        asked_for,
    }
}

async fn run(
    publish: watch::Sender<Vec<Interface>>,
    notify: mpsc::Sender<IfIndex>,
    mut asked: watch::Receiver<BTreeSet<InterfaceName>>,
) {
    while !publish.is_closed() {
        if let Err(error) = session(&publish, &notify, &mut asked).await {
            warn!(%error, "following interfaces failed, retrying");
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// One netlink connection's life; `Ok` when nobody listens to us any more.
async fn session(
    publish: &watch::Sender<Vec<Interface>>,
    notify: &mpsc::Sender<IfIndex>,
    asked: &mut watch::Receiver<BTreeSet<InterfaceName>>,
) -> Result<(), netlink::NetlinkError> {
    let mut netlink = netlink::Netlink::open()?;
    loop {
        let node = netlink.dump().await?;
        let interfaces = choice::announcing(&node, &asked.borrow_and_update());
        publish.send_if_modified(|current| {
            let changed = *current != interfaces;
            *current = interfaces;
            changed
        });
        tokio::select! {
            asking = netlink.changed() => for index in asking? {
                // A full queue means that the announcer has 64 such requests to go: one more says nothing new.
                let _full_or_closed = notify.try_send(index);
            },
            asked = asked.changed() => if asked.is_err() { return Ok(()) },
            () = publish.closed() => return Ok(()),
            () = tokio::time::sleep(RESYNC) => {}
        }
        tokio::time::sleep(QUIET).await;
    }
}
