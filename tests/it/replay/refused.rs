//! What is not replayed, and what is said about it.

use hence::domain::run::Status;
use hence::store::kv::{Batch, Order};
use reqwest::Method;
use serde_json::{Value, json};

use super::{SHOP, refusing, replayed, url};
use crate::reload::changed;
use crate::support::{Life, Project, Recorder, TestApp, ok};

/// Asks for a replay that is refused, and looks for the words.
async fn check(app: &TestApp, run: impl std::fmt::Display, body: Value, (status, code): (u16, &str), words: &str) {
    let before = app.all_runs().await.len();
    let answer = app.api(Method::POST, &format!("/runs/{run}/replay"), Some(body)).await;
    let detail = answer.body["detail"].as_str().unwrap_or_default();
    assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{answer:?}");
    assert!(detail.contains(words), "`{words}` is not in: {detail}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(app.all_runs().await.len(), before, "nothing is stored");
}

#[tokio::test]
async fn runs_that_are_open_or_unknown() {
    let (recorder, none) = (Recorder::with(Box::new(|_, _| Box::pin(std::future::pending()))), "run_00000000000000000000000000");
    let app = TestApp::start(&Project::of(SHOP), recorder).await;
    let run = app.begin("main", json!({})).await;
    app.recorder.reached(1).await;
    check(&app, run, json!({}), (409, "run-open"), "wait for its end, or cancel it first").await;
    check(&app, none, json!({}), (404, "no-run"), none).await;
    check(&app, "run_1", json!({}), (400, "bad-request"), "`run_1` is not an id").await;
    check(&app, run, json!({"form": "charge"}), (400, "bad-request"), "unknown field `form`, expected `from`").await;
    check(&app, run, json!("charge"), (400, "bad-request"), "{\"from\": \"STEP\"}").await;
    check(&app, run, json!({"from": "x".repeat(2 << 20)}), (400, "bad-request"), "length limit exceeded").await;
    let answer = app.api(Method::GET, &format!("/runs/{run}/replay"), None).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn workflows_that_are_gone_or_bad_and_events_that_are_gone() {
    let project = Project::of(SHOP);
    project.write("workflows/other.yaml", "when: [{manual: }]\nsteps: [{stop: 1}]\n");
    let life = Life::new(Recorder::fine());
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let run = app.begin("main", json!({})).await;
    let head = app.ended(run).await;
    project.write("workflows/main.yaml", "when: [{manual: }]\nsteps: [{stopp: 1}]\n");
    changed(&app).await;
    check(&app, run, json!({}), (409, "bad-workflow"), "`main` has an error now: mend it first (see `hence check`)").await;
    std::fs::remove_file(project.dir().join("workflows/main.yaml")).unwrap();
    changed(&app).await;
    check(&app, run, json!({}), (404, "no-workflow"), "no workflow `main`").await;
    project.write("workflows/main.yaml", SHOP);
    changed(&app).await;
    let mut batch = Batch::default();
    life.kv
        .range(b"e", b"f", Order::Ascending, &mut |key, _| {
            batch.delete(key.to_vec());
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    life.kv.apply(&batch).unwrap();
    check(&app, run, json!({}), (404, "no-event"), &format!("{} is not in the store any more", head.event)).await;
}

#[tokio::test]
async fn steps_that_are_unknown_or_were_not_reached() {
    let project = Project::of(
        "
when: [{manual: }]
if: event.body.n != 7
steps:
  - {id: contact, call: http.post, with: {url: 'http://crm.test/contact'}}
  - id: each
    foreach: '[1, 2]'
    steps: [{id: charge, call: http.post, with: {url: 'http://crm.test/charge'}}]
  - {id: tell, call: http.post, with: {url: 'http://chat.test/'}}
on_error:
  - {id: alarm, script: 1}
",
    );
    let app = TestApp::start(&project, refusing("/charge")).await;
    let run = app.begin("main", json!({})).await;
    app.ended(run).await;
    let from = |step: &str| json!({"from": step});
    let steps = "no step `chrge`; it has `contact`, `each`, `each[N]/charge`, `tell`";
    check(&app, run, from("chrge"), (404, "no-step"), steps).await;
    check(&app, run, from(""), (404, "no-step"), "no step ``").await;
    check(&app, run, from("charge"), (404, "no-step"), "as in `each[0]/charge`, or replay from `each`").await;
    check(&app, run, from("alarm"), (404, "no-step"), "`alarm` is done when a run ends").await;
    check(&app, run, from("tell"), (409, "not-reusable"), "`each[0]/charge` comes before `tell` and did not finish").await;
    check(&app, run, from("each[5]/charge"), (409, "not-reusable"), "`each` went on without it").await;
    project.write(
        "workflows/main.yaml",
        &std::fs::read_to_string(project.dir().join("workflows/main.yaml")).unwrap().replace("event.body.n != 7", "1 / event.body.n > 0"),
    );
    changed(&app).await;
    check(&app, run, from("tell"), (409, "not-reusable"), "what decides whether a run begins cannot be evaluated").await;
}

#[tokio::test]
async fn steps_that_have_changed_since() {
    let steps = |first: &str| {
        format!("when: [{{manual: }}]\nsteps:\n{first}  - {{id: charge, call: http.post, with: {{url: 'http://crm.test/charge'}}}}\n")
    };
    let unnamed = "  - {call: http.post, with: {url: 'http://crm.test/contact'}}\n";
    let project = Project::of(&steps(unnamed));
    let app = TestApp::start(&project, refusing("/charge")).await;
    let run = app.begin("main", json!({})).await;
    app.ended(run).await;
    let changed_to = async |first: &str| {
        project.write("workflows/main.yaml", &steps(first));
        changed(&app).await;
    };
    let from = json!({"from": "charge"});
    let replay = "`0` was done before `charge`, and the workflow has changed there since: replay the whole run";
    changed_to("").await;
    check(&app, run, from.clone(), (409, "not-reusable"), replay).await;
    changed_to(&format!("  - {{call: http.post, with: {{url: 'http://chat.test/new'}}}}\n{unnamed}")).await;
    check(&app, run, from.clone(), (409, "not-reusable"), replay).await;
    changed_to("  - {script: 1}\n").await;
    check(&app, run, from.clone(), (409, "not-reusable"), replay).await;
    // How it is tried again may change.
    changed_to("  - {call: http.post, with: {url: 'http://crm.test/contact'}, timeout: 7s}\n").await;
    let before = app.recorder.calls().len();
    assert_eq!(replayed(&app, run, Some("charge")).await.1, Status::Failed, "the call is refused as ever");
    assert_eq!(app.recorder.calls().len(), before + 1);
}

#[tokio::test]
async fn a_replay_is_refused_while_too_many_runs_wait() {
    let hold = "when: [{manual: }]\nsteps: [{call: http.post, with: {url: 'http://crm.test/hold'}}]\n";
    let project = Project::new(&[("workflows/main.yaml", SHOP), ("workflows/hold.yaml", hold)]);
    project.write("hence.yaml", "limits: {running: 1, backlog: 1}\n");
    let recorder = Recorder::with(Box::new(|request, _| {
        if url(request).ends_with("/hold") {
            return Box::pin(std::future::pending());
        }
        let answer = ok(request);
        Box::pin(async { Ok(answer) })
    }));
    let app = TestApp::start(&project, recorder).await;
    let run = app.begin("main", json!({})).await;
    app.ended(run).await;
    app.begin("hold", json!({})).await;
    app.recorder.reached(3).await;
    app.begin("hold", json!({})).await;
    check(&app, run, json!({}), (503, "overloaded"), "1 accepted runs are waiting already (limit 1)").await;
}
