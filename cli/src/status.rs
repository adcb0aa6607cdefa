//! `ringbolt status`: what is so, as tables for people and as JSON or YAML for programs.
//!
//! What *should* be announced where is computed by the speaker's own planner, once per node, over
//! the objects of the cluster; what *is* comes from the Speaker objects. Where the two differ, or
//! nobody announces, the row carries the reason. Owns reading and output; decides nothing.

mod ask;
mod nodes;
mod peers;
mod pools;
mod services;
mod sole;
mod table;
mod view;

use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use ringbolt_cluster::{Leader, Listing, Role};
use ringbolt_config::Kind;
use serde::Serialize;

use crate::args::{StatusArgs, StatusOutput, StatusTopic};
use crate::source::{self, Source};
use crate::validate::Verdict;
use crate::{out, runtime};

pub(crate) use sole::{Sole, announced_by_nobody_else};
pub(crate) use view::View;

/// What people should know before they wonder.
const PING: &str =
    "A Service address answers on the ports of its Service; nobody answers ping on it.";

/// Reason where a Speaker object is left of a speaker that does not run.
const SPEAKER_GONE: &str = "SpeakerGone";
/// A lease older than this is nobody's: it is renewed every few seconds.
const LEASE_OLD: SignedDuration = SignedDuration::from_mins(1);
/// How often it is looked who lives: the death of a speaker changes no object.
const LOOK: Duration = Duration::from_secs(2);

/// Reads once and prints, or prints again after each change.
pub(crate) fn run(args: StatusArgs) -> Result<Verdict> {
    let StatusArgs {
        what,
        source,
        output,
        watch,
    } = args;
    let source = Source::new(source, Role::Reader)?;
    runtime::build()?.block_on(async {
        let reach = Reach::of(&source);
        let cluster = source.open();
        let mut changes = cluster.watch(Kind::ALL);
        let (mut shown, mut unread) = (None, Vec::new());
        loop {
            let listing = source::read(&cluster).await?;
            let mut view = seen(&listing, reach).await;
            // Who may not read the lease is shown everything else.
            view.leader = cluster.leader().await.unwrap_or(Leader::Unknown);
            let text = render(&view, what, output)?;
            if shown.as_ref() != Some(&text) {
                out::text(&text);
                shown = Some(text);
            }
            let before = std::mem::replace(&mut unread, source::unread(&listing));
            for line in unread.iter().filter(|line| !before.contains(line)) {
                out::complain(line);
            }
            if !watch {
                return Ok(if unread.is_empty() {
                    Verdict::Good
                } else {
                    Verdict::Bad
                });
            }
            tokio::select! {
                _ = changes.next() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    })
}

/// Whether a source shows which speakers live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It does.
    Shown,
    /// They have to be asked.
    Asked,
}

impl Reach {
    pub(crate) fn of(source: &Source) -> Self {
        match source {
            Source::Directory(_) => Self::Shown,
            Source::Kubernetes(_) => Self::Asked,
        }
    }
}

/// The listing as a view, with what can be learnt of the life of speakers.
pub(crate) async fn seen(listing: &Listing, reach: Reach) -> View {
    match reach {
        Reach::Shown => View::new(listing),
        Reach::Asked => View::with_lives(listing, &ask::lives(listing).await),
    }
}

fn render(view: &View, what: StatusTopic, output: StatusOutput) -> Result<String> {
    match what {
        StatusTopic::Services => {
            let note = notes(view, Timestamp::now()).join("\n");
            let note = (!view.services.is_empty()).then_some(note);
            print(&services::rows(view), note.as_deref(), output)
        }
        StatusTopic::Pools => print(&pools::rows(view), None, output),
        StatusTopic::Peers => print(&peers::rows(view), None, output),
        StatusTopic::Nodes => print(&nodes::rows(view), None, output),
    }
}

/// What is said below the table of Services.
fn notes(view: &View, now: Timestamp) -> Vec<String> {
    let mut notes = vec![PING.to_owned()];
    let unconfirmed = view.unconfirmed();
    if unconfirmed > 0 {
        notes.push(format!(
            "{unconfirmed} of {} speakers could not be asked from here: what they announce is as they wrote it \
             last.",
            view.nodes.len()
        ));
    }
    match &view.leader {
        Leader::Nobody => {
            notes.push("No controller is at work: new Services get no address.".to_owned());
        }
        Leader::Named {
            name,
            renewed: Some(renewed),
        } if now.duration_since(*renewed) > LEASE_OLD => notes.push(format!(
            "Controller {name} has not renewed its lease since {renewed}: none is at work, or the clocks differ."
        )),
        Leader::Unknown | Leader::Named { .. } => {}
    }
    notes
}

/// A row of one of the tables; its JSON form is what programs read.
trait Row: Serialize {
    /// Column titles; those after `wide` are shown with `-o wide` only.
    const TITLES: &'static [&'static str];
    /// How many of the titles every table has.
    const NARROW: usize;
    /// One text per title; an empty one is shown as `-`.
    fn cells(&self) -> Vec<String>;
}

fn print<R: Row>(rows: &[R], note: Option<&str>, output: StatusOutput) -> Result<String> {
    let columns = match output {
        StatusOutput::Json => return Ok(serde_json::to_string_pretty(rows)?),
        StatusOutput::Yaml => return Ok(serde_saphyr::to_string(&rows)?),
        StatusOutput::Table => R::NARROW,
        StatusOutput::Wide => R::TITLES.len(),
    };
    let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
    let mut text = table::render(R::TITLES.get(..columns).unwrap_or(R::TITLES), &cells);
    if let Some(note) = note {
        text.push('\n');
        text.push_str(note);
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
