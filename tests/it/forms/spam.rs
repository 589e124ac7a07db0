//! What no person sends makes the server write nothing, where that can be known in time, and little where it cannot.

use hence::store::{PIECE_BYTES, Store};
use serde_json::json;

use super::files::{file, left, send};
use super::{PLAIN, app, count, html, part, request, stamp_of};
use crate::support::TestApp;

/// As much as is gathered before it is written, in pieces.
const GATHERED: usize = 4;

const SERVED: &str = "
when:
  - form:
      path: join/news
      honeypot: website
      fields:
        email: {type: email, required: true}
        photo: {type: file, multiple: true}
      uploads: {max: 4MiB}
steps:
  - stop: event.files.len()
";

fn large() -> Vec<u8> {
    file("photo", "a.png", "image/png", &vec![7; 2 * GATHERED * PIECE_BYTES])
}

fn text(name: &str, text: &str) -> Vec<u8> {
    part(name, text).into_bytes()
}

/// Sends these parts; says with what status they were answered and how many pieces were written meanwhile.
async fn check(app: &TestApp, parts: &[Vec<u8>], status: u16, pieces: usize) {
    app.store.pieces.lock().unwrap().clear();
    let answer = send(app, "application/json", parts).await;
    assert_eq!(answer.status, status, "{answer:?}");
    let written: usize = app.store.pieces.lock().unwrap().iter().sum();
    assert_eq!(written, pieces, "{status}");
    app.until(async |app| (left(app).await == 0).then_some(())).await;
}

#[tokio::test]
async fn files_behind_a_filled_honeypot_are_never_written() {
    let (app, _project) = app(&PLAIN.replace("max: 1KiB", "max: 4MiB")).await;
    let small = || file("photo", "b.png", "image/png", &[1; 100]);
    check(&app, &[text("website", "x"), large(), large()], 202, 0).await;
    check(&app, &[small(), text("website", "x"), large()], 202, 0).await;
    check(&app, &[small(), text("email", "a"), text("website", "x")], 202, 0).await;
    // What came before it is known to be of no use, and no more.
    check(&app, &[large(), text("website", "x"), large()], 202, 2 * GATHERED).await;
    assert_eq!(count(&app).await, 0);
    assert_eq!(app.get("/stats").await.body["forms_not_taken"]["honeypot"], json!(4));
    check_taken(&app, &[text("website", ""), text("email", "ada"), large()]).await;
}

async fn check_taken(app: &TestApp, parts: &[Vec<u8>]) {
    let answer = send(app, "application/json", parts).await;
    assert_eq!((answer.status, count(app).await), (202, 1), "{answer:?}");
    let files = app.get(&format!("/events/{}", answer.body["event"].as_str().unwrap())).await.body["files"].clone();
    assert_eq!(files[0]["size"], 2 * GATHERED * PIECE_BYTES);
    assert!(app.store.check().await.unwrap().problems.is_empty());
}

#[tokio::test]
async fn files_of_a_form_that_has_to_be_sent_again_are_not_written() {
    let (app, _project) = app(SERVED).await;
    let page = app.send(request(&app, reqwest::Method::GET, "join/news")).await;
    let shown = html(&page);
    let places = ["name=\"_form\"", "name=\"website\"", "id=\"f-photo\""].map(|part| shown.find(part).unwrap());
    assert!(places.is_sorted(), "stamp and honeypot come before any file: {shown}");
    let stamp = text("_form", stamp_of(shown));
    let email = text("email", "ada@example.com");
    // Too quick, of another form, and with a file that is not taken.
    check(&app, &[stamp.clone(), email.clone(), large()], 422, 0).await;
    check(&app, &[text("_form", "1.x"), email.clone(), large()], 422, 0).await;
    app.clock.advance(std::time::Duration::from_secs(10));
    let elsewhere = file("email", "a.png", "image/png", b"1");
    check(&app, &[stamp.clone(), email.clone(), elsewhere.clone(), large()], 422, 0).await;
    check(&app, &[stamp.clone(), email.clone(), large(), elsewhere, large()], 422, 2 * GATHERED).await;
    // A small file is not written before all is looked at.
    let small = file("photo", "b.png", "image/png", &[1; 100]);
    check(&app, &[stamp.clone(), text("email", "nowhere"), small], 422, 0).await;
    assert_eq!(count(&app).await, 0);
    check_taken(&app, &[large(), stamp, email]).await;
}
