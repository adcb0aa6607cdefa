//! Identity and age: what the controller alone gives to an object of people when it first sees it,
//! keeps while the object lives, and takes back when it is gone.

use std::sync::Arc;

use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use ringbolt_config::{Kind, ObjectRef};
use serde_json::Value;

use super::manifest::Document;
use super::record::Record;
use super::store::{Operation, Verdict, random_uuid};
use crate::writer::{UnavailableCause, WriteError};

#[cfg(test)]
mod tests;

/// Kinds whose objects get identity and age.
pub(super) fn is_stamped(kind: Kind) -> bool {
    match kind {
        Kind::Service
        | Kind::EndpointSlice
        | Kind::IPAddressPool
        | Kind::L2Advertisement
        | Kind::BGPAdvertisement
        | Kind::BGPPeer
        | Kind::BGPPeerTemplate
        | Kind::BFDProfile
        | Kind::Community
        | Kind::RouteImport => true,
        Kind::Node | Kind::Namespace | Kind::Secret | Kind::IPAllocation | Kind::Speaker => false,
    }
}

/// Kinds whose objects may outlive their document, so that a copy of it is kept.
fn outlives_document(kind: Kind) -> bool {
    matches!(kind, Kind::Service | Kind::IPAddressPool)
}

/// Which form of a document is meant; equal for equal documents in every version of Ringbolt.
fn fingerprint(document: &Document) -> String {
    let hash = digest(&SHA256, &document.json);
    hash.as_ref()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether the record's generation counts this form of the document.
pub(super) fn counts(record: &Record, document: &Document) -> bool {
    record.fingerprint.as_deref() == Some(&*fingerprint(document))
}

/// Whether `stamp` would change what is kept.
pub(super) fn is_due(
    name: &ObjectRef,
    record: Option<&Record>,
    document: Option<&Document>,
) -> bool {
    is_stamped(name.kind)
        && !matches!(
            next(name, record, document, Timestamp::UNIX_EPOCH),
            Next::Leave
        )
}

/// Brings what is kept of an object in line with its document, or with the lack of one.
pub(super) fn stamp(
    name: &ObjectRef,
    document: Option<Arc<Document>>,
    now: Timestamp,
) -> Operation<'static> {
    let object = name.clone();
    let decide = move |current: Option<Value>| {
        // Decided anew under the lock: another controller may have been faster.
        let corrupt = || WriteError::Unavailable {
            object: object.clone(),
            cause: UnavailableCause::Corrupt,
        };
        let record = current
            .map(|value| Record::from_value(value).ok_or_else(corrupt))
            .transpose()?;
        Ok(
            match next(&object, record.as_ref(), document.as_deref(), now) {
                Next::Put(record) => Verdict::Put(record.to_value()),
                Next::Remove => Verdict::Remove,
                Next::Leave => Verdict::Leave,
            },
        )
    };
    Operation {
        object: name.clone(),
        decide: Box::new(decide),
    }
}

/// What becomes of a record.
enum Next {
    Put(Box<Record>),
    Remove,
    Leave,
}

fn next(
    name: &ObjectRef,
    record: Option<&Record>,
    document: Option<&Document>,
    now: Timestamp,
) -> Next {
    match (record, document) {
        (None, None) => Next::Leave,
        (None, Some(document)) => Next::Put(first(name, document, now)),
        (Some(record), None) if !record.holds() => Next::Remove,
        (Some(record), None) if record.metadata.deletion_timestamp.is_none() => {
            let mut record = record.clone();
            record.metadata.deletion_timestamp = Some(now);
            Next::Put(Box::new(record))
        }
        (Some(_), None) => Next::Leave,
        (Some(record), Some(document)) if record.metadata.deletion_timestamp.is_some() => {
            // The name is taken again: by another object, once the old one is through.
            if record.holds() {
                Next::Leave
            } else {
                Next::Put(first(name, document, now))
            }
        }
        (Some(record), Some(document)) if record.metadata.uid.is_none() => {
            let mut new = first(name, document, now);
            new.status.clone_from(&record.status);
            new.metadata
                .annotations
                .clone_from(&record.metadata.annotations);
            Next::Put(new)
        }
        (Some(record), Some(document)) if counts(record, document) => Next::Leave,
        (Some(record), Some(document)) => {
            let mut record = record.clone();
            record.metadata.generation = Some(record.metadata.generation.unwrap_or(0) + 1);
            describe(&mut record, name, document);
            Next::Put(Box::new(record))
        }
    }
}

fn first(name: &ObjectRef, document: &Document, now: Timestamp) -> Box<Record> {
    let mut record = Record::new(name);
    record.metadata.uid = Some(random_uuid());
    record.metadata.creation_timestamp = Some(now);
    record.metadata.generation = Some(1);
    describe(&mut record, name, document);
    Box::new(record)
}

fn describe(record: &mut Record, name: &ObjectRef, document: &Document) {
    record.fingerprint = Some(fingerprint(document));
    if outlives_document(name.kind) {
        record.document = serde_json::from_slice(&document.json).ok();
    }
}
