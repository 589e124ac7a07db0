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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::connector::egress::Egress;
    use crate::connector::http::{HttpConnector, HttpSettings};

    fn fetch(allow: &[String]) -> Fetch {
        let settings = HttpSettings { egress: Egress::new(allow).unwrap(), ..HttpSettings::default() };
        Fetch(Arc::new(HttpConnector::new(settings).unwrap()))
    }

    async fn answer(listener: &TcpListener, head: &str, body: &str) {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        assert_ne!(socket.read(&mut request).await.unwrap(), 0);
        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        // A client that wants no more of it may have gone.
        let _sent = socket.write_all(answer.as_bytes()).await;
    }

    #[tokio::test]
    async fn what_is_fetched_passes_the_guard_and_keeps_to_its_bounds() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}/a.pem");
        let refused = fetch(&[]).fetch(&url).await.unwrap_err();
        assert!(refused.contains("egress.allow"), "{refused}");
        let open = fetch(&[address.to_string()]);
        let check = async |head: &str, body: &str| tokio::join!(open.fetch(&url), answer(&listener, head, body)).0;
        assert_eq!(check("200 OK", "-----BEGIN").await.as_deref(), Ok("-----BEGIN"));
        assert!(check("200 OK", &"x".repeat(65_537)).await.unwrap_err().contains("65536"));
        assert!(check("302 Found\r\nlocation: http://127.0.0.1:1/", "").await.unwrap_err().contains("302"));
        assert!(check("404 Not Found", "nothing").await.unwrap_err().contains("404"));
    }
}
