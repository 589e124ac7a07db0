//! What every request comes through, before any route: is it one at all, and what was refused.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::HttpBody;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{Request, StatusCode};
use tower_service::Service;

use super::problem::Marked;
use super::{ProblemResponse, Web};
use crate::intake::limits::{Refused, sender};

/// Who sent a request: the address that counts, behind trusted proxies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender(pub(super) IpAddr);

/// The front door.
pub struct Door {
    router: Router,
    web: Arc<Web>,
    uri_limit_bytes: usize,
}

/// Why a request was refused before it could be read as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is not HTTP/1.
    Malformed,
    /// Its path and query are longer than any server takes.
    LongUri,
    /// Its headers are too many, or too large.
    LargeHead,
    /// Its headers did not come in time.
    SlowHead,
    /// There are as many connections as there may be.
    Crowded,
    /// It is not TLS, and the port is.
    Plain,
}

impl Door {
    /// In front of `router`.
    #[must_use]
    pub fn new(router: Router, web: Arc<Web>, uri_limit_bytes: usize) -> Self {
        Self { router, web, uri_limit_bytes }
    }

    /// Answers a request that came over a connection from `peer`.
    pub async fn answer<B>(&self, mut request: Request<B>, peer: IpAddr) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let sender = sender(&self.web.intake.door.proxies, peer, request.headers());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let response = match self.unfit(&uri) {
            Some(problem) => problem.into_response(),
            None => {
                request.extensions_mut().insert(Sender(sender));
                match self.router.clone().call(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
        };
        if let Some(marked) = response.extensions().get::<Marked>() {
            self.note(marked, response.status(), method.as_str(), uri.path(), Some(sender));
        }
        response
    }

    /// The answer to what could not be read as a request: a whole one, with its head, after which the connection ends.
    #[must_use]
    pub fn unread(&self, why: Unread, peer: IpAddr) -> Bytes {
        let (status, code, detail) = why.words();
        let problem = ProblemResponse::new(status, code, detail).remembered(detail);
        let retry_after = if why == Unread::Crowded { "retry-after: 5\r\n" } else { "" };
        self.note(&problem.mark(), status, "", "", Some(peer.to_canonical()));
        let reason = status.canonical_reason().unwrap_or_default();
        let body = problem.body().to_string();
        let whole = format!(
            "HTTP/1.1 {} {reason}\r\ncontent-type: application/problem+json\r\n{retry_after}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            status.as_u16(),
            body.len()
        );
        Bytes::from(whole)
    }

    /// What is wrong with a request's target, whatever is there.
    fn unfit(&self, uri: &http::Uri) -> Option<ProblemResponse> {
        let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
        if self.uri_limit_bytes < length {
            let detail = format!("path and query are longer than {} bytes (`limits.uri`); send data in the body", self.uri_limit_bytes);
            return Some(ProblemResponse::new(StatusCode::URI_TOO_LONG, "uri-too-long", detail));
        }
        let detail = bad_escape(uri.path()).or_else(|| hidden_slash(uri.path()))?;
        Some(ProblemResponse::new(StatusCode::BAD_REQUEST, "bad-path", &*detail).remembered(&*detail))
    }

    fn note(&self, marked: &Marked, status: StatusCode, method: &str, path: &str, sender: Option<IpAddr>) {
        let Marked { code, hook, detail } = marked;
        // Who has the token is no stranger: only those without it are turned away at the door. And an event whose run
        // failed was taken in.
        let is_inside = path.starts_with("/api/") && status != StatusCode::UNAUTHORIZED;
        if is_inside || status == StatusCode::INTERNAL_SERVER_ERROR {
            return;
        }
        // These links are credentials.
        let path = if path.starts_with("/approve/") { "/approve/…" } else { path };
        let refused = Refused { reason: code, status: status.as_u16(), hook: hook.clone(), method, path, sender, detail };
        let intake = &self.web.intake;
        intake.door.refusals.note(refused, &intake.secrets, intake.clock.now());
    }
}

impl Unread {
    fn words(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed => {
                (StatusCode::BAD_REQUEST, "bad-head", "this is no HTTP/1.1 request: its first line or a header cannot be read")
            }
            Self::LongUri => {
                (StatusCode::URI_TOO_LONG, "uri-too-long", "path and query are too long (`limits.uri`); send data in the body")
            }
            Self::LargeHead => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "head-too-large",
                "the headers are more than 100, or larger than the server takes (`limits.headers`)",
            ),
            Self::SlowHead => (
                StatusCode::REQUEST_TIMEOUT,
                "slow-head",
                "the headers were not complete in time (`limits.head_timeout`); send them at once",
            ),
            Self::Crowded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too-many-connections",
                "the server has as many connections as it may (`limits.connections`); send it again later",
            ),
            Self::Plain => (StatusCode::BAD_REQUEST, "tls-required", "this port speaks TLS: use https://"),
        }
    }
}

/// A slash that is written as an escape does not part segments (RFC 3986, section 2.2): taken for one, a path would mean
/// something else here than in front of the server.
fn hidden_slash(path: &str) -> Option<String> {
    let below = path.strip_prefix("/hooks/").or_else(|| path.strip_prefix("/forms/"))?;
    let is_hidden = below.as_bytes().windows(3).any(|three| three.eq_ignore_ascii_case(b"%2f"));
    is_hidden.then(|| "the path has a slash as an escape (`%2F`): write `/` between segments, and nothing like it within one".to_owned())
}

/// What is wrong with the percent escapes of a path.
fn bad_escape(path: &str) -> Option<String> {
    if !path.contains('%') {
        return None;
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
        let Some((high, low)) = digit().and_then(|high| Some((high, digit()?))) else {
            return Some("the path has a `%` that two hexadecimal digits do not follow; write `%25` for the character itself".to_owned());
        };
        decoded.push(high << 4 | low);
    }
    if decoded.contains(&0) {
        return Some("the path holds a null character".to_owned());
    }
    std::str::from_utf8(&decoded).err().map(|_| "the path is not UTF-8 after its percent escapes are decoded".to_owned())
}

#[cfg(test)]
mod tests {
    use super::bad_escape;

    #[test]
    fn escapes_that_are_none_are_found() {
        let check = |path: &str, words: Option<&str>| match (bad_escape(path), words) {
            (Some(found), Some(words)) => assert!(found.contains(words), "{path}: {found}"),
            (found, words) => assert_eq!(found.as_deref(), words, "{path}"),
        };
        check("/hooks/a", None);
        check("/hooks/%C3%A9/%2F", None);
        check("/hooks/%c3%a9", None);
        check("/hooks/%", Some("hexadecimal"));
        check("/hooks/%4", Some("hexadecimal"));
        check("/hooks/%zz", Some("hexadecimal"));
        check("/hooks/%+1", Some("hexadecimal"));
        check("/hooks/%ff", Some("UTF-8"));
        check("/hooks/%00", Some("null"));
    }
}
