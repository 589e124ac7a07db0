//! `hence record` with a server, and what it saves in `hence test`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::check_refused;
use crate::process::{Engine, Project, Serve, hence, hence_and};

const SHOP: &str = "
when:
  - webhook: {path: 'orders/{id}', verify: {hmac: {header: X-Proof, secret: SHOP_SECRET}}}
steps:
  - stop: '#{id: event.params.id, body: event.body, proof: event.headers[\"x-proof\"], auth: base64_decode(event.body.auth)}'
";
const OPEN: &str = "
when:
  - webhook: {path: open, verify: none}
steps:
  - stop: event.body
";
const TEST: &str = "
cases:
  - name: as it came
    event: {file: fixtures/orders-id-1.json}
    expect:
      output:
        id: '7'
        body: {n: 1, note: '***', auth: aG9vazoqKio=, signature: {timestamp: '1', token: '***', signature: '***'}}
        proof: '***'
        auth: hook:***
";

/// HMAC-SHA256 in hexadecimal.
fn proof(body: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"very-secret-indeed");
    ring::hmac::sign(&key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_are_saved_as_they_come_and_tests_take_them() {
    let project = Project::new().file("workflows/shop.yaml", SHOP).file("workflows/shop.test.yaml", TEST).file("workflows/open.yaml", OPEN);
    let served = Serve::new(&project, Engine::Redb).with("HENCE_SECRET_SHOP_SECRET", "very-secret-indeed").start().await;
    let (dir, data) = (project.dir(), project.data());
    let server = ["--project", dir.to_str().unwrap(), "--data", data.to_str().unwrap()];
    let record = async |args: &[&str]| hence(&[&["record"], args, &server].concat()).await;
    let json = ("content-type", "application/json");
    served.api().hook("open", &[json], r#"{"old": true}"#).await;

    let recorded = hence_and(&[&["record", "/hooks/orders/{id}"][..], &server].concat(), "waiting for deliveries", async || {
        // Base64 of `hook:very-secret-indeed`; and a signature of Mailgun's.
        let auth = "aG9vazp2ZXJ5LXNlY3JldC1pbmRlZWQ=";
        let signature = json!({"timestamp": "1", "token": "t", "signature": "s"});
        let body = &*json!({"n": 1, "note": "very-secret-indeed", "auth": auth, "signature": signature}).to_string();
        served.api().hook("open", &[json], r#"{"other": true}"#).await;
        served.api().hook("orders/7", &[json, ("x-proof", &*proof(body)), ("x-api-token", "abc"), ("x-shop", "1")], body).await;
    })
    .await;
    assert_eq!(recorded.code, Some(0), "{recorded:?}");
    let file = dir.join("fixtures/orders-id-1.json");
    assert_eq!(recorded.out.trim(), file.to_str().unwrap());
    let saved = read(&file);
    assert_eq!((&saved["path"], &saved["method"], &saved["body"]["note"]), (&json!("orders/7"), &json!("POST"), &json!("***")));
    assert_eq!((&saved["headers"]["x-proof"], &saved["headers"]["x-api-token"]), (&json!("***"), &json!("***")));
    assert_eq!((&saved["headers"]["x-shop"], &saved["headers"]["host"]), (&json!("1"), &Value::Null));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let tested = hence(&["test", dir.to_str().unwrap()]).await;
    assert_eq!(tested.code, Some(0), "{tested:?}");

    let past = record(&["open", "--past", "--count", "2", "--out", dir.join("old").to_str().unwrap()]).await;
    assert_eq!((past.code, past.out.lines().count()), (Some(0), 2), "{past:?}");
    assert_eq!(read(&dir.join("old/open-1.json"))["body"], json!({"other": true}));
    check_refused(&record(&["nowhere", "--past"]).await, 1, &["no delivery to /hooks/nowhere is stored"]);
    check_refused(&record(&["opne"]).await, 2, &["no webhook `opne`; did you mean `open`?", "webhooks: open, orders/{id}"]);
    check_refused(&record(&["opne", "--for", "1h"]).await, 2, &["no webhook `opne`"]);
    check_refused(&record(&["orders"]).await, 2, &["no webhook `orders`", "orders/{id}"]);
    check_refused(&record(&["/hooks/orders/{number}", "--for", "0s"]).await, 1, &["nothing came"]);
    check_refused(&record(&["orders/7", "--for", "0s"]).await, 1, &["nothing came"]);
    check_refused(&record(&["open", "--for", "0s"]).await, 1, &["nothing came to /hooks/open"]);
    check_refused(&record(&["open", "--for", "soon"]).await, 2, &["--for soon", "10m"]);
}
