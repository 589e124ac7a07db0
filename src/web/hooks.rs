//! `/hooks/*`: reads the request within its bounds and hands it to intake.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::door::Sender;
use super::{ProblemResponse, Web, body, cors, ratelimit};
use crate::intake::limits::{RateOf, whole_seconds};
use crate::intake::webhook::Hook;
use crate::intake::{Receipt, Received, Replied};

/// Takes a request to a hook, or a browser's question about one.
pub(super) async fn receive(
    State(web): State<Arc<Web>>,
    Extension(Sender(sender)): Extension<Sender>,
    method: Method,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ProblemResponse> {
    if let Some(method) = cors::asks_about(&method, &headers)
        && let Ok(hook) = web.intake.hook(method, &path)
        && let Some(cors) = hook.door().and_then(|door| door.cors.as_ref())
    {
        return cors::preflight(cors, method, &headers).map_err(|problem| problem.of_hook(hook.name()));
    }
    let hook = web.intake.hook(method.as_str(), &path)?;
    let (name, allowed) = (hook.name(), cors::allowed(hook.door(), &headers));
    let taken = take(&web, hook, sender, query.as_deref().unwrap_or_default(), &headers, body).await;
    let mut response = taken.unwrap_or_else(|problem| problem.of_hook(name).into_response());
    if let Some(allowed) = allowed {
        allowed.tell(&mut response);
    }
    Ok(response)
}

async fn take(web: &Web, hook: Hook, sender: IpAddr, query: &str, headers: &HeaderMap, body: Body) -> Result<Response, ProblemResponse> {
    let left = web.intake.door.admit(&hook, sender, web.intake.clock.now())?;
    let (body, held) = body::read(&web.intake.door.bodies, body, headers, hook.body_limit_bytes).await?;
    let received = web.intake.receive(hook, query, headers, body).await?;
    // What waits for a run's answer has its body in the store.
    drop(held);
    let mut response = told(web, &received).await;
    if let Some(left) = left {
        let headers = ratelimit::headers(RateOf::Hook, &left.rate, left.left, whole_seconds(left.full_after));
        response.headers_mut().extend(headers.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?))));
    }
    Ok(response)
}

/// What the caller of a hook is told about an event that is stored.
async fn told(web: &Web, received: &Received) -> Response {
    let waiting = match &received.reply {
        Replied::Receipt => return answer(&received.receipt),
        Replied::Fixed(response) => return super::answer::said(response.clone()),
        Replied::Wait(waiting) => waiting,
    };
    // A repeat is not kept waiting a second time.
    let found =
        if received.receipt.duplicate { web.intake.known_answer(waiting).await } else { web.intake.answer(waiting, &web.stopping).await };
    found.map_or_else(|| not_yet(received), super::answer::of_run)
}

/// The event is stored, and its run has not answered: where it can be seen.
fn not_yet(received: &Received) -> Response {
    let mut response = answer(&received.receipt);
    *response.status_mut() = StatusCode::ACCEPTED;
    let location = received.first_run().and_then(|run| HeaderValue::try_from(format!("/api/runs/{run}")).ok());
    response.headers_mut().extend(location.map(|location| (header::LOCATION, location)));
    response
}

/// `202` for a new event, `200` for a repeat.
pub(super) fn answer(receipt: &Receipt) -> Response {
    let runs: Vec<_> = receipt.runs().map(|(workflow, run)| serde_json::json!({"workflow": workflow, "run": run})).collect();
    if receipt.duplicate {
        let body = serde_json::json!({"event": receipt.event, "runs": runs, "duplicate": true});
        return (StatusCode::OK, Json(body)).into_response();
    }
    (StatusCode::ACCEPTED, Json(serde_json::json!({"event": receipt.event, "runs": runs}))).into_response()
}
