//! Which API server this is: its configuration, and the identity of its cluster.
//!
//! Both are looked for until they are there. Knows how often; `client` knows how.

use std::sync::Arc;
use std::time::Duration;

use ringbolt_config::Kind;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::info;

use super::call::{Call, CallError, spread};
use super::client::{Connection, Target};
use super::outlook::IDENTITY;
use super::resource::collection;
use super::{Api, Link};
use crate::calls::Verb;
use crate::source::{Role, Trouble};
use crate::writer::SPEAKER_KEY_NAMESPACE;

/// How long a missing configuration waits for the next look.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How often the files of a configuration in use are looked at.
const LOOK_AT_FILES: Duration = Duration::from_secs(10);
/// The longest pause between two questions who the cluster is.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Looks for a usable configuration until there is one, and then for changes of it: certificates and keys
/// are replaced while we work.
pub(super) async fn connect(api: Arc<Api>, target: Target, tell: Arc<watch::Sender<Option<Link>>>) {
    let search = async {
        // Of an earlier run of this task, which ended before its time.
        let before = tell.borrow().as_ref().map(|link| link.server.clone());
        let connection = loop {
            match target.connect().await {
                Ok(connection)
                    if before
                        .as_ref()
                        .is_none_or(|before| **before == *connection.server) =>
                {
                    break connection;
                }
                Ok(other) => api.outlook.connected(Some(not_used(&other.server))),
                Err(error) => api.outlook.connected(Some(Trouble::NotConfigured {
                    message: error.to_string().into(),
                })),
            }
            sleep(LOOK_AGAIN).await;
        };
        info!(server = connection.server, "the API server of this cluster");
        let (server, mut stamp) = (connection.server.clone(), connection.stamp.clone());
        api.outlook.connected(None);
        tell.send_replace(Some(link(&api, connection)));
        loop {
            sleep(LOOK_AT_FILES).await;
            if stamp.is_current().await {
                // What is used, unchanged or put back.
                api.outlook.connected(None);
                continue;
            }
            let trouble = match target.connect().await {
                Ok(connection) if connection.server == server => {
                    info!("the configuration has changed and is used");
                    stamp = connection.stamp.clone();
                    api.outlook.connected(None);
                    tell.send_replace(Some(link(&api, connection)));
                    continue;
                }
                Ok(other) => not_used(&other.server),
                Err(error) => Trouble::ConfigurationNotUsed {
                    message: error.to_string().into(),
                },
            };
            api.outlook.connected(Some(trouble));
        }
    };
    api.end.run_until_cancelled(search).await;
}

/// Objects of two clusters must not meet in one view.
fn not_used(other: &str) -> Trouble {
    Trouble::ConfigurationNotUsed {
        message: format!("it names another API server, {other}").into(),
    }
}

fn link(api: &Api, connection: Connection) -> Link {
    let named = api.settings.namespace.clone();
    // The namespace of a person's context is not Ringbolt's.
    let in_cluster = connection.in_cluster.then_some(connection.namespace);
    let namespace = named.or(in_cluster);
    let namespace = namespace.as_deref().unwrap_or(SPEAKER_KEY_NAMESPACE);
    Link {
        client: connection.client,
        namespace: namespace.into(),
        server: connection.server.into(),
    }
}

/// The identity of a cluster is the uid of its namespace `kube-system` (contract 3.6).
pub(super) async fn identify(api: Arc<Api>) {
    #[derive(Deserialize)]
    struct Namespaces {
        items: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        uid: String,
    }
    // A list by name: list is a verb that both daemons have for namespaces.
    let path = format!(
        "{}?fieldSelector=metadata.name%3D{IDENTITY}",
        collection(Kind::Namespace, None)
    );
    let call = Call::new(Verb::List, Kind::Namespace.plural(), path);
    let ask = async {
        let mut pause = LOOK_AGAIN;
        loop {
            let answer = api.bytes(&call).await.and_then(|bytes| {
                let list: Namespaces = serde_json::from_slice(&bytes)
                    .map_err(|error| CallError::NotUnderstood(error.to_string()))?;
                let found = list.items.into_iter().next();
                found.ok_or_else(|| CallError::NotUnderstood("there is no such namespace".into()))
            });
            match answer {
                Ok(found) => {
                    api.outlook.is(&found.metadata.uid);
                    return std::future::pending().await;
                }
                // A person at a terminal works without it, and may not be allowed to ask.
                Err(_) if api.settings.role == Role::Reader => {}
                Err(error) => api.outlook.not_identified(&error),
            }
            sleep(pause.mul_f64(spread())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    };
    api.end.run_until_cancelled(ask).await;
}
