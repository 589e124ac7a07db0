//! `/api/events/ID/fixture`: one delivery as a test file has it. What proves who the sender is, is masked, and so are secrets of the
//! server, also in Base64; the rest is as it came.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;

use super::super::{ProblemResponse, Web};
use super::events::find;
use crate::domain::Value;
use crate::domain::event::Source;
use crate::domain::workflow::Verify;
use crate::workflow::matching;
use crate::workflow::selftest::Fixture;

pub(in super::super) async fn show(State(web): State<Arc<Web>>, Path(text): Path<String>) -> Result<Json<Value>, ProblemResponse> {
    let event = find(&web, &text).await?;
    if event.head.source != Source::Webhook {
        let detail = format!("{text} came from no webhook: there is nothing to record of it");
        return Err(ProblemResponse::new(StatusCode::CONFLICT, "not-a-delivery", detail));
    }
    let catalog = web.intake.current.get();
    let found = matching::route(&catalog, &event.head.method, &event.head.path);
    let hooks = found.iter().flat_map(|found| found.route.hooks(&event.head.method)).filter_map(|hook| hook.webhook());
    let signed: Vec<&str> =
        hooks.filter_map(|hook| if let Verify::Hmac(hmac) = &hook.verify { Some(&*hmac.header) } else { None }).collect();
    let secrets = &web.intake.secrets;
    let mut shown = serde_json::to_value(Fixture::of(&event, &signed, secrets)).unwrap_or_default();
    secrets.mask_encoded(&mut shown);
    secrets.mask_value(&mut shown);
    Ok(Json(shown))
}
