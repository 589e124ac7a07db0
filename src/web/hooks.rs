//! `/hooks/*`: reads the request within its bounds and hands it to intake.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde::Serialize;

use super::answer::Wanted;
use super::door::Sender;
use super::{ProblemResponse, Web, body, cors, ratelimit};
use crate::domain::id::{EventId, RunId};
use crate::intake::limits::RateOf;
use crate::intake::webhook::Hook;
use crate::intake::{Receipt, Received, Refusal, Replied, Taken};

/// Takes a request to a hook, or a browser's question about one.
pub(super) async fn receive(
    State(web): State<Arc<Web>>,
    Extension(Sender(sender)): Extension<Sender>,
    method: Method,
    Path(path): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let wanted = Wanted::of(&headers);
    match found(&web, sender, &method, &path, &uri, &headers) {
        Found::Answered(answer) => answer.unwrap_or_else(|problem| wanted.problem(problem)),
        Found::Hook(hook) => {
            let (name, allowed) = (hook.name(), cors::allowed(hook.door(), &headers));
            let target = uri.path_and_query().map_or("/", |target| target.as_str());
            let taken = take(&web, hook, (sender, target, wanted), &headers, body).await;
            let mut response = taken.unwrap_or_else(|problem| wanted.problem(problem.of_hook(name)));
            if let Some(allowed) = allowed {
                allowed.tell(&mut response);
            }
            response
        }
    }
}

enum Found {
    /// There is nothing to take in.
    Answered(Result<Response, ProblemResponse>),
    Hook(Hook),
}

/// The hook, or what a service or a browser asks about one before it sends anything.
fn found(web: &Web, sender: IpAddr, method: &Method, path: &str, uri: &Uri, headers: &HeaderMap) -> Found {
    let now = web.intake.clock.now();
    let admit = |hook: Option<&Hook>| web.intake.door.admit(hook, sender, now);
    if let Some(answer) = web.intake.greet(method.as_str(), path, uri.query().unwrap_or_default(), headers) {
        let hook = web.intake.hook(Method::POST.as_str(), path).ok();
        let name = hook.as_ref().and_then(Hook::name);
        let admitted = admit(hook.as_ref()).and_then(|()| web.intake.door.admit_guess(sender, now));
        let answer = admitted.and(answer).map(super::answer::said);
        if let Err(Refusal::Unverified { .. }) = &answer {
            web.intake.door.strangers.failed(sender, now);
        }
        return Found::Answered(answer.map_err(|refusal| ProblemResponse::from(refusal).of_hook(name)));
    }
    if let Some(method) = cors::asks_about(method, headers)
        && let Ok(hook) = web.intake.hook(method, path)
        && let Some(cors) = hook.door().and_then(|door| door.cors.as_ref())
    {
        let admitted = admit(Some(&hook)).map_err(ProblemResponse::from);
        let answer = admitted.and_then(|()| cors::preflight(cors, method, headers));
        return Found::Answered(answer.map_err(|problem| problem.of_hook(hook.name())));
    }
    web.intake.hook(method.as_str(), path).map_or_else(|refusal| Found::Answered(Err(refusal.into())), Found::Hook)
}

async fn take(
    web: &Web,
    hook: Hook,
    (sender, target, wanted): (IpAddr, &str, Wanted),
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, ProblemResponse> {
    let admitted = web.intake.admit(hook, sender, headers)?;
    let (body, held) = body::read(&web.intake.door.bodies, body, headers, admitted.body_limit_bytes()).await?;
    let (taken, left) = web.intake.receive(admitted, target, headers, body).await?;
    // What waits for a run's answer has its body in the store.
    drop(held);
    let mut response = match taken {
        Taken::One(received) => told(web, received, wanted).await?,
        Taken::Batch(receipts) => answer_all(&receipts, wanted),
        Taken::Question(answer) => super::answer::said(answer),
    };
    if let Some(left) = left {
        ratelimit::tell(&mut response, RateOf::Hook, &left);
    }
    Ok(response)
}

/// What the caller of a hook is told about an event that is stored.
async fn told(web: &Web, received: Received, wanted: Wanted) -> Result<Response, ProblemResponse> {
    let Received { receipt, reply } = received;
    let waiting = match reply {
        Replied::Receipt => return Ok(answer(&receipt, wanted)),
        Replied::Fixed(response) => return Ok(super::answer::said(response)),
        Replied::Wait(waiting) => waiting,
    };
    // A repeat is not kept waiting a second time.
    let found = if receipt.duplicate { web.intake.known_answer(waiting).await? } else { web.intake.answer(waiting, &web.stopping).await };
    Ok(found.map_or_else(|| not_yet(&receipt, wanted), |answer| super::answer::of_run(answer, wanted)))
}

/// The event is stored, and its run has not answered: where it can be seen.
fn not_yet(receipt: &Receipt, wanted: Wanted) -> Response {
    let mut response = answer(receipt, wanted);
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

impl<'a> ReceiptView<'a> {
    fn of(receipt: &'a Receipt) -> Self {
        let runs = receipt.runs().map(|(workflow, run)| StartedView { workflow, run }).collect();
        Self { event: receipt.event, runs, duplicate: receipt.duplicate }
    }
}

/// `202` for a new event, `200` for a repeat.
pub(super) fn answer(receipt: &Receipt, wanted: Wanted) -> Response {
    let status = if receipt.duplicate { StatusCode::OK } else { StatusCode::ACCEPTED };
    wanted.view(status, "receipt", &ReceiptView::of(receipt))
}

/// `200` when all of a batch were repeats.
fn answer_all(receipts: &[Receipt], wanted: Wanted) -> Response {
    let status = if receipts.iter().all(|receipt| receipt.duplicate) { StatusCode::OK } else { StatusCode::ACCEPTED };
    let events: Vec<ReceiptView<'_>> = receipts.iter().map(ReceiptView::of).collect();
    wanted.view(status, "receipts", &std::collections::BTreeMap::from([("events", events)]))
}
