//! The other side of the calls: keeps what it gets and answers as a test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::must;

/// A request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Its `Idempotency-Key`.
    pub(crate) key: String,
    /// The body, JSON or null.
    pub(crate) body: Value,
}

type Answer = Box<dyn Fn(Seen) -> BoxFuture<'static, StatusCode> + Send + Sync>;

struct Shared {
    seen: Mutex<Vec<Seen>>,
    count: watch::Sender<usize>,
    answer: Answer,
}

/// A local HTTP server; it ends with the test.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

impl Receiver {
    /// One that answers 200 to everything.
    pub(crate) async fn start() -> Self {
        Self::answering(|_| std::future::ready(StatusCode::OK)).await
    }

    /// One that answers when and as `answer` says. The request counts as arrived before that.
    pub(crate) async fn answering<F>(answer: impl Fn(Seen) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = StatusCode> + Send + 'static,
    {
        let answer: Answer = Box::new(move |seen| Box::pin(answer(seen)));
        let shared = Arc::new(Shared { seen: Mutex::default(), count: watch::Sender::new(0), answer });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(receive).with_state(Arc::clone(&shared));
        let stop = CancellationToken::new();
        let stopping = stop.clone().cancelled_owned();
        TaskTracker::new().spawn(async move {
            tokio::select! {
                served = axum::serve(listener, router) => served.unwrap(),
                () = stopping => {}
            }
        });
        Self { address, shared, _stop: stop.drop_guard() }
    }

    /// One that answers 200 once for each permit that the test adds.
    pub(crate) async fn gated() -> (Self, Arc<Semaphore>) {
        let gate = Arc::new(Semaphore::new(0));
        let opened = Arc::clone(&gate);
        let receiver = Self::answering(move |_| {
            let gate = Arc::clone(&opened);
            async move {
                gate.acquire().await.unwrap().forget();
                StatusCode::OK
            }
        });
        (receiver.await, gate)
    }

    /// Everything that arrived, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How many requests arrived.
    pub(crate) fn count(&self) -> usize {
        *self.shared.count.borrow()
    }

    /// Returns when `count` requests have arrived since the start.
    pub(crate) async fn arrived(&self, count: usize) {
        let mut counted = self.shared.count.subscribe();
        must(&format!("{count} requests arrive"), counted.wait_for(|now| count <= *now)).await.unwrap();
    }

    /// Returns when what has arrived is enough.
    pub(crate) async fn until(&self, what: &str, enough: impl Fn(&[Seen]) -> bool) {
        let mut counted = self.shared.count.subscribe();
        let arrives = async {
            while !enough(&self.seen()) {
                counted.changed().await.unwrap();
            }
        };
        must(what, arrives).await;
    }
}

async fn receive(State(shared): State<Arc<Shared>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let key = headers.get("idempotency-key").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let seen = Seen { method: method.to_string(), path: uri.path().to_owned(), key, body };
    shared.seen.lock().unwrap().push(seen.clone());
    shared.count.send_modify(|count| *count += 1);
    (shared.answer)(seen).await.into_response()
}
