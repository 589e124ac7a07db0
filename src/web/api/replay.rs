//! `POST /api/runs/{id}/replay`: a run once more.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{StatusCode, header};
use serde::Deserialize;

use super::super::{ProblemResponse, Web};
use super::{bad_request, id, view};

/// How to replay.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    /// A step's id or address; without it the whole run.
    #[serde(default)]
    from: Option<String>,
}

pub(in super::super) async fn replay(
    State(web): State<Arc<Web>>,
    Path(text): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ProblemResponse> {
    let run = id(&text)?;
    let body = body.map_err(|rejection| bad_request(rejection.body_text()))?;
    let read = || serde_json::from_slice::<Replay>(&body).map_err(|error| bad_request(format!("{error}; expected {{\"from\": \"STEP\"}}")));
    let Replay { from } = if body.is_empty() { Replay::default() } else { read()? };
    let replayed = web.intake.replay(run, from.as_deref()).await?;
    let location = format!("/api/runs/{}", replayed.run);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(view::replayed(&replayed))).into_response())
}
