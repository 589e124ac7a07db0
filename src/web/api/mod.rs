//! `/api`: reads what happened and tells why, starts, cancels and replays runs. Its JSON types are its own (`view`).

pub(super) mod events;
pub(super) mod files;
pub(super) mod fixture;
pub(super) mod inventory;
mod queued;
pub(super) mod refused;
pub(super) mod replay;
pub(super) mod runs;
pub(super) mod stats;
mod steps;
pub(super) mod store;
mod view;
pub(super) mod why;
pub(super) mod workflows;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::ProblemResponse;

/// Items of a page where the caller does not say.
const PAGE_DEFAULT: usize = 50;
/// Items of a page at most.
const PAGE_LIMIT: usize = 1000;

fn page_size(limit: Option<usize>) -> usize {
    limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_LIMIT)
}

fn bad_request(detail: impl Into<String>) -> ProblemResponse {
    ProblemResponse::new(StatusCode::BAD_REQUEST, "bad-request", detail)
}

/// One piece of work over the whole store at a time.
fn store_busy() -> ProblemResponse {
    let detail = "a backup, a count or a compaction is going on; try again when it is done";
    ProblemResponse::new(StatusCode::CONFLICT, "store-busy", detail)
}

/// Query parameters, with errors as problems.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemResponse> {
        let query: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        query.map(|Query(params)| Self(params)).map_err(|rejection| bad_request(rejection.body_text()))
    }
}

/// An id out of a path.
fn id<T: std::str::FromStr<Err = crate::domain::id::BadId>>(text: &str) -> Result<T, ProblemResponse> {
    text.parse().map_err(|error: crate::domain::id::BadId| bad_request(error.to_string()))
}
