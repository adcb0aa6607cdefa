//! One request and its answer: routes to the store, words the result as HTTP, and lets faults happen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::channel::Channel;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::BoxError;

use super::fault::Fault;
use super::refusal::Refusal;
use super::request::{Asked, Resource};
use super::store::{Edit, Key, PatchKind};
use super::{FakeApi, FakeBody, lock, stream};
use crate::calls::Verb;

/// How long a request is on its way: others come between, and who asks for ever asks at a bounded rate.
const LATENCY: Duration = Duration::from_millis(2);

/// Lists of which pages are still to be asked for, by continuation.
#[derive(Debug, Default)]
pub(super) struct Pages {
    next: u64,
    lists: BTreeMap<String, List>,
}

impl Pages {
    pub(super) fn clear(&mut self) {
        self.lists.clear();
    }
}

/// What is left of a list.
#[derive(Clone, Debug)]
struct List {
    version: u64,
    objects: Vec<Arc<Value>>,
}

impl FakeApi {
    /// Answers a request as a server would over the wire. Errors are connections that break.
    pub(super) async fn answer(
        &self,
        request: Request<Body>,
    ) -> Result<Response<FakeBody>, BoxError> {
        sleep(LATENCY).await;
        let (head, body) = request.into_parts();
        let body = body.collect_bytes().await?;
        let asked = match Asked::read(&head.method, &head.uri) {
            Ok(asked) => asked,
            Err(refusal) => return Ok(refused(&refusal).await),
        };
        let fault = self
            .shared
            .faults
            .meet(asked.verb, asked.resource.plural)
            .await;
        match &fault {
            Some(Fault::Refuse(refusal)) => return Ok(refused(refusal).await),
            Some(Fault::NoFieldsOfSpec) => {
                if let Some(path) = asked.field_of_spec() {
                    return Ok(refused(&Refusal::field_label(path)).await);
                }
            }
            Some(Fault::EmptyAnswer) => return Ok(whole(200, &json!({})).await),
            Some(Fault::Hang) => std::future::pending().await,
            // In the task that waits for the answer; and without a word, since it is meant.
            Some(Fault::Panic) => std::panic::resume_unwind(Box::new("a mistake")),
            _ => {}
        }
        if asked.verb == Verb::Watch {
            return Ok(match stream::open(self, &asked) {
                Ok(body) => Response::new(body),
                Err(refusal) => refused(&refusal).await,
            });
        }
        let media = head.headers.get(header::CONTENT_TYPE);
        let media = media
            .and_then(|media| media.to_str().ok())
            .unwrap_or_default();
        let done = match asked.verb {
            Verb::List => self.list(&asked, fault.as_ref()),
            Verb::Get => self.get(&asked),
            _ => self.write(&asked, media, &body),
        };
        match (done, fault) {
            (_, Some(Fault::LoseAnswer)) => Err(broken().into()),
            (Ok(value), Some(Fault::BreakOff)) => Ok(half(&value).await),
            (Ok(value), Some(Fault::Trickle(parts, every))) => Ok(trickle(&value, parts, every)),
            (Ok(value), _) => {
                let code = if asked.verb == Verb::Create { 201 } else { 200 };
                Ok(whole(code, &value).await)
            }
            (Err(refusal), _) => Ok(refused(&refusal).await),
        }
    }

    fn list(&self, asked: &Asked, fault: Option<&Fault>) -> Result<Value, Refusal> {
        let selection = asked.selection()?;
        let resource = asked.resource;
        let mut list = match (asked.parameter("continue"), fault) {
            (Some(token), _) => {
                let pages = self.pages();
                let left = pages.lists.get(token).cloned();
                left.ok_or_else(Refusal::expired)?
            }
            (None, Some(Fault::AsOf(then))) => List {
                version: then.version,
                objects: then.list(resource, &selection),
            },
            (None, _) => {
                let store = self.store();
                List {
                    version: store.version(),
                    objects: store.list(resource, &selection),
                }
            }
        };
        if matches!(fault, Some(Fault::EmptyList)) {
            list.objects.clear();
        }
        let limit = asked.parameter("limit").and_then(|text| text.parse().ok());
        // A server that answers from its cache gives everything at once.
        let cached = asked.parameter("resourceVersion") == Some("0");
        let limit = limit
            .filter(|limit| *limit > 0 && !cached)
            .unwrap_or(usize::MAX);
        let version = list.version;
        let rest = list.objects.split_off(limit.min(list.objects.len()));
        let token = (!rest.is_empty()).then(|| {
            let mut pages = self.pages();
            pages.next += 1;
            let token = format!("page={}", pages.next);
            let objects = rest;
            pages.lists.insert(token.clone(), List { version, objects });
            token
        });
        Ok(json!({
            "kind": format!("{}List", resource.kind),
            "apiVersion": resource.api_version,
            "metadata": {"resourceVersion": version.to_string(), "continue": token},
            "items": list.objects,
        }))
    }

    fn get(&self, asked: &Asked) -> Result<Value, Refusal> {
        let found = self.store().get(&key(asked))?;
        Ok(if asked.resource.plural == "leases" {
            self.shared.leases.seen(&found)
        } else {
            (*found).clone()
        })
    }

    fn write(&self, asked: &Asked, media: &str, body: &[u8]) -> Result<Value, Refusal> {
        let sent = if body.is_empty() {
            Value::Null
        } else {
            let words = |error: serde_json::Error| Refusal::bad_request(error.to_string());
            serde_json::from_slice(body).map_err(words)?
        };
        let manager = asked.parameter("fieldManager").unwrap_or("unknown");
        let mut key = key(asked);
        let mut store = lock(&self.shared.store);
        let written = match asked.verb {
            Verb::Create => {
                let name = sent["metadata"]["name"].as_str().unwrap_or_default();
                name.clone_into(&mut key.2);
                store.create(&key, sent)
            }
            Verb::Update => store.edit(&key, asked.part, Edit::Replace(&sent), manager),
            Verb::Patch => {
                let kind = match media {
                    "application/merge-patch+json" => PatchKind::Merge,
                    "application/strategic-merge-patch+json" => PatchKind::Strategic,
                    _ => return Err(Refusal::media()),
                };
                store.edit(&key, asked.part, Edit::Patch(kind, &sent), manager)
            }
            _ => store.delete(&key, &sent),
        }?;
        self.told(&store);
        drop(store);
        if asked.resource.plural == "leases" {
            self.shared.leases.wrote(&written);
        }
        if asked.verb == Verb::Delete && !written["metadata"]["deletionTimestamp"].is_string() {
            return Ok(json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}));
        }
        Ok((*written).clone())
    }
}

fn key(asked: &Asked) -> Key {
    let resource: Resource = asked.resource;
    let namespace = asked.namespace.clone().unwrap_or_default();
    (resource, namespace, asked.name.clone().unwrap_or_default())
}

async fn refused(refusal: &Refusal) -> Response<FakeBody> {
    let mut response = whole(refusal.code, &refusal.status()).await;
    if let Some(seconds) = refusal.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

async fn whole(code: u16, value: &Value) -> Response<FakeBody> {
    let mut response = Response::new(body_of(value.to_string().into(), None).await);
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
    response
}

/// A body of which half is sent before the connection breaks.
async fn half(value: &Value) -> Response<FakeBody> {
    let mut text = value.to_string().into_bytes();
    text.truncate(text.len() / 2);
    Response::new(body_of(text.into(), Some(broken())).await)
}

/// A body that takes its time.
fn trickle(value: &Value, parts: u32, every: Duration) -> Response<FakeBody> {
    let text = value.to_string().into_bytes();
    let parts = usize::try_from(parts).unwrap_or(usize::MAX).max(1);
    let (mut out, body) = Channel::new(1);
    tokio::spawn(async move {
        for part in text.chunks(text.len().div_ceil(parts)) {
            sleep(every).await;
            if out.send_data(part.to_vec().into()).await.is_err() {
                return;
            }
        }
    });
    Response::new(body)
}

async fn body_of(bytes: Bytes, error: Option<std::io::Error>) -> FakeBody {
    let (mut out, body) = Channel::new(1);
    // A fresh channel has room for one.
    let _room = out.send_data(bytes).await;
    if let Some(error) = error {
        out.abort(error);
    }
    body
}

fn broken() -> std::io::Error {
    std::io::ErrorKind::ConnectionReset.into()
}
