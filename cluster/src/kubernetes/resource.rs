//! Where the objects of a kind are found: paths and selectors. Pure text.

use std::fmt::Write as _;

use ringbolt_config::{Kind, NodeName};

use crate::source::Role;

/// Objects on one page of a list.
pub(super) const PAGE: u32 = 500;

/// How fresh a list must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// What a majority of the stores has: nothing older is answered.
    Quorum,
    /// What the API server has at hand.
    Cached,
}

/// Which objects of a kind are of interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) kind: Kind,
    /// `fieldSelector`, where the server knows it.
    fields: Option<String>,
    labels: Option<&'static str>,
}

impl Resource {
    /// What a process in this role reads of a kind.
    pub(super) fn new(kind: Kind, role: Role, node: Option<&NodeName>) -> Self {
        let fields = match (kind, role, node) {
            (Kind::Service, _, _) => Some("spec.type=LoadBalancer".to_owned()),
            // Contract 3.1: other nodes are known from their hellos.
            (Kind::Node, Role::Speaker, Some(node)) => Some(format!("metadata.name={node}")),
            _ => None,
        };
        // Slices of headless Services are never announced, and are many.
        let labels = (kind == Kind::EndpointSlice)
            .then_some("kubernetes.io/service-name,!service.kubernetes.io/headless");
        Self {
            kind,
            fields,
            labels,
        }
    }

    /// The same without the selector that older servers refuse with 400.
    pub(super) fn without_fields(&self) -> Option<Self> {
        self.fields.as_ref()?;
        Some(Self {
            fields: None,
            ..self.clone()
        })
    }

    /// Path and query of a page.
    pub(super) fn list(&self, freshness: Freshness, token: Option<&str>) -> String {
        let mut path = self.base();
        let _written = write!(path, "limit={PAGE}");
        match (token, freshness) {
            (Some(token), _) => {
                let _written = write!(path, "&continue={}", encoded(token));
            }
            (None, Freshness::Cached) => path.push_str("&resourceVersion=0"),
            (None, Freshness::Quorum) => {}
        }
        path
    }

    /// Path and query of the stream of changes after a version.
    pub(super) fn watch(&self, version: &str, seconds: u64) -> String {
        let mut path = self.base();
        let _written = write!(
            path,
            "watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={}",
            encoded(version)
        );
        path
    }

    /// A list of at most one object: what version the server is at.
    pub(super) fn probe(&self) -> String {
        format!("{}limit=1", self.base())
    }

    fn base(&self) -> String {
        let mut path = format!("{}?", collection(self.kind, None));
        if let Some(fields) = &self.fields {
            let _written = write!(path, "fieldSelector={}&", encoded(fields));
        }
        if let Some(labels) = self.labels {
            let _written = write!(path, "labelSelector={}&", encoded(labels));
        }
        path
    }
}

/// The path of all objects of a kind, in one namespace or in all.
pub(super) fn collection(kind: Kind, namespace: Option<&str>) -> String {
    let version = kind.api_version();
    let root = if version.contains('/') { "apis" } else { "api" };
    let plural = kind.plural();
    match namespace {
        Some(namespace) => format!("/{root}/{version}/namespaces/{namespace}/{plural}"),
        None => format!("/{root}/{version}/{plural}"),
    }
}

/// Percent-encoding of everything that could mean something in a query.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                let _written = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
