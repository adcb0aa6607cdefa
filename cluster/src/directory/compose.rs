//! From a document and what is kept beside it to the one object that readers see.

use std::collections::BTreeSet;

use ringbolt_config::{Kind, Object, ObjectRef, decode};
use serde_json::{Value, json};

use super::manifest::Document;
use super::mirror::Mirror;
use super::record::{Overlay, Record, UNWRITTEN, lay_over};
use super::store::Store;
use super::{Role, stamp};

#[cfg(test)]
mod tests;

/// What is known of the world when an object is put together.
pub(super) struct Sources<'a> {
    pub(super) role: Role,
    pub(super) store: &'a Store,
    pub(super) mirror: &'a Mirror,
    /// Stored objects that no file was seen to have, and whose absence is not believed.
    pub(super) doubted: &'a BTreeSet<ObjectRef>,
}

impl Sources<'_> {
    /// The object of this name, if there is one to see.
    pub(super) fn object(&self, name: &ObjectRef, document: Option<&Document>) -> Option<Object> {
        match name.kind {
            Kind::Speaker => self.whole(name),
            Kind::Secret => document
                .map(|document| document.object.clone())
                .or_else(|| self.whole(name)),
            Kind::IPAllocation => self.claim(name, document),
            _ => self.recorded(name, document),
        }
    }

    fn whole(&self, name: &ObjectRef) -> Option<Object> {
        let value = serde_json::from_slice(self.mirror.whole(name)?).ok()?;
        decode(name.kind, value).ok()
    }

    /// A claim is what is stored; a document about it is a reservation.
    fn claim(&self, name: &ObjectRef, document: Option<&Document>) -> Option<Object> {
        let stored = self
            .mirror
            .whole(name)
            .and_then(|json| serde_json::from_slice(json).ok());
        let value = merge_reservation(stored, document.map(|document| &*document.json))?;
        decode(name.kind, value).ok()
    }

    fn recorded(&self, name: &ObjectRef, document: Option<&Document>) -> Option<Object> {
        let record = self.mirror.record(name);
        let held = record.filter(|record| record.holds());
        if let Some(record) = held
            && (record.metadata.deletion_timestamp.is_some()
                || document.is_none() && !self.doubted.contains(name))
        {
            return self.terminating(name, record, document);
        }
        let Some(document) = document else {
            let record = record.filter(|_| self.doubted.contains(name))?;
            return self.remembered(name, record);
        };
        if self.role == Role::Controller && stamp::is_stamped(name.kind) && record.is_none() {
            // Nothing is decided about an object that has no identity yet.
            return None;
        }
        let Some(overlay) = overlay(self.role, name.kind) else {
            return Some(document.object.clone());
        };
        if record.is_none() && overlay != Overlay::Whole {
            return Some(document.object.clone());
        }
        let mut value: Value = serde_json::from_slice(&document.json).ok()?;
        let counted = record.is_some_and(|record| stamp::counts(record, document));
        if overlay == Overlay::Generation && !counted {
            return Some(document.object.clone());
        }
        lay_over(&mut value, record, overlay);
        if !counted && let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut)
        {
            // A generation that counts another form of the document says nothing about this one.
            metadata.remove("generation");
        }
        decode(name.kind, value).ok()
    }

    /// An object whose document has not been found since the start, and may yet be: as it was last
    /// known, where a copy is kept.
    fn remembered(&self, name: &ObjectRef, record: &Record) -> Option<Object> {
        let mut value = self.kept_document(name)?;
        lay_over(&mut value, Some(record), overlay(self.role, name.kind)?);
        decode(name.kind, value).ok()
    }

    /// The copy of a document that is kept beside its record.
    fn kept_document(&self, name: &ObjectRef) -> Option<Value> {
        let stored = self.store.read(name).ok().flatten();
        stored.and_then(Record::from_value)?.document
    }

    /// An object whose document is gone, or was gone, and that must not vanish yet: the document as
    /// it was last known, with a deletion mark.
    fn terminating(
        &self,
        name: &ObjectRef,
        record: &Record,
        document: Option<&Document>,
    ) -> Option<Object> {
        let mut value = self
            .kept_document(name)
            .or_else(|| serde_json::from_slice(&document?.json).ok())?;
        let mut record = record.clone();
        // Until the controller has noted when, the mark says no more than that it is there.
        record.metadata.deletion_timestamp = record
            .metadata
            .deletion_timestamp
            .or(record.metadata.creation_timestamp);
        lay_over(&mut value, Some(&record), Overlay::Whole);
        decode(name.kind, value).ok()
    }
}

/// How much of the record a role sees of a kind; `None` is nothing. A speaker sees what changes its
/// announcements and no more: every other write of a status would wake it in vain.
fn overlay(role: Role, kind: Kind) -> Option<Overlay> {
    match (role, kind) {
        (_, Kind::Service) => Some(Overlay::Whole),
        (_, Kind::EndpointSlice) => Some(Overlay::Generation),
        (_, Kind::Node) => Some(Overlay::Annotations),
        (_, Kind::Namespace) => None,
        (Role::Speaker, Kind::IPAddressPool) => Some(Overlay::Identity),
        (Role::Speaker, _) => None,
        (Role::Controller | Role::Reader, _) => Some(Overlay::Whole),
    }
}

/// Puts a reservation written by people over a claim; either may be absent.
pub(super) fn merge_reservation(stored: Option<Value>, document: Option<&[u8]>) -> Option<Value> {
    let document: Option<Value> = document.and_then(|json| serde_json::from_slice(json).ok());
    match (stored, document) {
        (None, None) => None,
        (Some(stored), None) => Some(stored),
        (None, Some(mut document)) => {
            document["metadata"]["resourceVersion"] = UNWRITTEN.into();
            Some(document)
        }
        (Some(mut stored), Some(document)) => {
            let reserved = document.pointer("/spec/reservedFor").cloned();
            if let Some(spec) = stored.get_mut("spec").and_then(Value::as_object_mut) {
                match reserved {
                    Some(reserved) => spec.insert("reservedFor".to_owned(), reserved),
                    None => spec.remove("reservedFor"),
                };
            }
            Some(stored)
        }
    }
}

/// A namespace that nobody has written down, but objects are in.
pub(super) fn implied_namespace(name: &ObjectRef) -> Option<Object> {
    let label = "kubernetes.io/metadata.name";
    let value = json!({"metadata": {"name": &*name.name, "labels": {label: &*name.name}}});
    decode(Kind::Namespace, value).ok()
}
