//! From a step's input to the request that will be sent. Pure: nothing is resolved, nothing is sent.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Method, Url};
use serde_json::json;

use super::auth::Credential;
use super::body::Body;
use super::expect::Expect;
use super::input::{bad, connection, given, scalar, sort, with};
use super::{headers, target};
use crate::connector::{Request, nearest};
use crate::domain::failure::Failure;
use crate::domain::{Map, Value};

/// How many redirects are followed when a step does not say.
pub const DEFAULT_REDIRECTS: u64 = 5;
/// The most redirects that a step may ask for.
pub const MAX_REDIRECTS: u64 = 20;

/// The header by which a receiver recognises a repeated attempt.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("hence/", env!("CARGO_PKG_VERSION")));
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// A request, ready to be sent or shown.
#[derive(Clone)]
pub struct Prepared {
    /// Upper case.
    pub method: Method,
    /// Absolute, query included. May hold secrets.
    pub url: Url,
    /// All but those that frame the message. May hold secrets.
    pub headers: HeaderMap,
    /// Nothing for requests without a body.
    pub body: Option<Bytes>,
    pub(super) expect: Expect,
    pub(super) redirects: u64,
    pub(super) max_body_bytes: Option<u64>,
}

/// Reads a step's input.
///
/// # Errors
/// `BadInput`, saying which field is wrong and what would be right.
pub fn prepare(request: &Request) -> Result<Prepared, Failure> {
    let with = with(&request.with)?;
    let connection = connection(&request.connection)?;
    let method = method(&request.action, with)?;
    let mut url = target::url(with, connection)?;
    let body = Body::read(with)?;
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(USER_AGENT, AGENT);
    if !matches!(method, Method::GET | Method::HEAD) {
        headers.insert(IDEMPOTENCY_KEY, headers::value("the idempotency key", &request.idempotency_key)?);
    }
    if let Some(body) = &body {
        headers.insert(CONTENT_TYPE, body.content_type.clone());
    }
    authorise(with, connection, &mut url, &mut headers)?;
    if let Some(body) = body.as_ref().filter(|body| body.fixed_type)
        && headers.get(CONTENT_TYPE) != Some(&body.content_type)
    {
        return Err(bad("`headers`: leave Content-Type out with `multipart`, hence sets it with the boundary"));
    }
    Ok(Prepared {
        method,
        url,
        headers,
        body: body.map(|body| body.bytes),
        expect: Expect::read(given(with, "expect"))?,
        redirects: redirects(given(with, "redirects"))?,
        max_body_bytes: max_body(given(with, "max_body"))?,
    })
}

/// What is written nearer to the call wins: the step's `auth`, its headers, the URL's user, then the connection.
fn authorise(with: &Map, connection: &Map, url: &mut Url, headers: &mut HeaderMap) -> Result<(), Failure> {
    if let Some(written) = given(connection, "headers") {
        headers::write("the connection's `headers`", written, headers)?;
    }
    if let Some(auth) = given(connection, "auth").filter(|_| given(with, "auth").is_none()) {
        Credential::read(auth)?.put(url, headers);
    }
    if let Some(credential) = url_user(url)? {
        credential.put(url, headers);
    }
    if let Some(written) = given(with, "headers") {
        headers::write("`headers`", written, headers)?;
    }
    if let Some(auth) = given(with, "auth") {
        Credential::read(auth)?.put(url, headers);
    }
    Ok(())
}

/// Takes `user:password@` out of the URL.
fn url_user(url: &mut Url) -> Result<Option<Credential>, Failure> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let plain = |text: &str| {
        form_urlencoded::parse(format!("={}", text.replace('+', "%2B")).as_bytes()).map(|(_, text)| text.into_owned()).collect::<String>()
    };
    let credential = Credential::basic(&plain(url.username()), &plain(url.password().unwrap_or_default()))?;
    if url.set_username("").and(url.set_password(None)).is_err() {
        return Err(bad("`url` has a user name in it that cannot be taken out: use `auth: {basic: {user, password}}`"));
    }
    Ok(Some(credential))
}

fn method(action: &str, with: &Map) -> Result<Method, Failure> {
    let written = given(with, "method");
    if action != "request" {
        return match written {
            None => Method::from_bytes(action.to_uppercase().as_bytes()).map_err(|_why| bad(format!("`http` has no action `{action}`"))),
            Some(_) => Err(bad(format!("`method` does not go with `http.{action}`: leave it out, or call `http.request`"))),
        };
    }
    let Some(written) = written else {
        return Err(bad(format!("`http.request` needs `method`: one of {}", METHODS.join(", "))));
    };
    let text = scalar(written).ok_or_else(|| bad(format!("`method` is {}: expected a text", sort(written))))?.to_uppercase();
    match METHODS.iter().find(|known| **known == text) {
        Some(known) => Method::from_bytes(known.as_bytes()).map_err(|why| bad(format!("`method`: {why}"))),
        None => Err(bad(format!("`method` is none of {}{}", METHODS.join(", "), nearest::hint(&text, METHODS)))),
    }
}

fn redirects(written: Option<&Value>) -> Result<u64, Failure> {
    match written {
        None | Some(Value::Bool(true)) => Ok(DEFAULT_REDIRECTS),
        Some(Value::Bool(false)) => Ok(0),
        Some(other) => other
            .as_u64()
            .filter(|count| *count <= MAX_REDIRECTS)
            .ok_or_else(|| bad(format!("`redirects` is not usable: expected true, false or a number from 0 to {MAX_REDIRECTS}"))),
    }
}

fn max_body(written: Option<&Value>) -> Result<Option<u64>, Failure> {
    let bytes = |value: &Value| value.as_u64().ok_or_else(|| bad(format!("`max_body` is {}: expected a number of bytes", sort(value))));
    written.map(bytes).transpose()
}

impl Prepared {
    /// Method and address without query, for messages.
    pub(super) fn label(&self) -> String {
        format!("{} {}", self.method, target::shown(&self.url))
    }

    /// As a dry run shows it: method, url, headers, body. Secrets are in it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut shown = Map::new();
        for name in self.headers.keys() {
            let values = self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect::<Vec<_>>();
            shown.insert(name.to_string(), Value::from(values.join(", ")));
        }
        let is_json = self.headers.get(CONTENT_TYPE).is_some_and(super::answer::is_json);
        let body = self.body.as_ref().map(|bytes| {
            let parsed = is_json.then(|| serde_json::from_slice(bytes).ok()).flatten();
            let text = || str::from_utf8(bytes).map_or_else(|_binary| STANDARD.encode(bytes), str::to_owned);
            parsed.unwrap_or_else(|| Value::from(text()))
        });
        json!({"method": self.method.as_str(), "url": self.url.as_str(), "headers": shown, "body": body})
    }
}

/// Secrets may be anywhere in it, so only the label is shown.
impl fmt::Debug for Prepared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Prepared").field(&self.label()).finish()
    }
}
