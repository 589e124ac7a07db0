//! Runs from beginning to end: retries, waits, handlers, timeouts, cancels, restarts.

use std::sync::Arc;
use std::time::Duration;

use hence::clock::Clock;
use hence::domain::failure::{Failure, FailureKind};
use hence::domain::journal::Fact;
use hence::domain::run::Status;
use serde_json::json;

use crate::support::app::BEGIN;
use crate::support::{Life, Project, Recorder, TestApp, ok};

const CALL: &str = "
when: [{manual: }]
steps:
  - id: charge
    call: http.post
    with: {url: 'http://crm.test/charge', json: {at: '${now()}', id: '${uuid()}'}}
    retry: {attempts: 3, first: 1s, factor: 2, max: 1m}
";

fn down(status: u16) -> Failure {
    Failure::new(FailureKind::Status, format!("answered {status}")).with_status(status)
}

/// It is called again, and not at once: without its word the wait is drawn, and may be none.
fn busy() -> Failure {
    down(503).with_retry_after(Some(Duration::from_secs(1)))
}

#[tokio::test]
async fn a_call_is_tried_again_with_the_same_key_and_input() {
    let recorder = Recorder::answering(|request, nth| if nth < 3 { Err(down(503)) } else { Ok(ok(request)) });
    let app = TestApp::start(&Project::of(CALL), recorder).await;
    let run = app.begin("main", json!({})).await;
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
    let calls = app.recorder.calls();
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| call.idempotency_key == format!("{run}/charge") && call.with == calls[0].with), "{:?}", calls[0].with);
    let attempts: Vec<_> = app.facts(run).await.into_iter().map(|entry| entry.fact).collect();
    assert!(
        matches!(
            &attempts[..],
            [
                Fact::CallRetried { attempt: 1, .. },
                Fact::CallRetried { attempt: 2, .. },
                Fact::CallSucceeded { attempt: 3, .. },
                Fact::RunFinished { .. }
            ]
        ),
        "{attempts:?}"
    );
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let asked = Duration::from_secs(7200);
    let recorder =
        Recorder::answering(move |request, nth| if nth == 1 { Err(down(429).with_retry_after(Some(asked))) } else { Ok(ok(request)) });
    let app = TestApp::start(&Project::of(CALL), recorder).await;
    let run = app.begin("main", json!({})).await;
    let waiting = app.stands(run, Status::Waiting).await;
    assert_eq!(waiting.wake, Some(BEGIN.after(asked)));
    app.clock.advance(asked - Duration::from_millis(1));
    assert_eq!(app.recorder.calls().len(), 1);
    app.clock.advance(Duration::from_millis(1));
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
}

#[tokio::test]
async fn attempts_end_and_the_handler_sees_why() {
    let project = Project::of(
        "
when: [{manual: }]
steps:
  - id: charge
    call: http.post
    with: {url: 'http://crm.test/charge', json: {}}
    retry: {attempts: 2, first: 1s}
  - id: never
    script: 1
on_error:
  - id: tell
    call: http.post
    with: {url: 'http://chat.test/', json: {text: '${error.step}: ${error.message}'}}
",
    );
    let recorder =
        Recorder::answering(|request, _| if request.with["url"] == "http://chat.test/" { Ok(ok(request)) } else { Err(down(500)) });
    let app = TestApp::start(&project, recorder).await;
    let run = app.begin("main", json!({})).await;
    let head = app.ended(run).await;
    assert_eq!((head.status, head.error.unwrap().message.as_str()), (Status::Failed, "answered 500"));
    let calls = app.recorder.calls();
    assert_eq!((calls.len(), &calls[2].with["json"]), (3, &json!({"text": "charge: answered 500"})));
    assert_eq!(calls[2].idempotency_key, format!("{run}/on_error/tell"));
}

#[tokio::test]
async fn a_step_may_take_care_of_its_own_failure() {
    let project = Project::of(
        "
when: [{manual: }]
steps:
  - {id: a, call: http.get, with: {url: 'http://crm.test/a'}, on_error: continue}
  - id: b
    call: http.get
    with: {url: 'http://crm.test/b'}
    on_error:
      - set: {why: error.status}
  - stop: '#{a: steps?.a, why: vars.why}'
",
    );
    let app = TestApp::start(&project, Recorder::answering(|_, _| Err(down(404)))).await;
    let run = app.begin("main", json!({})).await;
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
    assert_eq!(app.get(&format!("/runs/{run}")).await.body["output"], json!({"a": null, "why": 404}));
}

#[tokio::test]
async fn fail_and_missing_fields_say_where() {
    let project = Project::of(
        "
when: [{manual: }]
steps:
  - if: event.body.mode == \"fail\"
    then:
      - fail: 'no ${event.body.thing} today'
  - id: tell
    call: http.post
    with:
      url: http://chat.test/
      json: {text: 'Hello ${event.body.name}'}
",
    );
    let app = TestApp::start(&project, Recorder::fine()).await;
    let failed = app.begin("main", json!({"mode": "fail", "thing": "tea"})).await;
    let error = app.ended(failed).await.error.unwrap();
    assert_eq!((error.step.unwrap().as_str(), error.message.as_str()), ("0/then/0", "no tea today"));
    let missing = app.begin("main", json!({})).await;
    let error = app.ended(missing).await.error.unwrap();
    for words in ["workflows/main.yaml:11:29", "event.body.name", "tell"] {
        assert!(error.message.contains(words), "{words}: {}", error.message);
    }
    assert!(app.recorder.calls().is_empty());
}

#[tokio::test]
async fn a_condition_that_cannot_be_evaluated_fails_the_run_in_sight() {
    let project = Project::of(
        "
when: [{manual: }]
if: event.body.a.b > 1
steps: [{script: 1}]
on_error:
  - {id: tell, call: http.post, with: {url: 'http://chat.test/', json: {text: '${error.message}'}}}
",
    );
    let app = TestApp::start(&project, Recorder::fine()).await;
    let run = app.begin("main", json!({})).await;
    let error = app.ended(run).await.error.unwrap();
    assert!(error.step.is_none() && error.message.contains("workflows/main.yaml:3:"), "{error:?}");
    assert_eq!(app.recorder.calls().len(), 1, "its handler ran");
}

#[tokio::test]
async fn a_run_ends_when_its_time_is_over() {
    let project = Project::of(
        "
when: [{manual: }]
timeout: 1h
steps: [{id: a, call: http.get, with: {url: 'http://crm.test/'}, timeout: 2h}]
",
    );
    let recorder = Recorder::with(Box::new(|_, _| Box::pin(std::future::pending())));
    let app = TestApp::start(&project, recorder).await;
    let run = app.begin("main", json!({})).await;
    app.recorder.reached(1).await;
    app.clock.advance(Duration::from_secs(3600));
    let head = app.ended(run).await;
    assert!(head.error.unwrap().message.contains("timeout"), "the call never ended by itself");
}

#[tokio::test]
async fn a_run_is_canceled_while_it_calls_waits_or_stands_in_line() {
    let project = Project::of(CALL);
    project.write("hence.yaml", "limits: {running: 1}\n");
    let recorder =
        Recorder::with(Box::new(|_, nth| if nth == 1 { Box::pin(std::future::pending()) } else { Box::pin(async { Err(down(503)) }) }));
    let app = TestApp::start(&project, recorder).await;
    let calling = app.begin("main", json!({})).await;
    app.recorder.reached(1).await;
    assert_eq!(app.get(&format!("/runs/{calling}")).await.body["status"], "running");
    let queued = app.begin("main", json!({})).await;
    assert_eq!(app.get(&format!("/runs/{queued}")).await.body["status"], "queued");
    let cancel = async |run| app.api(reqwest::Method::POST, &format!("/runs/{run}/cancel"), None).await.status;
    assert_eq!(cancel(queued).await, 202);
    assert_eq!(cancel(calling).await, 202);
    app.give_up_calls(calling).await;
    assert_eq!(app.ended(calling).await.status, Status::Canceled);
    assert_eq!(app.ended(queued).await.status, Status::Canceled);
    assert_eq!(app.recorder.calls().len(), 1, "the one in line never began");
    assert_eq!(cancel(calling).await, 409);
}

#[tokio::test]
async fn a_waiting_run_can_be_canceled() {
    let app = TestApp::start(&Project::of(CALL), Recorder::answering(|_, _| Err(busy()))).await;
    let run = app.begin("main", json!({})).await;
    app.stands(run, Status::Waiting).await;
    app.api(reqwest::Method::POST, &format!("/runs/{run}/cancel"), None).await;
    app.stands(run, Status::Canceled).await;
    assert_eq!(app.recorder.calls().len(), 1);
}

#[tokio::test]
async fn a_run_goes_on_after_a_restart_in_the_revision_it_began_with() {
    let project = Project::of(
        "
when: [{manual: }]
steps:
  - {id: a, call: http.get, with: {url: 'http://crm.test/a'}}
  - {id: b, call: http.get, with: {url: 'http://crm.test/b'}}
  - stop: '\"old\"'
",
    );
    let life =
        Life::new(Recorder::answering(
            |request, nth| {
                if request.with["url"] == "http://crm.test/b" && nth == 1 { Err(busy()) } else { Ok(ok(request)) }
            },
        ));
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let run = app.begin("main", json!({})).await;
    app.stands(run, Status::Waiting).await;
    app.app.stop().await;
    project.write("workflows/main.yaml", "when: [{manual: }]\nsteps: [{stop: '\"new\"'}]\n");
    let app = TestApp::resume(&project, life).await.unwrap();
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
    assert_eq!(app.get(&format!("/runs/{run}")).await.body["output"], "old");
    let new = app.begin("main", json!({})).await;
    app.ended(new).await;
    assert_eq!(app.get(&format!("/runs/{new}")).await.body["output"], "new");
    let urls: Vec<_> = app.recorder.calls().iter().map(|call| call.with["url"].clone()).collect();
    assert_eq!(urls, ["http://crm.test/a", "http://crm.test/b", "http://crm.test/b"], "a was finished and not done again");
}

#[tokio::test]
async fn a_call_that_may_happen_once_stops_for_a_person() {
    let project = Project::of(
        "
when: [{manual: }]
steps: [{id: pay, call: http.post, at_most_once: true, with: {url: 'http://crm.test/pay', json: {}}}]
",
    );
    let recorder = Recorder::with(Box::new(|_, _| Box::pin(std::future::pending())));
    let life = Life::new(Arc::clone(&recorder));
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let run = app.begin("main", json!({})).await;
    recorder.reached(1).await;
    let stopping = app.app.stop();
    tokio::pin!(stopping);
    tokio::select! {
        () = &mut stopping => {}
        () = life.clock.sleep_until(BEGIN.after(Duration::from_secs(1_000_000))) => {}
        () = async { loop { tokio::task::yield_now().await; life.clock.advance(Duration::from_secs(1)); } } => {}
    }
    let app = TestApp::resume(&project, life).await.unwrap();
    let head = app.ended(run).await;
    assert!(head.error.unwrap().message.contains("at most once"));
    assert_eq!(recorder.calls().len(), 1);
}

#[tokio::test]
async fn a_secret_is_never_shown() {
    let project = Project::of(
        "
when: [{manual: }]
steps:
  - {id: a, call: http.get, with: {url: 'http://crm.test/', auth: {bearer: '${secrets.TOKEN}'}}}
  - {id: b, call: http.get, with: {url: '${steps.a.body.echo}'}}
",
    );
    let recorder = Recorder::answering(|request, _| match request.with["auth"]["bearer"].as_str() {
        Some(token) => Ok(json!({"status": 200, "body": {"echo": format!("you sent {token}")}})),
        None => Err(Failure::new(FailureKind::BadInput, "t0ken-of-tests is no URL")),
    });
    let app = TestApp::start(&project, recorder).await;
    let run = app.begin("main", json!({})).await;
    app.ended(run).await;
    assert_eq!(app.recorder.calls()[0].with["auth"]["bearer"], "t0ken-of-tests");
    let facts = serde_json::to_string(&app.facts(run).await).unwrap();
    let shown = app.get(&format!("/runs/{run}")).await.body.to_string();
    assert!(!facts.contains("t0ken-of-tests") && !shown.contains("t0ken-of-tests"), "{facts}\n{shown}");
    assert!(facts.contains("you sent ***"), "{facts}");
}

#[tokio::test]
async fn a_named_retry_that_is_gone_does_not_hold_up_a_run_in_flight() {
    let project = Project::of(&CALL.replace("{attempts: 3, first: 1s, factor: 2, max: 1m}", "patient"));
    project.write("hence.yaml", "retries: {patient: {attempts: 3, first: 1h}}\n");
    let life = Life::new(Recorder::answering(|request, nth| if nth < 2 { Err(busy()) } else { Ok(ok(request)) }));
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let run = app.begin("main", json!({})).await;
    app.stands(run, Status::Waiting).await;
    app.app.stop().await;
    project.write("hence.yaml", "{}\n");
    project.write("workflows/main.yaml", "when: [{manual: }]\nsteps: [{stop: 1}]\n");
    let app = TestApp::resume(&project, life).await.unwrap();
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
}
