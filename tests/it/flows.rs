//! Branches, loops and waits: what each gives, in which order, and under which key.

use std::sync::Arc;
use std::time::Duration;

use hence::domain::Value;
use hence::domain::failure::{Failure, FailureKind};
use hence::domain::run::Status;
use serde_json::json;

use crate::support::app::BEGIN;
use crate::support::{Life, Project, Recorder, TestApp, ok};

/// Runs these steps by hand on an event; gives the run's output, or why it failed.
async fn check(steps: &str, event: Value, expected: Value) {
    let (app, _project) = run(steps, event, Recorder::fine()).await;
    let head = &app.all_runs().await[0];
    let shown = app.get(&format!("/runs/{}", head.id)).await.body;
    assert_eq!(shown["error"]["message"], Value::Null, "{steps}");
    assert_eq!(shown["output"], expected, "{steps}");
}

async fn run(steps: &str, event: Value, recorder: Arc<Recorder>) -> (TestApp, Project) {
    let project = Project::of(&format!("when: [{{manual: }}]\nsteps:\n{steps}"));
    let app = TestApp::start(&project, recorder).await;
    let run = app.begin("main", event).await;
    app.ended(run).await;
    (app, project)
}

async fn failure(steps: &str, event: Value) -> String {
    let (app, _project) = run(steps, event, Recorder::fine()).await;
    app.all_runs().await[0].error.as_ref().unwrap().message.clone()
}

#[tokio::test]
async fn switch_takes_the_case_that_fits() {
    let steps = "  - {id: s, switch: event.body.x, cases: {paid: [{script: '\"p\"'}], 7: [{script: '\"seven\"'}], true: [{script: '\"yes\"'}]}, default: [{script: '\"d\"'}]}\n  - stop: steps.s\n";
    for (x, expected) in [(json!("paid"), "p"), (json!(7), "seven"), (json!(true), "yes"), (json!("else"), "d"), (json!(null), "d")] {
        check(steps, json!({"x": x}), json!(expected)).await;
    }
}

#[tokio::test]
async fn an_if_with_an_id_has_the_output_of_its_branch() {
    let steps = "  - {id: a, if: event.body.x, then: [{script: 1}, {script: 2}], else: [{script: 3}]}\n  - stop: steps.a\n";
    check(steps, json!({"x": true}), json!(2)).await;
    check(steps, json!({"x": false}), json!(3)).await;
}

#[tokio::test]
async fn foreach_gives_the_list_of_last_outputs_and_sees_its_own_iteration() {
    let steps = "
  - id: each
    foreach: event.body.list
    as: n
    steps:
      - {id: double, script: n * 2}
      - {if: 'item % 2 == 0', script: steps.double + 100}
  - stop: '#{all: steps.each, inside: steps.double ?? 0}'
";
    check(steps, json!({"list": [1, 2, 3]}), json!({"all": [2, 104, 6], "inside": 0})).await;
    check(steps, json!({"list": []}), json!({"all": [], "inside": 0})).await;
}

#[tokio::test]
async fn loops_nest() {
    let steps = "
  - id: rows
    foreach: event.body.rows
    as: row
    steps:
      - id: cells
        foreach: row
        as: cell
        steps: [{script: '`${row.len()}:${cell}:${index}`'}]
  - stop: steps.rows
";
    check(steps, json!({"rows": [["a", "b"], ["c"]]}), json!([["2:a:0", "2:b:1"], ["1:c:0"]])).await;
}

#[tokio::test]
async fn what_is_no_list_says_so() {
    let steps = "  - {foreach: event.body.list, steps: [{script: 1}]}\n";
    assert!(failure(steps, json!({})).await.contains("?? []"));
    assert!(failure(steps, json!({"list": {"a": 1}})).await.contains("a map"));
}

#[tokio::test]
async fn calls_of_a_loop_have_keys_of_their_own_and_run_as_many_at_once_as_said() {
    let steps = "
  - id: each
    foreach: event.body
    parallel: 3
    steps: [{id: c, call: http.get, with: {url: 'http://crm.test/${item}'}}]
";
    let (app, _project) = run(steps, json!([0, 1, 2, 3, 4, 5, 6]), Recorder::fine()).await;
    let head = app.all_runs().await[0].clone();
    let mut keys: Vec<_> = app.recorder.calls().iter().map(|call| format!("{} {}", call.idempotency_key, call.with["url"])).collect();
    keys.sort();
    let expected: Vec<_> = (0..7).map(|n| format!("{}/each[{n}]/c \"http://crm.test/{n}\"", head.id)).collect();
    assert_eq!(keys, expected);

    let held = Recorder::with(Box::new(|_, _| Box::pin(std::future::pending())));
    let project = Project::of(&format!("when: [{{manual: }}]\nsteps:\n{steps}"));
    let app = TestApp::start(&project, Arc::clone(&held)).await;
    let run = app.begin("main", json!([0, 1, 2, 3, 4, 5, 6])).await;
    held.reached(3).await;
    app.api(reqwest::Method::POST, &format!("/runs/{run}/cancel"), None).await;
    app.give_up_calls(run).await;
    app.stands(run, Status::Canceled).await;
    assert_eq!(held.calls().len(), 3, "no more than three at once");
}

#[tokio::test]
async fn repeat_waits_between_rounds_and_gives_up_in_the_end() {
    let steps = "
  - id: poll
    repeat: {until: 'steps.look.body.n >= 3', every: 1h, at_most: 5}
    steps: [{id: look, call: http.get, with: {url: 'http://crm.test/${index}'}}]
  - stop: steps.poll.body.n
";
    let counting = || {
        Recorder::answering(|request, _| {
            let round: i64 = request.with["url"].as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap();
            Ok(json!({"body": {"n": round + 1}}))
        })
    };
    let (app, _project) = run(steps, json!({}), counting()).await;
    let head = app.all_runs().await[0].clone();
    assert_eq!((head.status, app.recorder.calls().len()), (Status::Succeeded, 3));
    assert_eq!(head.updated, BEGIN.after(Duration::from_secs(7200)), "an hour between rounds");
    let keys: Vec<_> = app.recorder.calls().iter().map(|call| call.idempotency_key.clone()).collect();
    assert_eq!(keys, (0..3).map(|n| format!("{}/poll[{n}]/look", head.id)).collect::<Vec<_>>());
    let never = steps.replace(">= 3", ">= 99");
    let (app, _project) = run(&never, json!({}), counting()).await;
    assert!(app.all_runs().await[0].error.as_ref().unwrap().message.contains("after 5 rounds"));
}

#[tokio::test]
async fn a_round_sees_the_time_at_which_it_was_due() {
    let steps = "
  - repeat: {until: 'index == 2', every: 1h}
    steps: [{set: {times: '(vars.times ?? []) + [now()]'}}]
  - stop: vars.times
";
    let due = |hours: u64| BEGIN.after(Duration::from_secs(hours * 3600)).to_string();
    check(steps, json!({}), json!([due(0), due(1), due(2)])).await;
}

#[tokio::test]
async fn parallel_branches_give_a_map_or_the_first() {
    let all = "  - {id: p, parallel: {a: [{script: 1}, {script: 2}], b: [{script: 3}]}}\n  - stop: steps.p\n";
    check(all, json!({}), json!({"a": 2, "b": 3})).await;
    let any = "
  - id: p
    any: true
    parallel:
      slow: [{call: http.get, with: {url: 'http://crm.test/slow'}}]
      fast: [{call: http.get, with: {url: 'http://crm.test/fast'}}, {script: '\"won\"'}]
  - stop: steps.p
";
    let recorder = Recorder::with(Box::new(|request, _| {
        let answer = ok(request);
        if request.with["url"] == "http://crm.test/slow" { Box::pin(std::future::pending()) } else { Box::pin(async { Ok(answer) }) }
    }));
    let (app, _project) = run(any, json!({}), recorder).await;
    let head = app.all_runs().await[0].clone();
    let shown = app.get(&format!("/runs/{}", head.id)).await.body;
    assert_eq!(shown["output"], json!({"fast": "won"}));
}

#[tokio::test]
async fn a_failure_inside_is_the_blocks_to_handle() {
    let steps = "
  - id: each
    foreach: event.body
    on_error: continue
    steps: [{fail: 'no ${item}'}]
  - id: both
    parallel: {a: [{fail: bad}], b: [{script: 1}]}
    on_error: [{set: {why: error.message}}]
  - stop: vars.why
";
    check(steps, json!([1]), json!("bad")).await;
}

#[tokio::test]
async fn waits_are_parked_and_go_on_after_a_restart() {
    let project = Project::of("when: [{manual: }]\nsteps:\n  - wait: 30d\n  - wait: {until: event.body.at}\n  - stop: now()\n");
    let life = Life::new(Recorder::fine());
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let at = BEGIN.after(Duration::from_secs(40 * 86_400));
    let run = app.begin("main", json!({"at": at.to_string()})).await;
    let head = app.stands(run, Status::Waiting).await;
    assert_eq!(head.wake, Some(BEGIN.after(Duration::from_secs(30 * 86_400))));
    app.app.stop().await;
    life.clock.advance(Duration::from_secs(31 * 86_400));
    let app = TestApp::resume(&project, life).await.unwrap();
    app.until(async |app| app.store.inner.run(run).await.unwrap().filter(|head| head.wake == Some(at))).await;
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
    assert_eq!(app.get(&format!("/runs/{run}")).await.body["output"], at.to_string());
}

#[tokio::test]
async fn a_failing_call_in_a_branch_is_retried_while_the_other_goes_on() {
    let steps = "
  - id: p
    parallel:
      a: [{id: flaky, call: http.get, with: {url: 'http://crm.test/a'}, retry: {attempts: 3, first: 10m}}]
      b: [{id: good, call: http.get, with: {url: 'http://crm.test/b'}}]
";
    let recorder = Recorder::answering(|request, nth| {
        if request.with["url"] == "http://crm.test/a" && nth < 3 {
            return Err(Failure::new(FailureKind::Network, "gone"));
        }
        Ok(ok(request))
    });
    let (app, _project) = run(steps, json!({}), recorder).await;
    assert_eq!(app.all_runs().await[0].status, Status::Succeeded);
    assert_eq!(app.recorder.calls().len(), 4);
}

#[tokio::test]
async fn calls_that_may_happen_once_are_not_taken_for_interrupted_while_they_are_made_beside_each_other() {
    let call =
        |id: &str| format!("[{{id: {id}, call: http.post, at_most_once: true, with: {{url: 'http://crm.test/{id}'}}}}, {{script: 1}}]");
    let steps = format!("  - parallel: {{x: {}, y: {}}}\n", call("x"), call("y"));
    check(&steps, json!({}), json!({"x": 1, "y": 1})).await;
}
