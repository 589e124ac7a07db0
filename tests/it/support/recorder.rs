//! A connector in place of `http`: keeps every request and answers as it is told to.

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use hence::connector::{Connector, Request};
use hence::domain::Value;
use hence::domain::failure::Failure;
use serde_json::json;
use tokio::sync::watch;

/// What it answers to the nth request (from 1) with the same idempotency key.
pub type Answer = Box<dyn Fn(&Request, usize) -> BoxFuture<'static, Result<Value, Failure>> + Send + Sync>;

/// Keeps every request.
pub struct Recorder {
    calls: Mutex<Vec<Request>>,
    count: watch::Sender<usize>,
    answer: Answer,
}

/// An answer with status 200 that names what was called.
pub fn ok(request: &Request) -> Value {
    json!({"status": 200, "headers": {}, "body": {"called": request.with["url"], "contacts": [{"name": "Ada", "email": "ada@example.com"}]}})
}

impl Recorder {
    /// Answers 200 to everything.
    pub fn fine() -> Arc<Self> {
        Self::answering(|request, _| Ok(ok(request)))
    }

    /// Answers at once, by a function.
    pub fn answering(answer: impl Fn(&Request, usize) -> Result<Value, Failure> + Send + Sync + 'static) -> Arc<Self> {
        Self::with(Box::new(move |request, nth| {
            let answer = answer(request, nth);
            Box::pin(async move { answer })
        }))
    }

    /// Answers by a function, in its own time.
    pub fn with(answer: Answer) -> Arc<Self> {
        Arc::new(Self { calls: Mutex::default(), count: watch::Sender::new(0), answer })
    }

    /// Every request so far, in order.
    pub fn calls(&self) -> Vec<Request> {
        self.calls.lock().unwrap().clone()
    }

    /// Returns once so many requests have come.
    pub async fn reached(&self, count: usize) {
        self.count.subscribe().wait_for(|now| count <= *now).await.unwrap();
    }
}

impl Connector for Recorder {
    fn actions(&self) -> &'static [&'static str] {
        hence::connector::http::ACTIONS
    }

    fn call(&self, request: Request) -> BoxFuture<'_, Result<Value, Failure>> {
        let mut calls = self.calls.lock().unwrap();
        let nth = 1 + calls.iter().filter(|call| call.idempotency_key == request.idempotency_key).count();
        let answer = (self.answer)(&request, nth);
        calls.push(request);
        self.count.send_replace(calls.len());
        answer
    }
}
