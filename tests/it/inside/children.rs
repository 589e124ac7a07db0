//! `run`: other workflows as steps.

use std::sync::Arc;

use hence::domain::Value;
use hence::domain::failure::{Failure, FailureKind};
use hence::domain::id::RunId;
use hence::domain::run::Status;
use serde_json::json;

use super::{EMITTER, all_ended, error, gated, output, project};
use crate::support::{Life, Recorder, TestApp};

const PARENT: &str = "when: [manual]\nsteps:\n  - {id: c, run: child, with: {x: '${event.body.x ?? 0}'}}\n  - stop: steps.c\n";
const WAITING: &str = "when: [manual]\nsteps: [{wait: {event: order.paid}}, {stop: '\"paid\"'}]\n";

/// The run of a workflow.
async fn run_of(app: &TestApp, workflow: &str) -> RunId {
    app.until(async |app| app.all_runs().await.iter().find(|run| *run.workflow == *workflow).map(|run| run.id)).await
}

async fn cancel(app: &TestApp, run: RunId) {
    let answer = app.api(reqwest::Method::POST, &format!("/runs/{run}/cancel"), None).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[tokio::test]
async fn a_child_gives_its_output_and_both_know_of_each_other() {
    let child =
        "when: [manual]\ninput: {x: {type: integer}}\nsteps: [{stop: '#{double: input.x * 2, source: event.source, type: event.type}'}]\n";
    let app = TestApp::start(&project(&[("parent", PARENT), ("child", child)]), Recorder::fine()).await;
    let parent = app.begin("parent", json!({"x": 4})).await;
    let runs = all_ended(&app, 2).await;
    assert_eq!(output(&app, parent).await, json!({"double": 8, "source": "workflow", "type": "run"}));
    let child = runs.iter().find(|run| *run.workflow == *"child").unwrap().id;
    let (of_parent, of_child) = (app.get(&format!("/runs/{parent}")).await.body, app.get(&format!("/runs/{child}")).await.body);
    assert_eq!(of_parent["children"], json!([{"run": child, "workflow": "child", "step": "c"}]));
    assert_eq!((&of_parent["parent"], &of_child["parent"]), (&Value::Null, &json!(parent)));
    let listed = app.get("/runs").await.body["runs"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 2, "children are listed like others");
}

#[tokio::test]
async fn a_child_that_fails_fails_the_step() {
    let child = "when: [manual]\nsteps: [{fail: 'no ${event.body.x}'}]\n";
    let caught =
        "when: [manual]\nsteps:\n  - {run: child, with: {x: 1}, on_error: [{stop: '#{kind: error.kind, message: error.message}'}]}\n";
    let app = TestApp::start(&project(&[("parent", PARENT), ("caught", caught), ("child", child)]), Recorder::fine()).await;
    let (parent, caught) = (app.begin("parent", json!({"x": 7})).await, app.begin("caught", json!({})).await);
    let runs = all_ended(&app, 4).await;
    let failed = runs.iter().find(|run| run.id == parent).unwrap();
    assert!(error(failed).contains("`child` failed: no 7"), "{}", error(failed));
    let seen = output(&app, caught).await;
    assert_eq!(seen["kind"], "child_failed");
    assert!(seen["message"].as_str().unwrap().contains("no 1"), "{seen}");
}

#[tokio::test]
async fn the_end_of_a_parent_ends_its_children() {
    let grand = "when: [manual]\nsteps: [{run: parent}]\n";
    let workflows = [("grand", grand), ("parent", PARENT), ("child", WAITING)];
    let project = project(&workflows);
    let life = Life::new(Recorder::fine());
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let grand = app.begin("grand", json!({})).await;
    let child = run_of(&app, "child").await;
    app.stands(child, Status::Waiting).await;
    app.app.stop().await;
    let app = TestApp::resume(&project, life).await.unwrap();
    cancel(&app, grand).await;
    let runs = all_ended(&app, 3).await;
    assert!(runs.iter().all(|run| run.status == Status::Canceled), "{runs:?}");
}

#[tokio::test]
async fn a_failure_beside_a_child_ends_it_with_the_run() {
    let parent = "when: [manual]\nsteps:\n  - parallel: {a: [{run: child}], b: [{call: http.get, with: {url: http://crm.test/held}}, {fail: bad}]}\n";
    let (recorder, gate) = gated();
    let app = TestApp::start(&project(&[("parent", parent), ("child", WAITING)]), Arc::clone(&recorder)).await;
    let parent = app.begin("parent", json!({})).await;
    app.stands(run_of(&app, "child").await, Status::Waiting).await;
    gate.open();
    let runs = all_ended(&app, 2).await;
    let status = |run: RunId| runs.iter().find(|head| head.id == run).unwrap().status;
    assert_eq!((status(parent), status(run_of(&app, "child").await)), (Status::Failed, Status::Canceled));
}

#[tokio::test]
async fn a_step_that_takes_too_long_ends_its_child_while_the_run_goes_on() {
    let parent = "when: [manual]\nsteps:\n  - {run: child, timeout: 1h, on_error: continue}\n  - wait: {event: never, for: 30d, else: [{stop: '1'}]}\n";
    let app = TestApp::start(&project(&[("parent", parent), ("child", WAITING)]), Recorder::fine()).await;
    let parent = app.begin("parent", json!({})).await;
    let child = run_of(&app, "child").await;
    app.stands(child, Status::Waiting).await;
    app.stands(parent, Status::Waiting).await;
    app.clock.advance(std::time::Duration::from_secs(3600));
    app.stands(child, Status::Canceled).await;
    app.stands(parent, Status::Waiting).await;
}

#[tokio::test]
async fn a_child_that_is_canceled_fails_the_step() {
    let app = TestApp::start(&project(&[("parent", PARENT), ("child", WAITING)]), Recorder::fine()).await;
    let parent = app.begin("parent", json!({})).await;
    let child = run_of(&app, "child").await;
    app.stands(child, Status::Waiting).await;
    cancel(&app, child).await;
    let failed = app.stands(parent, Status::Failed).await;
    assert!(error(&failed).contains(&format!("{child} of `child` canceled")), "{}", error(&failed));
}

#[tokio::test]
async fn ten_children_of_one_loop_go_on_at_once() {
    let parent = "
when: [manual]
steps:
  - id: all
    foreach: '[0,1,2,3,4,5,6,7,8,9]'
    parallel: 10
    steps: [{run: child, with: {x: '${item}'}}]
  - stop: steps.all
";
    let child = "when: [manual]\nsteps: [{call: http.get, with: {url: http://crm.test/held}}, {stop: event.body.x * event.body.x}]\n";
    let (recorder, gate) = gated();
    let app = TestApp::start(&project(&[("parent", parent), ("child", child)]), Arc::clone(&recorder)).await;
    let parent = app.begin("parent", json!({})).await;
    recorder.reached(10).await;
    gate.open();
    all_ended(&app, 11).await;
    assert_eq!(output(&app, parent).await, json!([0, 1, 4, 9, 16, 25, 36, 49, 64, 81]));
    assert_eq!(app.get(&format!("/runs/{parent}")).await.body["children"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn a_child_goes_on_in_its_own_revision_when_its_file_is_gone() {
    let late = "when: [manual]\nsteps: [{wait: {event: order.paid}}, {run: child}]\n";
    let project = project(&[("emitter", EMITTER), ("parent", PARENT), ("late", late), ("child", WAITING)]);
    let life = Life::new(Recorder::fine());
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let parent = app.begin("parent", json!({})).await;
    app.stands(run_of(&app, "child").await, Status::Waiting).await;
    app.stands(parent, Status::Waiting).await;
    let late = app.begin("late", json!({})).await;
    app.stands(late, Status::Waiting).await;
    app.app.stop().await;
    std::fs::remove_file(project.dir().join("workflows/child.yaml")).unwrap();
    let app = TestApp::resume(&project, life).await.unwrap();
    app.begin("emitter", json!({})).await;
    all_ended(&app, 4).await;
    assert_eq!(output(&app, parent).await, "paid");
    let failed = app.stands(late, Status::Failed).await;
    assert!(error(&failed).contains("there is no workflow `child`"), "{}", error(&failed));
}

#[tokio::test]
async fn a_child_waits_for_its_turn() {
    let child = "when: [manual]\nconcurrency: {limit: 1}\nsteps: [{call: http.get, with: {url: 'http://crm.test/${event.body.x}'}}, {stop: event.body.x}]\n";
    let (recorder, gate) = gated();
    let app = TestApp::start(&project(&[("parent", PARENT), ("child", child)]), Arc::clone(&recorder)).await;
    app.begin("child", json!({"x": "held"})).await;
    recorder.reached(1).await;
    let parent = app.begin("parent", json!({"x": "next"})).await;
    app.stands(parent, Status::Waiting).await;
    assert_eq!(recorder.calls().len(), 1, "the child waits");
    gate.open();
    all_ended(&app, 3).await;
    assert_eq!(output(&app, parent).await, "next");
}

#[tokio::test]
async fn a_run_does_not_wait_for_a_child_that_waits_for_it() {
    let own = "when: [manual]\nconcurrency: {limit: 1}\nsteps: [{run: own}]\n";
    let outer = "when: [manual]\nconcurrency: {key: event.body.k, limit: 1}\nsteps: [{run: inner, with: {k: '${event.body.k}'}}]\n";
    let inner = "when: [manual]\nsteps: [{run: outer, with: {k: '${event.body.k}'}}]\n";
    let app = TestApp::start(&project(&[("own", own), ("outer", outer), ("inner", inner)]), Recorder::fine()).await;
    let own = app.begin("own", json!({})).await;
    let failed = app.stands(own, Status::Failed).await;
    assert!(error(&failed).contains("`concurrency`"), "{}", error(&failed));
    let outer = app.begin("outer", json!({"k": 1})).await;
    let failed = app.stands(outer, Status::Failed).await;
    assert!(error(&failed).contains("`concurrency`"), "{}", error(&failed));
}

#[tokio::test]
async fn workflows_that_start_each_other_end_and_say_so() {
    let own = "when: [manual]\nsteps: [{run: own}]\n";
    let app = TestApp::start(&project(&[("own", own)]), Recorder::fine()).await;
    let own = app.begin("own", json!({})).await;
    let runs = all_ended(&app, 33).await;
    let first = runs.iter().find(|run| run.id == own).unwrap();
    assert!(error(first).contains("circle"), "{}", error(first));
    assert_eq!(error(first).matches("failed:").count(), 1, "the reason alone is passed on: {}", error(first));
}

#[tokio::test]
async fn what_keeps_a_child_from_starting_fails_the_step() {
    let picky = "when: [manual]\nif: event.body.x > 1\nsteps: []\n";
    let strict = "when: [manual]\ninput: {y: {type: text, required: true}}\nsteps: []\n".replace("text", "string");
    let of = |name: &str| format!("when: [manual]\nsteps: [{{run: {name}, with: {{x: 1}}}}]\n");
    let (a, b) = (of("picky"), of("strict"));
    let app = TestApp::start(&project(&[("a", &a), ("b", &b), ("picky", picky), ("strict", &strict)]), Recorder::fine()).await;
    let (a, b) = (app.begin("a", json!({})).await, app.begin("b", json!({})).await);
    let failed = app.stands(a, Status::Failed).await;
    assert!(error(&failed).contains("`picky` was not started"), "{}", error(&failed));
    let failed = app.stands(b, Status::Failed).await;
    assert!(error(&failed).contains("input `y`"), "{}", error(&failed));
}

#[tokio::test]
async fn a_child_that_an_iteration_went_past_ends_with_the_iteration() {
    for block in ["foreach: '[1]'", "repeat: {until: 'true'}"] {
        let parent = format!(
            "
when: [manual]
steps:
  - {block}
    steps:
      - parallel: {{a: [{{run: child}}], b: [{{wait: 1s}}, {{fail: no}}]}}
        on_error: continue
  - stop: '\"over\"'
"
        );
        let app = TestApp::start(&project(&[("parent", &parent), ("child", WAITING)]), Recorder::fine()).await;
        let parent = app.begin("parent", json!({})).await;
        let child = run_of(&app, "child").await;
        app.stands(child, Status::Waiting).await;
        app.ended(parent).await;
        let runs = all_ended(&app, 2).await;
        let stands: Vec<_> =
            ["parent", "child"].iter().map(|name| runs.iter().find(|run| *run.workflow == **name).unwrap().status).collect();
        assert_eq!(stands, [Status::Succeeded, Status::Canceled], "{block}");
    }
}

/// What another system answers may be nested as deep as its reader allows: the run goes on with it all the same.
#[tokio::test]
async fn what_is_nested_very_deep_does_not_hold_a_run_up() {
    let caller = "when: [manual]\nsteps: [{call: http.get, with: {url: 'http://deep.test'}}]\n";
    let parent = "when: [manual]\nsteps:\n  - {id: c, run: child}\n  - wait: 1h\n  - {id: f, call: http.get, with: {url: 'http://deep.test/fails'}, retry: {attempts: 1}, on_error: continue}\n  - wait: 1h\n  - stop: steps.c.body.len()\n";
    let deep = || (0..125).fold(json!(1), |inner, _| json!([inner]));
    let recorder = Recorder::answering(move |request, _| {
        if request.with["url"].as_str().unwrap().ends_with("fails") {
            return Err(Failure::new(FailureKind::Status, "no").with_detail(deep()));
        }
        Ok(json!({"status": 200, "body": deep()}))
    });
    let app = TestApp::start(&project(&[("parent", parent), ("child", caller)]), recorder).await;
    let parent = app.begin("parent", json!({})).await;
    app.ended(parent).await;
    assert_eq!(output(&app, parent).await, json!(1));
    let emits = "when: [manual]\nsteps:\n  - {id: c, run: child}\n  - {emit: x, with: {a: {b: '${steps.c}'}}}\n";
    let app = TestApp::start(&project(&[("parent", emits), ("child", caller)]), Recorder::answering(move |_, _| Ok(deep()))).await;
    app.begin("parent", json!({})).await;
    let runs = all_ended(&app, 2).await;
    let failed = runs.iter().find(|run| run.status == Status::Failed).unwrap();
    assert!(error(failed).contains("nested deeper than 100"), "{}", error(failed));
}
