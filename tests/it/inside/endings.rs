//! The `run` trigger.

use hence::domain::run::Status;
use serde_json::json;

use super::{all_ended, output, project};
use crate::support::{Recorder, TestApp};

const WORK: &str = "when: [manual]\nsteps:\n  - if: event.body.fail == true\n    then: [{id: oops, fail: no good}]\n  - {wait: {event: never, for: 1h, else: [{stop: '1'}]}, if: event.body.wait == true}\n  - stop: '#{n: 1}'\n";

fn after(outcome: &str) -> String {
    format!(
        "when: [{{run: {{workflow: work{outcome}}}}}]\nsteps: [{{stop: '#{{source: event.source, type: event.type, body: event.body}}'}}]\n"
    )
}

#[tokio::test]
async fn the_end_of_a_run_starts_those_that_ask_for_it() {
    let (always, failed, other) = (after(""), after(", outcome: failed"), after(", outcome: [canceled, succeeded]"));
    let project = project(&[("work", WORK), ("always", &always), ("failed", &failed), ("other", &other)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let started = |runs: &[hence::store::RunHead]| {
        let mut names: Vec<String> = runs.iter().map(|run| run.workflow.to_string()).filter(|name| name != "work").collect();
        names.sort();
        names
    };
    let work = app.begin("work", json!({})).await;
    let runs = all_ended(&app, 3).await;
    assert_eq!(started(&runs), ["always", "other"]);
    let shown = output(&app, runs.iter().find(|run| *run.workflow == *"always").unwrap().id).await;
    let body = json!({"run": work, "workflow": "work", "status": "succeeded", "output": {"n": 1}});
    assert_eq!(shown, json!({"source": "run", "type": "run.ended", "body": body}));

    let work = app.begin("work", json!({"fail": true})).await;
    let runs = all_ended(&app, 6).await;
    assert_eq!(started(&runs), ["always", "always", "failed", "other"]);
    let body = output(&app, runs.iter().find(|run| *run.workflow == *"failed").unwrap().id).await["body"].clone();
    assert_eq!((&body["run"], &body["status"], &body["step"]), (&json!(work), &json!("failed"), &json!("0/then/oops")));
    assert_eq!(body["error"]["message"], "no good");

    let work = app.begin("work", json!({"wait": true})).await;
    app.stands(work, Status::Waiting).await;
    app.api(reqwest::Method::POST, &format!("/runs/{work}/cancel"), None).await;
    let runs = all_ended(&app, 9).await;
    assert_eq!(started(&runs), ["always", "always", "always", "failed", "other", "other"]);
}

#[tokio::test]
async fn a_workflow_that_follows_itself_ends() {
    let own = "when: [manual, {run: {workflow: own}}]\nsteps: []\n";
    let app = TestApp::start(&project(&[("own", own)]), Recorder::fine()).await;
    app.begin("own", json!({})).await;
    let runs = all_ended(&app, 33).await;
    assert!(runs.iter().all(|run| run.status == Status::Succeeded));
}

#[tokio::test]
async fn the_end_of_a_child_starts_them_too() {
    let parent = "when: [manual]\nsteps: [{run: work}]\n";
    let always = after("");
    let app = TestApp::start(&project(&[("work", WORK), ("parent", parent), ("always", &always)]), Recorder::fine()).await;
    app.begin("parent", json!({})).await;
    let runs = all_ended(&app, 3).await;
    assert!(runs.iter().all(|run| run.status == Status::Succeeded), "{runs:?}");
}
