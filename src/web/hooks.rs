//! `/hooks/*`: reads the request within its bounds and hands it to intake.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::answer::Wanted;
use super::{ProblemResponse, Web};
use crate::domain::Value;
use crate::intake::{Receipt, Received, Refusal, Replied, Taken};

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
) -> Response {
    let wanted = Wanted::of(&headers);
    let taken = take(&web, (&method, &path, query.as_deref().unwrap_or_default()), &headers, body, wanted).await;
    taken.unwrap_or_else(|problem| wanted.problem(problem))
}

async fn take(
    web: &Web,
    (method, path, query): (&Method, &str, &str),
    headers: &HeaderMap,
    body: Body,
    wanted: Wanted,
) -> Result<Response, ProblemResponse> {
    let hook = web.intake.hook(method.as_str(), path)?;
    let body = read(body, headers, hook.body_limit_bytes).await?;
    let received = match web.intake.receive(hook, query, headers, body).await? {
        Taken::One(received) => received,
        Taken::Batch(receipts) => return Ok(answer_all(&receipts, wanted)),
    };
    let waiting = match &received.reply {
        Replied::Receipt => return Ok(answer(&received.receipt, wanted)),
        Replied::Fixed(response) => return Ok(super::answer::said(response.clone())),
        Replied::Wait(waiting) => waiting,
    };
    // A repeat is not kept waiting a second time.
    let found =
        if received.receipt.duplicate { web.intake.known_answer(waiting).await } else { web.intake.answer(waiting, &web.stopping).await };
    Ok(found.map_or_else(|| not_yet(&received, wanted), |answer| super::answer::of_run(answer, wanted)))
}

/// The event is stored, and its run has not answered: where it can be seen.
fn not_yet(received: &Received, wanted: Wanted) -> Response {
    let mut response = answer(&received.receipt, wanted);
    *response.status_mut() = StatusCode::ACCEPTED;
    let location = received.first_run().and_then(|run| HeaderValue::try_from(format!("/api/runs/{run}")).ok());
    response.headers_mut().extend(location.map(|location| (header::LOCATION, location)));
    response
}

/// `202` for a new event, `200` for a repeat.
pub(super) fn answer(receipt: &Receipt, wanted: Wanted) -> Response {
    let status = if receipt.duplicate { StatusCode::OK } else { StatusCode::ACCEPTED };
    wanted.value(status, "receipt", shown(receipt))
}

/// `200` when all of a batch were repeats.
fn answer_all(receipts: &[Receipt], wanted: Wanted) -> Response {
    let status = if receipts.iter().all(|receipt| receipt.duplicate) { StatusCode::OK } else { StatusCode::ACCEPTED };
    let events: Vec<Value> = receipts.iter().map(shown).collect();
    wanted.value(status, "receipts", serde_json::json!({"events": events}))
}

fn shown(receipt: &Receipt) -> Value {
    let runs: Vec<_> = receipt.runs().map(|(workflow, run)| serde_json::json!({"workflow": workflow, "run": run})).collect();
    let mut shown = serde_json::json!({"event": receipt.event, "runs": runs});
    if let (true, Value::Object(map)) = (receipt.duplicate, &mut shown) {
        map.insert("duplicate".to_owned(), true.into());
    }
    shown
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
