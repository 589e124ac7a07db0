//! Errors as RFC 9457 `application/problem+json`. The one place that makes them.

use std::sync::Arc;

use axum::Json;
use axum::extract::OriginalUri;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use super::ratelimit;
use crate::domain::{Value, xml};
use crate::intake::Refusal;
use crate::intake::limits::whole_seconds;
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
    more: Option<Box<(&'static str, Value)>>,
    hook: Option<Arc<str>>,
    /// In place of the detail, where that may quote what was sent.
    remembered: Option<String>,
}

/// Rides on the answer to a refused request, for the door to count it by.
#[derive(Debug, Clone)]
pub(super) struct Marked {
    /// The answer's code.
    pub(super) code: &'static str,
    /// The hook, where there is one.
    pub(super) hook: Option<Arc<str>>,
    /// What the caller is told, without a word of what was sent; empty where nobody knows.
    pub(super) detail: String,
}

impl ProblemResponse {
    /// A problem with its stable code (a page in `docs/errors/`) and what to do about it.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), headers: Vec::new(), more: None, hook: None, remembered: None }
    }

    /// The same, with one member more (RFC 9457, section 3.2).
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.more = Some(Box::new((key, value.into())));
        self
    }

    /// The same, of a hook.
    #[must_use]
    pub(super) fn of_hook(mut self, hook: Option<Arc<str>>) -> Self {
        self.hook = hook;
        self
    }

    /// The same, of which this is remembered: what quotes nothing that was sent.
    #[must_use]
    pub(super) fn remembered(mut self, text: impl Into<String>) -> Self {
        self.remembered = Some(text.into());
        self
    }

    /// What the door counts it by.
    pub(super) fn mark(&self) -> Marked {
        // These may quote a body.
        let is_about_a_body = matches!(self.status.as_u16(), 400 | 409 | 415 | 422);
        let own = || if is_about_a_body { String::new() } else { self.detail.clone() };
        Marked { code: self.code, hook: self.hook.clone(), detail: self.remembered.clone().unwrap_or_else(own) }
    }

    /// Its members.
    pub(super) fn body(&self) -> Value {
        let mut body = serde_json::json!({
            "type": format!("urn:hence:error:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let (Some(more), Some(body)) = (&self.more, body.as_object_mut()) {
            let (key, value) = &**more;
            body.insert((*key).to_owned(), value.clone());
        }
        body
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
        let remembered = "some fields are not as the form wants them, or it has to be sent once more";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-form", detail).with("errors", errors).remembered(remembered)
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

/// The namespace of problems in XML (RFC 9457, appendix B).
const NAMESPACE: &str = "urn:ietf:rfc:7807";

impl ProblemResponse {
    /// The same in XML.
    pub(super) fn into_xml(self) -> Response {
        let mut body = self.body();
        if let Value::Object(map) = &mut body {
            map.insert("@xmlns".to_owned(), NAMESPACE.into());
        }
        let Ok(document) = xml::write_as("problem", &body) else { return self.into_response() };
        let mut response = (self.status, document).into_response();
        response.extensions_mut().insert(self.mark());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+xml"));
        response.headers_mut().extend(self.headers);
        response
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        response.extensions_mut().insert(self.mark());
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
        let (text, remembered) = (refusal.to_string(), refusal.remembered());
        Self::of(refusal, text).remembered(remembered)
    }
}

impl ProblemResponse {
    fn of(refusal: Refusal, text: String) -> Self {
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
            Refusal::Unverified { challenge, .. } => {
                let problem = Self::new(StatusCode::UNAUTHORIZED, "unverified", text);
                if let Some(challenge) = challenge { problem.with_header(header::WWW_AUTHENTICATE, challenge) } else { problem }
            }
            Refusal::Unfetched(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "sender-unavailable", text).with_header(header::RETRY_AFTER, RETRY_AFTER_S)
            }
            Refusal::Elsewhere(_) => Self::new(StatusCode::FORBIDDEN, "sender-not-allowed", text),
            Refusal::TooOften { of, spent } => {
                let retry_after = whole_seconds(spent.retry_after);
                let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", text)
                    .with_header(header::RETRY_AFTER, &retry_after.to_string());
                ratelimit::headers(of, &spent.rate, 0, retry_after)
                    .into_iter()
                    .fold(problem, |problem, (name, value)| problem.with_header(name, &value))
            }
            Refusal::Crowded => Self::new(StatusCode::SERVICE_UNAVAILABLE, "crowded", text).with_header(header::RETRY_AFTER, RETRY_AFTER_S),
            Refusal::SlowBody(_) => Self::new(StatusCode::REQUEST_TIMEOUT, "slow-body", text).with_header(header::CONNECTION, "close"),
            Refusal::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", text),
            Refusal::LargeBatch(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "batch-too-large", text),
            Refusal::BrokenBody(_) => Self::new(StatusCode::BAD_REQUEST, "broken-body", text),
            Refusal::Unreadable(_) => Self::new(StatusCode::BAD_REQUEST, "unreadable-body", text),
            Refusal::DoesNotFit(mismatches) => {
                let errors = serde_json::to_value(mismatches).unwrap_or_default();
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "schema-mismatch", text).with("errors", errors)
            }
            Refusal::BadCloudEvent(_) => Self::new(StatusCode::BAD_REQUEST, "bad-cloud-event", text),
            Refusal::Unsupported(_) => {
                Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-body", text).with_header(header::ACCEPT_ENCODING, "identity")
            }
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
