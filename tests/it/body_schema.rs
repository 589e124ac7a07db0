//! `schema`: what does not fit is refused with every place, and nothing is stored.

use hence::domain::run::Status;
use hence::store::Store;
use serde_json::{Value, json};

use crate::reload::changed;
use crate::support::app::Answer;
use crate::support::{Life, Project, Recorder, TestApp};

const LEADS: &str = "
when:
  - webhook: {path: leads, verify: none, schema: schemas/lead.json}
  - manual: {schema: {required: [by]}}
steps:
  - wait: 1m
  - stop: event.body.email
";

const LEAD: &str = r#"{
  "type": "object", "required": ["email"],
  "properties": {"email": {"type": "string", "format": "email"}, "home": {"$ref": "address.json"}}
}"#;
const ADDRESS: &str = r#"{"type": "object", "required": ["zip"], "properties": {"zip": {"pattern": "^[0-9]{5}$"}}}"#;

fn leads() -> Project {
    let project = Project::of(LEADS);
    project.write("schemas/lead.json", LEAD);
    project.write("schemas/address.json", ADDRESS);
    project
}

fn errors(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!((answer.status, answer.body["code"].as_str()), (422, Some("schema-mismatch")), "{answer:?}");
    let each = answer.body["errors"].as_array().unwrap().iter();
    each.map(|error| (error["path"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())).collect()
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_refused_with_every_place() {
    let project = leads();
    let app = TestApp::start(&project, Recorder::fine()).await;
    let answer = app.post("leads", &json!({"email": "ada", "home": {"zip": "x"}})).await;
    let found = errors(&answer);
    assert_eq!(found.iter().map(|(path, _)| &**path).collect::<Vec<_>>(), ["/email", "/home/zip"]);
    assert!(answer.body["detail"].as_str().unwrap().contains("/email is not a valid email; /home/zip does not match"), "{answer:?}");
    assert_eq!(errors(&app.post("leads", &json!({"home": {}})).await).len(), 2);
    let many: Value = (0..100).map(|n| (format!("k{n}"), json!(1))).collect::<serde_json::Map<_, _>>().into();
    let text = app.post("leads", &json!([many])).await;
    assert_eq!(errors(&text), [("".to_owned(), "is a list, expected a map".to_owned())]);
    let xml = app.http.post(format!("{}/hooks/leads", app.url)).header("accept", "application/xml").json(&json!({}));
    let xml = app.send(xml).await;
    assert!(xml.body.as_str().unwrap().contains("<errors><message>is missing</message><path>/email</path></errors>"), "{xml:?}");
    assert_eq!(app.get("/events").await.body["events"], json!([]), "nothing is stored");
    assert_eq!(app.post("leads", &json!({"email": "ada@example.com", "home": {"zip": "12345"}})).await.status, 202);
    let refused = app.get("/events/refused").await.body;
    let details: Vec<&str> = refused["refused"].as_array().unwrap().iter().map(|one| one["detail"].as_str().unwrap()).collect();
    assert!(
        details
            .contains(&"the body does not fit the schema: /email is not a valid email; /home/zip does not match the pattern `^[0-9]{5}$`"),
        "{details:?}"
    );
}

#[tokio::test]
async fn xml_and_the_data_of_a_cloud_event_are_held_against_it() {
    let project = leads();
    let app = TestApp::start(&project, Recorder::fine()).await;
    let post = async |kind: &str, body: String| {
        app.send(app.http.post(format!("{}/hooks/leads", app.url)).header("content-type", kind.to_owned()).body(body)).await
    };
    assert_eq!(errors(&post("text/xml", "<lead/>".to_owned()).await)[0].0, "/email");
    let event = |data: Value| json!({"specversion": "1.0", "id": "1", "source": "/a", "type": "a", "data": data});
    let good = event(json!({"email": "ada@example.com"}));
    assert_eq!(errors(&post("application/cloudevents+json", event(json!({})).to_string()).await)[0].0, "/email");
    let batch = post("application/cloudevents-batch+json", json!([good, event(json!({}))]).to_string()).await;
    assert_eq!(errors(&batch)[0].0, "/email");
    assert_eq!(app.get("/events").await.body["events"], json!([]), "nothing of a batch is stored");
    assert_eq!(post("application/cloudevents+json", good.to_string()).await.status, 202);
}

#[tokio::test]
async fn a_start_by_hand_is_held_against_its_own() {
    let app = TestApp::start(&leads(), Recorder::fine()).await;
    let start = async |event: Value| app.api(reqwest::Method::POST, "/runs", Some(json!({"workflow": "main", "event": event}))).await;
    assert_eq!(errors(&start(json!({})).await)[0].0, "/by");
    assert_eq!(start(json!({"by": "Ada"})).await.status, 202);
}

#[tokio::test]
async fn a_changed_schema_is_another_revision_and_runs_in_flight_keep_theirs() {
    let project = leads();
    let life = Life::new(Recorder::fine());
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let run = app.post("leads", &json!({"email": "ada@example.com"})).await.runs()[0];
    app.stands(run, Status::Waiting).await;
    let before = app.store.run(run).await.unwrap().unwrap().revision;
    app.app.stop().await;
    project.write("schemas/address.json", r#"{"type": "object", "required": ["zip", "city"]}"#);
    let app = TestApp::resume(&project, life).await.unwrap();
    assert_eq!(errors(&app.post("leads", &json!({"email": "ada@example.com", "home": {"zip": "1"}})).await)[0].0, "/home/city");
    let later = app.post("leads", &json!({"email": "ada@example.com"})).await.runs()[0];
    assert_ne!(app.store.run(later).await.unwrap().unwrap().revision, before);
    assert_eq!(app.ended(run).await.status, Status::Succeeded, "its revision is built again, with the schema it had");
}

#[tokio::test]
async fn a_changed_schema_is_served_and_a_bad_one_keeps_the_last_good() {
    let project = leads();
    let app = TestApp::start(&project, Recorder::fine()).await;
    let run = app.post("leads", &json!({"email": "ada@example.com"})).await.runs()[0];
    app.ended(run).await;
    project.write("schemas/address.json", r#"{"required": ["zip", "city", "street"]}"#);
    changed(&app).await;
    let strict = async || errors(&app.post("leads", &json!({"email": "ada@example.com", "home": {}})).await).len();
    assert_eq!(strict().await, 3);
    project.write("schemas/address.json", r#"{"required": "street"}"#);
    changed(&app).await;
    assert_eq!(strict().await, 3, "the last good revision stays, with its schema");
    let ready = app.send(app.http.get(format!("{}/readyz", app.url))).await;
    assert_eq!(ready.status, 503, "{ready:?}");
}

const TWO: [&str; 2] = [
    "name: first\nwhen: [{webhook: {path: leads, verify: none, schema: {required: [a]}}}]\nsteps: [{stop: 1}]\n",
    "name: second\nwhen: [{webhook: {path: leads, verify: none, schema: {required: [b]}}}]\nsteps: [{stop: 1}]\n",
];

#[tokio::test]
async fn a_body_has_to_fit_the_schema_of_every_workflow_on_its_path() {
    let project = Project::of(TWO[0]);
    project.write("workflows/second.yaml", TWO[1]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    assert_eq!(errors(&app.post("leads", &json!({"a": 1})).await)[0].0, "/b");
    assert_eq!(errors(&app.post("leads", &json!({"b": 1})).await)[0].0, "/a");
    assert_eq!(app.post("leads", &json!({"a": 1, "b": 2})).await.runs().len(), 2);
}

const INPUT: &str = "
when:
  - webhook: {path: open, verify: none, respond: {wait: 10s}}
input: {n: {type: number, required: true}}
steps:
  - stop: input.n
";

#[tokio::test]
async fn an_input_that_is_missing_is_the_callers_to_mend() {
    let app = TestApp::start(&Project::of(INPUT), Recorder::fine()).await;
    let answer = app.post("open", &json!({"n": "x"})).await;
    assert_eq!((answer.status, answer.body["code"].as_str()), (422, Some("bad-input")), "{answer:?}");
    assert!(answer.body["detail"].as_str().unwrap().contains("the input `n` is of type number"), "{answer:?}");
    assert!(answer.body["run"].as_str().unwrap().starts_with("run_"), "{answer:?}");
    assert_eq!(app.post("open", &json!({"n": 2})).await.body, json!(2));
}
