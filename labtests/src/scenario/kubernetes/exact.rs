//! One request to the API server, exactly, as whoever a kubeconfig belongs to, and what came of it. Writes are dry:
//! they go through every check and are not stored.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use kube::Client;
use kube::client::Body;
use serde_json::Value;

use crate::kubelab::ControlPlane;

/// The verbs of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    Create,
    Delete,
    DeleteCollection,
    Get,
    List,
    Patch,
    Update,
    Watch,
}

impl Verb {
    pub(super) const ALL: &[Self] = &[
        Self::Create,
        Self::Delete,
        Self::DeleteCollection,
        Self::Get,
        Self::List,
        Self::Patch,
        Self::Update,
        Self::Watch,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Get => "get",
            Self::List => "list",
            Self::Patch => "patch",
            Self::Update => "update",
            Self::Watch => "watch",
        }
    }

    pub(super) fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|verb| verb.name() == name);
        found.copied().with_context(|| format!("no verb {name}"))
    }
}

/// A resource, or a subresource as `services/status`, where requests for it go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    pub(super) group: String,
    pub(super) resource: String,
    /// Objects of namespaces are asked for in this one.
    pub(super) namespace: Option<String>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.resource, self.group)
    }
}

impl Target {
    fn root(&self) -> String {
        let version = match self.group.as_str() {
            "ringbolt.io" => "v1beta1",
            _ => "v1",
        };
        let api = match self.group.as_str() {
            "" => format!("/api/{version}"),
            group => format!("/apis/{group}/{version}"),
        };
        match &self.namespace {
            Some(namespace) => format!("{api}/namespaces/{namespace}"),
            None => api,
        }
    }

    fn collection(&self) -> String {
        let resource = self.resource.split('/').next().unwrap_or_default();
        format!("{}/{resource}", self.root())
    }

    fn object(&self, name: &str) -> String {
        match self.resource.split_once('/') {
            Some((_, subresource)) => format!("{}/{name}/{subresource}", self.collection()),
            None => format!("{}/{name}", self.collection()),
        }
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was let through; that there is no such object, or that this one makes no sense, was found out later.
    Allowed,
    /// No role has this verb.
    NoRole,
    /// Roles have it, an admission policy refused.
    Policy(String),
}

/// Somebody who asks.
pub(super) struct Asker<'a> {
    plane: &'a ControlPlane,
    client: Client,
}

impl<'a> Asker<'a> {
    pub(super) fn with(plane: &'a ControlPlane, kubeconfig: &Path) -> Result<Self> {
        let client = plane.client_of(kubeconfig)?;
        Ok(Self { plane, client })
    }

    /// A request with content: an object to create, or a merge patch.
    pub(super) fn send(
        &self,
        verb: Verb,
        target: &Target,
        name: &str,
        content: &Value,
    ) -> Result<Answer> {
        let object = target.object(name);
        let collection = target.collection();
        let (method, path) = match verb {
            Verb::Get => ("GET", object),
            Verb::List => ("GET", format!("{collection}?limit=1")),
            Verb::Watch => ("GET", format!("{collection}?watch=true&timeoutSeconds=1")),
            Verb::Create => ("POST", format!("{collection}?dryRun=All")),
            Verb::Update => ("PUT", format!("{object}?dryRun=All")),
            Verb::Patch => ("PATCH", format!("{object}?dryRun=All")),
            Verb::Delete => ("DELETE", format!("{object}?dryRun=All")),
            Verb::DeleteCollection => ("DELETE", format!("{collection}?dryRun=All")),
        };
        let media = match verb {
            Verb::Patch => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = || {
            let body = match method {
                "GET" => Vec::new(),
                _ => content.to_string().into_bytes(),
            };
            let request = http::Request::builder().method(method).uri(&path);
            request.header("Content-Type", media).body(body)
        };
        // A watch that is let through never ends by itself: its head is enough.
        let head = self.head(request()?)?;
        if head != http::StatusCode::FORBIDDEN {
            return Ok(Answer::Allowed);
        }
        let refused = self.plane.run(async {
            self.client
                .request_text(request()?)
                .await
                .map_err(anyhow::Error::from)
        })?;
        let message = match refused {
            Ok(text) => bail!("{method} {path} is forbidden and then answered: {text}"),
            Err(error) => format!("{error:#}"),
        };
        let (verb, group) = (verb.name(), &target.group);
        let resource = &target.resource;
        let of_role = format!("cannot {verb} resource \"{resource}\" in API group \"{group}\"");
        if message.contains(&of_role) {
            Ok(Answer::NoRole)
        } else if message.contains("ValidatingAdmissionPolicy") {
            Ok(Answer::Policy(message))
        } else {
            bail!("{method} {path} is forbidden by neither roles nor policies: {message}")
        }
    }

    /// The flow schema by which the API server ranked a request.
    pub(super) fn flow_schema(&self, verb: Verb, target: &Target, name: &str) -> Result<String> {
        let (method, path) = match verb {
            Verb::Patch => ("PATCH", target.object(name)),
            _ => ("GET", target.collection()),
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("Content-Type", "application/merge-patch+json")
            .body(Body::from(b"{}".to_vec()))?;
        let response = self
            .plane
            .run(async { self.client.send(request).await })??;
        let header = response.headers().get("X-Kubernetes-PF-FlowSchema-UID");
        let header = header.context("the answer names no flow schema")?;
        Ok(header.to_str()?.to_owned())
    }

    fn head(&self, request: http::Request<Vec<u8>>) -> Result<http::StatusCode> {
        let request = request.map(Body::from);
        let response = self
            .plane
            .run(async { self.client.send(request).await })??;
        Ok(response.status())
    }
}
