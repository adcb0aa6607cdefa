//! Events as the API server takes them: `events.k8s.io/v1`, one object for what is told, and a count in it
//! for each time the same is told again soon. How often something is told is the callers' business.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use ringbolt_config::Object;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Api;
use crate::source::Role;
use crate::writer::Event;

/// The longest note that the API accepts, in octets.
const LONGEST_NOTE: usize = 1000;
/// The longest `reportingInstance` that the API accepts, in octets: names of nodes may be longer.
const LONGEST_INSTANCE: usize = 128;
/// The longest part of an object's name in the name of an event: 253 octets are a name's limit.
const LONGEST_STEM: usize = 220;
/// What is told again after this long is news. The clients of Kubernetes go by the same time.
const SOON: Duration = Duration::from_secs(360);
/// Events that are remembered.
const MAX: usize = 512;

#[cfg(test)]
mod tests;

/// Events that were told lately, the one that was told last at the end.
#[derive(Debug, Default)]
pub(super) struct Series {
    told: VecDeque<Told>,
}

#[derive(Debug)]
struct Told {
    event: Event,
    name: String,
    count: u32,
    at: Instant,
}

impl Series {
    /// If the same was told a short while ago: the name of that event, and how often with this time.
    pub(super) fn again(&mut self, event: &Event, now: Instant) -> Option<(String, u32)> {
        while self.told.front().is_some_and(|told| now >= told.at + SOON) {
            self.told.pop_front();
        }
        let mut told = self.take(event)?;
        told.count = told.count.saturating_add(1);
        told.at = now;
        let same = (told.name.clone(), told.count);
        self.told.push_back(told);
        Some(same)
    }

    /// An event was told for the first time, under this name.
    pub(super) fn first(&mut self, event: Event, name: String, now: Instant) {
        if self.told.len() >= MAX {
            self.told.pop_front();
        }
        self.told.push_back(Told {
            event,
            name,
            count: 1,
            at: now,
        });
    }

    /// The object of an event is gone: API servers keep them for an hour.
    pub(super) fn forget(&mut self, event: &Event) {
        self.take(event);
    }

    fn take(&mut self, event: &Event) -> Option<Told> {
        let place = self.told.iter().position(|told| told.event == *event)?;
        self.told.remove(place)
    }
}

/// The patch that counts an event once more.
pub(super) fn counted(count: u32) -> Value {
    let now = Timestamp::now();
    json!({"series": {"count": count, "lastObservedTime": format!("{now:.6}")}})
}

/// A name that no other event has.
pub(super) fn name(event: &Event) -> String {
    let mut stem = event.regarding.name.to_string();
    stem.truncate(LONGEST_STEM);
    let stem = stem.trim_end_matches(['.', '-']);
    format!("{stem}.{:x}", Timestamp::now().as_nanosecond())
}

/// The beginning of a text, in whole characters.
fn within(mut text: String, octets: usize) -> String {
    while text.len() > octets {
        text.pop();
    }
    text
}

/// The document under this name.
pub(super) fn document(event: &Event, name: &str, namespace: &str, api: &Api) -> Value {
    let now = Timestamp::now();
    let object = &event.regarding;
    let note = within(event.note.clone(), LONGEST_NOTE);
    let component = match api.settings.role {
        Role::Speaker => "ringbolt-speaker",
        Role::Controller | Role::Reader => "ringbolt-controller",
    };
    let instance = api.settings.instance.clone().or_else(|| {
        let node = api.settings.node.as_ref();
        node.map(ToString::to_string)
    });
    let instance = instance.unwrap_or_else(|| component.to_owned());
    let known = api.hub.get(object);
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "namespace": namespace,
            "name": name,
        },
        // The API wants six digits.
        "eventTime": format!("{now:.6}"),
        "reportingController": format!("ringbolt.io/{component}"),
        "reportingInstance": within(instance, LONGEST_INSTANCE),
        "action": event.reason,
        "reason": event.reason,
        "type": event.event_type.as_str(),
        "note": note,
        "regarding": {
            "apiVersion": object.kind.api_version(),
            "kind": object.kind.to_string(),
            "namespace": object.namespace,
            "name": object.name,
            // `kubectl describe` shows events of this very object alone.
            "uid": known.as_ref().and_then(Object::uid),
        },
    })
}
