//! An event as the API server takes it: `events.k8s.io/v1`, one object for each time something is told.

use jiff::Timestamp;
use ringbolt_config::Object;
use serde_json::{Value, json};

use super::Api;
use crate::source::Role;
use crate::writer::Event;

/// The longest note that the API accepts, in octets.
const LONGEST_NOTE: usize = 1000;

/// The document, under a name that no other event has.
pub(super) fn document(event: &Event, namespace: &str, api: &Api) -> Value {
    let now = Timestamp::now();
    let object = &event.regarding;
    let mut note = event.note.clone();
    while note.len() > LONGEST_NOTE {
        note.pop();
    }
    let component = match api.settings.role {
        Role::Speaker => "ringbolt-speaker",
        Role::Controller | Role::Reader => "ringbolt-controller",
    };
    let instance = api.settings.instance.clone().or_else(|| {
        let node = api.settings.node.as_ref();
        node.map(ToString::to_string)
    });
    let known = api.hub.get(object);
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "namespace": namespace,
            "name": format!("{}.{:x}", object.name, now.as_nanosecond()),
        },
        // The API wants six digits.
        "eventTime": format!("{now:.6}"),
        "reportingController": format!("ringbolt.io/{component}"),
        "reportingInstance": instance.unwrap_or_else(|| component.to_owned()),
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
