//! A server in this process: real listener, real executor, a clock that the test moves.

use std::sync::Arc;
use std::time::Duration;

use hence::app::{App, Parts, StartError};
use hence::clock::{Clock, ManualClock};
use hence::config::{self, Flags};
use hence::connector::Connector;
use hence::domain::Value;
use hence::domain::id::RunId;
use hence::domain::journal::{Entry, Fact};
use hence::domain::run::Status;
use hence::domain::time::Timestamp;
use hence::store::embedded;
use hence::store::kv::Kv;
use hence::store::kv::memory::Memory;
use hence::store::{RunFilter, RunHead, Store};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::watched::Watched;
use super::{Project, Recorder};

/// 2026-03-01T09:00:00Z, when every test begins.
pub const BEGIN: Timestamp = Timestamp(1_772_355_600_000);

/// What a server lives on: give it again to the next one, and it is a restart.
#[derive(Clone)]
pub struct Life {
    pub kv: Arc<dyn Kv>,
    pub clock: Arc<ManualClock>,
    pub recorder: Arc<Recorder>,
}

impl Life {
    pub fn new(recorder: Arc<Recorder>) -> Self {
        Self { kv: Arc::new(Memory::default()), clock: Arc::new(ManualClock::new(BEGIN)), recorder }
    }
}

/// A server in this process.
pub struct TestApp {
    pub app: App,
    pub store: Arc<Watched>,
    pub clock: Arc<ManualClock>,
    pub recorder: Arc<Recorder>,
    pub http: reqwest::Client,
    pub url: String,
    _folder: Arc<TempDir>,
}

/// An answer: status, headers, body as JSON (or text).
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The runs of a receipt.
    pub fn runs(&self) -> Vec<RunId> {
        let runs = self.body["runs"].as_array().unwrap();
        runs.iter().map(|run| run["run"].as_str().unwrap().parse().unwrap()).collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

impl TestApp {
    /// Starts on an empty store.
    pub async fn start(project: &Project, recorder: Arc<Recorder>) -> Self {
        Self::resume(project, Life::new(recorder)).await.unwrap()
    }

    /// Starts on what another server left.
    pub async fn resume(project: &Project, life: Life) -> Result<Self, StartError> {
        let _started = hence::telemetry::start(config::LogFormat::Text, "hence=error");
        let Life { kv, clock, recorder } = life;
        let store = Watched::new(embedded::over(kv, None)?);
        let (config, problems) = config::load(project.dir(), Flags { store: Some("memory:".to_owned()), ..Flags::default() });
        assert!(!problems.iter().any(hence::workflow::problem::Problem::is_error), "{problems:?}");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let parts = Parts {
            store: Some(Arc::clone(&store) as Arc<dyn Store>),
            clock: Some(Arc::clone(&clock) as Arc<dyn Clock>),
            connectors: Some(vec![("http", Arc::clone(&recorder) as Arc<dyn Connector>)]),
        };
        let app = App::start(config, listener, parts).await?;
        let url = format!("http://{}", app.address);
        let http = hence::connector::http::api_client(Duration::from_secs(60)).unwrap();
        Ok(Self { app, store, clock, recorder, http, url, _folder: project.keep() })
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    /// `POST /hooks/PATH` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.http.post(format!("{}/hooks/{path}", self.url)).json(body)).await
    }

    /// A request to the API with the token.
    pub async fn api(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Answer {
        let request = self.http.request(method, format!("{}/api{path}", self.url)).bearer_auth(self.app.token.expose());
        self.send(if let Some(body) = body { request.json(&body) } else { request }).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.api(reqwest::Method::GET, path, None).await
    }

    /// Starts a workflow by hand and gives its run.
    pub async fn begin(&self, workflow: &str, event: Value) -> RunId {
        let receipt = self.api(reqwest::Method::POST, "/runs", Some(json!({"workflow": workflow, "event": event}))).await;
        receipt.runs()[0]
    }

    /// Waits until `found` gives something; it is asked again after every write to the store.
    pub async fn until<T>(&self, mut found: impl AsyncFnMut(&Self) -> Option<T>) -> T {
        let mut writes = self.store.writes.subscribe();
        loop {
            writes.mark_unchanged();
            if let Some(found) = found(self).await {
                return found;
            }
            writes.changed().await.unwrap();
        }
    }

    /// Waits for a run to stand so.
    pub async fn stands(&self, run: RunId, status: Status) -> RunHead {
        self.until(async |app| app.store.run(run).await.unwrap().filter(|head| head.status == status)).await
    }

    /// Waits for a run's end; what it waits for comes at once, since the clock is moved there.
    pub async fn ended(&self, run: RunId) -> RunHead {
        self.until(async |app| {
            let head = app.store.run(run).await.unwrap()?;
            if let Some(wake) = head.wake {
                app.clock.advance_to(wake);
            }
            head.status.is_final().then_some(head)
        })
        .await
    }

    /// A canceled run lets the calls in hand end for a while: that while passes.
    pub async fn give_up_calls(&self, run: RunId) {
        self.until(async |app| app.facts(run).await.iter().any(|entry| entry.fact == Fact::CancelRequested).then_some(())).await;
        self.clock.advance(Duration::from_secs(10));
    }

    /// All runs there are, oldest first.
    pub async fn all_runs(&self) -> Vec<RunHead> {
        let mut runs = self.store.runs(RunFilter::default(), 10_000).await.unwrap().items;
        runs.reverse();
        runs
    }

    pub async fn facts(&self, run: RunId) -> Vec<Entry> {
        self.store.facts(run).await.unwrap()
    }
}
