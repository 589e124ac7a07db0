//! Replays of runs that gather events, share a lane, start other runs, and take back what they did.

use std::time::Duration;

use hence::clock::Clock;
use hence::domain::run::Status;
use hence::store::Store;
use serde_json::{Value, json};

use super::{calls, refusing, replay, replayed, url};
use crate::reload::changed;
use crate::support::app::BEGIN;
use crate::support::{Project, Recorder, TestApp, ok};

#[tokio::test]
async fn a_batch_is_replayed_with_all_its_events() {
    let batch = "
when: [{webhook: {path: b, verify: none}}]
batch: {size: 3, within: 1h}
steps:
  - {id: look, script: event.body.len()}
  - {id: send, call: http.post, with: {url: 'http://crm.test/send', json: {all: '${event.body}'}}}
";
    let project = Project::of(batch);
    let app = TestApp::start(&project, Recorder::fine()).await;
    for n in 1..=3 {
        assert_eq!(app.post("b", &json!({"n": n})).await.status, 202);
    }
    let old = app.all_runs().await[0].id;
    assert_eq!(app.ended(old).await.error, None);
    assert_eq!(replayed(&app, old, None).await.1, Status::Succeeded);
    assert_eq!(replayed(&app, old, Some("send")).await.1, Status::Succeeded);
    let sent: Vec<Value> = app.recorder.calls().into_iter().map(|call| call.with["json"]["all"].clone()).collect();
    assert_eq!(sent, vec![json!([{"n": 1}, {"n": 2}, {"n": 3}]); 3]);
    project.write("workflows/main.yaml", &batch.replace("batch: {size: 3, within: 1h}\n", ""));
    changed(&app).await;
    let refused = replay(&app, old, None).await;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("not-reusable")));
    assert!(refused.body["detail"].as_str().unwrap().contains("a batch of 3 events, and the workflow has no `batch` now"), "{refused:?}");
}

#[tokio::test]
async fn a_replay_takes_its_place_in_the_lane() {
    let project = Project::of(
        "
when: [{manual: }]
concurrency: {key: event.body.who, limit: 1, mode: skip}
steps:
  - {id: a, call: http.post, with: {url: 'http://crm.test/a'}}
  - {id: w, wait: 1h}
",
    );
    let app = TestApp::start(&project, Recorder::fine()).await;
    let old = app.begin("main", json!({"who": "ada"})).await;
    app.ended(old).await;
    let busy = app.begin("main", json!({"who": "ada"})).await;
    app.stands(busy, Status::Waiting).await;
    let canceled = |run| app.stands(run, Status::Canceled);
    for from in [None, Some("w")] {
        let answer = replay(&app, old, from).await;
        canceled(answer.body["run"].as_str().unwrap().parse().unwrap()).await;
    }
    assert_eq!(app.recorder.calls().len(), 2, "neither did anything");
    app.ended(busy).await;
    assert_eq!(replayed(&app, old, Some("w")).await.1, Status::Succeeded, "there is room now");
}

#[tokio::test]
async fn a_replay_that_stands_in_line_counts_its_time_from_its_turn() {
    let project = Project::of(
        "
when: [{manual: }]
timeout: 1h
concurrency: {limit: 1}
steps:
  - {id: a, call: http.post, with: {url: 'http://crm.test/a'}}
  - wait: {until: event.body.time}
  - {id: w, wait: 20m}
",
    );
    let app = TestApp::start(&project, Recorder::fine()).await;
    let minutes = |n: u64| app.clock.now().after(Duration::from_secs(60 * n)).to_string();
    let old = app.begin("main", json!({"time": minutes(0)})).await;
    app.ended(old).await;
    let busy = app.begin("main", json!({"time": minutes(35)})).await;
    app.stands(busy, Status::Waiting).await;
    // It has its turn after 75 minutes, and waits for 20 of its hour.
    assert_eq!(replay(&app, old, Some("w")).await.status, 202);
    app.until(async |app| {
        let runs = app.all_runs().await;
        runs.iter().filter_map(|run| run.wake).for_each(|wake| app.clock.advance_to(wake));
        runs.iter().all(|run| run.status.is_final()).then_some(())
    })
    .await;
    let ended: Vec<_> = app.all_runs().await.into_iter().map(|run| run.status).collect();
    assert_eq!((ended, app.recorder.calls().len()), (vec![Status::Succeeded; 3], 2));
    assert_eq!(app.clock.now(), BEGIN.after(Duration::from_secs(95 * 60)));
}

#[tokio::test]
async fn what_was_taken_back_is_done_again() {
    let project = Project::of(
        "
when: [{manual: }]
steps:
  - id: pay
    call: http.post
    with: {url: 'http://crm.test/pay'}
    undo: [{id: refund, call: http.post, with: {url: 'http://crm.test/refund'}}]
  - {id: ship, call: http.post, with: {url: 'http://crm.test/ship'}}
",
    );
    let app = TestApp::start(&project, refusing("/ship")).await;
    let old = app.begin("main", json!({})).await;
    app.ended(old).await;
    let refused = replay(&app, old, Some("ship")).await;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("not-reusable")), "{refused:?}");
    assert!(refused.body["detail"].as_str().unwrap().contains("`pay`, which `ship` builds on, was taken back"), "{refused:?}");
    let (new, _) = replayed(&app, old, Some("pay")).await;
    let expected = [(old, "pay"), (old, "ship"), (old, "refund"), (new, "pay"), (new, "ship"), (new, "refund")];
    let urls: Vec<_> = calls(&app).into_iter().map(|(key, url)| (key[..30].to_owned(), url)).collect();
    assert_eq!(urls, expected.map(|(run, end)| (run.to_string(), format!("http://crm.test/{end}"))));
}

#[tokio::test]
async fn a_run_that_was_started_is_not_started_again_and_can_be_replayed_alone() {
    let project = Project::new(&[
        (
            "workflows/main.yaml",
            "when: [{manual: }]\nsteps:\n  - {id: sub, run: part, with: {n: 7}}\n  - {id: tell, call: http.post, with: {url: 'http://crm.test/tell', json: {got: '${steps.sub}'}}}\n",
        ),
        (
            "workflows/part.yaml",
            "when: [{manual: }]\nsteps:\n  - {id: look, call: http.post, with: {url: 'http://crm.test/look'}}\n  - stop: event.body.n\n",
        ),
    ]);
    let recorder = Recorder::answering(|request, _| if url(request).ends_with("/tell") { Err(super::unwanted()) } else { Ok(ok(request)) });
    let app = TestApp::start(&project, recorder).await;
    let old = app.begin("main", json!({})).await;
    app.ended(old).await;
    replayed(&app, old, Some("tell")).await;
    let tells: Vec<Value> =
        app.recorder.calls().iter().filter(|call| url(call).ends_with("/tell")).map(|call| call.with["json"]["got"].clone()).collect();
    assert_eq!(tells, [json!(7), json!(7)]);
    let parts: Vec<_> = app.all_runs().await.into_iter().filter(|run| &*run.workflow == "part").collect();
    assert_eq!((parts.len(), parts[0].parent), (1, Some(old)), "the part was done once");
    let (alone, status) = replayed(&app, parts[0].id, Some("1")).await;
    assert_eq!((status, app.get(&format!("/runs/{alone}")).await.body["output"].clone()), (Status::Succeeded, json!(7)));
    assert_eq!(app.store.run(alone).await.unwrap().unwrap().parent, None, "nobody waits for it");
}
