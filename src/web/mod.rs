//! HTTP: hooks, forms, the API, health. Every route is in the one list below.

pub mod accept;
mod answer;
mod api;
mod approve;
mod auth;
mod body;
mod cors;
mod door;
mod forms;
mod health;
mod hooks;
mod html;
mod metrics;
mod problem;
mod ratelimit;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use tokio_util::sync::CancellationToken;

use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::intake::Intake;
use crate::workflow::plan::SettingsOutline;
use crate::workflow::problem::Problem;

pub use door::{Door, Unread};
pub use problem::ProblemResponse;

/// What requests are answered with.
pub struct Web {
    /// The door in; its journal is also what is read.
    pub intake: Arc<Intake>,
    /// Opens `/api`.
    pub token: Secret,
    /// What is wrong with the workflow files now.
    pub problems: arc_swap::ArcSwap<Vec<Problem>>,
    /// `hence.yaml` as it was read at the start, without its values.
    pub settings: SettingsOutline,
    /// When the store was last asked whether it takes writes, and why not.
    pub seen_writable: tokio::sync::Mutex<Option<(Timestamp, Option<String>)>>,
    /// Held by a backup, a count or a compaction: one of them at a time.
    pub upkeep: Arc<tokio::sync::Semaphore>,
    /// Set when shutdown begins: `/readyz` turns red before the listener closes.
    pub stopping: CancellationToken,
}

/// The largest body of a request to `/api`, in bytes.
const API_BODY_LIMIT_BYTES: usize = 1024 * 1024;

/// Every route there is.
pub fn router(web: Arc<Web>) -> Router {
    let api = Router::new()
        .route("/workflows", get(api::workflows::list))
        .route("/inventory", get(api::inventory::show))
        .route("/events", get(api::events::list))
        .route("/events/refused", get(api::refused::list))
        .route("/events/{id}", get(api::events::show))
        .route("/events/{id}/fixture", get(api::fixture::show))
        .route("/events/{id}/files/{number}", get(api::files::show))
        .route("/events/{id}/why", get(api::why::show))
        .route("/runs", get(api::runs::list).post(api::runs::start))
        .route("/runs/{id}", get(api::runs::show))
        .route("/runs/{id}/cancel", post(api::runs::cancel))
        .route("/runs/{id}/replay", post(api::replay::replay))
        .route("/stats", get(api::stats::show))
        .route("/backup", get(api::store::backup))
        .route("/store", get(api::store::show))
        .route("/store/compact", post(api::store::compact))
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(DefaultBodyLimit::max(API_BODY_LIMIT_BYTES))
        .layer(from_fn_with_state(Arc::clone(&web), auth::require_token));
    Router::new()
        .route("/hooks/{*path}", any(hooks::receive))
        .route("/forms/{*path}", get(forms::show).post(forms::send).options(forms::preflight))
        .route("/approve/{run}/{question}/{signature}", get(approve::show).post(approve::answer))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .nest("/api", api)
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::wrong_method)
        .with_state(web)
}
