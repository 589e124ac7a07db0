//! Following redirects (RFC 9110, 15.4). The guard sees each new address before it is called.

use http::StatusCode;
use http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, USER_AGENT,
};
use reqwest::{Method, Response};

use super::prepare::{IDEMPOTENCY_KEY, Prepared};
use crate::domain::failure::{Failure, FailureKind};

/// What another host may see. All else may be a credential: besides Authorization and Cookie every
/// API has a key header of its own.
const HARMLESS: [HeaderName; 7] = [ACCEPT, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, IDEMPOTENCY_KEY, USER_AGENT];
/// What goes when the body goes.
const OF_THE_BODY: [HeaderName; 4] = [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, IDEMPOTENCY_KEY];

pub(super) fn is_one(response: &Response) -> bool {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) && response.headers().contains_key(LOCATION)
}

/// Turns the hop into the next one.
pub(super) fn follow(hop: &mut Prepared, label: &str, response: &Response) -> Result<(), Failure> {
    let location = response.headers().get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let next = hop.url.join(&location.unwrap_or_default()).map_err(|why| {
        Failure::new(FailureKind::BadAnswer, format!("{label} redirects to an address that cannot be read: {why}"))
            .with_status(response.status().as_u16())
    })?;
    if next.origin() != hop.url.origin() {
        hop.headers = harmless(&hop.headers);
    }
    if becomes_get(response.status(), &hop.method) {
        hop.method = Method::GET;
        hop.body = None;
        OF_THE_BODY.iter().for_each(|name| {
            hop.headers.remove(name);
        });
    }
    hop.url = next;
    hop.url.set_fragment(None);
    // An address that another server chose brings no credentials of its own.
    let named = !hop.url.username().is_empty() || hop.url.password().is_some();
    if named && hop.url.set_username("").and(hop.url.set_password(None)).is_err() {
        return Err(Failure::new(FailureKind::BadAnswer, format!("{label} redirects to an address with a user but no host")));
    }
    Ok(())
}

fn harmless(headers: &HeaderMap) -> HeaderMap {
    HARMLESS.iter().flat_map(|name| headers.get_all(name).iter().map(move |value| (name.clone(), value.clone()))).collect()
}

/// 303 always asks for a GET; 301 and 302 do so for a POST, as every browser and client has it.
fn becomes_get(status: StatusCode, method: &Method) -> bool {
    match status {
        StatusCode::SEE_OTHER => *method != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *method == Method::POST,
        _ => false,
    }
}
