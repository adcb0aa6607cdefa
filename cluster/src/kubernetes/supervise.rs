//! Tasks that work for as long as the cluster is held. One that ends before, by a panic or otherwise, is
//! named as a problem and begun anew, ever more slowly. Knows nothing of what they do.

use std::sync::Arc;
use std::time::Duration;

use ringbolt_config::Kind;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep};

use super::Api;
use super::call::spread;

#[cfg(test)]
mod tests;

/// The first pause before a task is begun anew; doubled each time.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Who has worked for this long has earned the first pause again.
const GOOD: Duration = Duration::from_secs(300);

/// What a task is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Reads the objects of a kind.
    Kind(Kind),
    /// Looks for the configuration.
    Configuration,
    /// Asks who the cluster is.
    Identity,
}

/// Has `begin` worked for until the end.
pub(super) async fn supervise<F>(api: Arc<Api>, work: Work, begin: impl Fn(Arc<Api>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut pause = PAUSE;
    while !api.end.is_cancelled() {
        let began = Instant::now();
        let ended = tokio::spawn(begin(Arc::clone(&api))).await;
        if api.end.is_cancelled() || ended.as_ref().is_err_and(JoinError::is_cancelled) {
            return;
        }
        let why = match ended {
            Ok(()) => "it was done before its time".into(),
            Err(error) => error.to_string().into(),
        };
        api.outlook.stopped(work, why);
        if began.elapsed() >= GOOD {
            pause = PAUSE;
        }
        let wait = sleep(pause.mul_f64(spread()));
        api.end.run_until_cancelled(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
