//! `emit` and the `event` trigger.

use hence::domain::run::Status;
use serde_json::json;

use super::{EMITTER, all_ended, error, output, project};
use crate::support::{Recorder, TestApp};

fn listener(more: &str, steps: &str) -> String {
    format!("when:\n  - event: {{type: order.paid{more}}}\n{steps}\n")
}

#[tokio::test]
async fn an_event_starts_those_that_listen_to_its_type() {
    let plain = listener("", "steps: [{stop: 'event.body.id + \" \" + event.source + \" \" + event.type'}]");
    let large = listener(", if: event.body.n > 10", "steps: [{stop: event.body.n}]");
    let small = listener(", if: event.body.n < 10", "steps: [{stop: event.body.n}]");
    let never = listener("", "if: event.body.id == \"o2\"\nsteps: []");
    let input = listener("", "input:\n  id: {type: string, required: true}\nsteps: [{stop: input.id}]");
    let strict = listener("", "input:\n  ship: {type: string, required: true}\nsteps: [{stop: 1}]");
    let other = "when: [{event: {type: order}}]\nsteps: []\n";
    let project = project(&[
        ("emitter", EMITTER),
        ("plain", &plain),
        ("large", &large),
        ("small", &small),
        ("never", &never),
        ("input", &input),
        ("strict", &strict),
        ("other", other),
    ]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let emitter = app.begin("emitter", json!({"id": "o1", "n": 12})).await;
    let runs = all_ended(&app, 5).await;
    let by_name = |name: &str| runs.iter().find(|run| *run.workflow == *name).unwrap_or_else(|| panic!("no run of {name}"));
    assert_eq!(output(&app, by_name("plain").id).await, "o1 workflow order.paid");
    assert_eq!(output(&app, by_name("large").id).await, 12);
    assert_eq!(output(&app, by_name("input").id).await, "o1");
    assert_eq!(by_name("strict").status, Status::Failed);
    assert!(error(by_name("strict")).contains("`ship`"), "{}", error(by_name("strict")));

    let event = by_name("plain").event;
    assert!(runs.iter().all(|run| run.id == emitter || run.event == event), "one event for all");
    let shown = app.get(&format!("/events/{event}")).await.body;
    assert_eq!((&shown["source"], &shown["type"]), (&json!("workflow"), &json!("order.paid")));
    let why =
        |name: &str| shown["matches"].as_array().unwrap().iter().find(|found| found["workflow"] == name).unwrap()["not_matched"].clone();
    assert_eq!((why("small"), why("never")), (json!("the trigger's `if` is false"), json!("`if` is false")));
    let steps = app.get(&format!("/runs/{emitter}")).await.body["steps"].clone();
    assert_eq!(steps[0]["output"], json!({"id": event, "type": "order.paid"}), "an `emit` has the event's name");
}

#[tokio::test]
async fn a_workflow_that_listens_twice_is_started_once() {
    let twice = "when:\n  - event: {type: order.paid, if: event.body.n > 99}\n  - event: {type: order.paid}\n  - event: {type: order.paid, if: event.body.n > 1}\n  - run: {workflow: emitter}\n  - run: {workflow: emitter, outcome: succeeded}\nsteps: []\n";
    let project = project(&[("emitter", EMITTER), ("twice", twice)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    app.begin("emitter", json!({"n": 2})).await;
    let runs = all_ended(&app, 3).await;
    for run in runs.iter().filter(|run| *run.workflow == *"twice") {
        let shown = app.get(&format!("/events/{}", run.event)).await.body;
        assert_eq!(shown["matches"], json!([{"workflow": "twice", "run": run.id}]));
    }
}

#[tokio::test]
async fn an_event_without_listeners_is_kept() {
    let project = project(&[("emitter", EMITTER)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    app.begin("emitter", json!({"id": "o1"})).await;
    all_ended(&app, 1).await;
    let events = app.get("/events").await.body["events"].clone();
    assert_eq!(events[0]["type"], "order.paid");
}

#[tokio::test]
async fn a_circle_of_workflows_ends_and_says_so() {
    let ping = "when: [manual, {event: {type: pong}}]\nsteps: [{emit: ping}]\n";
    let pong = "when: [{event: {type: ping}}]\nsteps: [{emit: pong}]\n";
    let project = project(&[("ping", ping), ("pong", pong)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    app.begin("ping", json!({})).await;
    let runs = all_ended(&app, 33).await;
    let failed: Vec<_> = runs.iter().filter(|run| run.status == Status::Failed).collect();
    assert_eq!(failed.len(), 1);
    assert!(error(failed[0]).contains("32 times") && error(failed[0]).contains("circle"), "{}", error(failed[0]));
}

#[tokio::test]
async fn a_body_too_large_fails_the_step() {
    let emitter = "when: [manual]\nsteps: [{emit: a, with: {all: '${event.body.text + event.body.text}'}}]\n";
    let project = project(&[("emitter", emitter)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    app.begin("emitter", json!({"text": "x".repeat(520_000)})).await;
    app.begin("emitter", json!({"text": "x".repeat(600_000)})).await;
    let runs = all_ended(&app, 2).await;
    assert_eq!(runs[0].status, Status::Succeeded);
    assert!(error(&runs[1]).contains("the limit is 1048576") || error(&runs[1]).contains("limit"), "{}", error(&runs[1]));
}
