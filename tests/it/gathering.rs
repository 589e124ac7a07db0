//! `batch` and `debounce`: each event is in one run, the right one, whatever comes between.

use std::collections::BTreeMap;
use std::time::Duration;

use hence::domain::Value;
use hence::domain::id::RunId;
use hence::domain::journal::Fact;
use hence::domain::run::Status;
use hence::store::Store as _;
use serde_json::json;

use crate::process::must;
use crate::support::{Life, Project, Recorder, TestApp};

const EVENTS: u64 = 10_000;
const SIZE: usize = 50;

fn project() -> Project {
    let post = "[{call: http.post, with: {url: 'http://crm.test/', json: {n: '${event.body}', events: '${event?.events ?? []}'}}}]";
    let workflow = |rule: &str| format!("when: [{{manual: }}]\n{rule}\nsteps: {post}\n");
    Project::new(&[
        ("workflows/batched.yaml", &workflow(&format!("batch: {{key: event.body % 7, size: {SIZE}, within: 10s}}"))),
        ("workflows/debounced.yaml", &workflow("debounce: {key: event.body % 700, for: 5s}")),
    ])
}

/// The run of each workflow that an event is in.
async fn send(app: &TestApp, workflow: &str, n: u64) -> RunId {
    let receipt = app.app.intake.start(workflow, n.to_string().into()).await.unwrap();
    let mut runs = receipt.runs();
    runs.next().unwrap().1
}

/// Time goes on until every run has ended.
async fn end(app: &TestApp) {
    let time_passes = async {
        loop {
            app.clock.advance(Duration::from_millis(500));
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
    };
    let all_ended = app.until(async |app| app.all_runs().await.iter().all(|run| run.status.is_final()).then_some(()));
    tokio::select! {
        () = all_ended => {}
        never = time_passes => never,
    }
}

#[tokio::test]
async fn ten_thousand_events_are_each_in_one_batch_and_the_last_of_each_key_is_debounced() {
    let (project, life) = (project(), Life::new(Recorder::fine()));
    let mut app = TestApp::resume(&project, life.clone()).await.unwrap();
    let mut batches: BTreeMap<RunId, Vec<u64>> = BTreeMap::new();
    let mut debounced: BTreeMap<RunId, Vec<u64>> = BTreeMap::new();
    for n in 0..EVENTS {
        batches.entry(send(&app, "batched", n).await).or_default().push(n);
        // Numbers of the same key, some close to one another, some far apart.
        let key = n * n % 4_001;
        debounced.entry(send(&app, "debounced", key + 700 * n).await).or_default().push(key + 700 * n);
        if n % 17 == 0 {
            app.clock.advance(Duration::from_millis(n % 1_000));
        }
        if n % 3_001 == 3_000 {
            app.app.stop().await;
            app = TestApp::resume(&project, life.clone()).await.unwrap();
        }
    }
    must("every run ends", end(&app)).await;
    let runs = app.all_runs().await;
    assert!(runs.iter().all(|run| run.status == Status::Succeeded));
    assert_eq!(runs.len(), batches.len() + debounced.len());

    let calls: BTreeMap<RunId, Value> =
        life.recorder.calls().iter().map(|call| (run_of(&call.idempotency_key), call.with["json"].clone())).collect();
    assert_eq!((calls.len(), life.recorder.calls().len()), (runs.len(), runs.len()), "each run made its call once");
    assert_eq!(batches.values().map(Vec::len).sum::<usize>(), 10_000);
    for (run, events) in &batches {
        assert_eq!(calls[run]["n"], json!(events), "a batch has the events that name it, in order");
        assert_eq!(calls[run]["events"].as_array().map(Vec::len), Some(events.len()));
        assert!(events.len() <= SIZE && events.iter().all(|n| n % 7 == events[0] % 7), "{events:?}");
    }
    assert!(batches.values().any(|events| events.len() == SIZE) && batches.values().any(|events| events.len() < SIZE));
    for (run, events) in &debounced {
        assert_eq!(calls[run]["n"], json!(events.last().unwrap()), "{events:?}");
        assert!(events.iter().all(|n| n % 700 == events[0] % 700), "{events:?}");
    }
    assert!(debounced.values().any(|events| 1 < events.len()));
    assert_eq!(app.app.intake.journal.waiting(), 0);
}

fn run_of(key: &str) -> RunId {
    key.split('/').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_canceled_run_that_gathers_ends_and_the_next_event_begins_another() {
    let (project, life) = (project(), Life::new(Recorder::fine()));
    let app = TestApp::resume(&project, life).await.unwrap();
    let first = send(&app, "batched", 1).await;
    assert_eq!(send(&app, "batched", 8).await, first);
    let waits = app.get(&format!("/runs/{first}")).await.body["waits"].clone();
    assert_eq!(waits, json!({"for": "batch", "until": "2026-03-01T09:00:10.000Z", "events": 2}));
    app.api(reqwest::Method::POST, &format!("/runs/{first}/cancel"), None).await;
    // Not `ended`: that would move the clock to the time of the batch.
    app.stands(first, Status::Canceled).await;
    let second = send(&app, "batched", 15).await;
    assert_ne!(second, first);
    assert_eq!(app.ended(second).await.status, Status::Succeeded);
    assert_eq!(app.recorder.calls().len(), 1);
    assert_eq!(app.recorder.calls()[0].with["json"]["n"], json!([15]));
    let shown = app.get(&format!("/runs/{second}")).await.body;
    assert_eq!((&shown["waits"], &shown["updated"]), (&Value::Null, &json!("2026-03-01T09:00:10.000Z")));
}

#[tokio::test]
async fn starts_are_spaced_over_a_restart_and_count_their_time_from_their_beginning() {
    let project = Project::of("when: [{manual: }]\nthrottle: {limit: 2, per: 1m}\ntimeout: 30s\nsteps: [{wait: 20s}, {stop: now()}]\n");
    let life = Life::new(Recorder::fine());
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let mut runs = Vec::new();
    for n in 0..5 {
        runs.push(send(&app, "main", n).await);
    }
    app.stands(runs[1], Status::Waiting).await;
    app.app.stop().await;
    let app = TestApp::resume(&project, life).await.unwrap();
    let mut ended = Vec::new();
    for together in runs.chunks(2) {
        for run in together {
            app.until(async |app| {
                let begins = app.store.run(*run).await.unwrap()?.wake;
                if app.facts(*run).await.iter().any(|entry| matches!(entry.fact, Fact::WaitBegan { .. })) {
                    return Some(());
                }
                begins.into_iter().for_each(|time| app.clock.advance_to(time));
                None
            })
            .await;
        }
        for run in together {
            app.ended(*run).await;
            ended.push(app.get(&format!("/runs/{run}")).await.body["output"].as_str().unwrap()[14..19].to_owned());
        }
    }
    assert_eq!(ended, ["00:20", "00:20", "01:20", "01:20", "02:20"]);
}
