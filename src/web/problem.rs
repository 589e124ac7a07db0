//! Errors as RFC 9457 `application/problem+json`. The one place that makes them.

use axum::Json;
use axum::extract::OriginalUri;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use crate::domain::Value;
use crate::intake::Refusal;
use crate::intake::verify::Denied;
use crate::store::StoreError;

/// How long a sender is asked to wait when the server is overloaded or its store cannot write.
const RETRY_AFTER_S: &str = "5";

/// An error as the caller sees it.
#[derive(Debug)]
pub struct ProblemResponse {
    status: StatusCode,
    code: &'static str,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    more: Option<(&'static str, Value)>,
}

impl ProblemResponse {
    /// A problem with its stable code (a page in `docs/errors/`) and what to do about it.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), headers: Vec::new(), more: None }
    }

    /// The same, with one member more (RFC 9457, section 3.2).
    #[must_use]
    pub fn with(self, key: &'static str, value: String) -> Self {
        self.with_value(key, value.into())
    }

    /// The same, where the member is no text.
    #[must_use]
    pub fn with_value(mut self, key: &'static str, value: Value) -> Self {
        self.more = Some((key, value));
        self
    }

    /// A question that can no longer be answered.
    pub(super) fn question_over(why: &str) -> Self {
        Self::new(StatusCode::GONE, "question-over", why)
    }

    /// An event has no such file.
    pub(super) fn no_file(detail: String) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no-file", detail)
    }

    /// A form that has to be mended, or sent once more.
    pub(super) fn invalid_form(detail: &str, errors: Value) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-form", detail).with_value("errors", errors)
    }

    /// Its status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What to do about it.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The same, with a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let mut body = serde_json::json!({
            "type": format!("urn:hence:error:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let (Some((key, value)), Some(body)) = (self.more, body.as_object_mut()) {
            body.insert(key.to_owned(), value);
        }
        let mut response = (self.status, Json(body)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.headers_mut().extend(self.headers);
        response
    }
}

/// The store could not be read.
impl From<StoreError> for ProblemResponse {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %error, "a request to the API was answered 503");
        refused(&error)
    }
}

/// What is told of the store's trouble: what it is, is for the log.
fn refused(error: &StoreError) -> ProblemResponse {
    let (code, detail) = match error {
        StoreError::Overloaded { .. } => ("overloaded", error.to_string()),
        StoreError::Full(_) => ("disk-full", "the server's disk is full: nothing was stored, send it again later".to_owned()),
        StoreError::Closed => ("shutting-down", "the server is shutting down: nothing was stored, send it again".to_owned()),
        StoreError::Locked(_)
        | StoreError::NewerFormat { .. }
        | StoreError::Damaged(_)
        | StoreError::Io(_)
        | StoreError::BadBackup(_)
        | StoreError::NotEmpty
        | StoreError::Missing(_)
        | StoreError::BadUrl(_) => {
            ("store-unavailable", "the server's store cannot be used: nothing was stored, send it again later".to_owned())
        }
    };
    ProblemResponse::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).with_header(header::RETRY_AFTER, RETRY_AFTER_S)
}

impl From<Refusal> for ProblemResponse {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::NoHook(_) => Self::new(StatusCode::NOT_FOUND, "no-hook", text),
            Refusal::NoForm(_) => Self::new(StatusCode::NOT_FOUND, "no-form", text),
            Refusal::NoFormBody(_) => Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-type", text),
            Refusal::NoWorkflow(_) => Self::new(StatusCode::NOT_FOUND, "no-workflow", text),
            Refusal::NoQuestion => Self::new(StatusCode::NOT_FOUND, "no-question", text),
            Refusal::NoRun(_) => Self::new(StatusCode::NOT_FOUND, "no-run", text),
            Refusal::NoEvent(..) => Self::new(StatusCode::NOT_FOUND, "no-event", text),
            Refusal::NoStep(_) => Self::new(StatusCode::NOT_FOUND, "no-step", text),
            Refusal::RunOpen(_) => Self::new(StatusCode::CONFLICT, "run-open", text),
            Refusal::BadWorkflow(_) => Self::new(StatusCode::CONFLICT, "bad-workflow", text),
            Refusal::NotMatched(_) => Self::new(StatusCode::CONFLICT, "not-matched", text),
            Refusal::NotReusable(_) => Self::new(StatusCode::CONFLICT, "not-reusable", text),
            Refusal::NotManual(_) => Self::new(StatusCode::CONFLICT, "not-manual", text),
            Refusal::Method { allowed, .. } => {
                Self::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", text).with_header(header::ALLOW, &allowed.join(", "))
            }
            Refusal::Unverified(denied) => {
                if denied == Denied::NoSecret {
                    tracing::error!("a hook was called whose secret is not set; see `hence check`");
                }
                Self::new(StatusCode::UNAUTHORIZED, "unverified", text)
            }
            Refusal::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", text),
            Refusal::BrokenBody(_) => Self::new(StatusCode::BAD_REQUEST, "broken-body", text),
            Refusal::Unreadable(_) => Self::new(StatusCode::BAD_REQUEST, "unreadable-body", text),
            // The journal has told the log: once, not for each request.
            Refusal::Store(error) => refused(&error),
        }
    }
}

/// No such path.
pub(super) async fn no_route(OriginalUri(uri): OriginalUri) -> ProblemResponse {
    let detail = format!("there is nothing at {}: hooks are below /hooks/, the API below /api/", uri.path());
    ProblemResponse::new(StatusCode::NOT_FOUND, "not-found", detail)
}

/// The path is there, the method is not. The router adds `Allow`.
pub(super) async fn wrong_method(method: Method, OriginalUri(uri): OriginalUri) -> ProblemResponse {
    ProblemResponse::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", format!("{} does not take {method}", uri.path()))
}
