//! Blocks that take too long, blocks that are done anew, and letters over thirty days, all by a clock that jumps.

use std::sync::Arc;
use std::time::Duration;

use hence::domain::failure::{Failure, FailureKind};
use hence::domain::id::RunId;
use hence::domain::journal::Fact;
use hence::domain::run::Status;
use hence::store::Store;
use serde_json::{Value, json};

use crate::saga::{called, failing, refused, run};
use crate::support::app::BEGIN;
use crate::support::{Project, Recorder, TestApp};

/// When a step reached this, after the beginning of the run.
async fn hours(app: &TestApp, run: RunId, wanted: impl Fn(&Fact) -> bool) -> Vec<i64> {
    let facts = app.facts(run).await;
    facts.iter().filter(|entry| wanted(&entry.fact)).map(|entry| (entry.at.0 - BEGIN.0) / 3_600_000).collect()
}

#[tokio::test]
async fn a_block_that_takes_too_long_fails_and_its_handler_takes_its_time() {
    let workflow = "
when: [{manual: }]
steps:
  - id: paid
    repeat: {until: 'steps.look.body.paid ?? false', every: 1h, at_most: 1000}
    timeout: 3h
    steps: [{id: look, call: http.get, with: {url: 'http://pay.test/look'}}]
    on_error:
      - wait: 1d
      - set: {why: error.kind}
  - stop: vars.why
";
    let (app, run, _project) = run(workflow, json!({}), failing(&[])).await;
    assert_eq!(hours(&app, run, |fact| matches!(fact, Fact::StepFailed { .. })).await, [3]);
    assert_eq!(app.recorder.calls().len(), 3, "at 0, 1 and 2 hours");
    let shown = app.get(&format!("/runs/{run}")).await.body;
    assert_eq!((&shown["output"], &shown["error"]["message"]), (&json!("timeout"), &Value::Null));
    assert_eq!(hours(&app, run, |fact| matches!(fact, Fact::RunFinished { .. })).await, [27]);
}

#[tokio::test]
async fn a_block_is_done_anew_as_a_whole_with_the_same_keys() {
    let workflow = "
when: [{manual: }]
steps:
  - id: both
    parallel:
      a: [{set: {seen: '(vars.seen ?? []) + [steps.first == ()]'}}, {id: first, call: http.post, with: {url: 'http://crm.test/first'}}]
      b: [{id: second, call: http.post, with: {url: 'http://crm.test/second'}}]
    retry: {attempts: 3, first: 10m, factor: 1}
  - stop: vars.seen
";
    let recorder = Recorder::answering(|request, nth| {
        let is_bad = request.with["url"] == "http://crm.test/second" && nth < 3;
        if is_bad { Err(refused(422)) } else { Ok(json!({})) }
    });
    let (app, run, _project) = run(workflow, json!({}), recorder).await;
    assert_eq!(app.store.run(run).await.unwrap().unwrap().status, Status::Succeeded);
    let shown = app.get(&format!("/runs/{run}")).await.body;
    assert_eq!(shown["output"], json!([true, true, true]), "each try begins with nothing inside it");
    let mut keys: Vec<_> = app.recorder.calls().iter().map(|call| call.idempotency_key.clone()).collect();
    keys.sort();
    let key = |step: &str| format!("{run}/{step}");
    let (first, second) = (key("both/a/first"), key("both/b/second"));
    assert_eq!(keys.iter().collect::<Vec<_>>(), [&first, &first, &first, &second, &second, &second]);
    let retried: Vec<_> = app
        .facts(run)
        .await
        .into_iter()
        .filter_map(|entry| match entry.fact {
            Fact::StepRetried { step, attempt, due, .. } => {
                Some((step.to_string(), attempt, entry.at <= due && due <= entry.at.after(Duration::from_secs(600))))
            }
            _ => None,
        })
        .collect();
    assert_eq!(retried, [("both".to_owned(), 1, true), ("both".to_owned(), 2, true)]);
}

#[tokio::test]
async fn an_answer_that_comes_when_its_block_is_done_anew_belongs_to_the_try_before() {
    let workflow = "
when: [{manual: }]
steps:
  - id: slow
    parallel: {a: [{id: look, call: http.get, with: {url: 'http://crm.test/look'}, retry: {attempts: 5, first: 1ms, max: 1ms}}]}
    timeout: 1h
    retry: {attempts: 2, first: 1ms, max: 1ms}
";
    let (release, released) = tokio::sync::watch::channel(false);
    let recorder = Recorder::with(Box::new(move |_, nth| {
        let mut released = released.clone();
        Box::pin(async move {
            if nth == 1 {
                return Err(Failure::new(FailureKind::Network, "gone"));
            }
            released.wait_for(|released| *released).await.unwrap();
            Ok(json!({"body": nth}))
        })
    }));
    let project = Project::of(workflow);
    let app = TestApp::start(&project, Arc::clone(&recorder)).await;
    let run = app.begin("main", json!({})).await;
    app.until(async |app| app.facts(run).await.iter().any(|entry| matches!(entry.fact, Fact::CallRetried { .. })).then_some(())).await;
    app.clock.advance(Duration::from_secs(1));
    recorder.reached(2).await;
    app.clock.advance(Duration::from_secs(3600));
    app.until(async |app| app.facts(run).await.iter().any(|entry| matches!(entry.fact, Fact::StepRetried { .. })).then_some(())).await;
    app.clock.advance(Duration::from_secs(1));
    release.send_replace(true);
    assert_eq!(app.ended(run).await.status, Status::Succeeded, "the second try of the old block is no first try of the new one");
}

#[tokio::test]
async fn a_drip_campaign_of_thirty_days_sends_each_letter_on_its_day() {
    let workflow = "
when: [{manual: }]
steps:
  - foreach: event.body
    as: letter
    steps:
      - wait: {until: 'add(run.started, letter.after)'}
      - {id: send, call: http.post, with: {url: 'http://mail.test/${letter.name}'}}
  - wait: 7d
  - call: http.post
    with: {url: 'http://mail.test/survey'}
";
    let letters = [("welcome", "0s"), ("tips", "3d"), ("story", "10d"), ("offer", "20d"), ("goodbye", "23d")];
    let letters: Vec<Value> = letters.iter().map(|(name, after)| json!({"name": name, "after": after})).collect();
    let (app, run, _project) = run(workflow, json!(letters), failing(&[])).await;
    let sent = hours(&app, run, |fact| matches!(fact, Fact::CallSucceeded { .. })).await;
    assert_eq!(sent, [0, 3, 10, 20, 23, 30].map(|day| day * 24));
    assert_eq!(called(&app.recorder).last().unwrap(), "mail.test/survey");
    assert_eq!(app.recorder.calls().len(), 6);
}
