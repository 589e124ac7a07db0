//! The admin token.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};

use super::{ProblemResponse, Web};
use crate::intake::verify::same_secret;

/// Lets a request through that carries `Authorization: Bearer TOKEN`.
pub(super) async fn require_token(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    if has_token(&web, request.headers()) {
        return next.run(request).await;
    }
    ProblemResponse::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "this needs `Authorization: Bearer TOKEN` with the admin token (HENCE_ADMIN_TOKEN, or the file admin-token in the data folder)",
    )
    .with_header(header::WWW_AUTHENTICATE, "Bearer")
    .into_response()
}

/// Whether a request carries the token.
pub(super) fn has_token(web: &Web, headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    token.is_some_and(|(_, token)| same_secret(web.token.expose(), token.trim()))
}
