//! `RateLimit` and `RateLimit-Policy`, as in draft-ietf-httpapi-ratelimit-headers-11: what a sender may still send, and how the
//! rate is.

use axum::response::Response;
use http::{HeaderName, HeaderValue};

use crate::domain::door::Rate;
use crate::intake::limits::{Left, RateOf, whole_seconds};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The two headers. `reset_s`: when there is room again, or all of it, in seconds.
pub(super) fn headers(of: RateOf, rate: &Rate, left: u32, reset_s: u64) -> [(HeaderName, String); 2] {
    let name = of.name();
    // A window of less than a second cannot be said.
    let window_s = whole_seconds(rate.per);
    let policy = format!("\"{name}\";q={};w={window_s}", rate.limit);
    [(RATE_LIMIT, format!("\"{name}\";r={left};t={reset_s}")), (RATE_LIMIT_POLICY, policy)]
}

/// Tells whoever was let in what is left.
pub(super) fn tell(response: &mut Response, of: RateOf, left: &Left) {
    let said = headers(of, &left.rate, left.left, whole_seconds(left.full_after));
    response.headers_mut().extend(said.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?))));
}
