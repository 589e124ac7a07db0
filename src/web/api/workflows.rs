//! `/api/workflows`: what is loaded, and what is wrong with what is not.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::super::Web;
use super::view;
use crate::domain::Value;

pub(in super::super) async fn list(State(web): State<Arc<Web>>) -> Json<Value> {
    let catalog = web.intake.current.get();
    let now = web.intake.clock.now();
    let workflows: Vec<_> = catalog.workflows().map(|loaded| view::workflow(loaded, now)).collect();
    Json(serde_json::json!({"workflows": workflows, "problems": &**web.problems.load()}))
}
