//! The stream of a watch: events after a version, bookmarks, and its end.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::fault::Cut;
use super::refusal::Refusal;
use super::request::{Asked, Resource, Selection};
use super::store::{Told, bookmark};
use super::{FakeApi, FakeBody};

/// How often a bookmark is sent to who asked for them.
const BOOKMARK: Duration = Duration::from_secs(60);
/// How long a stream lasts where nothing is asked for.
const LONGEST: Duration = Duration::from_secs(1_800);
/// Lines that wait for a slow reader.
const LINES: usize = 256;

/// One watch.
struct Stream {
    fake: FakeApi,
    resource: Resource,
    selection: Selection,
    /// The version up to which everything was told.
    at: u64,
    out: Sender<Bytes, std::io::Error>,
}

/// Why a stream ends.
enum End {
    /// Nobody reads it, or its time is over.
    Quiet,
    /// As if the connection broke.
    Broken,
}

/// Opens a stream.
pub(super) fn open(fake: &FakeApi, asked: &Asked) -> Result<FakeBody, Refusal> {
    let selection = asked.selection()?;
    let (out, body) = Channel::new(LINES);
    let version = asked.parameter("resourceVersion").unwrap_or_default();
    let from =
        match version {
            "" | "0" => None,
            version => Some(version.parse().map_err(|_| {
                Refusal::bad_request(format!("invalid resource version: {version:?}"))
            })?),
        };
    let seconds = asked
        .parameter("timeoutSeconds")
        .and_then(|text| text.parse().ok());
    let longest = seconds.map_or(LONGEST, Duration::from_secs);
    let bookmarks = asked.parameter("allowWatchBookmarks") == Some("true");
    let stream = Stream {
        fake: fake.clone(),
        resource: asked.resource,
        selection,
        at: from.unwrap_or_default(),
        out,
    };
    tokio::spawn(stream.run(from.is_none(), longest, bookmarks));
    Ok(body)
}

impl Stream {
    async fn run(mut self, from_nothing: bool, longest: Duration, bookmarks: bool) {
        let end = self.follow(from_nothing, longest, bookmarks).await;
        if let Some(End::Broken) = end {
            let error = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            self.out.abort(error);
        }
    }

    async fn follow(
        &mut self,
        from_nothing: bool,
        longest: Duration,
        bookmarks: bool,
    ) -> Option<End> {
        // Before the first look, so that nothing is missed between the two.
        let mut moved = self.fake.shared.moved.subscribe();
        let mut cuts = self.fake.shared.cuts.subscribe();
        if from_nothing {
            self.begin().await?;
        }
        let over = sleep(longest);
        tokio::pin!(over);
        let mut tick = interval_at(Instant::now() + BOOKMARK, BOOKMARK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.news().await?;
            tokio::select! {
                // The server holds the sender for as long as this stream lives.
                _ = moved.changed() => {}
                () = &mut over => return Some(End::Quiet),
                _ = tick.tick(), if bookmarks => {
                    let object = bookmark(self.resource, self.at);
                    self.say("BOOKMARK", &object).await?;
                }
                cut = cuts.recv() => match cut {
                    Ok((plural, cut)) if plural.is_none_or(|plural| plural == self.resource.plural) => {
                        return self.cut(cut).await;
                    }
                    _ => {}
                },
            }
        }
    }

    /// What exists, as if it came into being one after the other.
    async fn begin(&mut self) -> Option<()> {
        let (objects, version) = {
            let store = self.fake.store();
            (store.list(self.resource, &self.selection), store.version())
        };
        self.at = version;
        for object in objects {
            self.say("ADDED", &object).await?;
        }
        Some(())
    }

    /// What happened since; `None` ends the stream.
    async fn news(&mut self) -> Option<()> {
        let (told, version) = {
            let store = self.fake.store();
            let told = store.since(self.resource, &self.selection, self.at);
            (told, store.version())
        };
        let told = match told {
            Ok(told) => told,
            Err(refusal) => {
                self.say("ERROR", &refusal.status()).await?;
                return None;
            }
        };
        for Told { event, object, .. } in told {
            self.say(event, &object).await?;
        }
        // A version that is ahead of the store is waited for.
        self.at = self.at.max(version);
        Some(())
    }

    async fn cut(&mut self, cut: Cut) -> Option<End> {
        match cut {
            Cut::End => Some(End::Quiet),
            Cut::Break => Some(End::Broken),
            Cut::Expire => {
                self.say("ERROR", &Refusal::expired().status()).await?;
                Some(End::Quiet)
            }
            Cut::Freeze => std::future::pending().await,
        }
    }

    async fn say(&mut self, event: &str, object: &Value) -> Option<()> {
        let mut line = json!({"type": event, "object": object}).to_string();
        line.push('\n');
        self.out.send_data(line.into()).await.ok()
    }
}
