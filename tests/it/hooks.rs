//! The door in, over real HTTP: what is taken, what is refused, and with which words.

use std::sync::Arc;

use hence::domain::run::Status;
use hence::store::kv::Kv;
use hence::store::kv::faulty::Faulty;
use hence::store::kv::memory::Memory;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::app::Answer;
use crate::support::{Life, Project, Recorder, TestApp};

const ECHO: &str = "
when:
  - webhook: {path: 'echo/{who}', verify: none, limits: {body: 1KiB}, dedupe: {key: 'event.headers[\"x-id\"]', within: 1h}}
if: (event.body.n ?? 1) > 0
steps:
  - stop: '#{n: event.body.n}'
";

const OPEN: &str = "
when:
  - webhook: {path: open, verify: none}
steps:
  - stop: event.body
";

const CLOSED: &str = "
when:
  - webhook: {path: closed, methods: [PUT, POST], verify: {bearer: TOKEN}}
steps:
  - stop: event.headers
";

async fn app(workflow: &str) -> (TestApp, Project) {
    let project = Project::of(workflow);
    (TestApp::start(&project, Recorder::fine()).await, project)
}

fn check_problem(answer: &Answer, status: u16, code: &str, words: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!((answer.body["status"].as_u64(), answer.body["code"].as_str()), (Some(status.into()), Some(code)), "{answer:?}");
    assert!(answer.body["detail"].as_str().unwrap().contains(words), "{answer:?}");
}

#[tokio::test]
async fn an_event_is_acknowledged_with_its_runs_and_its_run_ends() {
    let (app, _project) = app(OPEN).await;
    let answer = app.post("open", &json!({"a": [1, 2.5, "é"]})).await;
    assert_eq!((answer.status, answer.body["runs"][0]["workflow"].as_str()), (202, Some("main")), "{answer:?}");
    let run = answer.runs()[0];
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
    let shown = app.get(&format!("/runs/{run}")).await;
    assert_eq!(shown.body["output"], json!({"a": [1, 2.5, "é"]}));
    let event = answer.body["event"].as_str().unwrap();
    let shown = app.get(&format!("/events/{event}")).await;
    assert_eq!((&shown.body["body"], shown.body["method"].as_str()), (&json!({"a": [1, 2.5, "é"]}), Some("POST")));
}

#[tokio::test]
async fn an_event_that_does_not_match_is_kept_with_the_reason() {
    let (app, _project) = app(ECHO).await;
    let answer = app.post("echo/me", &json!({"n": 0})).await;
    assert_eq!((answer.status, &answer.body["runs"]), (202, &json!([])));
    let events = app.get("/events").await;
    assert_eq!(events.body["events"][0]["matches"][0]["not_matched"], "`if` is false");
}

#[tokio::test]
async fn a_repeat_is_told_the_first_ids() {
    let (app, _project) = app(ECHO).await;
    let post = |id: &str| app.send(app.http.post(format!("{}/hooks/echo/me", app.url)).header("x-id", id).json(&json!({"n": 1})));
    let (first, repeat, other) = (post("1").await, post("1").await, post("2").await);
    assert_eq!((first.status, repeat.status, other.status), (202, 200, 202));
    assert_eq!((&repeat.body["event"], &repeat.body["runs"]), (&first.body["event"], &first.body["runs"]));
    assert_eq!(repeat.body["duplicate"], true);
    assert_ne!(other.body["event"], first.body["event"]);
    app.clock.advance(std::time::Duration::from_secs(3601));
    let later = post("1").await;
    assert_eq!(later.status, 202, "the window has ended: {later:?}");
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_and_nothing_is_stored() {
    let (app, _project) = app(ECHO).await;
    let url = format!("{}/hooks/echo/me", app.url);
    let raw = |body: &'static str| app.send(app.http.post(&url).header("content-type", "application/json").body(body));
    check_problem(&raw("{\"a\": }").await, 400, "unreadable-body", "line 1");
    check_problem(&raw("{\"a\": 1").await, 400, "unreadable-body", "");
    check_problem(&app.send(app.http.post(&url).body("x".repeat(1025))).await, 413, "body-too-large", "1024");
    check_problem(&app.post("nowhere", &json!({})).await, 404, "no-hook", "/hooks/nowhere");
    check_problem(&app.send(app.http.get(&url)).await, 405, "wrong-method", "POST");
    assert_eq!(app.send(app.http.get(&url)).await.header("allow"), "POST");
    check_problem(&app.send(app.http.get(format!("{}/nothing", app.url))).await, 404, "not-found", "/nothing");
    let chunked = reqwest::Body::wrap_stream(futures_util::stream::iter((0..100).map(|_| Ok::<_, std::io::Error>("x".repeat(100)))));
    check_problem(&app.send(app.http.post(&url).body(chunked)).await, 413, "body-too-large", "1024");
    assert_eq!(app.get("/events").await.body["events"], json!([]));
    assert_eq!(app.post("echo/me", &json!({"n": 1})).await.status, 202, "and the next one is taken");
}

#[tokio::test]
async fn a_sender_that_is_not_verified_is_refused() {
    let (app, _project) = app(CLOSED).await;
    let url = format!("{}/hooks/closed", app.url);
    check_problem(&app.post("closed", &json!({})).await, 401, "unverified", "authorization");
    check_problem(&app.send(app.http.put(&url).bearer_auth("wrong")).await, 401, "unverified", "does not match");
    let answer = app.send(app.http.put(&url).bearer_auth("t0ken-of-tests").json(&json!({}))).await;
    let head = app.ended(answer.runs()[0]).await;
    let shown = app.get(&format!("/runs/{}", head.id)).await.body["output"].to_string();
    assert!(!shown.contains("t0ken-of-tests") && !shown.contains("authorization"), "{shown}");
    assert_eq!(app.get("/events").await.body["events"].as_array().unwrap().len(), 1);
}

/// What a raw client is told: the status line.
async fn raw(app: &TestApp, request: &str) -> String {
    let mut socket = TcpStream::connect(app.app.address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_body_that_lies_about_its_length_is_refused() {
    let (app, _project) = app(OPEN).await;
    let head = "POST /hooks/open HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let short = raw(&app, &format!("{head}content-length: 100\r\n\r\n{{\"a\":1}}")).await;
    assert!(short.is_empty() || short.starts_with("HTTP/1.1 400"), "{short}");
    let long = raw(&app, &format!("{head}content-length: 2\r\n\r\n{{}}, and more than it said")).await;
    assert!(long.starts_with("HTTP/1.1 202"), "what was announced is a whole body: {long}");
    let huge = raw(&app, &format!("{head}content-length: 99999999999\r\n\r\n{{}}")).await;
    assert!(huge.starts_with("HTTP/1.1 413"), "{huge}");
    let events = app.get("/events").await;
    assert_eq!(events.body["events"].as_array().unwrap().len(), 1, "only the whole one is stored");
}

#[tokio::test]
async fn bodies_of_other_kinds_are_read_as_what_they_are() {
    let (app, _project) = app(OPEN).await;
    const CLOUD_EVENT: &str = r#"{"specversion": "1.0", "id": "1", "source": "/a", "type": "a", "data": {"a": 1}}"#;
    let post = async |kind: &str, body: &'static str| {
        let answer = app.send(app.http.post(format!("{}/hooks/open", app.url)).header("content-type", kind).body(body)).await;
        let head = app.ended(answer.runs()[0]).await;
        app.get(&format!("/runs/{}", head.id)).await.body["output"].clone()
    };
    assert_eq!(post("application/x-www-form-urlencoded", "a=1&b=x%20y&a=2").await, json!({"a": ["1", "2"], "b": "x y"}));
    assert_eq!(post("text/plain", "hello").await, json!("hello"));
    assert_eq!(post("application/cloudevents+json", CLOUD_EVENT).await, json!({"a": 1}));
    assert_eq!(post("application/octet-stream", "\u{1}").await, Value::Null);
}

#[tokio::test]
async fn a_full_disk_is_a_clear_503_and_passes() {
    let project = Project::of(OPEN);
    let faulty = Arc::new(Faulty::new(Memory::default()));
    let life = Life { kv: Arc::clone(&faulty) as Arc<dyn Kv>, ..Life::new(Recorder::fine()) };
    let app = TestApp::resume(&project, life).await.unwrap();
    faulty.set_full(true);
    let answer = app.post("open", &json!({})).await;
    check_problem(&answer, 503, "disk-full", "nothing was stored");
    assert_ne!(answer.header("retry-after"), "");
    let ready = app.send(app.http.get(format!("{}/readyz", app.url))).await;
    assert_eq!((ready.status, ready.body["ready"].as_bool()), (503, Some(false)), "{ready:?}");
    assert_eq!(app.send(app.http.get(format!("{}/healthz", app.url))).await.status, 200);
    faulty.set_full(false);
    app.clock.advance(std::time::Duration::from_secs(1));
    let answer = app.post("open", &json!({})).await;
    assert_eq!(app.ended(answer.runs()[0]).await.status, Status::Succeeded);
    assert_eq!(app.send(app.http.get(format!("{}/readyz", app.url))).await.status, 200);
    assert_eq!(app.all_runs().await.len(), 1, "the refused one was not stored");
}

#[tokio::test]
async fn a_full_backlog_is_a_clear_503() {
    let project = Project::of(
        "
when: [{webhook: {path: slow, verify: none}}]
steps: [{call: http.get, with: {url: 'http://crm.test/'}}]
",
    );
    project.write("hence.yaml", "limits: {backlog: 2, running: 1}\n");
    let recorder = Recorder::with(Box::new(|_, _| Box::pin(std::future::pending())));
    let app = TestApp::start(&project, Arc::clone(&recorder)).await;
    assert_eq!(app.post("slow", &json!({})).await.status, 202);
    recorder.reached(1).await;
    assert_eq!(app.post("slow", &json!({})).await.status, 202);
    assert_eq!(app.post("slow", &json!({})).await.status, 202);
    let answer = app.post("slow", &json!({})).await;
    check_problem(&answer, 503, "overloaded", "limit 2");
    assert_ne!(answer.header("retry-after"), "");
    assert_eq!(app.all_runs().await.len(), 3);
}

#[tokio::test]
async fn the_api_needs_the_token() {
    let (app, _project) = app(OPEN).await;
    let bare = app.send(app.http.get(format!("{}/api/runs", app.url))).await;
    check_problem(&bare, 401, "unauthorized", "HENCE_ADMIN_TOKEN");
    assert_eq!(app.get("/runs").await.status, 200);
    check_problem(&app.get("/runs?limt=1").await, 400, "bad-request", "limt");
    check_problem(&app.get("/runs?status=done").await, 400, "bad-request", "succeeded");
    check_problem(&app.get("/runs/run_nonsense").await, 400, "bad-request", "run_nonsense");
    check_problem(&app.get("/runs/run_00000000000000000000000000").await, 404, "no-run", "run_0000");
    check_problem(&app.get("/nothing").await, 404, "not-found", "/api/nothing");
}

#[tokio::test]
async fn workflows_that_share_a_path_name_its_parts_each_in_its_own_way() {
    let says =
        |name: &str| format!("when: [{{webhook: {{path: 'shared/{{{name}}}', verify: none}}}}]\nsteps: [{{stop: event.params.{name}}}]\n");
    let project = Project::new(&[("workflows/a.yaml", &says("id")), ("workflows/b.yaml", &says("order"))]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let answer = app.post("shared/o-7", &json!({})).await;
    assert_eq!(answer.runs().len(), 2);
    for run in answer.runs() {
        app.ended(run).await;
        assert_eq!(app.get(&format!("/runs/{run}")).await.body["output"], "o-7");
    }
}
