//! `/api/runs`: what became of events; start one, cancel one.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;

use super::super::answer::Wanted;
use super::super::{ProblemResponse, Web, hooks};
use super::{Params, bad_request, id, page_size, view};
use crate::domain::Value;
use crate::domain::id::RunId;
use crate::domain::run::Status;
use crate::domain::time::Timestamp;
use crate::store::{RunFilter, RunHead};

/// What to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ListParams {
    workflow: Option<String>,
    /// One status, or several with commas.
    status: Option<String>,
    /// RFC 3339.
    since: Option<String>,
    /// Only those that replay another one.
    #[serde(default)]
    replays: bool,
    limit: Option<usize>,
    before: Option<String>,
}

fn statuses(text: &str) -> Result<Vec<Status>, ProblemResponse> {
    let known = || Status::ALL.map(Status::as_str).join(", ");
    let one = |word: &str| {
        let status = Status::ALL.into_iter().find(|status| status.as_str() == word.trim());
        status.ok_or_else(|| bad_request(format!("`{word}` is not a status: expected {}", known())))
    };
    text.split(',').map(one).collect()
}

pub(in super::super) async fn list(
    State(web): State<Arc<Web>>,
    Params(params): Params<ListParams>,
) -> Result<Json<Value>, ProblemResponse> {
    let wanted = params.status.as_deref().map(statuses).transpose()?.unwrap_or_default();
    let since = params.since.as_deref().map(|text| text.parse::<Timestamp>().map_err(|e| bad_request(e.to_string()))).transpose()?;
    let before = params.before.as_deref().map(id::<RunId>).transpose()?;
    // A run that is being done right now is still queued or waiting as far as the store knows.
    let mut status = wanted.clone();
    if wanted.contains(&Status::Running) {
        status.extend([Status::Queued, Status::Waiting]);
    }
    let filter = RunFilter { workflow: params.workflow, status, since, before, replays: params.replays };
    let page = web.intake.journal.store().runs(filter, page_size(params.limit)).await?;
    let runs = page.items.into_iter().map(|head| as_of_now(&web, head));
    let now = web.intake.clock.now();
    let runs: Vec<_> = runs.filter(|head| wanted.is_empty() || wanted.contains(&head.status)).map(|head| view::run(&head, now)).collect();
    Ok(Json(serde_json::json!({"runs": runs, "next": page.next})))
}

/// The store learns of a run's first step when that step ends; who is driven is known here.
pub(super) fn as_of_now(web: &Web, mut head: RunHead) -> RunHead {
    if !head.status.is_final() && web.intake.journal.is_driven(head.id) {
        head.status = Status::Running;
        head.wake = None;
    }
    head
}

fn no_run(run: RunId) -> ProblemResponse {
    ProblemResponse::new(StatusCode::NOT_FOUND, "no-run", format!("there is no {run}"))
}

pub(in super::super) async fn show(State(web): State<Arc<Web>>, Path(text): Path<String>) -> Result<Json<Value>, ProblemResponse> {
    let run: RunId = id(&text)?;
    let store = web.intake.journal.store();
    let head = store.run(run).await?.ok_or_else(|| no_run(run))?;
    let facts = store.facts(run).await?;
    let questions = web.intake.open_questions(&head, &facts).await?;
    let mut shown = view::run_with_steps(&as_of_now(&web, head), &facts, web.intake.clock.now());
    web.intake.secrets.mask_value(&mut shown);
    view::add_links(&mut shown, &questions);
    Ok(Json(shown))
}

/// A run to start by hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Start {
    workflow: String,
    #[serde(default)]
    event: Value,
}

pub(in super::super) async fn start(
    State(web): State<Arc<Web>>,
    body: Result<Json<Start>, JsonRejection>,
) -> Result<Response, ProblemResponse> {
    let Json(start) = body.map_err(|rejection| bad_request(rejection.body_text()))?;
    let event = serde_json::to_vec(&start.event).map_err(|error| bad_request(error.to_string()))?;
    let receipt = web.intake.start(&start.workflow, event.into()).await?;
    Ok(hooks::answer(&receipt, Wanted::Json))
}

pub(in super::super) async fn cancel(State(web): State<Arc<Web>>, Path(text): Path<String>) -> Result<Response, ProblemResponse> {
    let run: RunId = id(&text)?;
    if web.intake.cancel(run).await? {
        return Ok((StatusCode::ACCEPTED, Json(serde_json::json!({"run": run, "canceling": true}))).into_response());
    }
    Err(ProblemResponse::new(StatusCode::CONFLICT, "run-ended", format!("{run} has ended already: there is nothing to cancel")))
}
