//! Many runs that wait for one type.

use std::collections::BTreeSet;

use hence::domain::run::Status;
use serde_json::json;

use super::project;
use crate::support::{Recorder, TestApp};

const RUNS: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_runs_each_hear_their_own_event() {
    let waiter = "
when: [{webhook: {path: wait, verify: none}}]
steps:
  - id: paid
    wait: {event: order.paid, if: event.body.id == run.event.body.id}
  - stop: steps.paid.body.id
";
    let emitter = "when: [manual]\nsteps:\n  - foreach: event.body.ids\n    steps: [{emit: order.paid, with: {id: '${item}'}}]\n";
    let project = project(&[("waiter", waiter), ("emitter", emitter)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let mut waiting = Vec::new();
    for id in 0..RUNS {
        waiting.push(app.post("wait", &json!({"id": id})).await.runs()[0]);
    }
    for run in &waiting {
        app.stands(*run, Status::Waiting).await;
    }
    app.begin("emitter", json!({"ids": (0..RUNS).collect::<Vec<_>>()})).await;
    let mut heard = BTreeSet::new();
    for run in &waiting {
        app.stands(*run, Status::Succeeded).await;
        let facts = app.facts(*run).await;
        let taken = facts.iter().find_map(|entry| match &entry.fact {
            hence::domain::journal::Fact::EventTaken { event, .. } => Some(*event),
            _ => None,
        });
        heard.insert(taken.unwrap());
    }
    assert_eq!(heard.len(), RUNS, "each took another event");
}
