//! What comes in as XML, text, a form or bytes, and what a caller gets who asks for XML.

use serde_json::{Value, json};

use crate::support::app::Answer;
use crate::support::{Project, Recorder, TestApp};

const OPEN: &str = "
when:
  - webhook: {path: open, verify: none}
steps:
  - stop: '[event.body, event.raw]'
";

async fn app(workflow: &str) -> (TestApp, Project) {
    let project = Project::of(workflow);
    (TestApp::start(&project, Recorder::fine()).await, project)
}

fn request(app: &TestApp, content_type: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
    app.http.post(format!("{}/hooks/open", app.url)).header("content-type", content_type).body(body)
}

async fn send(app: &TestApp, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    app.send(request(app, content_type, body)).await
}

async fn output(app: &TestApp, answer: &Answer) -> Value {
    let run = answer.runs()[0];
    app.ended(run).await;
    app.get(&format!("/runs/{run}")).await.body["output"].clone()
}

#[tokio::test]
async fn bodies_of_every_kind_start_runs() {
    let (app, _project) = app(OPEN).await;
    let xml = "<order id=\"7\"><item>a</item><item>b</item></order>";
    for (content_type, body, expected) in [
        ("application/xml", xml.as_bytes(), json!([{"order": {"@id": "7", "item": ["a", "b"]}}, xml])),
        ("text/plain; charset=iso-8859-1", b"caf\xe9", json!(["café", "Y2Fm6Q=="])),
        ("application/x-www-form-urlencoded", b"a=1&b=x+y", json!([{"a": "1", "b": "x y"}, "a=1&b=x+y"])),
        ("application/octet-stream", b"\x00\xff", json!([null, "AP8="])),
        ("application/json", "\u{feff}[1]".as_bytes(), json!([[1], "\u{feff}[1]"])),
    ] {
        let answer = send(&app, content_type, body).await;
        assert_eq!(answer.status, 202, "{content_type}: {answer:?}");
        assert_eq!(output(&app, &answer).await, expected, "{content_type}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_its_place() {
    let (app, _project) = app(OPEN).await;
    let check = async |content_type: &str, body: Vec<u8>, status: u16, code: &str, words: &str| {
        let answer = send(&app, content_type, body).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(code)), "{answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().contains(words), "{answer:?}");
    };
    check("text/xml", b"<a>\n<b></a>".into(), 400, "unreadable-body", "not XML").await;
    check("text/xml", b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>".into(), 400, "unreadable-body", "DOCTYPE").await;
    check("text/xml", "<a>".repeat(300_000).into(), 400, "unreadable-body", "nested deeper than 64").await;
    check("application/json", b"\"\xe9\"".into(), 400, "unreadable-body", "not UTF-8").await;
    check("application/json", "[".repeat(1000).into(), 400, "unreadable-body", "nested deeper than 128").await;
    check("text/plain; charset=klingon", b"x".into(), 415, "unsupported-body", "klingon").await;
    let packed = request(&app, "application/json", "x").header("content-encoding", "gzip");
    let answer = app.send(packed).await;
    assert_eq!((answer.status, answer.header("accept-encoding")), (415, "identity"), "{answer:?}");
    assert_eq!(app.get("/events").await.body["events"], json!([]));
}

#[tokio::test]
async fn a_caller_that_asks_for_xml_gets_it() {
    let (app, _project) = app(OPEN).await;
    let ask = async |accept: &str, body: &'static str| app.send(request(&app, "application/json", body).header("accept", accept)).await;
    let answer = ask("application/json;q=0.5, application/xml", "{}").await;
    let text = answer.body.as_str().unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (202, "application/xml"));
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?><receipt><event>evt_"), "{text}");
    assert!(text.contains("<runs><run>run_") && text.ends_with("<workflow>main</workflow></runs></receipt>"), "{text}");
    assert_eq!(ask("text/xml", "{}").await.header("content-type"), "text/xml");
    assert_eq!(ask("*/*", "{}").await.header("content-type"), "application/json");
    let problem = ask("application/problem+xml", "{").await;
    let text = problem.body.as_str().unwrap();
    assert_eq!((problem.status, problem.header("content-type")), (400, "application/problem+xml"));
    assert!(text.contains("<problem xmlns=\"urn:ietf:rfc:7807\"><code>unreadable-body</code><detail>"), "{text}");
    let nowhere = app.http.post(format!("{}/hooks/nowhere", app.url)).header("accept", "application/xml");
    assert_eq!(app.send(nowhere).await.header("content-type"), "application/problem+xml");
}

const ANSWERS: &str = "
when:
  - webhook: {path: open, verify: none, respond: {wait: 10s}}
steps:
  - if: event.body.xml == true
    then:
      - respond: {xml: {order: {\"@id\": 7, item: \"${event.body.items}\", note: '${event.body.note ?? \"\"}'}}}
  - stop: event.body.items
";

#[tokio::test]
async fn a_run_answers_with_a_map_as_xml() {
    let (app, _project) = app(ANSWERS).await;
    let head = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    let body = json!({"xml": true, "items": ["a", "b"], "note": "x < y"}).to_string();
    let answer = send(&app, "application/json", body).await;
    let expected = format!("{head}<order id=\"7\"><item>a</item><item>b</item><note>x &lt; y</note></order>");
    assert_eq!((answer.status, answer.header("content-type"), &answer.body), (200, "application/xml", &json!(expected)));
    let plain = request(&app, "application/json", r#"{"items":["a","b"]}"#).header("accept", "application/xml");
    let answer = app.send(plain).await;
    assert_eq!(answer.body, json!(format!("{head}<output><item>a</item><item>b</item></output>")));
    let shapeless = request(&app, "application/json", r#"{"items":{"a b":1}}"#).header("accept", "application/xml");
    assert_eq!(app.send(shapeless).await.body, json!({"a b": 1}), "what has no form in XML is sent as JSON");
    let bad = send(&app, "application/json", r#"{"xml":true,"items":[[1]]}"#).await;
    assert_eq!((bad.status, bad.body["code"].as_str()), (500, Some("run-failed")), "{bad:?}");
}
