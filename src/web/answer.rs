//! Answers that workflows give.

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::ProblemResponse;
use super::accept::best;
use crate::domain::id::RunId;
use crate::domain::response;
use crate::domain::{Value, xml};
use crate::intake::RunAnswer;

/// In which form a caller wants what the server itself says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Json,
    /// With this content type.
    Xml(&'static str),
}

impl Wanted {
    /// As `Accept` says; JSON where it says nothing.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match best(headers, &["application/json", "application/problem+json", "application/xml", "text/xml", "application/problem+xml"]) {
            "application/xml" | "application/problem+xml" => Self::Xml("application/xml"),
            "text/xml" => Self::Xml("text/xml"),
            _ => Self::Json,
        }
    }

    /// The same of what the server itself has to say.
    pub(super) fn view<T: Serialize>(self, status: StatusCode, root: &str, view: &T) -> Response {
        match self {
            Self::Json => (status, Json(view)).into_response(),
            Self::Xml(_) => self.value(status, root, serde_json::to_value(view).unwrap_or_default()),
        }
    }

    /// A value. What has no form in XML is sent as JSON.
    pub(super) fn value(self, status: StatusCode, root: &str, value: Value) -> Response {
        if let Self::Xml(content_type) = self
            && let Ok(document) = xml::write_as(root, &value)
        {
            return (status, [(header::CONTENT_TYPE, content_type)], document).into_response();
        }
        (status, Json(value)).into_response()
    }

    /// A problem.
    pub(super) fn problem(self, problem: ProblemResponse) -> Response {
        match self {
            Self::Json => problem.into_response(),
            Self::Xml(_) => problem.into_xml(),
        }
    }
}

/// The answer of runs that have one.
pub(super) fn of_run(answer: RunAnswer, wanted: Wanted) -> Response {
    match answer {
        RunAnswer::Response(response) => said(response),
        RunAnswer::Output(output) => wanted.value(StatusCode::OK, "output", output),
        RunAnswer::Failed(run) => wanted.problem(failed(run)),
        RunAnswer::BadInput(run, why) => {
            let detail = format!("{why}; the event was stored, and {run} failed at its beginning");
            let problem = ProblemResponse::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-input", detail).with("run", run.to_string());
            wanted.problem(problem.remembered(format!("an `input` is not as the workflow declares it; {run} failed at its beginning")))
        }
    }
}

/// What a workflow says, as HTTP.
pub(super) fn said(said: response::Response) -> Response {
    let response::Response { status, headers, content_type, body } = said;
    let Ok(status) = StatusCode::from_u16(status) else { return unsendable() };
    // RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5: these have no body.
    let is_empty = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    let mut answer = Response::new(if is_empty { Body::empty() } else { Body::from(body) });
    *answer.status_mut() = status;
    let content_type = (!content_type.is_empty() && !is_empty).then(|| (header::CONTENT_TYPE.as_str().to_owned(), content_type));
    for (name, value) in headers.into_iter().chain(content_type) {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else { return unsendable() };
        answer.headers_mut().insert(name, value);
    }
    // What a workflow sends is what it says it is, and nothing that a browser guesses.
    answer.headers_mut().entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    answer
}

/// The reason is in the run's history: a caller from outside is not told it.
fn failed(run: RunId) -> ProblemResponse {
    let detail = format!("the event was stored and {run} failed; its history says why");
    ProblemResponse::new(StatusCode::INTERNAL_SERVER_ERROR, "run-failed", detail).with("run", run.to_string())
}

/// What is stored was checked when it was made: only a damaged record comes here.
fn unsendable() -> Response {
    let detail = "the workflow's answer cannot be sent over HTTP";
    ProblemResponse::new(StatusCode::INTERNAL_SERVER_ERROR, "run-failed", detail).into_response()
}
