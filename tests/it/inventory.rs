//! `GET /api/inventory`: what is served, in full, and nothing that must stay inside.

use std::sync::Arc;

use hence::domain::event::{Event, EventHead, Match, MatchResult, Source};
use hence::domain::id::{EventId, Parts, Revision, RunId};
use hence::domain::run::Status;
use hence::store::{Accept, NewRun, Write};
use serde_json::json;

use crate::support::app::BEGIN;
use crate::support::{Project, Recorder, TestApp};

const SIGNED: &str = r#"
when:
  - webhook: {path: "orders/{id}", verify: {bearer: {secret: TOKEN}}}
  - schedule: {cron: "0 9 * * *", timezone: Europe/Berlin}
if: event.body.token != "t0ken-of-tests"
steps:
  - {id: tell, call: http.post, using: crm, with: {url: /orders, json: {key: "${secrets.GITHUB_SECRET}"}}}
"#;
const SLEEPER: &str = "when: [{webhook: {path: sleep, verify: none}}]\nsteps: [{wait: 3d}]\n";
/// `RUNS_COUNTED` of the API.
const COUNTED: u64 = 10_000;

#[tokio::test]
async fn the_inventory_says_what_is_served_and_keeps_what_is_secret() {
    let project = Project::new(&[("workflows/signed.yaml", SIGNED), ("workflows/sleeper.yaml", SLEEPER)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    for _ in 0..2 {
        let run = app.post("sleep", &json!({})).await.runs()[0];
        app.stands(run, Status::Waiting).await;
    }
    let answer = app.get("/inventory").await;
    let inventory = &answer.body;
    assert_eq!((answer.status, &inventory["time"]), (200, &BEGIN.to_string().into()));
    assert_eq!(inventory["secrets"], json!(["GITHUB_SECRET", "TOKEN"]));
    let text = inventory.to_string();
    assert!(!text.contains("t0ken-of-tests") && !text.contains("s3cret-of-github"), "{text}");

    let [signed, sleeper] = [0, 1].map(|index| &inventory["project"]["workflows"][index]);
    assert_eq!((&signed["name"], &signed["file"]), (&json!("signed"), &json!("workflows/signed.yaml")));
    let route = json!({"path": "/hooks/orders/{id}", "methods": ["POST"], "verify": "bearer", "secrets": ["TOKEN"]});
    assert_eq!(signed["triggers"][0]["route"], route);
    let next = ["2026-03-02T09:00:00+01:00", "2026-03-03T09:00:00+01:00", "2026-03-04T09:00:00+01:00"];
    let schedule = json!({"rule": "cron 0 9 * * *", "timezone": "Europe/Berlin", "next": next});
    assert_eq!(signed["triggers"][1]["schedule"], schedule);
    let step = &signed["steps"][0];
    assert_eq!((&step["address"], &step["call"], &step["using"]), (&json!("tell"), &json!("http.post"), &json!("crm")));
    assert_eq!(signed["secrets"], json!(["GITHUB_SECRET", "TOKEN"]));
    assert_eq!(signed["settings"]["if"], r#"event.body.token != "***""#);

    let connections = inventory["project"]["settings"]["connections"].as_array().unwrap();
    assert_eq!(connections.iter().map(|one| &one["name"]).collect::<Vec<_>>(), ["chat", "crm"]);
    assert!(connections.iter().all(|one| one.get("base_url").is_none()), "{connections:?}");
    let counts = json!([{"workflow": "sleeper", "revision": sleeper["revision"], "runs": 2}]);
    assert_eq!(inventory["runs"], json!({"counts": counts, "complete": true}));
}

#[tokio::test]
async fn runs_in_flight_are_counted_by_revision_until_they_end() {
    let project = Project::new(&[("workflows/sleeper.yaml", SLEEPER)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let run = app.post("sleep", &json!({})).await.runs()[0];
    app.stands(run, Status::Waiting).await;
    assert_eq!(app.get("/inventory").await.body["runs"]["counts"][0]["runs"], 1);
    app.ended(run).await;
    assert_eq!(app.get("/inventory").await.body["runs"], json!({"counts": [], "complete": true}));
}

#[tokio::test]
async fn the_count_of_runs_is_bounded_and_says_so() {
    let app = TestApp::start(&Project::new(&[]), Recorder::fine()).await;
    // Past the journal, so that nobody runs them.
    app.store.inner.write(vec![Write::Accept(many(COUNTED + 1))]).await.unwrap();
    let runs = app.get("/inventory").await.body["runs"].clone();
    let count = json!([{"workflow": "many", "revision": Revision([7; 32]).to_string(), "runs": COUNTED}]);
    assert_eq!(runs, json!({"counts": count, "complete": false}));
}

/// An event with so many runs.
fn many(count: u64) -> Accept {
    let parts = |counter| Parts { time_ms: 1_000 + counter, counter: 0, chance: 1, shard: 0 };
    let workflow: Arc<str> = "many".into();
    let run = |nth| NewRun::new(RunId::new(parts(nth)), Arc::clone(&workflow), Revision([7; 32]));
    let runs: Vec<NewRun> = (0..count).map(run).collect();
    let matches = runs.iter().map(|run| Match { workflow: Arc::clone(&workflow), result: MatchResult::Run(run.id) }).collect();
    let head = EventHead {
        method: "POST".to_owned(),
        path: "many".to_owned(),
        matches,
        ..EventHead::new(EventId::new(parts(0)), Source::Webhook, "", BEGIN)
    };
    Accept { event: Arc::new(Event::new(head, bytes::Bytes::new())), dedupe: Vec::new(), runs, cursor: None, topic: None }
}
