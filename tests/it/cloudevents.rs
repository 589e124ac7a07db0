//! CloudEvents: as JSON, in headers, several at once.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hence::domain::run::Status;
use hence::store::kv::Kv;
use hence::store::kv::faulty::{Death, Faulty};
use hence::store::kv::memory::Memory;
use hence::store::{RunFilter, embedded};
use serde_json::{Value, json};

use crate::crash::{all_ended, life};
use crate::process::skip;
use crate::support::app::Answer;
use crate::support::{Life, Project, Recorder, TestApp};

const ORDERS: &str = "
when:
  - webhook: {path: orders, verify: none}
if: event.type != \"order.ignored\"
steps:
  - stop: '#{id: event.id, source: event.source, type: event.type, time: event.time, body: event.body, all: event.cloudevent}'
";

async fn app(workflow: &str) -> (TestApp, Project) {
    let project = Project::of(workflow);
    (TestApp::start(&project, Recorder::fine()).await, project)
}

fn event(id: &str) -> Value {
    let time = "2026-03-01T10:00:00+01:00";
    json!({"specversion": "1.0", "id": id, "source": "/shop", "type": "order.paid", "time": time, "subject": "7", "data": {"n": 1}})
}

async fn post(app: &TestApp, headers: &[(&str, &str)], body: &Value) -> Answer {
    let request = app.http.post(format!("{}/hooks/orders", app.url)).body(body.to_string());
    app.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

const STRUCTURED: [(&str, &str); 1] = [("content-type", "application/cloudevents+json; charset=utf-8")];
const BATCH: [(&str, &str); 1] = [("content-type", "application/cloudevents-batch+json")];

async fn output(app: &TestApp, run: &Value) -> Value {
    let run = run.as_str().unwrap().parse().unwrap();
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
    app.get(&format!("/runs/{run}")).await.body["output"].clone()
}

#[tokio::test]
async fn an_event_as_json_fills_event() {
    let (app, _project) = app(ORDERS).await;
    let answer = post(&app, &STRUCTURED, &event("A-1")).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let output = output(&app, &answer.body["runs"][0]["run"]).await;
    let mut all = event("A-1");
    all.as_object_mut().unwrap().remove("data");
    let time = "2026-03-01T10:00:00+01:00";
    assert_eq!(output, json!({"id": "A-1", "source": "/shop", "type": "order.paid", "time": time, "body": {"n": 1}, "all": all}));
    let listed = app.get("/events").await.body["events"][0].clone();
    assert_eq!((&listed["type"], &listed["cloudevent"]["id"]), (&json!("order.paid"), &json!("A-1")));
}

#[tokio::test]
async fn an_event_in_headers_is_the_same_and_a_repeat_is_recognised() {
    let (app, _project) = app(ORDERS).await;
    let headers = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "A-1"),
        ("ce-source", "/shop"),
        ("ce-type", "order.paid"),
        ("ce-subject", "Euro%20%E2%82%AC"),
    ];
    let first = post(&app, &headers, &json!({"n": 2})).await;
    let output = output(&app, &first.body["runs"][0]["run"]).await;
    assert_eq!((&output["id"], &output["body"], &output["all"]["subject"]), (&json!("A-1"), &json!({"n": 2}), &json!("Euro €")));
    // The same source and id, sent in another form.
    let repeat = post(&app, &STRUCTURED, &event("A-1")).await;
    assert_eq!((repeat.status, &repeat.body["duplicate"], &repeat.body["event"]), (200, &json!(true), &first.body["event"]));
    let mut elsewhere = event("A-1");
    elsewhere["source"] = json!("/other");
    assert_eq!(post(&app, &STRUCTURED, &elsewhere).await.status, 202);
    app.clock.advance(std::time::Duration::from_secs(24 * 3600 + 1));
    assert_eq!(post(&app, &STRUCTURED, &event("A-1")).await.status, 202, "a day later it is new");
}

#[tokio::test]
async fn a_batch_is_stored_in_one_write_and_each_event_has_its_receipt() {
    let (app, _project) = app(ORDERS).await;
    let mut ignored = event("3");
    ignored["type"] = json!("order.ignored");
    let mut repeat = event("1");
    repeat["data"] = json!("again");
    let answer = post(&app, &BATCH, &json!([event("1"), event("2"), ignored, repeat])).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let events = answer.body["events"].as_array().unwrap();
    assert_eq!(events.iter().map(|event| event["runs"].as_array().unwrap().len()).collect::<Vec<_>>(), [1, 1, 0, 1]);
    assert_eq!((&events[3]["duplicate"], &events[3]["event"]), (&json!(true), &events[0]["event"]));
    for (index, id) in [(0, "1"), (1, "2")] {
        let output = output(&app, &events[index]["runs"][0]["run"]).await;
        assert_eq!((&output["id"], &output["body"]), (&json!(id), &json!({"n": 1})));
    }
    assert_eq!(app.all_runs().await.len(), 2, "a repeat starts nothing");
    let again = post(&app, &BATCH, &json!([event("1"), event("2")])).await;
    assert_eq!((again.status, &again.body["events"][1]["duplicate"]), (200, &json!(true)));
    assert_eq!(post(&app, &BATCH, &json!([])).await.body, json!({"events": []}));
}

#[tokio::test]
async fn a_batch_whose_key_is_a_header_loses_none_of_its_events() {
    let keyed = "when: [{webhook: {path: orders, verify: none, dedupe: {key: 'event.headers[\"webhook-id\"]', within: 1h}}}]\nsteps: [{stop: event.id}]\n";
    let (app, _project) = app(keyed).await;
    let headers = [BATCH[0], ("webhook-id", "msg_1")];
    let batch = json!([event("1"), event("2"), event("3"), event("2")]);
    let answer = post(&app, &headers, &batch).await;
    let duplicates =
        |answer: &Answer| answer.body["events"].as_array().unwrap().iter().map(|event| !event["duplicate"].is_null()).collect::<Vec<_>>();
    assert_eq!((answer.status, duplicates(&answer)), (202, vec![false, false, false, true]));
    let again = post(&app, &headers, &batch).await;
    assert_eq!((again.status, duplicates(&again)), (200, vec![true; 4]));
    assert_eq!(app.all_runs().await.len(), 3);
}

#[tokio::test]
async fn headers_that_are_not_signed_make_no_cloud_event() {
    let signed = "when: [{webhook: {path: orders, verify: {scheme: github, secret: GITHUB_SECRET}}}]\nsteps: [{stop: 'event.type + (event.cloudevent ?? \"\")'}]\n";
    let (app, _project) = app(signed).await;
    let body = json!({"n": 1});
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"s3cret-of-github");
    let hex: String = ring::hmac::sign(&key, body.to_string().as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let signature = format!("sha256={hex}");
    let forged =
        [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/x"), ("ce-type", "order.paid"), ("x-hub-signature-256", &*signature)];
    let sent = post(&app, &[&[("content-type", "application/json"), ("x-github-event", "push")][..], &forged].concat(), &body).await;
    assert_eq!(output(&app, &sent.body["runs"][0]["run"]).await, json!("push"));
}

#[tokio::test]
async fn a_bad_event_is_refused_by_its_attribute_and_a_batch_as_a_whole() {
    let (app, _project) = app(ORDERS).await;
    let check = async |headers: &[(&str, &str)], body: &Value, status: u16, code: &str, words: &str| {
        let answer = post(&app, headers, body).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(code)), "{answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().contains(words), "{answer:?}");
    };
    let mut bad = event("1");
    bad["source"] = json!("");
    check(&STRUCTURED, &bad, 400, "bad-cloud-event", "`source` is empty").await;
    check(&[("ce-specversion", "1.0")], &json!({}), 400, "bad-cloud-event", "`id` is missing").await;
    check(&BATCH, &json!([event("1"), bad]), 400, "bad-cloud-event", "event 1 of the batch: the attribute `source`").await;
    let mut unreadable = event("2");
    (unreadable["datacontenttype"], unreadable["data"]) = (json!("text/xml"), json!("<a>"));
    check(&BATCH, &json!([event("1"), unreadable]), 400, "unreadable-body", "not XML").await;
    check(&[("content-type", "application/cloudevents+avro")], &json!({}), 415, "unsupported-body", "cloudevents+json").await;
    assert_eq!(app.get("/events").await.body["events"], json!([]));
}

const OWN_KEY: &str = "
when:
  - webhook: {path: orders, verify: none, dedupe: {key: event.body.n, within: 1h}, respond: {wait: 10s}}
steps:
  - stop: event.id
";

#[tokio::test]
async fn a_hook_with_its_own_key_goes_by_that() {
    let (app, _project) = app(OWN_KEY).await;
    let first = post(&app, &STRUCTURED, &event("1")).await;
    assert_eq!((first.status, first.body), (200, json!("1")));
    assert_eq!(post(&app, &STRUCTURED, &event("2")).await.body, json!("1"), "`n` is the same");
    let mut other = event("1");
    other["data"] = json!({"n": 2});
    assert_eq!(post(&app, &STRUCTURED, &other).await.status, 200);
    assert_eq!(app.all_runs().await.len(), 2);
    let batch = post(&app, &BATCH, &json!([other])).await;
    assert_eq!((batch.status, &batch.body["events"][0]["duplicate"]), (200, &json!(true)), "a batch is never kept waiting");
}

/// Sends a batch to a server that may die, and waits for what comes of it. The status, if there was an answer.
fn send_batch(project: &Project, kv: Arc<dyn Kv>, is_dead: &dyn Fn() -> bool) -> Option<u16> {
    life(async {
        let app = TestApp::resume(project, Life { kv, ..Life::new(Recorder::fine()) }).await.ok()?;
        let answer = post(&app, &BATCH, &json!([event("1"), event("2"), event("3")])).await;
        all_ended(&app, is_dead).await;
        Some(answer.status)
    })
}

/// How many events and runs there are, read beside any server.
fn stored(memory: &Memory) -> (usize, usize) {
    life(async {
        let store = embedded::over(Arc::new(memory.clone()), None).unwrap();
        let events = store.events(None, 100).await.unwrap().items.len();
        (events, store.runs(RunFilter::default(), 100).await.unwrap().items.len())
    })
}

#[test]
fn a_batch_is_there_as_a_whole_or_not_at_all_wherever_the_server_dies() {
    let project = Project::of(ORDERS);
    let alive = Arc::new(Faulty::new(Memory::default()));
    assert_eq!(send_batch(&project, Arc::clone(&alive) as Arc<dyn Kv>, &|| false), Some(202));
    for nth in 1..=alive.writes() {
        for death in [Death::BeforeWrite, Death::AfterWrite] {
            let memory = Memory::default();
            let faulty = Arc::new(Faulty::dying(memory.clone(), nth, death));
            let answered = send_batch(&project, Arc::clone(&faulty) as Arc<dyn Kv>, &|| faulty.is_dead());
            let there = stored(&memory);
            assert!(matches!(answered, None | Some(202 | 503)), "write {nth}, {death:?}: {answered:?}");
            assert!(there == (3, 3) || there == (0, 0) && answered != Some(202), "write {nth}, {death:?}: {there:?}, {answered:?}");
            let again = send_batch(&project, Arc::new(memory.clone()), &|| false);
            assert!(matches!(again, Some(200 | 202)), "write {nth}, {death:?}: {again:?}");
            assert_eq!(stored(&memory), (3, 3), "write {nth}, {death:?}: each event once");
        }
    }
}

/// What `tests/tools/send_cloudevents.py` prints, or why it does not.
fn sent_by_the_sdk() -> Result<Vec<Value>, String> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools");
    let printed = Command::new("python3").arg("send_cloudevents.py").current_dir(tools).output();
    let printed = printed.map_err(|error| format!("python3 cannot be started: {error}"))?;
    if !printed.status.success() {
        let why = String::from_utf8_lossy(&printed.stderr).into_owned();
        return Err(format!("the packages of tests/tools/requirements.txt cannot be used: {why}"));
    }
    Ok(serde_json::from_slice(&printed.stdout).unwrap())
}

#[tokio::test]
async fn what_the_sdk_sends_arrives_as_it_was_meant() {
    let requests = match sent_by_the_sdk() {
        Ok(requests) => requests,
        Err(why) => return skip("what_the_sdk_sends_arrives_as_it_was_meant", &why),
    };
    let data = [
        json!({"n": 1, "list": [null, true, 1.5, "é"]}),
        json!({"deep": {"n": [1, 2]}}),
        json!("a text, é"),
        json!({"note": {"to": "Ada"}}),
        Value::Null,
        Value::Null,
    ];
    assert_eq!(requests.len(), 2 * data.len());
    let (app, _project) = app(ORDERS).await;
    for (number, request) in requests.iter().enumerate() {
        let body = STANDARD.decode(request["body"].as_str().unwrap()).unwrap();
        let mut post = app.http.post(format!("{}/hooks/orders", app.url)).body(body);
        for (name, value) in request["headers"].as_object().unwrap() {
            post = post.header(name, value.as_str().unwrap());
        }
        let answer = app.send(post).await;
        assert_eq!(answer.status, 202, "{request}: {answer:?}");
        let output = output(&app, &answer.body["runs"][0]["run"]).await;
        assert_eq!(output["body"], data[number / 2], "{request}");
        for (name, value) in request["attributes"].as_object().unwrap() {
            let got = &output["all"][name];
            // In a header everything is a text; a time may be written in several ways.
            let same = match name.as_str() {
                "time" => got.as_str().is_some_and(|got| got[..19] == value.as_str().unwrap()[..19]),
                _ if request["mode"] == "binary" && !value.is_string() => {
                    got.as_str().is_some_and(|got| got.eq_ignore_ascii_case(&value.to_string()))
                }
                _ => got == value,
            };
            assert!(same, "{name} of {request}: {got}");
        }
    }
}
