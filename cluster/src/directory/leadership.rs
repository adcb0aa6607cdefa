//! Which of several controllers of one directory works: the one that holds an flock. The lock goes
//! with the process, so a successor never waits for a dead one.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::store::{make_folder, open_lock};
use crate::source::Leadership;

const FILE: &str = "controller.lock";
/// How often a follower tries.
const RETRY: Duration = Duration::from_millis(100);
/// How often a leader looks whether the lock it holds is still the one others would take.
const VERIFY: Duration = Duration::from_secs(2);

/// Waits until the lock is held. Cancel safe: the lock is held by nobody but the returned guard.
pub(super) async fn lead(state: &Path) -> Leadership {
    let mut told = None;
    loop {
        match take(state, &state.join(FILE)) {
            Ok(Some(lock)) => {
                let lost = CancellationToken::new();
                tokio::spawn(guard(lock, state.join(FILE), lost.clone()));
                return Leadership::new(lost);
            }
            Ok(None) => {}
            Err(error) => {
                if told != Some(error.kind()) {
                    warn!(%error, "the controller's lock cannot be taken; trying again");
                }
                told = Some(error.kind());
            }
        }
        sleep(RETRY).await;
    }
}

/// Opens the lock file `path` below the state folder and tries it; neither waits for anybody.
pub(super) fn take(state: &Path, path: &Path) -> io::Result<Option<File>> {
    make_folder(state, path.parent().unwrap_or(state))?;
    let lock = open_lock(path)?;
    match lock.try_lock() {
        Ok(()) if path.exists() && is_at(&lock, path) => Ok(Some(lock)),
        Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Holds the lock until the guard is dropped, or until another file stands in its place: then
/// somebody else may hold that one.
async fn guard(lock: File, path: PathBuf, lost: CancellationToken) {
    let mut verify = interval(VERIFY);
    verify.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = lost.cancelled() => return,
            _ = verify.tick() => {
                if !is_at(&lock, &path) {
                    warn!("the controller's lock was taken away");
                    lost.cancel();
                }
            }
        }
    }
}

/// Where nothing can be seen, nobody has taken anything: the directory may be away for a moment.
pub(super) fn is_at(lock: &File, path: &Path) -> bool {
    match (lock.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        (_, Err(_)) => true,
        (Err(_), Ok(_)) => false,
    }
}
