//! Which speakers live: each holds an flock for as long as its process does, so that a Speaker
//! object whose writer was killed is not taken for one that still announces.
//!
//! One file per node, `.alive/<node>` below the state folder. The content says nothing; the lock
//! does. Looking takes a shared lock for an instant and never waits.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringbolt_config::NodeName;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::leadership::{is_at, take};
use crate::source::{Presence, PresenceState};

#[cfg(test)]
mod tests;

const FOLDER: &str = ".alive";
/// How often a mark that is not held is tried, and one that is held is looked at.
const RETRY: Duration = Duration::from_millis(200);
/// A reader that looks holds a mark for an instant; who holds it this many tries long is a speaker.
const TRIES: u32 = 5;

/// Tries to hold the mark of a node until the guard is dropped. Call inside a tokio runtime.
pub(super) fn announce(state: &Path, node: &NodeName) -> Presence {
    let (tell, told) = watch::channel(PresenceState::Pending);
    let end = CancellationToken::new();
    let path = state.join(FOLDER).join(node.as_str());
    tokio::spawn(hold(state.to_owned(), path, tell, end.clone()));
    Presence::new(told, end)
}

async fn hold(
    state: PathBuf,
    path: PathBuf,
    tell: watch::Sender<PresenceState>,
    end: CancellationToken,
) {
    let mut mark: Option<File> = None;
    let (mut refused, mut warned) = (0, None);
    let mut turn = interval(RETRY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            _ = turn.tick() => {}
        }
        if mark.as_ref().is_some_and(|mark| is_at(mark, &path)) {
            continue;
        }
        mark = match take(&state, &path) {
            Ok(Some(taken)) => {
                refused = 0;
                Some(taken)
            }
            Ok(None) => {
                refused += 1;
                None
            }
            // Where the directory is away, its problems say so.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                if warned != Some(error.kind()) {
                    warn!(%error, "this speaker cannot mark itself as present; trying again");
                }
                warned = Some(error.kind());
                None
            }
        };
        let state = match &mark {
            Some(_) => PresenceState::Announced,
            None if refused >= TRIES => PresenceState::Duplicate,
            None => PresenceState::Pending,
        };
        tell.send_if_modified(|told| std::mem::replace(told, state) != state);
    }
}

/// The nodes whose marks are held. One that cannot be opened counts: nobody is called dead unseen.
pub(super) fn present(state: &Path) -> BTreeSet<NodeName> {
    let marks = fs::read_dir(state.join(FOLDER)).into_iter().flatten();
    marks
        .flatten()
        .filter(|mark| is_held(&mark.path()))
        .filter_map(|mark| mark.file_name().to_str()?.parse().ok())
        .collect()
}

fn is_held(mark: &Path) -> bool {
    match File::open(mark) {
        Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}
