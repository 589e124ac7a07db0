//! `/healthz`: the process is alive. `/readyz`: it takes events.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::Web;
use crate::workflow::problem::Severity;

pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Probes may come often, and each look at the disk writes to it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Web {
    /// Why the store takes no writes, as of the last second.
    async fn writable(&self) -> Option<String> {
        let mut seen = self.seen_writable.lock().await;
        let now = self.intake.clock.now();
        if seen.as_ref().is_none_or(|(at, _)| LOOK_EVERY <= now.since(*at) || now < *at) {
            let error = self.intake.journal.store().writable().await.err();
            // Once, not at each probe.
            let known = seen.as_ref().is_some_and(|(_, error)| error.is_some());
            if let Some(error) = error.as_ref().filter(|_| !known) {
                tracing::warn!(error = %error, "the store takes no writes");
            }
            *seen = Some((now, error.map(|_| "the store takes no writes; the log says why".to_owned())));
        }
        seen.as_ref().and_then(|(_, error)| error.clone())
    }
}

/// Ready when the store can be written, the backlog has room, and every workflow file is mounted.
pub(super) async fn ready(State(web): State<Arc<Web>>) -> Response {
    let mut reasons = Vec::new();
    if web.stopping.is_cancelled() {
        reasons.push("shutting down".to_owned());
    }
    let journal = &web.intake.journal;
    if let Some(error) = web.writable().await {
        reasons.push(error);
    }
    if journal.backlog_limit() <= journal.waiting() {
        reasons.push(format!("{} accepted runs wait (limit {})", journal.waiting(), journal.backlog_limit()));
    }
    let problems = web.problems.load();
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    if 0 < errors {
        // Which they are is for those with the token: `/api/workflows`.
        let word = if errors == 1 { "problem" } else { "problems" };
        reasons.push(format!("{errors} {word} in the workflow files; see `hence check`"));
    }
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({"ready": ready, "reasons": reasons}))).into_response()
}
