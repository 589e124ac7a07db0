//! Forms over real HTTP: what a browser sends, what it is shown, and what is stored.

mod bounds;
mod bytes;
mod corpus;
mod files;
mod page;
mod process;
mod schema;
mod spam;

use std::time::Duration;

use hence::domain::Value;
use hence::domain::run::Status;
use hence::store::Store;
use serde_json::json;

use crate::support::app::Answer;
use crate::support::{Life, Project, Recorder, TestApp};

/// A form that stands on another page.
const PLAIN: &str = "
when:
  - form:
      path: 'join/{list}'
      redirect: https://www.example.com/thanks
      honeypot: website
      uploads: {max: 1KiB, types: [image/png, application/pdf, .csv], count: 2}
      limits: {body: 1KiB}
      dedupe: {key: event.body.email, within: 1h}
if: (event.body.email ?? \"\") != \"none\"
steps:
  - stop: '#{body: event.body, form: event.form, files: event.files, list: event.params.list, source: event.source, type: event.type}'
";

/// One with a page of its own.
pub const SERVED: &str = "
when:
  - form:
      path: contact
      title: Write to us
      honeypot: website
      fields:
        name: {required: true, max: 20}
        email: {type: email, required: true, help: 'We answer there.'}
        age: {type: number, min: 18}
        topics: {type: checkbox, options: {a: Apples, b: Bees}}
        agree: {type: checkbox, label: 'I agree', required: true}
        origin: {type: hidden, value: web}
steps:
  - stop: event.body
";

pub async fn app(workflow: &str) -> (TestApp, Project) {
    let project = Project::of(workflow);
    (TestApp::start(&project, Recorder::fine()).await, project)
}

/// A client that shows where it is sent, in place of going there.
fn request(app: &TestApp, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
    app.http.request(method, format!("{}/forms/{path}", app.url)).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
}

pub async fn post(app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Answer {
    app.send(request(app, reqwest::Method::POST, path).form(fields)).await
}

/// The same as a script would send it.
pub async fn fetch(app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Answer {
    let request = app.http.post(format!("{}/forms/{path}", app.url)).header("accept", "application/json");
    app.send(request.form(fields)).await
}

pub fn html(answer: &Answer) -> &str {
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{answer:?}");
    answer.body.as_str().unwrap()
}

/// The output of the one run there is.
pub async fn output(app: &TestApp) -> Value {
    let runs = app.all_runs().await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(app.ended(runs[0].id).await.status, Status::Succeeded);
    app.get(&format!("/runs/{}", runs[0].id)).await.body["output"].clone()
}

/// The stamp of a page that was just loaded.
pub async fn stamp(app: &TestApp, path: &str) -> String {
    let page = app.send(request(app, reqwest::Method::GET, path)).await;
    assert_eq!(page.status, 200, "{page:?}");
    stamp_of(html(&page)).to_owned()
}

fn stamp_of(page: &str) -> &str {
    let (_, rest) = page.split_once("name=\"_form\" value=\"").unwrap();
    rest.split_once('"').unwrap().0
}

/// A filled-in form of a page with a photo, as a script sends it.
pub async fn filled_in(app: &TestApp, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
    // Without a stamp the page comes again, with one that is not too young.
    let page = post(app, path, fields).await;
    let stamp = part("_form", stamp_of(html(&page)));
    let texts: String = fields.iter().map(|(name, text)| part(name, text)).collect();
    let photo = files::file("photo", "parcel.png", "image/png", &[7; 10_000]);
    let body = [stamp.as_bytes(), texts.as_bytes(), &photo, b"--x--\r\n"].concat();
    let request = app.http.post(format!("{}/forms/{path}", app.url)).header("accept", "application/json");
    request.header("content-type", "multipart/form-data; boundary=x").body(body)
}

async fn count(app: &TestApp) -> usize {
    app.store.events(None, 100).await.unwrap().items.len()
}

#[tokio::test]
async fn a_plain_form_is_an_event_and_the_browser_goes_on() {
    let (app, _project) = app(PLAIN).await;
    let fields = [("email", "ada@example.com"), ("tag", "a"), ("tag", "b"), ("website", ""), ("text", "ä\r\n& =")];
    let answer = post(&app, "join/news?from=page", &fields).await;
    assert_eq!((answer.status, answer.header("location")), (303, "https://www.example.com/thanks"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = json!({"email": "ada@example.com", "tag": ["a", "b"], "text": "ä\r\n& ="});
    let expected = json!({"body": body, "form": body, "files": [], "list": "news", "source": "form", "type": "form"});
    assert_eq!(output(&app).await, expected);
    let events = app.get("/events").await.body;
    assert_eq!((&events["events"][0]["source"], &events["events"][0]["path"]), (&json!("form"), &json!("join/news")));
    let shown = app.get(&format!("/events/{}", events["events"][0]["id"].as_str().unwrap())).await.body;
    assert_eq!((&shown["query"], &shown["method"]), (&json!([["from", "page"]]), &json!("POST")));
    assert_eq!(shown["headers"]["content-type"], "application/x-www-form-urlencoded");
}

#[tokio::test]
async fn a_script_gets_the_event_and_a_repeat_the_first_one() {
    let (app, _project) = app(PLAIN).await;
    let first = fetch(&app, "join/news", &[("email", "ada@example.com")]).await;
    assert_eq!(first.status, 202, "{first:?}");
    let again = fetch(&app, "join/news", &[("email", "ada@example.com"), ("more", "1")]).await;
    assert_eq!((again.status, &again.body), (202, &first.body), "who sends twice is told the same");
    assert_eq!(count(&app).await, 1);
    let unmatched = fetch(&app, "join/news", &[("email", "none")]).await;
    assert_eq!((unmatched.status, count(&app).await, app.all_runs().await.len()), (202, 2, 1), "it is stored, and starts nothing");
    let why = app.get(&format!("/events/{}/why", unmatched.body["event"].as_str().unwrap())).await.body;
    assert_eq!(why["workflows"][0]["now"]["result"], "not_matched", "{why}");
    assert_eq!(why["event"]["form"], json!({"fields": ["email"], "files": 0}), "{why}");
    assert_eq!(why["workflows"][0]["now"]["triggers"][0]["dedupe"]["value"], "none", "{why}");
}

#[tokio::test]
async fn the_honeypot_gets_the_same_answer_and_stores_nothing() {
    let (app, _project) = app(PLAIN).await;
    let trapped = [("email", "bot@example.com"), ("website", "http://spam.example")];
    let answer = post(&app, "join/news", &trapped).await;
    assert_eq!((answer.status, answer.header("location")), (303, "https://www.example.com/thanks"));
    let answer = fetch(&app, "join/news", &trapped).await;
    assert!(answer.status == 202 && answer.body["event"].as_str().unwrap().starts_with("evt_"), "{answer:?}");
    assert_eq!(answer.body.as_object().unwrap().len(), 1);
    assert_eq!(count(&app).await, 0);
    assert_eq!(app.get("/stats").await.body["forms_not_taken"], json!({"honeypot": 2, "too_quick": 0}));
}

#[tokio::test]
async fn what_cannot_be_a_form_is_refused_in_words() {
    let (app, _project) = app(PLAIN).await;
    let send = async |content_type: &str, body: String| {
        let request = app.http.post(format!("{}/forms/join/news", app.url)).header("accept", "application/json");
        app.send(request.header("content-type", content_type).body(body)).await
    };
    let multipart = "multipart/form-data; boundary=x";
    for (content_type, body, status, code, words) in [
        ("application/json", "{}".to_owned(), 415, "unsupported-type", "not as application/json"),
        ("text/plain", "a=b".to_owned(), 415, "unsupported-type", "multipart/form-data"),
        ("", String::new(), 415, "unsupported-type", "something without a type"),
        ("application/x-www-form-urlencoded", format!("a={}", "x".repeat(1023)), 413, "body-too-large", "1024 bytes"),
        ("application/x-www-form-urlencoded", "a&".repeat(501), 202, "", ""),
        ("application/x-www-form-urlencoded", "&".repeat(1_025), 413, "body-too-large", "1024"),
        ("multipart/form-data", "--x--".to_owned(), 400, "unreadable-body", "boundary"),
        ("multipart/form-data; boundary=", "--x--".to_owned(), 400, "unreadable-body", "boundary"),
        (multipart, String::new(), 400, "unreadable-body", "ends before its last boundary"),
        (multipart, "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1".to_owned(), 400, "unreadable-body", "last boundary"),
        (multipart, "--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n".to_owned(), 400, "unreadable-body", "no name"),
        (multipart, format!("--x\r\nA: {}", "b".repeat(200_000)), 400, "unreadable-body", "headers are longer"),
        (multipart, "z".repeat(200_000), 400, "unreadable-body", "the boundary never comes"),
        (multipart, part("a", &"x".repeat(1024)) + "--x--\r\n", 413, "body-too-large", "1024 bytes"),
    ] {
        let answer = send(content_type, body).await;
        assert_eq!(answer.status, status, "{content_type} {words}: {answer:?}");
        if status != 202 {
            assert_eq!(answer.body["code"], code, "{content_type}: {answer:?}");
            assert!(answer.body["detail"].as_str().unwrap().contains(words), "{content_type}: {answer:?}");
        }
    }
    assert_eq!(count(&app).await, 1);
    let many = "&a".repeat(1_001);
    let (app, _project) = self::app(&PLAIN.replace("limits: {body: 1KiB}", "limits: {body: 1MiB}")).await;
    let request = app.http.post(format!("{}/forms/join/news", app.url)).header("content-type", "application/x-www-form-urlencoded");
    let answer = app.send(request.header("accept", "application/json").body(many.clone())).await;
    assert!(answer.status == 400 && answer.body["detail"].as_str().unwrap().contains("more than 1000 values"), "{answer:?}");
    let request = app.http.post(format!("{}/forms/join/news", app.url)).header("content-type", multipart);
    let answer = app.send(request.header("accept", "application/json").body(part("a", "").repeat(1_001) + "--x--\r\n")).await;
    assert!(answer.status == 400 && answer.body["detail"].as_str().unwrap().contains("more than 1000 values"), "{answer:?}");
}

/// A part with a text; the boundary is `x`.
fn part(name: &str, text: &str) -> String {
    format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
}

#[tokio::test]
async fn a_person_is_told_on_a_page_and_a_script_as_a_problem() {
    let (app, _project) = app(PLAIN).await;
    let page = app.send(request(&app, reqwest::Method::GET, "nothing")).await;
    assert!(page.status == 404 && html(&page).contains("There is no form here"), "{page:?}");
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let page = app.send(request(&app, reqwest::Method::GET, "join/news")).await;
    assert!((page.status, page.header("allow")) == (405, "POST") && html(&page).contains("This was not sent"), "{page:?}");
    let page = app.send(request(&app, reqwest::Method::POST, "join/news").header("content-type", "text/plain").body("a=b")).await;
    assert!(page.status == 415 && html(&page).contains("Nothing was sent."), "{page:?}");
    let problem = fetch(&app, "nothing", &[]).await;
    assert_eq!((problem.status, &problem.body["code"]), (404, &json!("no-form")));
    assert_eq!(app.send(request(&app, reqwest::Method::PUT, "join/news")).await.status, 405);
}

#[tokio::test]
async fn scripts_of_named_sites_may_send_and_others_may_not_read() {
    let site = "https://www.example.com";
    let (app, _project) =
        app(&PLAIN.replace("redirect:", "cors: {origins: [https://www.example.com, http://localhost:3000]}\n      redirect:")).await;
    let from = async |origin: &str, method: reqwest::Method| {
        let request = app.http.request(method, format!("{}/forms/join/news", app.url)).header("origin", origin);
        let request = request.header("access-control-request-method", "POST").header("access-control-request-headers", "content-type");
        let request = request.header("accept", "application/json");
        app.send(request.form(&[("email", origin)])).await
    };
    let preflight = from(site, reqwest::Method::OPTIONS).await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, site), "{preflight:?}");
    assert_eq!(preflight.header("access-control-allow-methods"), "POST");
    assert_eq!((preflight.header("access-control-allow-headers"), preflight.header("access-control-max-age")), ("content-type", "600"));
    let varies: Vec<&str> = preflight.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(varies.contains(&"origin") && varies.contains(&"accept"), "{varies:?}");
    assert_eq!(preflight.header("access-control-allow-credentials"), "");
    assert_eq!(
        preflight.header("content-security-policy").matches("frame-ancestors https://www.example.com http://localhost:3000").count(),
        1
    );
    let sent = from(site, reqwest::Method::POST).await;
    assert_eq!((sent.status, sent.header("access-control-allow-origin")), (202, site));
    assert_eq!(sent.headers.get_all("access-control-allow-origin").iter().count(), 1, "{sent:?}");
    assert!(sent.header("access-control-expose-headers").contains("retry-after"), "{sent:?}");
    for origin in ["https://evil.example", "https://www.example.com.evil.example", "null", ""] {
        let preflight = from(origin, reqwest::Method::OPTIONS).await;
        assert_eq!((preflight.status, &preflight.body["code"]), (403, &json!("origin-not-allowed")), "{origin}: {preflight:?}");
        assert_eq!(preflight.header("access-control-allow-origin"), "", "{origin}");
        assert_eq!(preflight.header("access-control-allow-methods"), "", "{origin}");
        assert_eq!(from(origin, reqwest::Method::POST).await.header("access-control-allow-origin"), "", "{origin}");
    }
    let (app, _project) = self::app(PLAIN).await;
    let preflight = app.http.request(reqwest::Method::OPTIONS, format!("{}/forms/join/news", app.url)).header("origin", site);
    let preflight = app.send(preflight).await;
    assert_eq!((preflight.header("access-control-allow-origin"), preflight.header("allow")), ("", "POST, OPTIONS"));
    assert_eq!((preflight.header("x-frame-options"), preflight.status), ("DENY", 204));
}

#[tokio::test]
async fn why_tells_forms_apart() {
    let other = "when: [{form: {path: other}}, {webhook: {path: a, verify: none}}]\nsteps: [{stop: '1'}]\n";
    let near = "when: [{form: {path: 'join/{x}/more'}}]\nsteps: [{stop: '1'}]\n";
    let own = "when: [{form: {path: 'join/vip'}}]\nsteps: [{stop: '1'}]\n";
    let files = [("workflows/a.yaml", PLAIN), ("workflows/b.yaml", other), ("workflows/c.yaml", near), ("workflows/d.yaml", own)];
    let project = Project::new(&files);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let sent = fetch(&app, "join/vip", &[("email", "a")]).await;
    let why = app.get(&format!("/events/{}/why", sent.body["event"].as_str().unwrap())).await.body;
    let said: Vec<(&str, &str)> = why["workflows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["workflow"].as_str().unwrap(), one["now"]["reason"].as_str().unwrap_or("matched")))
        .collect();
    assert!(said.contains(&("d", "matched")), "{said:?}");
    assert!(
        said.contains(&("a", "its form is `join/{list}`, the event came through `join/vip`, which is the form `join/vip`")),
        "{said:?}"
    );
    assert!(said.contains(&("b", "its form is `other`, the event came through `join/vip`")), "{said:?}");
    assert!(said.contains(&("c", "its form is `join/{x}/more`, the event came through `join/vip`")), "{said:?}");
}

#[tokio::test]
async fn a_form_that_was_taken_survives_a_restart() {
    let life = Life::new(Recorder::fine());
    let project = Project::of(PLAIN);
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    assert_eq!(fetch(&app, "join/news", &[("email", "ada@example.com")]).await.status, 202);
    app.app.stop().await;
    let app = TestApp::resume(&project, life).await.unwrap();
    assert_eq!(output(&app).await["body"], json!({"email": "ada@example.com"}));
    let again = fetch(&app, "join/news", &[("email", "ada@example.com")]).await;
    assert_eq!((again.status, count(&app).await), (202, 1));
    app.clock.advance(Duration::from_secs(3_600));
    assert_eq!(fetch(&app, "join/news", &[("email", "ada@example.com")]).await.status, 202);
    assert_eq!(count(&app).await, 2, "after its window it is new");
}
