//! Events inside: what workflows emit, wait for, start and answer.

mod answers;
mod children;
mod crash;
mod endings;
mod events;
mod many;
mod waits;

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use hence::domain::Value;
use hence::domain::id::RunId;
use hence::store::RunHead;
use tokio::sync::watch;

use crate::support::{Project, Recorder, TestApp, ok};

/// A project of these workflows.
fn project(workflows: &[(&str, &str)]) -> Project {
    let files: Vec<(String, &str)> = workflows.iter().map(|(name, text)| (format!("workflows/{name}.yaml"), *text)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    Project::new(&files)
}

/// A workflow that is started by hand and emits one event, whose body is its own event's.
const EMITTER: &str = "when: [manual]\nsteps:\n  - {emit: order.paid, with: {id: '${event.body.id ?? 0}', n: '${event.body.n ?? 0}'}}\n";

/// Waits until there are so many runs and all have ended; oldest first.
async fn all_ended(app: &TestApp, count: usize) -> Vec<RunHead> {
    app.until(async |app| {
        let runs = app.all_runs().await;
        assert!(runs.len() <= count, "{} runs: {runs:#?}", runs.len());
        (runs.len() == count && runs.iter().all(|run| run.status.is_final())).then_some(runs)
    })
    .await
}

async fn output(app: &TestApp, run: RunId) -> Value {
    let shown = app.get(&format!("/runs/{run}")).await.body;
    assert_eq!(shown["error"]["message"], Value::Null, "{shown:#}");
    shown["output"].clone()
}

/// Why a run failed.
fn error(run: &RunHead) -> &str {
    run.error.as_ref().map_or("", |error| &error.message)
}

/// Answers to calls are held back until it is opened.
struct Gate(watch::Sender<bool>);

impl Gate {
    fn open(&self) {
        self.0.send_replace(true);
    }
}

/// A recorder whose calls to an address that ends with `held` wait for the gate.
fn gated() -> (Arc<Recorder>, Gate) {
    let (open, seen) = watch::channel(false);
    let seen = Arc::new(Mutex::new(seen));
    let recorder = Recorder::with(Box::new(move |request, _| {
        let answer = ok(request);
        if !request.with["url"].as_str().unwrap().ends_with("held") {
            return async { Ok(answer) }.boxed();
        }
        let mut seen = seen.lock().unwrap().clone();
        async move {
            seen.wait_for(|open| *open).await.unwrap();
            Ok(answer)
        }
        .boxed()
    }));
    (recorder, Gate(open))
}
