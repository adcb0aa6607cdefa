//! The HTTP face of both daemons: `/livez`, `/readyz`, `/metrics`, `/status`, and `/` for people.
//!
//! Owns the listener, its retries and the formats. Refuses to know what a daemon does: it is
//! handed a metrics registry, a status document and a readiness flag, and only reads them.
//! A port that is taken is a log line and a retry, never a reason to exit (contract 6).

pub(crate) mod calls;
mod metrics;
mod page;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// First and longest pause between two attempts to take the port.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What a daemon shows of itself.
#[derive(Clone)]
pub(crate) struct Shown {
    /// `controller` or `speaker`, for the page's title.
    pub(crate) daemon: &'static str,
    pub(crate) metrics: Arc<Registry>,
    /// The status document, JSON.
    pub(crate) status: watch::Receiver<Arc<str>>,
    pub(crate) ready: watch::Receiver<bool>,
}

impl Shown {
    /// The status document as it is. A daemon that has a new one never waits for whoever reads this.
    fn page(&self) -> Arc<str> {
        Arc::clone(&self.status.borrow())
    }
}

/// Serves until `stop` is cancelled; takes the port as soon as it is free.
pub(crate) async fn serve(address: SocketAddr, shown: Shown, stop: CancellationToken) {
    let Some(listener) = listen(address, &stop).await else {
        return;
    };
    // Port 0 asks the kernel for any; the log says which it gave.
    let address = listener.local_addr().unwrap_or(address);
    info!(%address, "serving HTTP");
    let app = router(shown);
    let stopped = stop.clone().cancelled_owned();
    if let Err(error) = axum::serve(listener, app)
        .with_graceful_shutdown(stopped)
        .await
    {
        warn!(%address, %error, "HTTP server ended");
    }
}

/// The routes, apart from any socket so that tests can call them.
fn router(shown: Shown) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/status", get(status))
        .route("/", get(index))
        .with_state(shown)
}

/// Binds `address`, retrying with a growing pause; `None` when told to stop first.
async fn listen(address: SocketAddr, stop: &CancellationToken) -> Option<TcpListener> {
    let mut pause = RETRY.0;
    let mut last_error = None;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Some(listener),
            Err(error) => {
                // One line per new error: a port that stays busy must not fill a disk.
                if last_error.replace(error.kind()) != Some(error.kind()) {
                    warn!(%address, %error, "cannot serve HTTP yet, retrying");
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(RETRY.1),
        }
    }
}

async fn readyz(State(shown): State<Shown>) -> Response {
    if *shown.ready.borrow() {
        (StatusCode::OK, "ok\n").into_response()
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: first view of all objects is not complete\n",
        )
            .into_response()
    }
}

async fn status(State(shown): State<Shown>) -> Response {
    json(&shown.page())
}

async fn index(State(shown): State<Shown>, headers: HeaderMap) -> Response {
    let wants_json = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.starts_with("application/json"));
    if wants_json {
        return json(&shown.page());
    }
    let document: Value = serde_json::from_str(&shown.page()).unwrap_or_default();
    Html(page::render(shown.daemon, &document)).into_response()
}

fn json(text: &str) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, text.to_owned()).into_response()
}

#[cfg(test)]
mod tests;
