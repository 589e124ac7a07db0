//! `wait: {event: …}`.

use std::sync::Arc;
use std::time::Duration;

use hence::domain::run::Status;
use serde_json::{Value, json};

use super::{EMITTER, all_ended, error, gated, output, project};
use crate::support::app::BEGIN;
use crate::support::{Life, Recorder, TestApp};

/// Waits for the payment of its own order.
const WAITER: &str = "
when: [manual]
steps:
  - id: paid
    wait: {event: order.paid, if: event.body.id == run.event.body.id}
  - stop: steps.paid.body.n
";

#[tokio::test]
async fn an_event_ends_the_waits_that_mean_it_and_no_others() {
    let project = project(&[("emitter", EMITTER), ("waiter", WAITER)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let (one, two, other) = (
        app.begin("waiter", json!({"id": "o1"})).await,
        app.begin("waiter", json!({"id": "o1"})).await,
        app.begin("waiter", json!({"id": "o2"})).await,
    );
    for run in [one, two, other] {
        app.stands(run, Status::Waiting).await;
    }
    app.begin("emitter", json!({"id": "o1", "n": 7})).await;
    for run in [one, two] {
        app.stands(run, Status::Succeeded).await;
        assert_eq!(output(&app, run).await, 7);
    }
    app.begin("emitter", json!({"id": "o2", "n": 8})).await;
    app.stands(other, Status::Succeeded).await;
    assert_eq!(output(&app, other).await, 8);
    let step = app.get(&format!("/runs/{other}")).await.body["steps"][0].clone();
    let output = &step["output"];
    assert_eq!((&output["type"], &output["body"]["id"], &output["id"]), (&json!("order.paid"), &json!("o2"), &step["event"]));
}

#[tokio::test]
async fn what_came_while_the_step_before_was_done_is_heard_and_what_came_before_it_is_not() {
    let waiter = "
when: [manual]
steps:
  - call: http.get
    with: {url: http://crm.test/first}
  - call: http.get
    with: {url: http://crm.test/held}
  - id: paid
    wait: {event: order.paid}
  - stop: steps.paid.body.n
";
    let project = project(&[("emitter", EMITTER), ("waiter", waiter)]);
    let (recorder, gate) = gated();
    let app = TestApp::start(&project, Arc::clone(&recorder)).await;
    app.begin("emitter", json!({"n": 1})).await;
    all_ended(&app, 1).await;
    app.clock.advance(Duration::from_millis(1));
    let run = app.begin("waiter", json!({})).await;
    recorder.reached(2).await;
    app.begin("emitter", json!({"n": 2})).await;
    app.until(async |app| (app.all_runs().await.iter().filter(|run| run.status == Status::Succeeded).count() == 2).then_some(())).await;
    gate.open();
    app.stands(run, Status::Succeeded).await;
    assert_eq!(output(&app, run).await, 2);
}

#[tokio::test]
async fn a_wait_that_is_over_takes_its_else_or_fails() {
    let steps = "[{id: w, wait: {event: order.paid, for: 3d, else: [{set: {why: error.kind}}, {script: '\"gave up\"'}]}}, {stop: 'vars.why + \" \" + now()'}]";
    let with_else = format!("when: [manual]\nsteps: {steps}\n");
    let without = "when: [manual]\nsteps: [{wait: {event: order.paid, for: 3d}}]\n";
    let project = project(&[("with_else", &with_else), ("without", without)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let (first, second) = (app.begin("with_else", json!({})).await, app.begin("without", json!({})).await);
    let due = BEGIN.after(Duration::from_secs(3 * 86_400));
    for run in [first, second] {
        assert_eq!(app.stands(run, Status::Waiting).await.wake, Some(due));
    }
    app.clock.advance_to(due);
    assert_eq!(app.stands(first, Status::Succeeded).await.updated, due);
    assert_eq!(output(&app, first).await, format!("expired {due}"));
    let failed = app.stands(second, Status::Failed).await;
    assert!(error(&failed).contains("`order.paid`") && error(&failed).contains("else"), "{}", error(&failed));
}

const HELD: &str = "{call: http.get, with: {url: http://crm.test/held}}";
const EMIT: &str = "{emit: order.paid, with: {n: 1}}";

/// A waiter that cannot look before the expiry is over: one workflow has the only place there is.
async fn kept_waiting(holding: [&str; 2], emits_before: Duration, then: Duration) -> Value {
    let steps = "[{wait: {event: order.paid, for: 1h, else: [{stop: '\"too late\"'}]}}, {stop: '\"heard\"'}]";
    let waiter = format!("when: [manual]\nsteps: {steps}\n");
    let holding = format!("when: [manual]\nsteps:\n  - {}\n  - {}\n", holding[0], holding[1]);
    let project = project(&[("holding", &holding), ("waiter", &waiter)]);
    project.write("hence.yaml", "limits: {running: 1}\n");
    let (recorder, gate) = gated();
    let app = TestApp::start(&project, Arc::clone(&recorder)).await;
    let run = app.begin("waiter", json!({})).await;
    app.stands(run, Status::Waiting).await;
    app.clock.advance(Duration::from_secs(3600) - emits_before);
    app.begin("holding", json!({})).await;
    recorder.reached(1).await;
    app.clock.advance(then);
    gate.open();
    app.stands(run, Status::Succeeded).await;
    output(&app, run).await
}

#[tokio::test]
async fn what_came_in_time_is_heard_also_by_a_run_that_looks_too_late() {
    let (before, later) = (Duration::from_millis(1), Duration::from_secs(5));
    assert_eq!(kept_waiting([EMIT, HELD], before, later).await, "heard");
}

#[tokio::test]
async fn what_comes_at_the_expiry_itself_is_too_late() {
    let before = Duration::from_millis(1);
    assert_eq!(kept_waiting([HELD, EMIT], before, before).await, "too late");
}

#[tokio::test]
async fn a_loop_of_waits_takes_each_event_once() {
    let waiter = "
when: [manual]
steps:
  - id: all
    foreach: '[1, 2, 3]'
    steps:
      - id: paid
        wait: {event: order.paid}
      - script: steps.paid.body.n
  - stop: steps.all
";
    let project = project(&[("emitter", EMITTER), ("waiter", waiter)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let run = app.begin("waiter", json!({})).await;
    app.stands(run, Status::Waiting).await;
    for n in [5, 6, 7] {
        let emitter = app.begin("emitter", json!({"n": n})).await;
        app.stands(emitter, Status::Succeeded).await;
    }
    app.stands(run, Status::Succeeded).await;
    assert_eq!(output(&app, run).await, json!([5, 6, 7]));
}

#[tokio::test]
async fn a_later_wait_takes_what_an_earlier_one_passed_over() {
    let waiter = "
when: [manual]
steps:
  - id: ann
    wait: {event: order.paid, if: event.body.id == \"ann\"}
  - id: bob
    wait: {event: order.paid, if: event.body.id == \"bob\"}
  - stop: '[steps.ann.body.n, steps.bob.body.n]'
";
    let project = project(&[("emitter", EMITTER), ("waiter", waiter)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let run = app.begin("waiter", json!({})).await;
    app.stands(run, Status::Waiting).await;
    for (id, n) in [("bob", 1), ("ann", 2)] {
        let emitter = app.begin("emitter", json!({"id": id, "n": n})).await;
        app.stands(emitter, Status::Succeeded).await;
    }
    app.stands(run, Status::Succeeded).await;
    assert_eq!(output(&app, run).await, json!([2, 1]));
}

#[tokio::test]
async fn branches_that_wait_for_one_type_do_not_hide_events_from_each_other() {
    let waiter = "
when: [manual]
steps:
  - id: both
    parallel:
      a: [{id: one, wait: {event: order.paid, if: event.body.id == 1}}, {script: steps.one.body.n}]
      b: [{id: two, wait: {event: order.paid, if: event.body.id == 2}}, {script: steps.two.body.n}]
      c: [{id: any, wait: {event: order.paid}}, {script: steps.any.body.n}]
  - stop: steps.both
";
    let project = project(&[("emitter", EMITTER), ("waiter", waiter)]);
    let life = Life::new(Recorder::fine());
    let mut app = TestApp::resume(&project, life.clone()).await.unwrap();
    let run = app.begin("waiter", json!({})).await;
    app.stands(run, Status::Waiting).await;
    // The first goes to `c`, which takes any; the others to those who mean them.
    for (id, n) in [(3, 30), (2, 20), (1, 10)] {
        let emitter = app.begin("emitter", json!({"id": id, "n": n})).await;
        app.stands(emitter, Status::Succeeded).await;
        if id == 2 {
            app.app.stop().await;
            app = TestApp::resume(&project, life.clone()).await.unwrap();
        }
    }
    app.stands(run, Status::Succeeded).await;
    assert_eq!(output(&app, run).await, json!({"a": 10, "b": 20, "c": 30}));
}

#[tokio::test]
async fn a_branch_hears_while_the_call_of_another_one_is_in_flight() {
    let waiter = "
when: [manual]
steps:
  - parallel:
      a: [{call: http.get, with: {url: http://crm.test/held}}]
      b: [{wait: {event: order.paid}}, {call: http.get, with: {url: http://crm.test/told}}]
";
    let project = project(&[("emitter", EMITTER), ("waiter", waiter)]);
    let (recorder, gate) = gated();
    let app = TestApp::start(&project, Arc::clone(&recorder)).await;
    let run = app.begin("waiter", json!({})).await;
    recorder.reached(1).await;
    app.begin("emitter", json!({})).await;
    recorder.reached(2).await;
    assert_eq!(recorder.calls()[1].with["url"], "http://crm.test/told");
    gate.open();
    app.stands(run, Status::Succeeded).await;
}

#[tokio::test]
async fn a_wait_goes_on_after_a_restart_and_in_the_old_revision() {
    let project = project(&[("emitter", EMITTER), ("waiter", WAITER)]);
    let life = Life::new(Recorder::fine());
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let run = app.begin("waiter", json!({"id": "o1"})).await;
    app.stands(run, Status::Waiting).await;
    app.app.stop().await;
    project.write("workflows/waiter.yaml", "when: [manual]\nsteps: [{stop: '\"new\"'}]\n");
    life.clock.advance(Duration::from_secs(86_400));
    let app = TestApp::resume(&project, life).await.unwrap();
    app.begin("emitter", json!({"id": "o1", "n": 3})).await;
    app.stands(run, Status::Succeeded).await;
    assert_eq!(output(&app, run).await, 3);
}

#[tokio::test]
async fn an_if_that_cannot_be_evaluated_fails_the_wait() {
    let waiter = "when: [manual]\nsteps: [{wait: {event: order.paid, if: event.body.n}}]\n";
    let project = project(&[("emitter", EMITTER), ("waiter", waiter)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let run = app.begin("waiter", json!({})).await;
    app.stands(run, Status::Waiting).await;
    app.begin("emitter", json!({"n": 3})).await;
    let failed = app.stands(run, Status::Failed).await;
    assert!(error(&failed).contains("expected true or false"), "{}", error(&failed));
}

#[tokio::test]
async fn what_comes_from_outside_is_not_heard() {
    let hook = "when: [{webhook: {path: paid, verify: none}}]\nsteps: []\n";
    let project =
        project(&[("hook", hook), ("waiter", "when: [manual]\nsteps: [{wait: {event: webhook, for: 1h, else: [{stop: '1'}]}}]\n")]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let run = app.begin("waiter", json!({})).await;
    app.stands(run, Status::Waiting).await;
    let sent = app.post("paid", &json!({})).await;
    app.stands(sent.runs()[0], Status::Succeeded).await;
    assert_eq!(app.ended(run).await.updated, BEGIN.after(Duration::from_secs(3600)));
    assert_eq!(output(&app, run).await, Value::from(1));
}
