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
use ringbolt_cluster::{Listing, Role};
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
        let mut shown = None;
        loop {
            let listing = source::read(&cluster).await?;
            let view = seen(&listing, reach).await;
            let text = render(&view, what, output)?;
            if shown.as_ref() != Some(&text) {
                out::text(&text);
                shown = Some(text);
            }
            if !watch {
                return Ok(Verdict::Good);
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
            let note = (!view.services.is_empty()).then(|| match view.unconfirmed() {
                0 => PING.to_owned(),
                count => format!(
                    "{PING}\n{count} of {} speakers could not be asked from here: what they announce is as they \
                     wrote it last.",
                    view.nodes.len()
                ),
            });
            print(&services::rows(view), note.as_deref(), output)
        }
        StatusTopic::Pools => print(&pools::rows(view), None, output),
        StatusTopic::Peers => print(&peers::rows(view), None, output),
        StatusTopic::Nodes => print(&nodes::rows(view), None, output),
    }
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
