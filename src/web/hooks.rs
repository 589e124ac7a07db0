//! `/hooks/*`: reads the request within its bounds and hands it to intake.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;

use super::{ProblemResponse, Web};
use crate::domain::id::{EventId, RunId};
use crate::intake::{Receipt, Received, Refusal, Replied};

/// How long a body may take to arrive, from the end of the headers.
const BODY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Takes a request to a hook.
pub(super) async fn receive(
    State(web): State<Arc<Web>>,
    method: Method,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ProblemResponse> {
    let hook = web.intake.hook(method.as_str(), &path)?;
    let body = read(body, &headers, hook.body_limit_bytes).await?;
    let received = web.intake.receive(hook, query.as_deref().unwrap_or_default(), &headers, body).await?;
    let Received { receipt, reply } = received;
    let waiting = match reply {
        Replied::Receipt => return Ok(answer(&receipt)),
        Replied::Fixed(response) => return Ok(super::answer::said(response)),
        Replied::Wait(waiting) => waiting,
    };
    // A repeat is not kept waiting a second time.
    let found = if receipt.duplicate { web.intake.known_answer(waiting).await } else { web.intake.answer(waiting, &web.stopping).await };
    Ok(found.map_or_else(|| not_yet(&receipt), super::answer::of_run))
}

/// The event is stored, and its run has not answered: where it can be seen.
fn not_yet(receipt: &Receipt) -> Response {
    let mut response = answer(receipt);
    *response.status_mut() = StatusCode::ACCEPTED;
    let location = receipt.runs().next().and_then(|(_, run)| HeaderValue::try_from(format!("/api/runs/{run}")).ok());
    response.headers_mut().extend(location.map(|location| (header::LOCATION, location)));
    response
}

#[derive(Serialize)]
struct ReceiptView<'a> {
    event: EventId,
    runs: Vec<StartedView<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

#[derive(Serialize)]
struct StartedView<'a> {
    workflow: &'a str,
    run: RunId,
}

/// `202` for a new event, `200` for a repeat.
pub(super) fn answer(receipt: &Receipt) -> Response {
    let runs = receipt.runs().map(|(workflow, run)| StartedView { workflow, run }).collect();
    let status = if receipt.duplicate { StatusCode::OK } else { StatusCode::ACCEPTED };
    (status, Json(ReceiptView { event: receipt.event, runs, duplicate: receipt.duplicate })).into_response()
}

/// Reads a body up to a limit. One that says it is larger is refused before it is read.
pub(super) async fn read(body: Body, headers: &HeaderMap, limit_bytes: usize) -> Result<Bytes, Refusal> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|length| limit_bytes < length) {
        return Err(Refusal::TooLarge { limit_bytes });
    }
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, limit_bytes).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge { limit_bytes }),
        Ok(Err(error)) => Err(Refusal::BrokenBody(error.to_string())),
        Err(_elapsed) => Err(Refusal::BrokenBody(format!("it was not complete after {} s", BODY_TIMEOUT.as_secs()))),
    }
}
