//! A follower's dealings with the view on disk: begins with that of an earlier process where nobody answers,
//! and has its own kept ([`record`] knows how). A view never completes anything.

use std::time::Duration;

use jiff::Timestamp;
use ringbolt_config::{Object, ObjectRef};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

use super::super::call::Call;
use super::super::record::{self, NotStored, Owner, Record, View};
use super::super::reflector::Ask;
use super::Follower;
use crate::calls::Verb;
use crate::hub::Publication;

/// How long a speaker that has an earlier view waits for the API server before it uses that.
const PATIENCE: Duration = Duration::from_secs(2);

impl Follower {
    /// Begins with what an earlier process has left, if nobody answers.
    pub(super) async fn restore(&mut self) {
        let settings = &self.api.settings;
        let (Some(folder), Some(node)) = (settings.snapshot.clone(), settings.node.clone()) else {
            return;
        };
        // Without a configuration there is no telling whose view is wanted.
        let Some(server) = self.api.server().await else {
            return;
        };
        let deadline = Instant::now() + PATIENCE;
        let node = node.to_string();
        let record = Record::new(&folder, self.kind(), Owner { server, node });
        let place = record.place();
        self.record = Some(record);
        if self.api.hub.is_synced(self.kind()) {
            // What this process has told is newer than anything on disk.
            return;
        }
        self.earlier = Some(place);
        let path = self.resource.probe();
        let probe = Call::new(Verb::List, self.kind().plural(), path);
        let answered = timeout_at(deadline, async {
            // A refusal is an answer: a server that refuses has not forgotten.
            while let Err(error) = self.api.bytes(&probe).await
                && error.is_no_answer()
            {
                sleep(Duration::from_millis(200)).await;
            }
        });
        if answered.await.is_err() {
            self.use_earlier().await;
        }
    }

    /// Goes by what an earlier process has left. What this one has heard is newer.
    async fn use_earlier(&mut self) {
        let Some(place) = self.earlier.take() else {
            return;
        };
        let view = self.api.patiently(move || place.read(Timestamp::now()));
        match view.await {
            Some(Ok(view)) => self.use_view(view),
            Some(Err(why)) => {
                warn!(kind = %self.kind(), %why, "the view of an earlier process is not used");
            }
            None => {}
        }
    }

    fn use_view(&mut self, view: View) {
        info!(
            kind = %self.kind(), objects = view.objects.len(), withheld = view.withheld.len(),
            "the API server does not answer; going on with the view of an earlier process"
        );
        if let Some(cluster) = view.cluster {
            self.api.outlook.was(&cluster);
        }
        let new = |name: &ObjectRef| !self.reflector.knows(name);
        let objects = view.objects.into_iter();
        let objects: Vec<_> = objects.filter(|object| new(&object.object_ref())).collect();
        let withheld: Vec<_> = view.withheld.into_iter().filter(new).collect();
        for name in &withheld {
            self.api.outlook.withheld(name);
        }
        self.api.outlook.settle();
        let names = objects.iter().map(Object::object_ref).chain(withheld);
        self.reflector.remember(names.collect());
        let objects = objects.into_iter().map(Publication::Object);
        self.api.hub.publish(objects);
        self.api.hub.restored(self.kind());
    }

    /// Has it written down that what was told is so.
    pub(super) async fn confirm(&mut self) {
        self.settle().await;
        self.confirm_at = Instant::now() + record::EVERY;
        let cluster = self.api.outlook.known();
        let job = self
            .record
            .as_mut()
            .and_then(|record| record.confirm(self.heard, cluster));
        self.store(job).await;
    }

    async fn store(&mut self, job: Option<record::Job>) {
        if let Some(job) = job {
            self.writing = Some(spawn_blocking(move || job.carry_out()));
        }
        self.settle().await;
    }

    /// Waits for what is being written. Cancel safe: who was interrupted waits again.
    async fn settle(&mut self) {
        let Some(writing) = &mut self.writing else {
            return;
        };
        let outcome = writing
            .await
            .unwrap_or_else(|_| Err(NotStored::unfinished()));
        self.writing = None;
        if let Some(record) = &mut self.record {
            record.done(&outcome);
        }
        let (outlook, kind) = (&self.api.outlook, self.resource.kind);
        match (outcome, &self.api.settings.snapshot) {
            (Err(error), Some(folder)) => outlook.not_stored(kind, folder, error.cause.kind()),
            _ => outlook.stored(kind),
        }
    }

    /// Has what a list has brought so far written down; at its end that is the view to begin with.
    pub(super) async fn keep(&mut self) {
        self.settle().await;
        let listed = matches!(self.reflector.next().ask, Ask::Watch { .. });
        let cluster = self.api.outlook.known();
        let job = self.record.as_mut().and_then(|record| {
            if listed {
                record.complete(self.heard, cluster)
            } else {
                record.stage()
            }
        });
        self.store(job).await;
    }

    /// Whoever answers and then does not is away all the same.
    pub(super) async fn lose_patience(&mut self) {
        let late = self.now() > PATIENCE;
        if late && self.away && self.reflector.is_failing() && !self.reflector.is_complete() {
            self.use_earlier().await;
        }
    }
}
