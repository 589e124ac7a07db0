//! Bodies that another implementation was tested with (`corpus.json`): we read the same from them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::app;
use crate::support::app::Answer;

const FORM: &str = "
when:
  - form: {path: any, uploads: {max: 1MiB}}
steps:
  - stop: event.body
";

/// RFC 7578, section 4.7, has done away with transfer encodings: what is encoded stays so.
const ENCODED: [&str; 3] = ["base64_encoding", "mixed_plain_and_base64_encoding", "quoted_printable_encoding"];

/// RFC 2046, section 5.1.1: a line that begins with the boundary is one, whatever follows; and nothing of this may follow.
const NEARLY: [&str; 3] =
    ["almost_match_boundary_without_CR", "almost_match_boundary_without_LF", "almost_match_boundary_without_final_hyphen"];

/// Its lines begin with another boundary than the one that it names.
const OTHER: &str = "single_field_blocks";

fn decoded(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

fn hex(content: &[u8]) -> String {
    digest(&SHA256, content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn we_read_what_others_read() {
    let corpus: Value = serde_json::from_str(include_str!("corpus.json")).unwrap();
    let (app, _project) = app(FORM).await;
    let (mut read, mut refused) = (0, 0);
    for case in corpus["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let content_type = format!("multipart/form-data; boundary=\"{}\"", case["boundary"].as_str().unwrap());
        let request = app.http.post(format!("{}/forms/any", app.url)).header("accept", "application/json");
        let answer: Answer = app.send(request.header("content-type", content_type).body(decoded(&case["body"]))).await;
        let Some(parts) = case["parts"].as_array().filter(|_| !NEARLY.contains(&name) && name != OTHER) else {
            assert_eq!((answer.status, &answer.body["code"]), (400, &json!("unreadable-body")), "{name}: {answer:?}");
            refused += 1;
            continue;
        };
        assert_eq!(answer.status, 202, "{name}: {answer:?}");
        read += 1;
        if ENCODED.contains(&name) {
            continue;
        }
        let event = app.get(&format!("/events/{}", answer.body["event"].as_str().unwrap())).await.body;
        let texts: serde_json::Map<String, Value> = parts
            .iter()
            .filter(|part| part.get("file").is_none())
            .map(|part| (part["name"].as_str().unwrap().to_owned(), String::from_utf8(decoded(&part["data"])).unwrap().into()))
            .collect();
        assert_eq!(event["body"], Value::Object(texts), "{name}");
        let files = parts.iter().filter(|part| part.get("file").is_some());
        let expected: Vec<Value> = files.map(|part| json!([part["name"], part["file"], hex(&decoded(&part["data"]))])).collect();
        let found = event["files"].as_array().cloned().unwrap_or_default();
        let found: Vec<Value> = found.iter().map(|file| json!([file["field"], file["name"], file["sha256"]])).collect();
        assert_eq!(found, expected, "{name}");
    }
    assert!(14 <= read && 12 <= refused, "{read} {refused}");
}
