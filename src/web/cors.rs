//! What browsers are told about requests from pages of other sites: the CORS protocol of the Fetch standard. There are no
//! cookies here, so credentials are never allowed.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::ProblemResponse;
use crate::domain::door::{Cors, Door, Origins};

/// Headers of answers that a page may read besides those that it always may.
const EXPOSED: HeaderValue = HeaderValue::from_static("location, retry-after, ratelimit, ratelimit-policy");

/// What is added to an answer.
#[derive(Debug)]
pub(super) struct Allowed {
    origin: HeaderValue,
}

/// Whether a page may read the answer to a request; nothing when it is none of a page, or not allowed.
pub(super) fn allowed(door: Option<&Door>, headers: &HeaderMap) -> Option<Allowed> {
    let cors = door?.cors.as_ref()?;
    origin(cors, headers.get(header::ORIGIN)?)
}

fn origin(cors: &Cors, origin: &HeaderValue) -> Option<Allowed> {
    let written = origin.to_str().ok().filter(|origin| cors.allows(origin))?;
    Some(Allowed {
        origin: match cors.origins {
            Origins::Any => HeaderValue::from_static("*"),
            Origins::These(_) => HeaderValue::from_str(written).ok()?,
        },
    })
}

impl Allowed {
    /// Tells the browser.
    pub(super) fn tell(self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
}

/// The method that a browser asks about before it sends a request; nothing when this is no such question.
pub(super) fn asks_about<'h>(method: &Method, headers: &'h HeaderMap) -> Option<&'h str> {
    let is_question = method == Method::OPTIONS && headers.contains_key(header::ORIGIN);
    headers.get(header::ACCESS_CONTROL_REQUEST_METHOD).filter(|_| is_question)?.to_str().ok()
}

/// The answer to such a question about a hook or a form with `cors`.
pub(super) fn preflight(cors: &Cors, method: &str, headers: &HeaderMap) -> Result<Response, ProblemResponse> {
    let allowed = headers.get(header::ORIGIN).and_then(|asked| origin(cors, asked)).ok_or_else(|| {
        let detail = "pages of this origin may not call this: its `cors` names those that may";
        ProblemResponse::new(StatusCode::FORBIDDEN, "origin-not-allowed", detail)
    })?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let said = response.headers_mut();
    let wanted = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let names = if cors.headers.is_empty() { wanted } else { HeaderValue::from_str(&cors.headers.join(", ")).ok() };
    said.extend(names.map(|names| (header::ACCESS_CONTROL_ALLOW_HEADERS, names)));
    said.extend(HeaderValue::from_str(method).ok().map(|method| (header::ACCESS_CONTROL_ALLOW_METHODS, method)));
    said.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(cors.max_age.as_secs()));
    said.append(header::VARY, HeaderValue::from_static("access-control-request-method, access-control-request-headers"));
    allowed.tell(&mut response);
    Ok(response)
}
