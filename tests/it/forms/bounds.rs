//! How often a form is taken, how much of it is in memory, and how long it may take.

use std::time::Duration;

use hence::store::PIECE_BYTES;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::files::{file, send};
use super::{PLAIN, SERVED, count, fetch, html, part, post};
use crate::support::{Project, Recorder, TestApp};

/// A server with one form, and these lines in its `hence.yaml`.
async fn app(workflow: &str, settings: &str) -> (TestApp, Project) {
    let project = Project::of(workflow);
    project.write("hence.yaml", settings);
    (TestApp::start(&project, Recorder::fine()).await, project)
}

#[tokio::test]
async fn a_form_takes_so_many_and_then_429() {
    let limits = "limits: {body: 1KiB, rate: {limit: 6, per: 1m}, burst: 2}";
    let (app, _project) = app(&PLAIN.replace("limits: {body: 1KiB}", limits), "{}\n").await;
    let first = fetch(&app, "join/news", &[("email", "a")]).await;
    assert_eq!(
        (first.status, first.header("ratelimit"), first.header("ratelimit-policy")),
        (202, "\"form\";r=1;t=10", "\"form\";q=6;w=60")
    );
    // All lists of the path are one form.
    let second = post(&app, "join/vip", &[("email", "b")]).await;
    assert_eq!((second.status, second.header("ratelimit")), (303, "\"form\";r=0;t=20"));
    let refused = fetch(&app, "join/news", &[("email", "c")]).await;
    assert_eq!((refused.status, &refused.body["code"]), (429, &json!("rate-limited")), "{refused:?}");
    assert!(refused.body["detail"].as_str().unwrap().contains("this form takes: 6 in 1m; send it again in 10 s"), "{refused:?}");
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit")), ("10", "\"form\";r=0;t=10"));
    let page = post(&app, "join/news", &[("email", "c")]).await;
    assert!((page.status, page.header("retry-after")) == (429, "10") && html(&page).contains("Go back and try again"), "{page:?}");
    assert_eq!(count(&app).await, 2);
    app.clock.advance(Duration::from_secs(10));
    assert_eq!(fetch(&app, "join/news", &[("email", "c")]).await.status, 202);
    let refused = app.get("/events/refused").await.body;
    assert_eq!(refused["refused"][0]["hook"], "forms/join/{list}", "{refused}");
}

#[tokio::test]
async fn a_form_that_is_looked_at_is_not_counted() {
    let (app, _project) = app(&SERVED.replace("title:", "limits: {rate: {limit: 1, per: 1h}}\n      title:"), "{}\n").await;
    for _ in 0..3 {
        assert_eq!(app.send(super::request(&app, reqwest::Method::GET, "contact")).await.status, 200);
    }
    // What has to be mended is counted: it was read all the same.
    assert_eq!(post(&app, "contact", &[]).await.status, 422);
    assert_eq!(post(&app, "contact", &[]).await.status, 429);
}

#[tokio::test]
async fn forms_in_hand_are_bounded_with_all_other_bodies() {
    let workflow = PLAIN.replace("limits: {body: 1KiB}", "limits: {body: 1MiB}").replace("max: 1KiB", "max: 1MiB");
    let (app, _project) = app(&workflow, "limits: {bodies: 10KiB}\n").await;
    let long = "x".repeat(11 << 10);
    let urlencoded = fetch(&app, "join/news", &[("email", &long)]).await;
    let texts = send(&app, "application/json", &[part("email", &long).into_bytes()]).await;
    let files = send(&app, "application/json", &[file("photo", "a.png", "image/png", long.as_bytes())]).await;
    for answer in [urlencoded, texts, files] {
        assert_eq!((answer.status, &answer.body["code"]), (503, &json!("crowded")), "{answer:?}");
        assert_ne!(answer.header("retry-after"), "");
    }
    // What is thrown away is in nobody's memory.
    let trapped = [part("website", "x").into_bytes(), file("photo", "a.png", "image/png", long.as_bytes())];
    assert_eq!(send(&app, "application/json", &trapped).await.status, 202);
    for n in 0..20 {
        let parts = [part("email", &n.to_string()).into_bytes(), file("photo", "a.png", "image/png", &[1; 1 << 10])];
        assert_eq!(send(&app, "application/json", &parts).await.status, 202);
    }
    assert_eq!((app.app.intake.door.bodies.held_bytes(), count(&app).await), (0, 20));
}

#[tokio::test]
async fn a_large_file_takes_a_part_of_the_memory_for_bodies() {
    let (app, _project) = app(&PLAIN.replace("max: 1KiB", "max: 8MiB"), "limits: {bodies: 2MiB}\n").await;
    let parts = [part("email", "ada").into_bytes(), file("photo", "a.png", "image/png", &vec![1; 30 * PIECE_BYTES + 1])];
    assert_eq!(send(&app, "application/json", &parts).await.status, 202);
    let pieces = app.store.pieces.lock().unwrap().clone();
    assert_eq!((pieces.iter().sum::<usize>(), pieces.len()), (31, 8), "{pieces:?}");
    assert_eq!(app.app.intake.door.bodies.held_bytes(), 0);
}

#[tokio::test]
async fn a_form_that_drips_is_408_and_nothing_of_it_stays() {
    let (app, _project) = app(PLAIN, "limits: {body_timeout: 1s}\n").await;
    let multipart = part("email", "ada") + "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1";
    for (kind, begin, accept, words) in [
        ("application/x-www-form-urlencoded", "email=ada", "application/json", "\"code\":\"slow-body\""),
        ("multipart/form-data; boundary=x", &multipart, "text/html", "try again in a moment"),
    ] {
        let mut socket = TcpStream::connect(app.app.address).await.unwrap();
        let head =
            format!("POST /forms/join/news HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\ncontent-type: {kind}\r\ncontent-length: 900\r\n\r\n");
        socket.write_all(format!("{head}{begin}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains(words), "{answer}");
        assert!(answer.contains("after 1s and a second for each 64 KiB of it") && answer.contains("connection: close"), "{answer}");
    }
    assert_eq!((app.app.intake.door.bodies.held_bytes(), count(&app).await), (0, 0));
}
