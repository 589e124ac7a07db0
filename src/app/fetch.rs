//! What senders of hooks publish is fetched by the `http` connector: through its egress guard, and within its bounds.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::json;

use crate::connector::{Connector, Request};
use crate::domain::Value;
use crate::intake::verify::FetchCertificate;

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer: a certificate with its chain has some 6 KB.
const ANSWER_BYTES: u64 = 64 * 1024;

/// Fetches with a connector.
pub(super) struct Fetch(pub(super) Arc<dyn Connector>);

impl FetchCertificate for Fetch {
    fn fetch(&self, url: &str) -> BoxFuture<'_, Result<String, String>> {
        let request = Request {
            action: "get".into(),
            with: json!({"url": url, "redirects": 0, "max_body": ANSWER_BYTES}),
            connection: Arc::default(),
            idempotency_key: String::new(),
            timeout: TIMEOUT,
        };
        Box::pin(async move {
            let output = self.0.call(request).await.map_err(|failure| failure.message)?;
            Ok(output.get("body").and_then(Value::as_str).unwrap_or_default().to_owned())
        })
    }
}
