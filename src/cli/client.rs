//! Asks the server's API.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Method, StatusCode};

use super::reach::{self, innermost};
use super::{Exit, ServerArgs, Trouble};
use crate::config::{self, ServerAddress};
use crate::domain::Value;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long one may take whose length depends on the store's.
const LONG_TIMEOUT: Duration = Duration::from_secs(24 * 3_600);

/// A client of one server.
pub(super) struct Client {
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    address: ServerAddress,
}

impl Client {
    /// Finds the server by its flags, the environment, or what it left in the data folder.
    pub(super) fn new(args: &ServerArgs) -> Result<Self, Trouble> {
        let address = config::server_address(&args.project, args.data.as_deref(), args.url.as_deref());
        let address = address.map_err(|text| Trouble::new(Exit::Unreachable, text))?;
        if !["http://", "https://"].iter().any(|scheme| address.url.starts_with(scheme)) {
            let text = format!("`{0}` is not a URL: begin it with http://, as in http://{0}", address.url);
            return Err(Trouble::new(Exit::Usage, text));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Trouble::new(Exit::Unreachable, error.to_string()))?;
        let http = reach::client(&address, args.ca.as_deref(), TIMEOUT)?;
        Ok(Self { http, runtime, address })
    }

    /// `GET`, with query parameters that are there.
    pub(super) fn get(&self, path: &str, query: &[(&str, Option<String>)]) -> Result<Value, Trouble> {
        let query: Vec<_> = query.iter().filter_map(|(name, value)| value.as_ref().map(|value| (*name, value))).collect();
        self.send(self.request(Method::GET, path).query(&query))
    }

    /// `POST` with a JSON body.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Trouble> {
        self.send(self.request(Method::POST, path).json(body))
    }

    /// `POST` that may take as long as a store is large.
    pub(super) fn post_for_long(&self, path: &str) -> Result<Value, Trouble> {
        self.send(self.request(Method::POST, path).timeout(LONG_TIMEOUT))
    }

    /// `GET` into a file. An answer that breaks off is an error.
    pub(super) fn download(&self, path: &str, out: &mut dyn std::io::Write) -> Result<u64, Trouble> {
        self.runtime.block_on(async {
            let response = self.answer(self.request(Method::GET, path).timeout(LONG_TIMEOUT)).await?;
            let broken = |error: reqwest::Error| {
                Trouble::new(Exit::Problems, format!("the server broke off: {}; try again, and see its log", innermost(&error)))
            };
            super::backup::copy(response.bytes_stream().map(|piece| piece.map_err(broken)), out).await
        })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.address.url);
        self.http.request(method, url).bearer_auth(self.address.token.expose())
    }

    fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, Trouble> {
        self.runtime.block_on(async { Ok(self.answer(request).await?.json().await.unwrap_or_default()) })
    }

    /// An answer that says it went well.
    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Trouble> {
        let response = request.send().await.map_err(|error| reach::trouble(&self.address, &error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body: Value = response.json().await.unwrap_or_default();
        let detail = body.get("detail").and_then(Value::as_str).unwrap_or("the server gave no reason");
        let exit = match status {
            StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST => Exit::Usage,
            StatusCode::SERVICE_UNAVAILABLE => Exit::Unreachable,
            _ => Exit::Problems,
        };
        Err(Trouble::new(exit, format!("{detail} ({status})")))
    }

    /// Waits on this thread; a client does nothing else meanwhile.
    pub(super) fn pause(&self, span: Duration) {
        use crate::clock::{Clock, SystemClock};
        self.runtime.block_on(SystemClock.pause(span));
    }
}

/// A field of an answer as text; nothing when it is not there.
pub(super) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A list in an answer.
pub(super) fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
