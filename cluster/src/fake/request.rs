//! What a request asks for: kinds the fake knows, paths, selectors. Pure text; knows no objects' content
//! but what a selector looks at.

use std::collections::BTreeMap;

use http::Method;
use ringbolt_config::Kind;
use serde_json::Value;

use super::refusal::Refusal;
use crate::calls::Verb;

/// A kind that the fake keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Resource {
    pub(super) plural: &'static str,
    pub(super) kind: &'static str,
    pub(super) api_version: &'static str,
    pub(super) namespaced: bool,
}

/// Kinds that Ringbolt writes and does not read as objects.
const BESIDE: [Resource; 2] = [
    Resource {
        plural: "leases",
        kind: "Lease",
        api_version: "coordination.k8s.io/v1",
        namespaced: true,
    },
    Resource {
        plural: "events",
        kind: "Event",
        api_version: "events.k8s.io/v1",
        namespaced: true,
    },
];

impl Resource {
    /// All of them.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Kind::ALL.iter().map(|kind| Self::of(*kind)).chain(BESIDE)
    }

    pub(super) fn of(kind: Kind) -> Self {
        Self {
            plural: kind.plural(),
            kind: kind.as_str(),
            api_version: kind.api_version(),
            namespaced: kind.namespaced(),
        }
    }

    /// Whether it is defined by a CustomResourceDefinition: no strategic merge, a strict `/status`.
    pub(super) fn is_custom(self) -> bool {
        self.api_version.starts_with(ringbolt_config::names::GROUP)
    }

    /// Whether its status is written through `/status` alone.
    pub(super) fn has_status(self) -> bool {
        self.is_custom() || matches!(self.plural, "services" | "nodes" | "namespaces")
    }
}

/// Which part of an object is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Main,
    Status,
}

/// A request, understood.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) verb: Verb,
    pub(super) resource: Resource,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) part: Part,
    query: BTreeMap<String, String>,
}

impl Asked {
    pub(super) fn read(method: &Method, uri: &http::Uri) -> Result<Self, Refusal> {
        let segments: Vec<&str> = uri.path().split('/').filter(|s| !s.is_empty()).collect();
        let (api_version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => ((*version).to_owned(), rest),
            ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
            _ => return Err(Refusal::not_found(uri.path())),
        };
        let (namespace, rest) = match rest {
            // The namespace as an object has at most a name behind it.
            ["namespaces", namespace, plural, rest @ ..] if *plural != "status" => {
                (Some((*namespace).to_owned()), (*plural, rest))
            }
            [plural, rest @ ..] => (None, (*plural, rest)),
            [] => return Err(Refusal::not_found(uri.path())),
        };
        let (plural, rest) = rest;
        let resource = Resource::all()
            .find(|resource| resource.plural == plural && resource.api_version == api_version)
            .ok_or_else(|| Refusal::not_found(uri.path()))?;
        let (name, part) = match rest {
            [] => (None, Part::Main),
            [name] => (Some((*name).to_owned()), Part::Main),
            [name, "status"] if resource.has_status() => (Some((*name).to_owned()), Part::Status),
            _ => return Err(Refusal::not_found(uri.path())),
        };
        let query = query(uri.query().unwrap_or_default());
        let watch = query.get("watch").is_some_and(|watch| watch == "true");
        let verb = match (method.as_str(), &name) {
            ("GET", None) if watch => Verb::Watch,
            ("GET", None) => Verb::List,
            ("GET", Some(_)) => Verb::Get,
            ("POST", None) => Verb::Create,
            ("PUT", Some(_)) => Verb::Update,
            ("PATCH", Some(_)) => Verb::Patch,
            ("DELETE", Some(_)) => Verb::Delete,
            _ => return Err(Refusal::method()),
        };
        Ok(Self {
            verb,
            resource,
            namespace,
            name,
            part,
            query,
        })
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The first field of the spec by which it selects.
    pub(super) fn field_of_spec(&self) -> Option<&str> {
        let mut paths = terms(self.parameter("fieldSelector")).map(|term| {
            let (path, _) = term.split_once('=').unwrap_or((term, ""));
            path
        });
        paths.find(|path| path.starts_with("spec."))
    }

    /// Which objects of the kind are meant; a field that this server cannot select by is refused.
    pub(super) fn selection(&self) -> Result<Selection, Refusal> {
        let mut fields = Vec::new();
        for term in terms(self.parameter("fieldSelector")) {
            let (path, value) = term
                .split_once('=')
                .ok_or_else(|| Refusal::bad_request(format!("no field selector: {term:?}")))?;
            let known = match path {
                "metadata.name" | "metadata.namespace" => true,
                "spec.type" => self.resource.plural == "services",
                _ => false,
            };
            if !known {
                return Err(Refusal::field_label(path));
            }
            let pointer = format!("/{}", path.replace('.', "/"));
            fields.push((pointer, value.trim_start_matches('=').to_owned()));
        }
        let labels = terms(self.parameter("labelSelector"))
            .map(|term| match term.split_once('=') {
                Some((key, value)) => (key.to_owned(), Label::Is(value.to_owned())),
                None => match term.strip_prefix('!') {
                    Some(key) => (key.to_owned(), Label::Absent),
                    None => (term.to_owned(), Label::Present),
                },
            })
            .collect();
        Ok(Selection {
            namespace: self.namespace.clone(),
            fields,
            labels,
        })
    }
}

/// Which objects of a kind.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    namespace: Option<String>,
    /// JSON pointer and value.
    fields: Vec<(String, String)>,
    labels: Vec<(String, Label)>,
}

#[derive(Clone, Debug)]
enum Label {
    Present,
    Absent,
    Is(String),
}

impl Selection {
    pub(super) fn everything() -> Self {
        Self {
            namespace: None,
            fields: Vec::new(),
            labels: Vec::new(),
        }
    }

    pub(super) fn holds(&self, object: &Value) -> bool {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let labels = &object["metadata"]["labels"];
        let in_namespace =
            self.namespace.is_none() || text("/metadata/namespace") == self.namespace.as_deref();
        let fields = self
            .fields
            .iter()
            .all(|(pointer, value)| text(pointer) == Some(value));
        let labels = self.labels.iter().all(|(key, label)| {
            let value = labels.get(key).and_then(Value::as_str);
            match label {
                Label::Present => value.is_some(),
                Label::Absent => value.is_none(),
                Label::Is(wanted) => value == Some(wanted),
            }
        });
        in_namespace && fields && labels
    }
}

fn terms(selector: Option<&str>) -> impl Iterator<Item = &str> {
    let terms = selector.unwrap_or_default().split(',');
    terms.filter(|term| !term.is_empty())
}

fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// Undoes percent-encoding; what is not encoded well stays as it is.
fn decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(octet) => {
                octets.push(octet);
                rest = &after[2..];
            }
            None => {
                octets.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}
