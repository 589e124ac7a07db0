//! Runs once more: as a whole or from a step on, in the workflow as it is now.

mod crash;
mod inside;
mod refused;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hence::clock::Clock;
use hence::connector::Request;
use hence::domain::failure::{Failure, FailureKind};
use hence::domain::id::RunId;
use hence::domain::journal::Fact;
use hence::domain::run::Status;
use hence::store::Store;
use reqwest::Method;
use serde_json::{Value, json};

use crate::reload::changed;
use crate::support::app::{Answer, BEGIN};
use crate::support::{Life, Project, Recorder, TestApp, ok};

const SHOP: &str = "
when: [{manual: }]
timeout: 1d
steps:
  - {id: contact, call: http.post, with: {url: 'http://crm.test/contact', json: {at: '${now()}'}}}
  - {id: charge, call: http.post, with: {url: 'http://crm.test/charge', json: {at: '${now()}', who: '${steps.contact.body.called}'}}}
  - stop: 'steps.charge.body.called'
";

/// Answers 422 where the URL ends so, else 200.
fn refusing(end: &'static str) -> Arc<Recorder> {
    Recorder::answering(move |request, _| if url(request).ends_with(end) { Err(unwanted()) } else { Ok(ok(request)) })
}

fn unwanted() -> Failure {
    Failure::new(FailureKind::Status, "answered 422").with_status(422)
}

fn url(request: &Request) -> &str {
    request.with["url"].as_str().unwrap()
}

/// The keys and URLs of all requests.
fn calls(app: &TestApp) -> Vec<(String, String)> {
    app.recorder.calls().iter().map(|call| (call.idempotency_key.clone(), url(call).to_owned())).collect()
}

async fn replay(app: &TestApp, run: RunId, from: Option<&str>) -> Answer {
    let body = from.map(|from| json!({"from": from}));
    app.api(Method::POST, &format!("/runs/{run}/replay"), body).await
}

/// Replays, and waits for the end.
async fn replayed(app: &TestApp, run: RunId, from: Option<&str>) -> (RunId, Status) {
    let answer = replay(app, run, from).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let new: RunId = answer.body["run"].as_str().unwrap().parse().unwrap();
    assert_eq!((&answer.body["replay_of"], answer.body["replay_from"].is_null()), (&json!(run), from.is_none()));
    assert_eq!(answer.header("location"), format!("/api/runs/{new}"));
    (new, app.ended(new).await.status)
}

#[tokio::test]
async fn a_mended_workflow_does_the_whole_run_anew() {
    let project = Project::of(&SHOP.replace("/charge'", "/chrge'"));
    let app = TestApp::start(&project, refusing("/chrge")).await;
    let old = app.begin("main", json!({"n": 1})).await;
    let old_head = app.ended(old).await;
    assert_eq!(old_head.status, Status::Failed);
    let (old_facts, event) = (app.facts(old).await, app.get(&format!("/events/{}", old_head.event)).await.body);

    project.write("workflows/main.yaml", SHOP);
    changed(&app).await;
    let (new, status) = replayed(&app, old, None).await;
    assert_eq!(status, Status::Succeeded);
    let shown = app.get(&format!("/runs/{new}")).await.body;
    assert_eq!(
        (&shown["replay_of"], &shown["output"], &shown["event"]),
        (&json!(old), &json!("http://crm.test/charge"), &json!(old_head.event))
    );
    assert_ne!(shown["revision"], json!(old_head.revision));
    assert!(shown["steps"].as_array().unwrap().iter().all(|step| step["reused"].is_null()), "{shown}");
    let expected = [
        (format!("{old}/contact"), "http://crm.test/contact"),
        (format!("{old}/charge"), "http://crm.test/chrge"),
        (format!("{new}/contact"), "http://crm.test/contact"),
        (format!("{new}/charge"), "http://crm.test/charge"),
    ];
    assert_eq!(calls(&app), expected.map(|(key, url)| (key, url.to_owned())), "a replay is a new attempt: its keys are its own");

    assert_eq!(app.store.run(old).await.unwrap(), Some(old_head), "the old run stays as it is");
    assert_eq!(app.facts(old).await, old_facts);
    assert_eq!(app.get("/events").await.body["events"].as_array().unwrap().len(), 1, "and the event is still one");
    assert_eq!(app.get(&format!("/events/{}", event["id"].as_str().unwrap())).await.body, event);
    let listed = app.get("/runs?replays=true").await.body;
    assert_eq!((listed["runs"].as_array().unwrap().len(), &listed["runs"][0]["id"]), (1, &json!(new)));
}

#[tokio::test]
async fn from_a_step_on_what_was_done_before_is_not_done_again() {
    let project = Project::of(&SHOP.replace("/charge'", "/chrge'"));
    let app = TestApp::start(&project, refusing("/chrge")).await;
    let old = app.begin("main", json!({})).await;
    app.ended(old).await;
    // Longer than the workflow's timeout: a replay has its own.
    app.clock.advance(Duration::from_secs(3 * 86_400));
    project.write("workflows/main.yaml", SHOP);
    changed(&app).await;
    let asked = app.clock.now().to_string();
    let (new, status) = replayed(&app, old, Some("charge")).await;
    assert_eq!(status, Status::Succeeded);
    let calls = app.recorder.calls();
    assert_eq!((calls.len(), &*calls[2].idempotency_key), (3, &*format!("{new}/charge")));
    assert_eq!(calls[2].with["json"], json!({"at": asked, "who": "http://crm.test/contact"}), "`now()` is the replay's");
    let (before, after) = (app.facts(old).await, app.facts(new).await);
    assert_eq!(after[0], before[0], "what is taken over keeps its time");
    let shown = app.get(&format!("/runs/{new}")).await.body;
    let reused = |index: usize| (shown["steps"][index]["step"].clone(), shown["steps"][index]["reused"].clone());
    assert_eq!([reused(0), reused(1)], [(json!("contact"), json!(true)), (json!("charge"), Value::Null)]);
    assert_eq!((shown["accepted"].as_str(), &shown["replay_from"]), (Some(&*asked), &json!("charge")));
    // The replay can be replayed itself.
    let (_, status) = replayed(&app, new, Some("2")).await;
    assert_eq!((status, app.recorder.calls().len()), (Status::Succeeded, 3));
}

#[tokio::test]
async fn loops_branches_and_waits_go_on_where_they_were() {
    let project = Project::of(
        "
when: [{manual: }]
steps:
  - wait: 3d
  - id: each
    foreach: event.body.items
    as: item
    steps:
      - {id: reserve, call: http.post, with: {url: 'http://crm.test/reserve/${item}'}}
      - {id: book, call: http.post, with: {url: 'http://crm.test/book/${item}', json: {reserved: '${steps.reserve.body.called}'}}}
  - id: both
    parallel:
      sms: [{call: http.post, with: {url: 'http://chat.test/sms'}}]
      pay:
        - {set: {total: steps.each.len()}}
        - {id: pay, call: http.post, with: {url: 'http://crm.test/pay', json: {total: '${vars.total}'}}}
  - stop: 'vars.total'
",
    );
    let broken = Arc::new(Mutex::new("/book/b"));
    let seen = Arc::clone(&broken);
    let recorder = Recorder::answering(
        move |request, _| if url(request).ends_with(*seen.lock().unwrap()) { Err(unwanted()) } else { Ok(ok(request)) },
    );
    let app = TestApp::start(&project, recorder).await;
    let first = app.begin("main", json!({"items": ["a", "b", "c"]})).await;
    assert_eq!(app.ended(first).await.status, Status::Failed);
    *broken.lock().unwrap() = "/pay";
    let (second, status) = replayed(&app, first, Some("each[1]/book")).await;
    assert_eq!(status, Status::Failed);
    *broken.lock().unwrap() = "nothing";
    let (third, status) = replayed(&app, second, Some("pay")).await;
    assert_eq!(status, Status::Succeeded);
    assert_eq!(app.get(&format!("/runs/{third}")).await.body["output"], 3);
    let crm = |run: RunId, step: &str, path: &str| (format!("{run}/{step}"), format!("http://{path}"));
    let expected = [
        crm(first, "each[0]/reserve", "crm.test/reserve/a"),
        crm(first, "each[0]/book", "crm.test/book/a"),
        crm(first, "each[1]/reserve", "crm.test/reserve/b"),
        crm(first, "each[1]/book", "crm.test/book/b"),
        crm(second, "each[1]/book", "crm.test/book/b"),
        crm(second, "each[2]/reserve", "crm.test/reserve/c"),
        crm(second, "each[2]/book", "crm.test/book/c"),
        crm(second, "both/sms/0", "chat.test/sms"),
        crm(second, "both/pay/pay", "crm.test/pay"),
        crm(third, "both/pay/pay", "crm.test/pay"),
    ];
    assert_eq!(calls(&app), expected);
    let book = &app.recorder.calls()[4];
    assert_eq!(book.with["json"]["reserved"], "http://crm.test/reserve/b", "outputs of the same iteration are there");
    let waited =
        |entries: &[hence::domain::journal::Entry]| entries.iter().filter(|entry| matches!(entry.fact, Fact::WaitBegan { .. })).count();
    assert_eq!(waited(&app.facts(third).await), 1, "the wait is over and stays so");
}

#[tokio::test]
async fn an_if_that_could_not_be_evaluated_is_looked_at_again() {
    let with_if = |condition: &str| format!("when: [{{manual: }}]\nif: {condition}\nsteps: [{{stop: '\"done\"'}}]\n");
    let project = Project::of(&with_if("1 / event.body.n > 0"));
    let app = TestApp::start(&project, Recorder::fine()).await;
    let old = app.begin("main", json!({"n": 0})).await;
    assert_eq!(app.ended(old).await.status, Status::Failed);
    let (again, status) = replayed(&app, old, None).await;
    assert_eq!(status, Status::Failed, "nothing was mended");
    assert_eq!(app.get(&format!("/runs/{again}")).await.body["steps"], json!([]));
    project.write("workflows/main.yaml", &with_if("event.body.n == 0"));
    changed(&app).await;
    assert_eq!(replayed(&app, old, None).await.1, Status::Succeeded);
    project.write("workflows/main.yaml", &with_if("event.body.n == 7"));
    changed(&app).await;
    let refused = replay(&app, old, None).await;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("not-matched")), "{refused:?}");
}

#[tokio::test]
async fn a_replay_goes_on_after_a_restart_and_can_be_canceled() {
    let project = Project::of(
        "when: [{manual: }]\nsteps:\n  - {id: a, call: http.post, with: {url: 'http://crm.test/a'}}\n  - {id: b, call: http.post, with: {url: 'http://crm.test/b'}}\n  - {id: w, wait: 1h}\n",
    );
    let life = Life::new(Recorder::fine());
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let old = app.begin("main", json!({})).await;
    app.ended(old).await;
    let new: RunId = replay(&app, old, Some("w")).await.body["run"].as_str().unwrap().parse().unwrap();
    let waiting = app.stands(new, Status::Waiting).await;
    assert_eq!(waiting.wake, Some(app.clock.now().after(Duration::from_secs(3600))), "it is done anew: it waits from now");
    app.app.stop().await;
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    assert_eq!(app.ended(new).await.status, Status::Succeeded);
    assert_eq!(app.recorder.calls().len(), 2);
    let other: RunId = replay(&app, old, Some("w")).await.body["run"].as_str().unwrap().parse().unwrap();
    app.stands(other, Status::Waiting).await;
    assert_eq!(app.api(Method::POST, &format!("/runs/{other}/cancel"), None).await.status, 202);
    app.stands(other, Status::Canceled).await;
    assert!(BEGIN < app.store.run(other).await.unwrap().unwrap().accepted);
}
