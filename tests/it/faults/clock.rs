//! The clock is set an hour forward and back, again and again.

use hence::domain::run::Status;
use hence::domain::time::Timestamp;
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
