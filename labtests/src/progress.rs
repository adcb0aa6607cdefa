//! What a person who watches sees: every line of the story, and at least one line every few seconds, so that
//! silence always means that something hangs.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest silence. A little less than promised, because the look at the clock comes between two tries.
const SILENCE: Duration = Duration::from_secs(3);

static LAST: Mutex<Option<Instant>> = Mutex::new(None);

/// Prints a line.
pub(crate) fn say(line: &str) {
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    println!("{line}");
}

/// Prints a line if nothing has been printed for a while.
pub(crate) fn say_if_silent(line: impl FnOnce() -> String) {
    let silent = {
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        last.get_or_insert_with(Instant::now).elapsed() >= SILENCE
    };
    if silent {
        say(&line());
    }
}
