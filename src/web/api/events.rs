//! `/api/events`: what was accepted.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;

use super::super::{ProblemResponse, Web};
use super::{Params, id, page_size, view};
use crate::domain::Value;
use crate::domain::event::Event;

/// What to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ListParams {
    limit: Option<usize>,
    before: Option<String>,
}

pub(in super::super) async fn list(
    State(web): State<Arc<Web>>,
    Params(params): Params<ListParams>,
) -> Result<Json<Value>, ProblemResponse> {
    let before = params.before.as_deref().map(id).transpose()?;
    let page = web.intake.journal.store().events(before, page_size(params.limit)).await?;
    let events: Vec<_> = page.items.iter().map(view::event).collect();
    Ok(Json(serde_json::json!({"events": events, "next": page.next})))
}

pub(in super::super) async fn show(State(web): State<Arc<Web>>, Path(text): Path<String>) -> Result<Json<Value>, ProblemResponse> {
    let event = find(&web, &text).await?;
    let mut shown = view::event_with_body(&event);
    web.intake.secrets.mask_value(&mut shown);
    Ok(Json(shown))
}

/// The event of this id.
pub(super) async fn find(web: &Web, text: &str) -> Result<Event, ProblemResponse> {
    let event = web.intake.journal.store().event(id(text)?).await?;
    event.ok_or_else(|| ProblemResponse::new(StatusCode::NOT_FOUND, "no-event", format!("there is no event {text}")))
}
