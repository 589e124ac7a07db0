//! `/api/stats`: a few figures about the server.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;

use super::super::Web;
use crate::domain::Value;

pub(in super::super) async fn show(State(web): State<Arc<Web>>) -> Json<Value> {
    let journal = &web.intake.journal;
    Json(serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "workflows": web.intake.current.get().workflows().count(),
        "runs_waiting_to_begin": journal.waiting(),
        "forms_not_taken": {
            "honeypot": web.intake.forms.spam.honeypot.load(Ordering::Relaxed),
            "too_quick": web.intake.forms.spam.too_quick.load(Ordering::Relaxed),
        },
        "backlog_limit": journal.backlog_limit(),
    }))
}
