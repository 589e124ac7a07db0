//! Due times: once each, also over restarts and crashes, and missed ones as `catch_up` says.

use std::time::Duration;

use hence::domain::run::Status;
use hence::domain::time::Timestamp;
use hence::store::{RunHead, Store};
use serde_json::json;

use crate::support::app::BEGIN;
use crate::support::{Life, Project, Recorder, TestApp};

fn hourly(catch_up: &str) -> Project {
    Project::of(&format!("when: [{{schedule: {{every: 1h, catch_up: {catch_up}}}}}]\nsteps: [{{stop: event.body.due}}]\n"))
}

/// Waits until so many runs have ended.
async fn ran(app: &TestApp, count: usize) -> Vec<RunHead> {
    app.until(async |app| {
        let runs = app.all_runs().await;
        (count <= runs.iter().filter(|run| run.status == Status::Succeeded).count()).then_some(runs)
    })
    .await
}

async fn due(app: &TestApp, runs: &[RunHead]) -> Vec<String> {
    let mut due = Vec::new();
    for run in runs {
        due.push(app.get(&format!("/runs/{}", run.id)).await.body["output"].as_str().unwrap().to_owned());
    }
    due
}

fn at(hours: i64) -> String {
    Timestamp(BEGIN.0 + hours * 3_600_000).to_string()
}

#[tokio::test]
async fn each_due_time_fires_once() {
    let app = TestApp::start(&hourly("last"), Recorder::fine()).await;
    app.until(async |app| app.store.cursor("main every 3600000ms").await.unwrap()).await;
    for hour in 1..=3 {
        app.clock.advance(Duration::from_secs(3600));
        let runs = ran(&app, hour).await;
        assert_eq!(runs.len(), hour);
    }
    let runs = ran(&app, 3).await;
    assert_eq!(due(&app, &runs).await, [at(1), at(2), at(3)]);
    let event = app.get("/events?limit=1").await;
    assert_eq!(event.body["events"][0]["source"], json!("schedule"));
}

#[tokio::test]
async fn missed_times_follow_catch_up_after_a_restart() {
    for (catch_up, expected) in [("none", vec![4]), ("last", vec![3, 4]), ("all", vec![1, 2, 3, 4])] {
        let project = hourly(catch_up);
        let life = Life::new(Recorder::fine());
        let app = TestApp::resume(&project, life.clone()).await.unwrap();
        app.until(async |app| app.store.cursor("main every 3600000ms").await.unwrap()).await;
        app.app.stop().await;
        life.clock.advance(Duration::from_secs(3 * 3600 + 1800));
        let app = TestApp::resume(&project, life.clone()).await.unwrap();
        ran(&app, expected.len() - 1).await;
        life.clock.advance(Duration::from_secs(1800));
        let runs = ran(&app, expected.len()).await;
        let expected: Vec<_> = expected.into_iter().map(at).collect();
        assert_eq!(due(&app, &runs).await, expected, "{catch_up}");
    }
}
