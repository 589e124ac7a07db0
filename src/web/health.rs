//! `/healthz`: the process is alive. `/readyz`: it takes events.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::Web;
use crate::workflow::problem::Severity;

pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Ready when the store can be written, the backlog has room, and every workflow file is mounted.
pub(super) async fn ready(State(web): State<Arc<Web>>) -> Response {
    let mut reasons = Vec::new();
    if web.stopping.is_cancelled() {
        reasons.push("shutting down".to_owned());
    }
    let journal = &web.intake.journal;
    if let Err(error) = journal.store().writable().await {
        reasons.push(error.to_string());
    }
    if journal.backlog_limit() <= journal.waiting() {
        reasons.push(format!("{} accepted runs wait (limit {})", journal.waiting(), journal.backlog_limit()));
    }
    let problems = web.problems.load();
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    reasons.extend(errors.map(|p| format!("{}:{}:{}: {}", p.file, p.line, p.column, p.message)));
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({"ready": ready, "reasons": reasons}))).into_response()
}
