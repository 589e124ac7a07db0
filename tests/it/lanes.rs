//! `concurrency`: how many runs of one key go on at once, in which order, and what becomes of one too many.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hence::clock::Clock as _;
use hence::domain::id::RunId;
use hence::domain::journal::Fact;
use hence::domain::run::Status;
use hence::store::Store;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::reload::changed;
use crate::support::{Life, Project, Recorder, TestApp, ok};

/// Calls that come back once they are told to.
struct Gates(watch::Sender<BTreeSet<String>>);

impl Gates {
    fn recorder() -> (Arc<Self>, Arc<Recorder>) {
        let gates = Arc::new(Self(watch::Sender::default()));
        let opened = gates.0.subscribe();
        let recorder = Recorder::with(Box::new(move |request, _| {
            let (mut opened, answer, name) = (opened.clone(), ok(request), name(request));
            Box::pin(async move {
                opened.wait_for(|opened| opened.contains(&name)).await.unwrap();
                Ok(answer)
            })
        }));
        (gates, recorder)
    }

    fn open(&self, name: &str) {
        self.0.send_modify(|opened| opened.extend([name.to_owned()]));
    }
}

/// What a call was made for: the last part of its URL.
fn name(request: &hence::connector::Request) -> String {
    request.with["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

fn called(recorder: &Recorder) -> Vec<String> {
    recorder.calls().iter().map(name).collect()
}

/// One call, named by the event, in a lane by its key.
fn one_call(concurrency: &str) -> Project {
    Project::of(&format!(
        "
when: [{{manual: }}]
concurrency: {concurrency}
steps:
  - {{id: work, call: http.post, with: {{url: 'http://crm.test/${{event.body.n}}', json: {{}}}}}}
on_cancel:
  - {{id: gone, call: http.post, with: {{url: 'http://crm.test/gone-${{event.body.n}}', json: {{answer: '${{steps?.work?.status ?? 0}}'}}}}}}
"
    ))
}

async fn begin(app: &TestApp, key: &str, n: &str) -> RunId {
    app.begin("main", json!({"key": key, "n": n})).await
}

async fn cancel(app: &TestApp, run: RunId) {
    assert_eq!(app.api(reqwest::Method::POST, &format!("/runs/{run}/cancel"), None).await.status, 202);
}

async fn shown(app: &TestApp, run: RunId) -> Value {
    app.get(&format!("/runs/{run}")).await.body
}

/// Waits until so many accepted runs have not been begun. No write tells of it.
async fn waiting(app: &TestApp, runs: usize) {
    while app.app.intake.journal.waiting() != runs {
        tokio::task::yield_now().await;
    }
}

/// Nothing is left waiting once all have ended.
async fn nobody_waits(app: &TestApp) {
    assert_eq!(app.app.intake.journal.waiting(), 0);
}

#[tokio::test]
async fn runs_of_a_key_go_one_after_the_other_and_keys_side_by_side() {
    let (gates, recorder) = Gates::recorder();
    let app = TestApp::start(&one_call("{key: event.body.key}"), recorder).await;
    let runs = [begin(&app, "a", "a1").await, begin(&app, "a", "a2").await, begin(&app, "a", "a3").await, begin(&app, "b", "b1").await];
    app.recorder.reached(2).await;
    assert_eq!(called(&app.recorder), ["a1", "b1"]);
    assert_eq!(app.store.run(runs[0]).await.unwrap().unwrap().status, Status::Running, "a place is known to the store before the call");
    let waits = shown(&app, runs[1]).await;
    assert_eq!((&waits["status"], &waits["waits"]), (&json!("queued"), &json!({"for": "concurrency", "limit": 1})));
    for (last, next) in [("a1", 3), ("a2", 4)] {
        gates.open(last);
        app.recorder.reached(next).await;
    }
    gates.open("a3");
    gates.open("b1");
    for run in runs {
        assert_eq!(app.ended(run).await.status, Status::Succeeded);
    }
    assert_eq!(called(&app.recorder), ["a1", "b1", "a2", "a3"]);
    nobody_waits(&app).await;
}

#[tokio::test]
async fn so_many_go_at_once() {
    let (gates, recorder) = Gates::recorder();
    let app = TestApp::start(&one_call("{limit: 2}"), recorder).await;
    let names = ["1", "2", "3", "4", "5"];
    let mut runs = Vec::new();
    for n in names {
        runs.push(begin(&app, "", n).await);
    }
    app.recorder.reached(2).await;
    gates.open("2");
    app.recorder.reached(3).await;
    assert_eq!(called(&app.recorder).last().unwrap(), "3");
    names.iter().for_each(|n| gates.open(n));
    for run in runs {
        app.ended(run).await;
    }
    assert_eq!(called(&app.recorder).len(), 5);
}

#[tokio::test]
async fn a_run_keeps_its_place_while_it_waits_and_over_a_restart() {
    let project = Project::of(
        "
when: [{manual: }]
concurrency: {}
steps:
  - {call: http.get, with: {url: 'http://crm.test/a${event.body.n}'}}
  - wait: 1h
  - {call: http.get, with: {url: 'http://crm.test/b${event.body.n}'}}
",
    );
    let life = Life::new(Recorder::fine());
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let mut runs = Vec::new();
    for n in ["1", "2", "3"] {
        runs.push(begin(&app, "", n).await);
    }
    app.stands(runs[0], Status::Waiting).await;
    assert_eq!(called(&app.recorder), ["a1"]);
    app.app.stop().await;
    let app = TestApp::resume(&project, life).await.unwrap();
    assert_eq!(shown(&app, runs[1]).await["status"], "queued");
    for run in &runs {
        assert_eq!(app.ended(*run).await.status, Status::Succeeded);
    }
    assert_eq!(called(&app.recorder), ["a1", "b1", "a2", "b2", "a3", "b3"]);
    nobody_waits(&app).await;
}

#[tokio::test]
async fn one_too_many_is_skipped_and_says_so() {
    let (gates, recorder) = Gates::recorder();
    let app = TestApp::start(&one_call("{mode: skip}"), recorder).await;
    let first = begin(&app, "", "1").await;
    app.recorder.reached(1).await;
    let second = begin(&app, "", "2").await;
    assert_eq!(app.ended(second).await.status, Status::Canceled);
    assert!(shown(&app, second).await["skipped"].as_str().unwrap().contains("`concurrency.mode`"));
    assert!(app.facts(second).await.iter().any(|entry| matches!(entry.fact, Fact::RunSkipped { .. })));
    gates.open("1");
    assert_eq!(app.ended(first).await.status, Status::Succeeded);
    gates.open("3");
    let third = begin(&app, "", "3").await;
    assert_eq!(app.ended(third).await.status, Status::Succeeded);
    assert_eq!(called(&app.recorder), ["1", "3"], "a skipped run has no handlers either");
    nobody_waits(&app).await;
}

#[tokio::test]
async fn a_new_run_cancels_the_one_that_calls_and_the_answer_is_kept() {
    let (gates, recorder) = Gates::recorder();
    let app = TestApp::start(&one_call("{mode: restart}"), recorder).await;
    let old = begin(&app, "", "1").await;
    app.recorder.reached(1).await;
    let between = begin(&app, "", "2").await;
    let new = begin(&app, "", "3").await;
    assert_eq!(app.ended(between).await.status, Status::Canceled);
    assert!(shown(&app, between).await["skipped"].as_str().unwrap().contains("a newer run"), "it did wait; the newer one is the reason");
    gates.open("1");
    app.recorder.reached(2).await;
    assert_eq!(called(&app.recorder), ["1", "gone-1"], "the new one does not begin before the old one has ended");
    assert_eq!(app.recorder.calls()[1].with["json"]["answer"], json!(200), "the handler sees the answer");
    gates.open("gone-1");
    assert_eq!(app.ended(old).await.status, Status::Canceled);
    assert_eq!(shown(&app, old).await["steps"][0]["status"], "done");
    gates.open("3");
    assert_eq!(app.ended(new).await.status, Status::Succeeded);
    assert_eq!(called(&app.recorder), ["1", "gone-1", "3"]);
    nobody_waits(&app).await;
}

#[tokio::test]
async fn a_new_run_cancels_one_that_is_parked() {
    let project = Project::of("when: [{manual: }]\nconcurrency: {mode: restart}\nsteps: [{wait: 1h}, {stop: event.body.n}]\n");
    let life = Life::new(Recorder::fine());
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let old = begin(&app, "", "1").await;
    app.stands(old, Status::Waiting).await;
    let new = begin(&app, "", "2").await;
    app.stands(old, Status::Canceled).await;
    let wait = shown(&app, old).await["steps"][0].clone();
    assert_eq!((&wait["status"], &wait["due"]), (&json!("dropped"), &json!(null)), "a run that has ended waits for nothing");
    app.stands(new, Status::Waiting).await;
    app.app.stop().await;
    let app = TestApp::resume(&project, life).await.unwrap();
    let newest = begin(&app, "", "3").await;
    app.stands(new, Status::Canceled).await;
    assert_eq!(app.ended(newest).await.status, Status::Succeeded);
    nobody_waits(&app).await;
}

#[tokio::test]
async fn a_queued_run_is_canceled_at_once_and_the_next_has_its_turn() {
    let (gates, recorder) = Gates::recorder();
    let project =
        Project::of("when: [{manual: }]\nconcurrency: {}\nsteps: [{call: http.get, with: {url: 'http://crm.test/${event.body.n}'}}]\n");
    let app = TestApp::start(&project, recorder).await;
    let mut runs = Vec::new();
    for n in ["1", "2", "3"] {
        runs.push(begin(&app, "", n).await);
    }
    app.recorder.reached(1).await;
    cancel(&app, runs[1]).await;
    assert_eq!(app.ended(runs[1]).await.status, Status::Canceled);
    gates.open("1");
    gates.open("3");
    assert_eq!(app.ended(runs[2]).await.status, Status::Succeeded);
    assert_eq!(called(&app.recorder), ["1", "3"]);
    nobody_waits(&app).await;
}

#[tokio::test]
async fn a_canceled_call_is_given_up_after_a_while() {
    let (_gates, recorder) = Gates::recorder();
    let project = Project::of("when: [{manual: }]\nsteps: [{call: http.get, timeout: 1h, with: {url: 'http://crm.test/never'}}]\n");
    let app = TestApp::start(&project, recorder).await;
    let run = begin(&app, "", "1").await;
    app.recorder.reached(1).await;
    cancel(&app, run).await;
    app.give_up_calls(run).await;
    assert_eq!(app.ended(run).await.status, Status::Canceled);
}

#[tokio::test]
async fn queued_runs_count_as_backlog() {
    let (gates, recorder) = Gates::recorder();
    let project = one_call("{}");
    project.write("hence.yaml", "limits: {backlog: 2}\n");
    let app = TestApp::start(&project, recorder).await;
    let mut runs = Vec::new();
    for n in ["1", "2", "3"] {
        runs.push(begin(&app, "", n).await);
        app.recorder.reached(1).await;
    }
    let refused = app.api(reqwest::Method::POST, "/runs", Some(json!({"workflow": "main", "event": {}}))).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    let listed = app.get("/runs?status=queued").await.body;
    let ids: Vec<_> = listed["runs"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, [runs[2].to_string(), runs[1].to_string()]);
    assert_eq!(listed["runs"][0]["waits"]["for"], "concurrency");
    ["1", "2", "3", "4"].iter().for_each(|n| gates.open(n));
    for run in runs {
        app.ended(run).await;
    }
    let again = begin(&app, "", "4").await;
    assert_eq!(app.ended(again).await.status, Status::Succeeded);
    nobody_waits(&app).await;
}

#[tokio::test]
async fn a_limit_that_was_raised_counts_from_the_next_run_on() {
    let (gates, recorder) = Gates::recorder();
    let workflow = |limit: u32| {
        format!(
            "when: [{{manual: }}]\nconcurrency: {{limit: {limit}}}\nsteps: [{{call: http.get, with: {{url: 'http://crm.test/${{event.body.n}}'}}}}]\n"
        )
    };
    let project = Project::of(&workflow(1));
    let app = TestApp::start(&project, recorder).await;
    let mut runs = vec![begin(&app, "", "1").await, begin(&app, "", "2").await];
    app.recorder.reached(1).await;
    project.write("workflows/main.yaml", &workflow(3));
    changed(&app).await;
    runs.push(begin(&app, "", "3").await);
    app.recorder.reached(3).await;
    ["1", "2", "3"].iter().for_each(|n| gates.open(n));
    for run in runs {
        assert_eq!(app.ended(run).await.status, Status::Succeeded);
    }
    nobody_waits(&app).await;
}

#[tokio::test]
async fn a_run_that_begins_later_asks_for_its_place_then() {
    let project = Project::of("when: [{manual: }]\nconcurrency: {}\nthrottle: {limit: 1, per: 1m}\nsteps: [{wait: 90s}, {stop: now()}]\n");
    let app = TestApp::start(&project, Recorder::fine()).await;
    let (first, second) = (begin(&app, "", "1").await, begin(&app, "", "2").await);
    app.stands(first, Status::Waiting).await;
    let waits = &shown(&app, second).await["waits"];
    assert_eq!((&waits["for"], &waits["until"]), (&json!("throttle"), &json!("2026-03-01T09:01:00.000Z")));
    app.clock.advance(Duration::from_secs(60));
    waiting(&app, 1).await;
    assert_eq!(shown(&app, second).await["waits"]["for"], "concurrency");
    app.clock.advance(Duration::from_secs(30));
    app.stands(first, Status::Succeeded).await;
    let second = app.ended(second).await;
    assert_eq!((second.status, second.updated.to_string().as_str()), (Status::Succeeded, "2026-03-01T09:03:00.000Z"));
    nobody_waits(&app).await;
}

#[tokio::test]
async fn a_run_that_gathers_again_leaves_its_turn_to_others() {
    let project = Project::of(
        "
when: [{manual: }]
concurrency: {}
debounce: {key: event.body.key, for: 1m}
steps: [{wait: 90s}, {stop: event.body.n}]
",
    );
    let app = TestApp::start(&project, Recorder::fine()).await;
    let a = begin(&app, "a", "1").await;
    app.clock.advance(Duration::from_secs(30));
    let b = begin(&app, "b", "2").await;
    app.clock.advance(Duration::from_secs(30));
    app.stands(a, Status::Waiting).await;
    app.clock.advance(Duration::from_secs(30));
    waiting(&app, 1).await;
    app.clock.advance(Duration::from_secs(10));
    let c = begin(&app, "c", "4").await;
    app.clock.advance(Duration::from_secs(40));
    // It stands in line behind the first one when one more event comes.
    assert_eq!(begin(&app, "b", "3").await, b);
    app.clock.advance(Duration::from_secs(10));
    app.stands(a, Status::Succeeded).await;
    app.clock.advance(Duration::from_secs(10));
    app.stands(c, Status::Waiting).await;
    assert_eq!(shown(&app, b).await["waits"], json!({"for": "debounce", "until": "2026-03-01T09:03:20.000Z", "events": 2}));
    assert_eq!(app.ended(c).await.status, Status::Succeeded);
    assert_eq!(app.ended(b).await.status, Status::Succeeded);
    assert_eq!((&shown(&app, b).await["output"], &shown(&app, b).await["events"]), (&json!("3"), &json!(2)));
    nobody_waits(&app).await;
}

/// A canceled run that waits in what follows its cancel is put down like any other: it is not driven over and over.
#[tokio::test]
async fn a_canceled_run_that_waits_is_left_in_peace() {
    let waits = "
when: [{manual: }]
steps: [{wait: 1d}]
on_cancel: [{wait: 10d}]
finally: [{wait: 10d}]
";
    let app = TestApp::start(&Project::of(waits), Recorder::fine()).await;
    let begun = app.clock.now();
    let run = app.begin("main", json!({})).await;
    app.stands(run, Status::Waiting).await;
    cancel(&app, run).await;
    app.until(async |app| app.store.facts(run).await.unwrap().iter().any(|entry| entry.fact == Fact::CancelRequested).then_some(())).await;
    for _ in 0..2 {
        let journal = &app.app.intake.journal;
        while journal.is_driven(run) || journal.waiting() != 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
            assert!(!journal.is_driven(run) && journal.waiting() == 0, "it is driven again");
        }
        // A second cancel changes nothing.
        cancel(&app, run).await;
    }
    let head = app.ended(run).await;
    assert_eq!((head.status, app.clock.now()), (Status::Canceled, begun.after(Duration::from_hours(24 * 20))));
}
