//! A mark is held exactly as long as its speaker lives, and a name by one speaker only.

use std::fs;

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

/// Longest wait for anything here.
const BOUND: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_speaker_is_present_for_as_long_as_its_mark_is_held() {
    let folder = TempDir::new().unwrap();
    assert!(present(folder.path()).is_empty());
    let mut mark = announce(folder.path(), &node("node-1"));
    until(&mut mark, PresenceState::Announced).await;
    assert_eq!(present(folder.path()), [node("node-1")].into());
    drop(mark);
    timeout(BOUND, async {
        while !present(folder.path()).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the mark goes with its guard");
}

#[tokio::test]
async fn a_mark_that_a_dead_process_left_is_no_speaker() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join(FOLDER)).unwrap();
    fs::write(folder.path().join(FOLDER).join("node-1"), "").unwrap();
    assert!(present(folder.path()).is_empty());
}

#[tokio::test]
async fn the_second_speaker_of_a_name_is_a_duplicate_until_the_first_has_gone() {
    let folder = TempDir::new().unwrap();
    let mut first = announce(folder.path(), &node("node-1"));
    until(&mut first, PresenceState::Announced).await;
    let mut second = announce(folder.path(), &node("node-1"));
    let mut other = announce(folder.path(), &node("node-2"));
    until(&mut second, PresenceState::Duplicate).await;
    until(&mut other, PresenceState::Announced).await;
    drop(first);
    until(&mut second, PresenceState::Announced).await;
}

#[tokio::test]
async fn a_mark_that_was_removed_is_made_again() {
    let folder = TempDir::new().unwrap();
    let state = folder.path().join("state");
    let mut mark = announce(&state, &node("node-1"));
    until(&mut mark, PresenceState::Announced).await;
    fs::remove_dir_all(&state).unwrap();
    fs::create_dir_all(state.join(FOLDER)).unwrap();
    fs::write(state.join(FOLDER).join("node-1"), "").unwrap();
    timeout(BOUND, async {
        while present(&state).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the mark that stands there is held");
}

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

async fn until(mark: &mut Presence, state: PresenceState) {
    timeout(BOUND, async {
        while mark.state() != state {
            mark.changed().await;
        }
    })
    .await
    .expect("the state comes");
}
