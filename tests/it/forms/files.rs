//! Files that come with forms: stored in pieces, described in the event, had from the API, forgotten with it.

use std::time::Duration;

use hence::domain::file::FileId;
use hence::store::{Keep, PIECE_BYTES, Pass, Stage, Store};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{PLAIN, app, count, html, output, part, request};
use crate::support::TestApp;
use crate::support::app::Answer;

pub fn file(field: &str, name: &str, kind: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--x\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

/// Sends parts.
pub async fn send(app: &TestApp, accept: &str, parts: &[Vec<u8>]) -> Answer {
    let body = [parts.concat(), b"--x--\r\n".to_vec()].concat();
    let request = app.http.post(format!("{}/forms/join/news", app.url)).header("accept", accept);
    app.send(request.header("content-type", "multipart/form-data; boundary=x").body(body)).await
}

fn hex(content: &[u8]) -> String {
    digest(&SHA256, content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Everything that lies in the store without its event, as the id of the file says.
pub async fn left(app: &TestApp) -> u64 {
    app.store.stats().await.unwrap().kinds.get("files").map_or(0, |tally| tally.count)
}

#[tokio::test]
async fn files_are_described_in_the_event_and_had_from_the_api() {
    let big = PLAIN.replace("max: 1KiB", "max: 2MiB");
    let (app, _project) = app(&big).await;
    // As large as some pieces and a bit, with a boundary that is none.
    let mut content: Vec<u8> = (0..3 * PIECE_BYTES + 17).map(|at| u8::try_from(at % 251).unwrap()).collect();
    content.splice(1000..1000, *b"\r\n--y\r\n--");
    let parts = [
        part("email", "ada@example.com").into_bytes(),
        file("photo", "C:\\fake\\a b%22ä.png", "image/png", &content),
        file("photo", "", "application/octet-stream", b""),
        file("list", "numbers.csv", "application/vnd.ms-excel", b""),
    ];
    let answer = send(&app, "application/json", &parts).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(*app.store.pieces.lock().unwrap(), [4], "many pieces are one write");
    let event = answer.body["event"].as_str().unwrap();
    let expected = json!([
        {"id": format!("{event}/1"), "field": "photo", "name": "a b\"ä.png", "type": "image/png", "size": content.len(), "sha256": hex(&content)},
        {"id": format!("{event}/2"), "field": "list", "name": "numbers.csv", "type": "application/vnd.ms-excel", "size": 0, "sha256": hex(b"")},
    ]);
    let said = output(&app).await;
    assert_eq!((&said["files"], &said["body"]), (&expected, &json!({"email": "ada@example.com"})));

    let shown = app.get(&format!("/events/{event}")).await.body;
    assert_eq!(shown["files"][0]["sha256"], hex(&content));
    let url = shown["files"][0]["url"].as_str().unwrap();
    assert_eq!(url, format!("/api/events/{event}/files/1"));
    let request = app.http.get(format!("{}{url}", app.url));
    assert_eq!(request.try_clone().unwrap().send().await.unwrap().status(), 401, "only with the token");
    let response = request.bearer_auth(app.app.token.expose()).send().await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/octet-stream");
    assert_eq!(header("content-disposition"), "attachment; filename*=UTF-8''a%20b%22%C3%A4.png");
    assert_eq!((header("content-length"), header("x-content-type-options")), (content.len().to_string(), "nosniff".to_owned()));
    assert_eq!(response.bytes().await.unwrap(), content);
    for missing in [format!("/events/{event}/files/3"), format!("/events/{event}/files/0"), format!("/events/{event}/files/x")] {
        let answer = app.get(&missing).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("no-file")), "{missing}");
    }
    assert!(app.store.check().await.unwrap().problems.is_empty());
}

#[tokio::test]
async fn files_that_are_not_taken_are_told_and_nothing_is_left_of_them() {
    let (app, _project) = app(PLAIN).await;
    let email = part("email", "ada@example.com").into_bytes();
    let fine = file("photo", "a.png", "image/png", &[7; 1024]);
    for (parts, field, words) in [
        (vec![file("photo", "a.png", "image/png", &[7; 1025])], "photo", "This file is larger than 1 KiB."),
        (vec![file("photo", "a.png", "image/png", &vec![7; 700_000])], "photo", "This file is larger than 1 KiB."),
        (
            vec![file("photo", "a.exe", "image/png", b"x")],
            "photo",
            "`a.exe` is not of a sort that is taken here: image/png, application/pdf, .csv.",
        ),
        (vec![file("photo", "a.png", "text/html", b"x")], "photo", "is not of a sort"),
        (vec![fine.clone(), fine, file("third", "b.png", "image/png", b"x")], "third", "at most 2 files"),
    ] {
        let parts = [vec![email.clone()], parts].concat();
        let problem = send(&app, "application/json", &parts).await;
        assert_eq!((problem.status, &problem.body["code"]), (422, &json!("invalid-form")), "{words}: {problem:?}");
        let error = &problem.body["errors"][0];
        assert!(error["field"] == field && error["message"].as_str().unwrap().contains(words), "{problem:?}");
        let page = send(&app, "text/html", &parts).await;
        assert!(page.status == 422 && html(&page).contains("This was not sent") && html(&page).contains("Go back"), "{page:?}");
    }
    assert_eq!(count(&app).await, 0);
    app.until(async |app| (left(app).await == 0).then_some(())).await;
    let none = PLAIN.lines().filter(|line| !line.contains("uploads")).collect::<Vec<_>>().join("\n");
    let (app, _project) = self::app(&none).await;
    let small = file("photo", "a.png", "image/png", b"x");
    let problem = send(&app, "application/json", &[email, small]).await;
    assert_eq!(problem.body["errors"], json!([{"field": "photo", "message": "This form takes no files."}]));
}

#[tokio::test]
async fn files_of_a_repeat_of_a_bot_and_of_who_goes_away_are_forgotten() {
    let (app, _project) = app(PLAIN).await;
    let photo = file("photo", "a.png", "image/png", &[7; 1000]);
    let of = |email: &str| [part("email", email).into_bytes(), photo.clone()];
    assert_eq!(send(&app, "application/json", &of("ada@example.com")).await.status, 202);
    assert_eq!(left(&app).await, 1);
    assert_eq!(send(&app, "application/json", &of("ada@example.com")).await.status, 202);
    let trapped = [part("website", "x").into_bytes(), photo.clone()];
    assert_eq!(send(&app, "application/json", &trapped).await.status, 202);
    let torn = [photo.clone(), b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n".to_vec()].concat();
    let request = app.http.post(format!("{}/forms/join/news", app.url)).header("content-type", "multipart/form-data; boundary=x");
    assert_eq!(app.send(request.body(torn)).await.status, 400);
    app.until(async |app| (left(app).await == 1).then_some(())).await;

    assert_eq!(*app.store.pieces.lock().unwrap(), [1, 1], "nothing is written of what is known to be of no use");
}

#[tokio::test]
async fn files_of_who_goes_away_are_forgotten() {
    let (app, _project) = app(&PLAIN.replace("max: 1KiB", "max: 2MiB")).await;
    use tokio::io::AsyncWriteExt;
    let mut gone = tokio::net::TcpStream::connect(app.app.address).await.unwrap();
    let head =
        "POST /forms/join/news HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: 3000000\r\n\r\n";
    let photo = file("photo", "a.png", "image/png", &vec![7; 5 * PIECE_BYTES]);
    gone.write_all(&[head.as_bytes(), &photo, b"--x\r\n"].concat()).await.unwrap();
    app.until(async |app| (left(app).await != 0).then_some(())).await;
    drop(gone);
    app.until(async |app| (left(app).await == 0).then_some(())).await;
}

#[tokio::test]
async fn a_file_goes_when_retention_takes_its_event() {
    let (app, _project) = app(PLAIN).await;
    let parts = [part("email", "ada@example.com").into_bytes(), file("photo", "a.png", "image/png", b"ab")];
    let answer = send(&app, "application/json", &parts).await;
    let id: FileId = format!("{}/1", answer.body["event"].as_str().unwrap()).parse().unwrap();
    assert_eq!(app.store.file(id, 0).await.unwrap().unwrap(), "ab");
    output(&app).await;
    app.clock.advance(Duration::from_secs(90 * 86_400));
    let hour = Some(Duration::from_secs(3_600));
    let keep = Keep { runs: hence::store::Ages::all(hour), events: hour, ..Keep::default() };
    let mut pass = Pass::new(keep, hence::clock::Clock::now(&*app.clock), None);
    while pass.stage != Stage::Done {
        pass = app.store.prune(pass).await.unwrap();
    }
    assert_eq!((count(&app).await, app.store.file(id, 0).await.unwrap()), (0, None));
}

#[tokio::test]
async fn a_served_form_keeps_what_was_written_when_its_file_is_not_taken() {
    let workflow = "
when:
  - form:
      path: join/news
      fields:
        name: {required: true}
        photos: {type: file, multiple: true, required: true}
      uploads: {types: [image/*], max: 10B, count: 3}
steps:
  - stop: '#{body: event.body, names: event.files.map(|file| file.name)}'
";
    let (app, _project) = app(workflow).await;
    let page = app.send(request(&app, reqwest::Method::GET, "join/news")).await;
    assert!(html(&page).contains("enctype=\"multipart/form-data\""), "{page:?}");
    assert!(html(&page).contains("<input type=\"file\" id=\"f-photos\" name=\"photos\" accept=\"image/*\" multiple required>"), "{page:?}");
    let stamp = part("_form", super::stamp_of(html(&page))).into_bytes();
    app.clock.advance(Duration::from_secs(10));
    let name = part("name", "Ada").into_bytes();
    let none = send(&app, "text/html", &[stamp.clone(), name.clone(), file("photos", "", "application/octet-stream", b"")]).await;
    assert!(none.status == 422 && html(&none).contains("Choose a file."), "{none:?}");
    let large = send(&app, "text/html", &[stamp.clone(), name.clone(), file("photos", "a.png", "image/png", &[1; 11])]).await;
    assert!(html(&large).contains("<p class=\"wrong\" id=\"w-photos\">This file is larger than 10 bytes.</p>"), "{large:?}");
    assert!(html(&large).contains("value=\"Ada\""), "{large:?}");
    let other = send(&app, "text/html", &[stamp.clone(), name.clone(), file("name", "a.png", "image/png", &[1; 5])]).await;
    assert_eq!(other.status, 422);
    let two = [stamp, name, file("photos", "a.png", "image/png", &[1; 10]), file("photos", "b.gif", "image/gif", &[2; 3])];
    assert_eq!(send(&app, "text/html", &two).await.status, 303);
    assert_eq!(output(&app).await, json!({"body": {"name": "Ada"}, "names": ["a.png", "b.gif"]}));
    let events: Vec<Value> = app.get("/events").await.body["events"].as_array().unwrap().clone();
    assert_eq!(events.len(), 1);
}

#[tokio::test]
async fn a_call_takes_files_by_reference_and_no_others() {
    let workflow = "
when:
  - form: {path: join/news, uploads: {max: 1MiB}}
steps:
  - call: http.post
    with:
      url: https://a.test
      multipart: {name: Ada, photo: {file: '${event.files[0]}', filename: own.png}, all: ['${#{file: event.files[1]}}']}
  - call: http.post
    with: {url: https://a.test, body: {file: '${event.files[1].id}'}}
  - call: http.post
    with: {url: https://a.test, multipart: {stolen: {file: {id: '${event.body.id}'}}}}
";
    let (app, _project) = app(workflow).await;
    let first = send(&app, "application/json", &[part("id", "x").into_bytes(), file("a", "secret.txt", "text/plain", b"not yours")]).await;
    let stolen = format!("{}/1", first.body["event"].as_str().unwrap());
    let content = vec![9u8; 300_000];
    let parts = [part("id", &stolen).into_bytes(), file("a", "a.png", "image/png", &content), file("b", "b.txt", "text/plain", b"hello")];
    let answer = send(&app, "application/json", &parts).await;
    let event = answer.body["event"].as_str().unwrap();
    let run = app.until(async |app| app.all_runs().await.into_iter().find(|run| run.event.to_string() == event)).await;
    let failed = app.ended(run.id).await;
    let message = failed.error.unwrap().message;
    assert!(message.contains("`multipart.stolen.file` is not a file of this run's event"), "{message}");

    use base64::Engine as _;
    let base64 = |content: &[u8]| base64::engine::general_purpose::STANDARD.encode(content);
    let calls: Vec<Value> = app
        .recorder
        .calls()
        .into_iter()
        .filter(|call| call.idempotency_key.starts_with(&run.id.to_string()))
        .map(|call| call.with)
        .collect();
    assert_eq!(calls.len(), 2);
    let text = json!({"filename": "b.txt", "content_type": "text/plain", "base64": base64(b"hello")});
    let photo = json!({"filename": "own.png", "content_type": "image/png", "base64": base64(&content)});
    assert_eq!(calls[0]["multipart"], json!({"name": "Ada", "photo": photo, "all": [text]}));
    assert_eq!(calls[1]["body"], json!({"base64": base64(b"hello")}));
    let facts = serde_json::to_string(&app.facts(run.id).await).unwrap();
    assert!(!facts.contains(&base64(b"hello")), "the content is no part of the history");
}
