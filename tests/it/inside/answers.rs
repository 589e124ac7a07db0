//! What the caller of a webhook gets: a run's answer, or always the same.

use std::sync::Arc;
use std::time::Duration;

use hence::domain::journal::Fact;
use hence::domain::run::Status;
use serde_json::{Value, json};

use super::{gated, output, project};
use crate::support::{Recorder, TestApp};

fn hook(more: &str, steps: &str) -> String {
    format!("when:\n  - webhook: {{path: ask, verify: none{more}}}\n  - manual\nsteps:\n{steps}")
}

const WAIT: &str = ", respond: {wait: 10s}";
const DEDUPE: &str = ", respond: {wait: 10s}, dedupe: {key: event.body.id, within: 1h}";
const HELD: &str = "  - {call: http.get, with: {url: http://crm.test/held}}\n";

async fn asked(workflow: &str, body: &Value) -> (crate::support::app::Answer, TestApp) {
    let app = TestApp::start(&project(&[("main", workflow)]), Recorder::fine()).await;
    (app.post("ask", body).await, app)
}

#[tokio::test]
async fn the_caller_gets_what_the_run_answers_while_the_run_goes_on() {
    let steps = format!(
        "  - respond: {{status: 201, headers: {{X-Order: '${{event.body.id}}', x-count: 2}}, json: {{id: '${{event.body.id}}', n: [1, '${{1 + 1}}']}}}}\n{HELD}"
    );
    let (recorder, gate) = gated();
    let app = TestApp::start(&project(&[("main", &hook(WAIT, &steps))]), recorder).await;
    let answer = app.post("ask", &json!({"id": "o1"})).await;
    assert_eq!((answer.status, answer.header("x-order"), answer.header("x-count")), (201, "o1", "2"));
    assert_eq!((answer.header("content-type"), answer.header("x-content-type-options")), ("application/json", "nosniff"));
    assert_eq!(answer.body, json!({"id": "o1", "n": [1, 2]}));
    let run = app.all_runs().await[0].id;
    assert!(app.facts(run).await.iter().any(|entry| matches!(entry.fact, Fact::Responded { .. })), "it was stored before it was sent");
    gate.open();
    app.stands(run, Status::Succeeded).await;
}

#[tokio::test]
async fn every_kind_of_body_has_its_type() {
    let (event, html) = (json!({"name": "Ada"}), "'<p>Hi ${event.body.name}</p>'");
    for (respond, status, content_type, body) in [
        (format!("{{html: {html}}}"), 200, "text/html; charset=utf-8", json!("<p>Hi Ada</p>")),
        ("{text: 'Hi ${event.body.name}', status: 202}".to_owned(), 202, "text/plain; charset=utf-8", json!("Hi Ada")),
        ("{xml: '<a>${event.body.name}</a>'}".to_owned(), 200, "application/xml", json!("<a>Ada</a>")),
        ("{json: '${event.body}'}".to_owned(), 200, "application/json", json!({"name": "Ada"})),
        ("{json: 1, headers: {content-type: application/hal+json}}".to_owned(), 200, "application/hal+json", json!(1)),
        ("{status: 204}".to_owned(), 204, "", json!("")),
        ("{status: 204, text: unsent}".to_owned(), 204, "", json!("")),
    ] {
        for workflow in [hook(WAIT, &format!("  - respond: {respond}\n")), hook(&format!(", respond: {respond}"), "  - script: 1\n")] {
            let (answer, _app) = asked(&workflow, &event).await;
            assert_eq!((answer.status, answer.header("content-type"), &answer.body), (status, content_type, &body), "{workflow}");
        }
    }
}

#[tokio::test]
async fn a_redirect_says_where() {
    let (answer, _app) = asked(&hook(", respond: {redirect: '/thanks?for=${event.body.id}'}", "  - script: 1\n"), &json!({"id": 7})).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/thanks?for=7"));
}

#[tokio::test]
async fn without_a_respond_step_the_caller_gets_the_last_output() {
    let (answer, _app) =
        asked(&hook(WAIT, "  - wait: 0s\n  - stop: '#{sum: event.body.a + 1}'\n").replace("  - wait: 0s\n", ""), &json!({"a": 1})).await;
    assert_eq!((answer.status, answer.body), (200, json!({"sum": 2})));
}

#[tokio::test]
async fn a_run_that_takes_longer_is_answered_with_where_it_is() {
    let (recorder, gate) = gated();
    let app = TestApp::start(&project(&[("main", &hook(WAIT, HELD))]), Arc::clone(&recorder)).await;
    let event = json!({});
    let (answer, ()) = tokio::join!(app.post("ask", &event), async {
        recorder.reached(1).await;
        app.clock.advance(Duration::from_secs(10));
    });
    let run = answer.runs()[0];
    assert_eq!((answer.status, answer.header("location")), (202, &*format!("/api/runs/{run}")));
    gate.open();
    app.stands(run, Status::Succeeded).await;
    assert_eq!(app.app.intake.journal.answers().waiting(), 0);
}

#[tokio::test]
async fn a_server_that_stops_lets_nobody_wait() {
    let (recorder, gate) = gated();
    let app = TestApp::start(&project(&[("main", &hook(WAIT, HELD))]), Arc::clone(&recorder)).await;
    let request = app.http.post(format!("{}/hooks/ask", app.url)).json(&json!({}));
    let (answer, ()) = tokio::join!(
        async {
            let answer = request.send().await.unwrap();
            gate.open();
            answer
        },
        async {
            recorder.reached(1).await;
            app.app.stop().await;
        }
    );
    assert_eq!(answer.status().as_u16(), 202);
    assert!(answer.headers().contains_key("location"));
}

#[tokio::test]
async fn a_failed_run_is_named_and_its_reason_is_not_told() {
    let fails = hook(WAIT, "  - {fail: 'the margin is ${event.body.margin}'}\n");
    let (answer, app) = asked(&fails, &json!({"margin": "secret"})).await;
    let run = app.all_runs().await[0].id;
    assert_eq!((answer.status, answer.header("content-type")), (500, "application/problem+json"));
    assert_eq!((&answer.body["code"], &answer.body["run"]), (&json!("run-failed"), &json!(run)));
    assert!(!answer.body.to_string().contains("margin"), "{}", answer.body);
    let answered = format!("{fails}on_error:\n  - respond: {{status: 409, text: 'sorry: ${{error.message}}'}}\n");
    let (answer, _app) = asked(&answered, &json!({"margin": 1})).await;
    assert_eq!((answer.status, answer.body), (409, json!("sorry: the margin is 1")));
}

#[tokio::test]
async fn of_several_workflows_the_first_that_responds_counts() {
    let quiet = hook(WAIT, "  - stop: '\"quiet\"'\n");
    let aside = hook("", "  - respond: {text: nobody asks me}\n");
    let speaks = hook(WAIT, &format!("{HELD}  - respond: {{text: spoken}}\n"));
    let (recorder, gate) = gated();
    let app = TestApp::start(&project(&[("aside", &aside), ("quiet", &quiet), ("speaks", &speaks)]), Arc::clone(&recorder)).await;
    let event = json!({});
    let (answer, ()) = tokio::join!(app.post("ask", &event), async {
        recorder.reached(1).await;
        let quiet = app.all_runs().await.iter().find(|run| *run.workflow == *"quiet").unwrap().id;
        app.stands(quiet, Status::Succeeded).await;
        gate.open();
    });
    assert_eq!((answer.status, answer.body), (200, json!("spoken")));
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_once_there_is_one() {
    let (recorder, gate) = gated();
    let workflow = hook(DEDUPE, &format!("{HELD}  - respond: {{json: {{run: '${{run.id}}'}}}}\n"));
    let app = TestApp::start(&project(&[("main", &workflow)]), Arc::clone(&recorder)).await;
    let event = json!({"id": "o1"});
    let (first, early) = tokio::join!(app.post("ask", &event), async {
        recorder.reached(1).await;
        let early = app.post("ask", &event).await;
        gate.open();
        early
    });
    let run = app.all_runs().await[0].id;
    assert_eq!((early.status, early.header("location")), (202, &*format!("/api/runs/{run}")));
    assert_eq!(early.body["duplicate"], true);
    let late = app.post("ask", &event).await;
    assert_eq!((first.status, &first.body), (200, &json!({"run": run})));
    assert_eq!((late.status, late.body), (200, first.body));
    assert_eq!(app.all_runs().await.len(), 1);
}

#[tokio::test]
async fn an_answer_is_given_once() {
    let (answer, app) = asked(&hook(WAIT, "  - respond: {text: one}\n  - {id: twice, respond: {text: two}}\n"), &json!({})).await;
    assert_eq!(answer.body, "one");
    let run = app.all_runs().await[0].id;
    let failed = app.stands(run, Status::Failed).await;
    assert!(failed.error.unwrap().message.contains("one request has one answer"));
}

#[tokio::test]
async fn what_http_does_not_allow_fails_the_step() {
    for (respond, why) in [
        ("{status: 99}", "from 200 to 599"),
        ("{status: '${event.body.none ?? \"x\"}'}", "from 200 to 599"),
        ("{headers: {'a b': 1}}", "name of a header"),
        ("{headers: {x: \"a\\r\\nset-cookie: b\"}}", "line break"),
        ("{headers: {x: é}}", "ASCII"),
        ("{headers: {Content-Length: 5}}", "the server's own"),
        ("{redirect: \"/a\\nb\"}", "line break"),
    ] {
        let (_, app) = asked(&hook(WAIT, &format!("  - respond: {respond}\n")), &json!({})).await;
        let error = app.all_runs().await[0].error.clone().unwrap().message;
        assert!(error.contains(why), "{respond}: {error}");
    }
}

#[tokio::test]
async fn a_fixed_answer_is_the_same_for_a_repeat_and_for_what_does_not_matter() {
    let fixed = ", respond: {status: 200, json: {challenge: '${event.body.id}', event: '${event.id}', sent: '${event.body.sent}'}}, dedupe: {key: event.body.id, within: 1h}";
    let workflow = hook(fixed, "  - stop: '1'\n").replace("steps:", "if: event.body.id != \"o2\"\nsteps:");
    let (first, app) = asked(&workflow, &json!({"id": "o1", "sent": 1})).await;
    assert_eq!((first.status, &first.body["challenge"], &first.body["sent"]), (200, &json!("o1"), &json!(1)));
    let again = app.post("ask", &json!({"id": "o1", "sent": 2})).await;
    assert_eq!((again.status, again.body), (200, first.body), "a repeat gets the first answer, whatever else it says");
    let other = app.post("ask", &json!({"id": "o2"})).await;
    assert_eq!((other.status, &other.body["challenge"]), (200, &json!("o2")));
    assert_eq!(app.all_runs().await.len(), 1, "the `if` of the second is false");
}

#[tokio::test]
async fn a_fixed_answer_that_cannot_be_had_is_the_receipt() {
    let (answer, app) = asked(&hook(", respond: {text: 'Hi ${event.body.name}'}", "  - stop: '5'\n"), &json!({})).await;
    assert_eq!(answer.status, 202, "the event is stored: the sender must not send it again");
    let run = answer.runs()[0];
    app.stands(run, Status::Succeeded).await;
    assert_eq!(output(&app, run).await, 5);
}

#[tokio::test]
async fn an_event_that_starts_nothing_is_answered_at_once() {
    let workflow = hook(WAIT, "  - stop: '5'\n").replace("steps:", "if: 'false'\nsteps:");
    let (answer, _app) = asked(&workflow, &json!({})).await;
    assert_eq!((answer.status, &answer.body["runs"]), (202, &json!([])));
}

#[tokio::test]
async fn as_many_callers_wait_as_may_and_who_goes_makes_room() {
    let (recorder, gate) = gated();
    let project = project(&[("main", &hook(WAIT, &format!("{HELD}  - stop: '1'\n")))]);
    project.write("hence.yaml", "limits: {callers: 1}\n");
    let app = TestApp::start(&project, Arc::clone(&recorder)).await;
    let event = json!({});
    let waiting = || app.app.intake.journal.answers().waiting();
    {
        let first = app.post("ask", &event);
        tokio::pin!(first);
        tokio::select! {
            answer = &mut first => panic!("answered too early: {answer:?}"),
            () = recorder.reached(1) => {}
        }
        let first_waits = async {
            while waiting() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            answer = &mut first => panic!("answered too early: {answer:?}"),
            () = first_waits => {}
        }
        let second = app.post("ask", &event).await;
        assert_eq!(second.status, 202);
        assert!(!second.header("location").is_empty());
    }
    // The first caller has hung up.
    while waiting() != 0 {
        tokio::task::yield_now().await;
    }
    gate.open();
    let third = app.post("ask", &event).await;
    assert_eq!((third.status, third.body), (200, json!(1)));
}

#[tokio::test]
async fn a_run_that_was_started_by_hand_may_respond_too() {
    let app = TestApp::start(&project(&[("main", &hook(WAIT, "  - respond: {text: hi}\n  - stop: '1'\n"))]), Recorder::fine()).await;
    let run = app.begin("main", json!({})).await;
    app.stands(run, Status::Succeeded).await;
    let triggers = app.get("/workflows").await.body["workflows"][0]["triggers"].clone();
    assert_eq!(triggers[0]["respond"], "wait 10s");
}
