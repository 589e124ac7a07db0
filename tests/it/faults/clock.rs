//! The clock is set an hour forward and back, again and again.

use std::time::Duration;

use hence::domain::run::Status;
use hence::domain::time::Timestamp;
use hence::store::Store;
use serde_json::json;

use crate::support::app::BEGIN;
use crate::support::{Project, Recorder, TestApp};

const HOUR_MS: i64 = 3_600_000;

fn at(hours: i64) -> Timestamp {
    Timestamp(BEGIN.0 + hours * HOUR_MS)
}

#[tokio::test]
async fn a_wait_ends_once_and_not_before_its_time() {
    let project = Project::of("when: [{manual: }]\nsteps:\n  - wait: 90m\n  - call: http.get\n    with: {url: 'http://crm.test/x'}\n");
    let app = TestApp::start(&project, Recorder::fine()).await;
    let run = app.begin("main", json!({})).await;
    let wake = app.stands(run, Status::Waiting).await.wake.unwrap();
    assert_eq!(wake, Timestamp(at(1).0 + HOUR_MS / 2));
    let mut runs = vec![run];
    for hours in [1, 0, 1, 0, 1] {
        app.clock.set(at(hours));
        runs.push(app.begin("main", json!({})).await);
        app.stands(runs[runs.len() - 1], Status::Waiting).await;
        assert_eq!(app.recorder.calls().len(), 0);
    }
    assert!(runs.is_sorted(), "ids are in the order in which they were made: {runs:?}");
    app.clock.set(at(9));
    for run in &runs {
        app.stands(*run, Status::Succeeded).await;
    }
    app.clock.set(at(-9));
    runs.push(app.begin("main", json!({})).await);
    app.clock.set(at(9));
    app.stands(runs[runs.len() - 1], Status::Succeeded).await;
    assert!(runs.is_sorted());
    assert_eq!(app.recorder.calls().len(), runs.len(), "each called once");
}

#[tokio::test]
async fn a_due_time_that_comes_twice_fires_once() {
    let project = Project::of("when: [{schedule: {every: 1h}}]\nsteps: [{stop: event.body.due}]\n");
    let app = TestApp::start(&project, Recorder::fine()).await;
    app.until(async |app| app.store.cursor("main every 3600000ms").await.unwrap()).await;
    for hour in 1..=3 {
        app.clock.set(at(hour));
        app.until(async |app| (app.all_runs().await.len() == usize::try_from(hour).unwrap()).then_some(())).await;
        app.clock.set(at(hour - 1));
        app.clock.advance(Duration::from_secs(60));
    }
    app.clock.set(at(4));
    let runs = app.until(async |app| Some(app.all_runs().await).filter(|runs| 4 <= runs.len())).await;
    let mut due = Vec::new();
    for run in runs {
        app.stands(run.id, Status::Succeeded).await;
        due.push(app.get(&format!("/runs/{}", run.id)).await.body["output"].as_str().unwrap().to_owned());
    }
    assert_eq!(due, [1, 2, 3, 4].map(|hour| at(hour).to_string()));
}
