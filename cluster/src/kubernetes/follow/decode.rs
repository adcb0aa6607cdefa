//! Lists and events as they come over the wire, made into what the reflector takes.
//!
//! What nobody here reads is dropped before it is decoded; what is not understood is named.

use ringbolt_config::{Kind, Object, ObjectRef, object};
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::reflector::{Event, Failure, Item, Page};
use super::Follower;
use crate::source::Role;

impl Follower {
    pub(super) fn read_page(&mut self, bytes: &[u8]) -> Result<Page, serde_json::Error> {
        let list: List<'_> = serde_json::from_slice(bytes)?;
        // Anything that is no list would be taken for an empty one, and everything for gone.
        if list.metadata.resource_version.is_empty() {
            return Err(serde_json::Error::custom("it is no list of objects"));
        }
        // One by one: a list from the server's cache is one page however long it is, and its objects
        // are many times larger as JSON values than as what is kept of them.
        let mut items = Vec::new();
        for raw in list.items.unwrap_or_default() {
            let value = serde_json::from_str(raw.get())?;
            items.extend(self.item(value).filter(selected));
        }
        Ok(Page {
            items,
            version: list.metadata.resource_version,
            token: list.metadata.token.filter(|token| !token.is_empty()),
        })
    }

    /// `None` for an event that means nothing here; an error ends the watch.
    pub(super) fn read_event(&mut self, line: &[u8]) -> Result<Option<Event>, Failure> {
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let envelope: Result<Envelope, _> = serde_json::from_slice(line);
        let envelope = envelope.map_err(|_| Failure::Unavailable)?;
        let version = envelope.object["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        Ok(match envelope.event.as_str() {
            "ADDED" | "MODIFIED" => self.item(envelope.object).map(|item| {
                if selected(&item) {
                    Event::Applied(item, version)
                } else {
                    Event::Deleted(item.name, version)
                }
            }),
            "DELETED" => {
                let name = self.name(&envelope.object);
                name.map(|name| Event::Deleted(name, version))
            }
            "BOOKMARK" => Some(Event::Bookmark(version)),
            "ERROR" => {
                let code = envelope.object["code"].as_u64();
                let code = code.and_then(|code| code.try_into().ok());
                return Err(failure(code));
            }
            _ => None,
        })
    }

    fn name(&self, value: &Value) -> Option<ObjectRef> {
        let metadata = &value["metadata"];
        let namespace = metadata["namespace"].as_str();
        ObjectRef::new(self.kind(), namespace, metadata["name"].as_str()?).ok()
    }

    /// Decodes an object. One that is not understood is named as a problem; its last good content
    /// stays (the item says only that it exists).
    pub(super) fn item(&mut self, mut value: Value) -> Option<Item> {
        let name = self.name(&value)?;
        prune(self.kind(), self.api.settings.role, &mut value);
        let recorded = self.record.is_some().then(|| value.clone());
        let object = match object::decode(self.kind(), value) {
            Ok(object) => {
                self.api.outlook.understood(&name);
                Some(object)
            }
            Err(problem) => {
                self.api.outlook.not_understood(&name, &problem);
                None
            }
        };
        let item = Item { name, object };
        if let (Some(record), Some(value)) = (&mut self.record, recorded)
            && item.object.is_some()
            && selected(&item)
        {
            record.put(&item.name, &value);
        }
        Some(item)
    }
}

/// What the HTTP status of a refusal means for what is asked next.
pub(super) fn failure(status: Option<u16>) -> Failure {
    match status {
        Some(410) => Failure::Expired,
        Some(400 | 422) => Failure::Refused,
        _ => Failure::Unavailable,
    }
}

/// Removes what nobody here reads and what is large, before it is decoded.
fn prune(kind: Kind, role: Role, value: &mut Value) {
    if let Some(metadata) = value["metadata"].as_object_mut() {
        // Who wrote a Service's status is read from there, by those who write it too.
        if kind != Kind::Service || role == Role::Speaker {
            metadata.remove("managedFields");
        }
        if let Some(annotations) = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
        {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    if kind == Kind::Node
        && let Some(status) = value["status"].as_object_mut()
    {
        status.remove("images");
    }
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ListMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    token: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    event: String,
    object: Value,
}

/// Whether an item is of interest: what a server cannot select is selected here.
fn selected(item: &Item) -> bool {
    match &item.object {
        Some(Object::Service(view)) => view.is_load_balancer(),
        _ => true,
    }
}
