//! Retention beside a server that works: what is old goes in its own time, what is open stays.

use std::time::Duration;

use hence::domain::run::Status;
use hence::store::Store;
use serde_json::json;

use crate::process::must;
use crate::support::{Project, Recorder, TestApp};

const WORK: &str = "when:\n  - manual:\nsteps:\n  - stop: '1'\n";
const KEPT: &str = "keep: {succeeded: forever}\nwhen:\n  - manual:\nsteps:\n  - stop: '1'\n";
const LONG: &str = "when:\n  - manual:\nsteps:\n  - wait: 9000d\n";

#[tokio::test]
async fn what_is_old_goes_and_what_is_open_or_kept_stays() {
    let project = Project::new(&[
        ("hence.yaml", "retention: {age: 1h, bytes: unlimited}\n"),
        ("workflows/work.yaml", WORK),
        ("workflows/kept.yaml", KEPT),
        ("workflows/long.yaml", LONG),
    ]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let mut runs = Vec::new();
    for (workflow, status) in [("work", Status::Succeeded), ("kept", Status::Succeeded), ("long", Status::Waiting)] {
        let run = app.begin(workflow, json!({"a": 1})).await;
        runs.push(app.stands(run, status).await);
    }
    must("the old run is forgotten", async {
        while app.store.run(runs[0].id).await.unwrap().is_some() {
            app.clock.advance(Duration::from_secs(10));
            tokio::task::yield_now().await;
        }
        while app.store.event(runs[0].event).await.unwrap().is_some() {
            app.clock.advance(Duration::from_secs(10));
            tokio::task::yield_now().await;
        }
    })
    .await;
    let gone = app.get(&format!("/runs/{}", runs[0].id)).await;
    assert_eq!((gone.status, gone.body["code"].as_str()), (404, Some("no-run")));
    for run in &runs[1..] {
        assert!(app.store.event(run.event).await.unwrap().is_some());
        assert_eq!(app.store.run(run.id).await.unwrap().map(|run| run.status), Some(run.status));
    }
    assert_eq!(app.store.check().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn the_oldest_goes_when_there_is_too_much() {
    let project = Project::new(&[("hence.yaml", "retention: {age: forever, bytes: 1KiB}\n"), ("workflows/work.yaml", WORK)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let first = app.begin("work", json!({"a": "x".repeat(2_000)})).await;
    app.stands(first, Status::Succeeded).await;
    must("the run is forgotten", async {
        while app.store.run(first).await.unwrap().is_some() {
            app.clock.advance(Duration::from_secs(10));
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn one_backup_at_a_time() {
    let project = Project::new(&[("workflows/work.yaml", WORK)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    for _ in 0..40 {
        app.begin("work", json!({"a": "x".repeat(200_000)})).await;
    }
    let request = || app.http.get(format!("{}/api/backup", app.url)).bearer_auth(app.app.token.expose());
    let mut first = request().send().await.unwrap();
    assert_eq!(first.status(), 200);
    let busy = app.get("/backup").await;
    assert_eq!((busy.status, busy.body["code"].as_str()), (409, Some("store-busy")));
    assert_eq!(app.send(app.http.get(format!("{}/api/backup", app.url))).await.status, 401);
    let mut bytes = Vec::new();
    while let Some(piece) = first.chunk().await.unwrap() {
        bytes.extend(piece);
    }
    assert!(hence::app::verify_backup(&*bytes).unwrap() > 40);
    // When its reader has everything, the next one may begin.
    must("the next backup", async {
        while request().send().await.unwrap().status() != 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
