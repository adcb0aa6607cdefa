//! Refusals as an API server words them: a Status object with code, reason and message.

use serde_json::{Value, json};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub code: u16,
    /// The CamelCase word.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
    /// When to come again, in seconds.
    pub retry_after: Option<u64>,
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            retry_after: None,
        }
    }

    /// There is no such object, or no such path.
    pub fn not_found(what: &str) -> Self {
        Self::new(404, "NotFound", format!("{what:?} not found"))
    }

    /// Create: the name is taken.
    pub fn already_exists(name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{name:?} already exists"))
    }

    /// The object has moved on.
    pub fn conflict(name: &str) -> Self {
        let words = "the object has been modified; please apply your changes to the latest version and try again";
        let message = format!("Operation cannot be fulfilled on {name:?}: {words}");
        Self::new(409, "Conflict", message)
    }

    /// The version or continuation is not kept any more.
    pub fn expired() -> Self {
        Self::new(410, "Expired", "too old resource version")
    }

    /// The object is not acceptable.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(422, "Invalid", message)
    }

    /// The request is not acceptable.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// This field cannot be selected by.
    pub(super) fn field_label(path: &str) -> Self {
        Self::bad_request(format!("field label not supported: {path}"))
    }

    /// Not allowed to this account.
    pub fn forbidden() -> Self {
        Self::new(403, "Forbidden", "this account must not do this")
    }

    /// Come again later.
    pub fn too_many_requests(retry_after: u64) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(429, "TooManyRequests", "please try again later")
        }
    }

    /// The server is there, its store is not.
    pub fn unavailable() -> Self {
        Self::new(
            503,
            "ServiceUnavailable",
            "the server is currently unable to handle the request",
        )
    }

    pub(super) fn method() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    }

    pub(super) fn media() -> Self {
        Self::new(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format",
        )
    }

    pub(super) fn status(&self) -> Value {
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        })
    }
}
