//! `http`: any HTTP API. The only outbound socket of its kind: it has the egress guard, the bounds and
//! the idempotency key.

mod answer;
mod api;
mod auth;
mod body;
mod clients;
mod expect;
mod headers;
mod input;
mod prepare;
mod redirect;
mod target;
#[cfg(test)]
mod tests;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

pub use self::answer::{DETAIL_BYTES, EXCERPT_CHARS};
pub use self::api::{Distrust, api_client, tls_api_client};
pub use self::prepare::{DEFAULT_REDIRECTS, MAX_REDIRECTS, Prepared, prepare};
use super::egress::{ANY_OTHER_PORT, Egress};
use super::{Connector, Request};
use crate::clock::{Clock, SystemClock};
use crate::domain::Value;
use crate::domain::failure::{Failure, FailureKind};

/// The largest answer that is read when nothing else is set.
pub const DEFAULT_MAX_ANSWER_BYTES: u64 = 10 * 1024 * 1024;
/// How long a connection may take to be made when nothing else is set.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept when nothing else is set.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How many idle connections to one host are kept when nothing else is set.
pub const DEFAULT_MAX_IDLE_PER_HOST: usize = 64;

/// Its actions.
pub const ACTIONS: &[&str] = &["get", "post", "put", "patch", "delete", "request"];

/// How calls are made.
#[derive(Clone)]
pub struct HttpSettings {
    /// What may be called beyond the public internet.
    pub egress: Egress,
    /// How long a connection may take to be made, TLS included.
    pub connect_timeout: Duration,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// How many idle connections to one host are kept.
    pub max_idle_per_host: usize,
    /// The largest answer, after decompression; a step's `max_body` can only lower it.
    pub max_answer_bytes: u64,
    /// PEM files with authorities to trust beside the machine's own.
    pub extra_root_pems: Vec<Vec<u8>>,
    /// For `Retry-After` dates in answers without a `Date`.
    pub clock: Arc<dyn Clock>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            egress: Egress::default(),
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            idle_timeout: DEFAULT_IDLE_TIMEOUT,
            max_idle_per_host: DEFAULT_MAX_IDLE_PER_HOST,
            max_answer_bytes: DEFAULT_MAX_ANSWER_BYTES,
            extra_root_pems: Vec::new(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Calls HTTP APIs.
pub struct HttpConnector {
    settings: HttpSettings,
    clients: clients::Clients,
}

impl HttpConnector {
    /// Opens nothing yet.
    ///
    /// # Errors
    /// Says which extra root certificate cannot be used.
    pub fn new(settings: HttpSettings) -> Result<Self, String> {
        Ok(Self { clients: clients::Clients::new(&settings)?, settings })
    }

    async fn exchange(&self, mut hop: Prepared) -> Result<Value, Failure> {
        let limit_bytes = self.limit(&hop)?;
        let mut followed = 0;
        loop {
            let label = hop.label();
            let response = self.send(&label, &hop).await?;
            // A redirect that `expect` names is the answer.
            if hop.expect.holds(response.status().as_u16()) {
                return answer::output(&label, response, limit_bytes).await;
            }
            if hop.redirects == 0 || !redirect::is_one(&response) {
                return Err(answer::unexpected(&label, response, self.settings.clock.now()).await);
            }
            if hop.redirects <= followed {
                let message = format!("{label} redirects on after {followed} redirects: check the URL, or raise `redirects`");
                return Err(Failure::new(FailureKind::Status, message).with_status(response.status().as_u16()));
            }
            redirect::follow(&mut hop, &label, &response)?;
            followed += 1;
        }
    }

    async fn send(&self, label: &str, hop: &Prepared) -> Result<reqwest::Response, Failure> {
        self.settings.egress.check_url(&hop.url).map_err(|mut failure| {
            failure.message = format!("{label} was not sent: {}", failure.message);
            failure
        })?;
        let client = self.clients.of(hop.url.port_or_known_default().unwrap_or(ANY_OTHER_PORT), &self.settings)?;
        let mut wire = reqwest::Request::new(hop.method.clone(), hop.url.clone());
        *wire.headers_mut() = hop.headers.clone();
        *wire.body_mut() = hop.body.clone().map(Into::into);
        client.execute(wire).await.map_err(|error| trouble::failure(label, &error))
    }

    fn limit(&self, hop: &Prepared) -> Result<u64, Failure> {
        let most = self.settings.max_answer_bytes;
        match hop.max_body_bytes {
            Some(asked) if most < asked => {
                Err(input::bad(format!("`max_body` is {asked} bytes, more than this server's limit of {most}: ask for less")))
            }
            asked => Ok(asked.unwrap_or(most)),
        }
    }
}

impl Connector for HttpConnector {
    fn actions(&self) -> &'static [&'static str] {
        ACTIONS
    }

    fn call(&self, request: Request) -> BoxFuture<'_, Result<Value, Failure>> {
        Box::pin(async move {
            let prepared = prepare(&request)?;
            let label = prepared.label();
            // The input is not needed any more and may be large.
            let timeout = request.timeout;
            drop(request);
            tokio::time::timeout(timeout, self.exchange(prepared)).await.unwrap_or_else(|_elapsed| {
                let message = format!(
                    "{label} gave no whole answer within {timeout:?}: it may be slow or down; raise the step's `timeout` if it needs longer"
                );
                Err(Failure::new(FailureKind::Timeout, message))
            })
        })
    }
}
