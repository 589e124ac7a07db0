//! `/api/events/refused`: what was refused at the door, of which nothing is stored.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::super::{ProblemResponse, Web};
use super::{Params, page_size};
use crate::domain::Value;
use crate::intake::limits::{Counted, RefusedRequest};

/// What to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ListParams {
    limit: Option<usize>,
}

pub(in super::super) async fn list(
    State(web): State<Arc<Web>>,
    Params(params): Params<ListParams>,
) -> Result<Json<Value>, ProblemResponse> {
    let refusals = &web.intake.door.refusals;
    let refused: Vec<Value> = refusals.last(page_size(params.limit)).iter().map(shown).collect();
    let counts: Vec<Value> = refusals.counts().iter().map(counted).collect();
    Ok(Json(serde_json::json!({"refused": refused, "counts": counts})))
}

fn shown(refused: &RefusedRequest) -> Value {
    let RefusedRequest { at, reason, status, hook, method, path, sender, detail } = refused;
    serde_json::json!({
        "at": at.to_string(), "reason": reason, "status": status, "hook": hook, "method": method, "path": path,
        "sender": sender.map(|sender| sender.to_string()), "detail": detail,
    })
}

fn counted(counted: &Counted) -> Value {
    let Counted { reason, hook, count } = counted;
    serde_json::json!({"reason": reason, "hook": hook, "count": count})
}
