//! Runs scenarios and says how each has ended. Those that measure time have the machine to themselves; of the others
//! most wait for something most of the time, and run side by side.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow};

use super::{Kind, Lists, is_not_here};
use crate::kubelab::KubeLab;
use crate::node::Ringbolt;

/// How many scenarios run side by side. Each has an API server, and those take a core for seconds when they start.
const HANDS: usize = 3;

/// How a scenario has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Passed,
    Failed,
    /// Something that it needs is not on this machine.
    Skipped,
}

/// What scenarios are run with.
pub(super) struct Runner<'a> {
    ringbolt: &'a Ringbolt,
    kubelab: Option<&'a KubeLab>,
    ended: Mutex<Vec<End>>,
}

impl<'a> Runner<'a> {
    pub(super) fn new(ringbolt: &'a Ringbolt, kubelab: Option<&'a KubeLab>) -> Self {
        Self {
            ringbolt,
            kubelab,
            ended: Mutex::default(),
        }
    }

    /// Runs all of them; an error only when somebody interrupts.
    pub(super) fn run(self, lists: &Lists) -> Result<Vec<End>> {
        lists
            .alone
            .iter()
            .try_for_each(|scenario| self.one(*scenario))?;
        let rest = Mutex::new(lists.apart.iter());
        let next = || rest.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            while let Some(scenario) = next() {
                self.one(*scenario)?;
            }
            anyhow::Ok(())
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..HANDS).map(|_| scope.spawn(work)).collect();
            let mut outcome = lists
                .sharing
                .iter()
                .try_for_each(|scenario| self.one(*scenario));
            outcome = outcome.and_then(|()| work());
            for other in others {
                let other = other.join().map_err(|_| anyhow!("a hand has died"));
                outcome = outcome.and(other.flatten());
            }
            outcome
        })?;
        Ok(self
            .ended
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner))
    }

    fn one(&self, scenario: Kind) -> Result<()> {
        crate::lab::check_interrupted()?;
        let end = self.attempt(scenario);
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.push(end);
        Ok(())
    }

    fn attempt(&self, scenario: Kind) -> End {
        let name = scenario.name();
        if self.kubelab.is_none() && matches!(scenario, Kind::Kubernetes(_)) {
            println!(
                "scenario {name} SKIPPED: the programs of Kubernetes are not there (cargo xtask setup kubelab)"
            );
            return End::Skipped;
        }
        let began = Instant::now();
        println!("scenario {name} …");
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            scenario.run(self.ringbolt, self.kubelab)
        }));
        let outcome = outcome.unwrap_or_else(|_| Err(anyhow!("it panicked; see above")));
        let took = began.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => {
                println!("scenario {name} ok ({took:.1} s)");
                End::Passed
            }
            Err(error) if is_not_here(&error) => {
                println!("scenario {name} SKIPPED: {error:#}");
                End::Skipped
            }
            Err(error) => {
                println!("scenario {name} FAILED ({took:.1} s): {error:#}");
                End::Failed
            }
        }
    }
}
