//! One request to the API server: bounded in time, counted, tried again where that is of use.
//!
//! Failures are values by what a caller can do about them. Knows no objects: bodies are bytes.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use kube::client::{Body, Client};
use serde::Deserialize;
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::pace::{Gate, Late};
use crate::calls::{CallOutcome, Calls, Verb};

/// The longest a call may take, its repetitions included; a list is not repeated after that.
const DEADLINE: Duration = Duration::from_secs(15);
/// The longest a single try may take: a server that does not answer by then is asked again.
const TRY: Duration = Duration::from_secs(6);
/// The longest a server may say nothing while it answers with a list. A list is as long as there are
/// objects; while it comes, however slowly, it is not given up for [`LONGEST_LIST`].
const SILENCE: Duration = Duration::from_secs(10);
/// The longest that reading a list may take.
const LONGEST_LIST: Duration = Duration::from_secs(60);
/// How often a call is made at most.
const TRIES: u32 = 4;
/// The first pause before a repetition; doubled each time.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest answer that is read, in octets: a page of 500 objects of the largest size would be
/// larger, and such a list is no use to anybody here.
const LIMIT: usize = 512 << 20;

/// Why a call has no good answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum CallError {
    /// The API server said no.
    #[error("{status} {reason}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// `reason` of the Status object, or the status line's words.
        reason: String,
        /// `message` of the Status object.
        message: String,
    },
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// No connection, or one that broke.
    #[error("{0}")]
    Unreachable(String),
    /// There is no usable configuration.
    #[error("there is no usable configuration")]
    NotConfigured,
    /// The answer is not what the API promises.
    #[error("the answer is not understood: {0}")]
    NotUnderstood(String),
}

impl CallError {
    /// The HTTP status, where there was an answer.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether nobody has answered, or only somebody who cannot at this time. A refusal is an answer.
    pub(crate) fn is_no_answer(&self) -> bool {
        matches!(
            self.outcome(),
            CallOutcome::Unavailable | CallOutcome::Timeout | CallOutcome::Throttled
        )
    }

    /// Whether the same call may have a better answer a little later.
    fn is_temporary(&self) -> bool {
        let hopeless = matches!(self, Self::NotConfigured | Self::NotUnderstood(_));
        !hopeless && self.is_no_answer()
    }

    /// For counting, and for what to do about it.
    pub(crate) fn outcome(&self) -> CallOutcome {
        match self {
            Self::Refused {
                status,
                reason,
                message,
            } => match (*status, reason.as_str()) {
                (409, "AlreadyExists") => CallOutcome::AlreadyExists,
                (409, _) => CallOutcome::Conflict,
                // A patch that names another uid than the object has counts as a change of the uid.
                (422, _) if message.contains("metadata.uid") => CallOutcome::Conflict,
                (404, _) => CallOutcome::NotFound,
                (410, _) => CallOutcome::Gone,
                (401 | 403, _) => CallOutcome::Forbidden,
                (429, _) => CallOutcome::Throttled,
                (400..=499, _) => CallOutcome::Invalid,
                _ => CallOutcome::Unavailable,
            },
            Self::Timeout => CallOutcome::Timeout,
            Self::Unreachable(_) | Self::NotConfigured | Self::NotUnderstood(_) => {
                CallOutcome::Unavailable
            }
        }
    }
}

/// One thing to ask.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) verb: Verb,
    /// Plural of the kind, for the counters.
    pub(crate) plural: &'static str,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) body: Option<Payload>,
}

/// What is sent along.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    /// The media type: which kind of patch, or plain JSON.
    pub(crate) media: &'static str,
    pub(crate) bytes: Bytes,
}

/// A JSON document.
pub(crate) const JSON: &str = "application/json";

impl Call {
    /// A call without a body.
    pub(crate) fn new(verb: Verb, plural: &'static str, path: String) -> Self {
        Self {
            verb,
            plural,
            path,
            body: None,
        }
    }

    fn request(&self) -> Result<Request<Body>, CallError> {
        let method = match self.verb {
            Verb::Get | Verb::List | Verb::Watch => Method::GET,
            Verb::Create => Method::POST,
            Verb::Update => Method::PUT,
            Verb::Patch => Method::PATCH,
            Verb::Delete => Method::DELETE,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(&self.path)
            .header(header::ACCEPT, JSON);
        let body = match &self.body {
            Some(payload) => {
                request = request.header(header::CONTENT_TYPE, payload.media);
                Body::from(payload.bytes.to_vec())
            }
            None => Body::empty(),
        };
        let wrong = |error: http::Error| CallError::NotUnderstood(error.to_string());
        request.body(body).map_err(wrong)
    }
}

/// Makes calls over one client.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) client: &'a Client,
    pub(crate) calls: &'a Calls,
    pub(crate) gate: &'a Gate,
}

impl Caller<'_> {
    /// The body of the answer. Repeats what failed for the moment, within the deadline; the answer to
    /// a create may therefore be `AlreadyExists` although it was this call that created it.
    pub(crate) async fn call(&self, call: &Call) -> Result<Bytes, Failed> {
        let began = Instant::now();
        let deadline = began + DEADLINE;
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            let failed = match self.once(call, began).await {
                Ok(bytes) => return Ok(bytes),
                Err(failed) => failed,
            };
            let wait = failed.retry_after;
            let wait = wait.unwrap_or_else(|| pause.mul_f64(spread()));
            let late = Instant::now() + wait >= deadline;
            if !failed.error.is_temporary() || tries >= TRIES || late {
                return Err(failed);
            }
            sleep(wait).await;
            pause *= 2;
            tries += 1;
        }
    }

    /// One try of a call that was begun at some time.
    async fn once(&self, call: &Call, began: Instant) -> Result<Bytes, Failed> {
        let deadline = began + DEADLINE;
        let mut _place = None;
        if call.verb.writes() {
            _place = Some(self.gate.pass(deadline).await?);
        }
        let (silence, limit) = match call.verb {
            Verb::List => (SILENCE, began + LONGEST_LIST),
            _ => (TRY, deadline.min(Instant::now() + TRY)),
        };
        let whole = async {
            let sent = timeout(silence, self.send(call)).await;
            let response = sent.unwrap_or(Err(CallError::Timeout.into()))?;
            Ok(collect(response.into_body(), silence).await?)
        };
        let answer = timeout_at(limit, whole).await;
        let answer = answer.unwrap_or(Err(Failed::from(CallError::Timeout)));
        let outcome = answer
            .as_ref()
            .map_or_else(|failed| failed.error.outcome(), |_| CallOutcome::Ok);
        self.calls.count(call.verb, call.plural, outcome);
        if let (Err(failed), CallOutcome::Throttled, true) = (&answer, outcome, call.verb.writes())
        {
            self.gate.throttled(failed.retry_after);
        }
        answer
    }

    /// The answer's head and a body yet to be read: for streams. Bounded in time by the caller.
    pub(crate) async fn open(&self, call: &Call) -> Result<http::Response<Body>, Failed> {
        let answer = timeout(TRY, self.send(call)).await;
        let answer = answer.unwrap_or(Err(CallError::Timeout.into()));
        let outcome = answer
            .as_ref()
            .map_or_else(|failed| failed.error.outcome(), |_| CallOutcome::Ok);
        self.calls.count(call.verb, call.plural, outcome);
        answer
    }

    async fn send(&self, call: &Call) -> Result<http::Response<Body>, Failed> {
        let request = call.request()?;
        let sent = self.client.send(request).await;
        let response = sent.map_err(|error| CallError::Unreachable(deepest(&error)))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let limited = http_body_util::Limited::new(response.into_body(), 1 << 20);
        let body = limited.collect().await.ok().map(|body| body.to_bytes());
        Err(Failed {
            error: refusal(status, body.as_deref().unwrap_or_default()),
            retry_after,
        })
    }
}

/// The body of an answer, of which more has to come within `silence` for as long as it is read.
async fn collect(mut body: Body, silence: Duration) -> Result<Bytes, CallError> {
    let mut bytes = BytesMut::new();
    loop {
        let frame = timeout(silence, body.frame()).await;
        let Some(frame) = frame.map_err(|_| CallError::Timeout)? else {
            return Ok(bytes.freeze());
        };
        let frame = frame.map_err(|error| CallError::Unreachable(deepest(&error)))?;
        let Ok(more) = frame.into_data() else {
            continue;
        };
        if bytes.len() + more.len() > LIMIT {
            let words = format!("longer than {LIMIT} octets");
            return Err(CallError::NotUnderstood(words));
        }
        bytes.extend_from_slice(&more);
    }
}

/// A failed try, and when the server wants to hear the next one.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: CallError,
    pub(crate) retry_after: Option<Duration>,
}

impl From<Late> for Failed {
    fn from(late: Late) -> Self {
        match late {
            Late::Crowded => CallError::Timeout.into(),
            Late::Throttled => CallError::Refused {
                status: StatusCode::TOO_MANY_REQUESTS.as_u16(),
                reason: "TooManyRequests".to_owned(),
                message: "the server has asked for a longer pause".to_owned(),
            }
            .into(),
        }
    }
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        Self {
            error,
            retry_after: None,
        }
    }
}

/// The part of a Status object that says why.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    reason: String,
    message: String,
}

fn refusal(status: StatusCode, body: &[u8]) -> CallError {
    let said: Status = serde_json::from_slice(body).unwrap_or_default();
    let words = status.canonical_reason().unwrap_or("no reason given");
    let or = |text: String| if text.is_empty() { words.into() } else { text };
    CallError::Refused {
        status: status.as_u16(),
        reason: or(said.reason),
        message: or(said.message),
    }
}

/// The innermost cause: outer ones say "client error" and the like.
pub(super) fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// A factor between 0.5 and 1.5, so that many callers do not come back together.
pub(super) fn spread() -> f64 {
    let mut octets = [0; 4];
    let random = ring::rand::SystemRandom::new();
    match ring::rand::SecureRandom::fill(&random, &mut octets) {
        Ok(()) => 0.5 + f64::from(u32::from_le_bytes(octets)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}
