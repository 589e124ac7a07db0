//! What is remembered of refused requests.

use serde_json::{Value, json};

use super::{app, check_problem};
use crate::support::TestApp;

const WORKFLOW: &str = "
when:
  - webhook: {path: 'orders/{id}', verify: {bearer: TOKEN}, limits: {body: 1KiB}}
steps:
  - stop: 1
";

async fn metrics(app: &TestApp) -> String {
    let answer = app.send(app.http.get(format!("{}/metrics", app.url)).bearer_auth(app.app.token.expose())).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    answer.body.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn refused_requests_are_counted_and_the_last_ones_shown() {
    let (app, _project) = app(WORKFLOW, "").await;
    let post = |path: &str, token: &str, body: String| {
        app.send(app.http.post(format!("{}/hooks/{path}?key=hidden-in-query", app.url)).bearer_auth(token).body(body))
    };
    assert_eq!(post("orders/7", "wrong-credential", "secret words".to_owned()).await.status, 401);
    assert_eq!(post("orders/8", "t0ken-of-tests", "x".repeat(2_000)).await.status, 413);
    assert_eq!(post("order/9", "t0ken-of-tests", String::new()).await.status, 404);
    assert_eq!(post("orders/t0ken-of-tests", "wrong-credential", String::new()).await.status, 401);
    assert_eq!(app.get("/runs/nonsense").await.status, 400, "who has the token is no stranger");
    assert_eq!(app.send(app.http.get(format!("{}/api/runs", app.url))).await.status, 401);
    assert_eq!(app.send(app.http.get(format!("{}/approve/run/question/credential-of-a-link", app.url))).await.status, 404);
    let seen = app.get("/events/refused").await.body;
    let told: Vec<_> =
        seen["refused"].as_array().unwrap().iter().map(|one| [&one["reason"], &one["hook"], &one["path"], &one["status"]]).collect();
    assert_eq!(
        json!(told),
        json!([
            ["no-question", null, "/approve/…", 404],
            ["unauthorized", null, "/api/runs", 401],
            ["unverified", "orders/{id}", "/hooks/orders/***", 401],
            ["no-hook", null, "/hooks/order/9", 404],
            ["body-too-large", "orders/{id}", "/hooks/orders/8", 413],
            ["unverified", "orders/{id}", "/hooks/orders/7", 401],
        ])
    );
    let first = seen["refused"].as_array().unwrap().last().unwrap();
    assert_eq!(
        [&first["method"], &first["sender"], &first["at"]],
        [&json!("POST"), &json!("127.0.0.1"), &json!("2026-03-01T09:00:00.000Z")]
    );
    let all = seen.to_string();
    for hidden in ["wrong-credential", "t0ken-of-tests", "secret words", "hidden-in-query", "credential-of-a-link"] {
        assert!(!all.contains(hidden), "{hidden}: {all}");
    }
    let count = |reason: &str, hook: Value, count: u64| json!({"reason": reason, "hook": hook, "count": count});
    assert!(seen["counts"].as_array().unwrap().contains(&count("unverified", json!("orders/{id}"), 2)), "{seen}");
    let metrics = metrics(&app).await;
    assert!(metrics.contains("hence_refused_requests_total{reason=\"unverified\",hook=\"orders/{id}\"} 2\n"), "{metrics}");
    assert!(metrics.contains("# TYPE hence_connections gauge\nhence_connections "), "{metrics}");
}

#[tokio::test]
async fn why_a_body_was_refused_is_shown_without_a_word_of_it() {
    let workflow = "when:\n  - webhook: {path: open, verify: none, schema: {required: [id]}}\nsteps:\n  - stop: event.body.id\n";
    let (app, _project) = app(workflow, "").await;
    let post = async |header: (&str, &str), body: &str| {
        let request = app.http.post(format!("{}/hooks/open", app.url)).header("content-type", "application/json");
        let mut request = request.build().unwrap();
        request.headers_mut().insert(header.0.parse::<http::HeaderName>().unwrap(), header.1.parse().unwrap());
        *request.body_mut() = Some(body.to_owned().into());
        app.http.execute(request).await.unwrap().status().as_u16()
    };
    assert_eq!(post(("content-type", "application/json"), "{\"hunter2\": ").await, 400);
    assert_eq!(post(("content-type", "text/xml"), "<hunter2>\n</hunter3>").await, 400);
    assert_eq!(post(("content-type", "application/cloudevents+json"), "{\"hunter2\": 1}").await, 400);
    assert_eq!(post(("content-encoding", "hunter2"), "{}").await, 415);
    assert_eq!(post(("x-more", "hunter2"), "{\"hunter2\": 1}").await, 422);
    let seen = app.get("/events/refused").await.body;
    let details: Vec<&str> = seen["refused"].as_array().unwrap().iter().map(|one| one["detail"].as_str().unwrap()).collect();
    assert_eq!(
        details,
        [
            "the body does not fit the schema: /id is missing",
            "the body is compressed, and is not unpacked here",
            "this is not a CloudEvent: the attribute `specversion` is missing",
            "the body is not XML: line 2, column 1",
            "the body is not JSON: line 1, column 12",
        ]
    );
    assert!(!seen.to_string().contains("hunter"), "{seen}");
}

#[tokio::test]
async fn a_flood_leaves_the_others_to_be_seen() {
    let (app, _project) = app(WORKFLOW, "").await;
    assert_eq!(app.post("orders/1", &json!({})).await.status, 401);
    for number in 0..300 {
        check_problem(&app.post(&format!("nowhere/{number}"), &json!({})).await, 404, "no-hook", "nowhere");
    }
    let seen = app.get("/events/refused?limit=1000").await.body;
    let refused = seen["refused"].as_array().unwrap();
    assert_eq!((&refused[0]["path"], &refused.last().unwrap()["path"]), (&json!("/hooks/nowhere/9"), &json!("/hooks/orders/1")));
    assert_eq!(refused.len(), 11);
    assert!(seen["counts"].as_array().unwrap().contains(&json!({"reason": "no-hook", "hook": null, "count": 300})), "{seen}");
    app.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(app.post("nowhere/later", &json!({})).await.status, 404);
    let seen = app.get("/events/refused?limit=2").await.body;
    assert_eq!((&seen["refused"][0]["path"], seen["refused"].as_array().unwrap().len()), (&json!("/hooks/nowhere/later"), 2));
}

#[tokio::test]
async fn an_event_whose_run_fails_was_not_refused() {
    let workflow = "when:\n  - webhook: {path: open, verify: none, respond: {wait: 1m}}\nsteps:\n  - fail: no\n";
    let (app, _project) = app(workflow, "").await;
    check_problem(&app.post("open", &json!({})).await, 500, "run-failed", "stored");
    assert_eq!(app.get("/events/refused").await.body, json!({"refused": [], "counts": []}));
}

#[tokio::test]
async fn hooks_are_named_only_to_those_who_have_the_token() {
    let (app, _project) = app(WORKFLOW, "").await;
    for path in ["orders/1", "orders/2", "secret-path"] {
        assert!(matches!(app.post(path, &json!({})).await.status, 401 | 404));
    }
    let open = app.send(app.http.get(format!("{}/metrics", app.url))).await;
    let text = open.body.as_str().unwrap_or_default();
    assert!(open.status == 200 && text.contains("hence_refused_requests_total{reason=\"unverified\"} 2\n"), "{text}");
    assert!(!text.contains("hook=") && !text.contains("orders") && text.contains("hence_connections"), "{text}");
    let wrong = app.send(app.http.get(format!("{}/metrics", app.url)).bearer_auth("wrong")).await;
    assert!(!wrong.body.to_string().contains("hook="), "a wrong token is none");
    check_problem(&app.send(app.http.get(format!("{}/api/events/refused", app.url))).await, 401, "unauthorized", "token");
}
