//! Pages of other sites: CORS.

use http::Method;
use serde_json::json;

use super::{app, check_problem, hook};
use crate::support::TestApp;
use crate::support::app::Answer;

const SHOP: &str = "https://shop.example.com";

async fn ask(app: &TestApp, origin: &str, method: &str) -> Answer {
    let request = app.http.request(Method::OPTIONS, format!("{}/hooks/open", app.url));
    let request = request.header("origin", origin).header("access-control-request-method", method);
    app.send(request.header("access-control-request-headers", "content-type,x-shop")).await
}

async fn post(app: &TestApp, origin: &str, body: &'static str) -> Answer {
    let request = app.http.post(format!("{}/hooks/open", app.url)).header("origin", origin);
    app.send(request.header("content-type", "application/json").body(body)).await
}

#[tokio::test]
async fn a_browser_that_asks_is_told_what_a_page_may() {
    let (app, _project) = app(&hook(", methods: [POST, PUT], cors: {origins: ['https://shop.example.com'], max_age: 1h}"), "").await;
    let answer = ask(&app, SHOP, "POST").await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let said = |name: &str| answer.header(&format!("access-control-{name}")).to_owned();
    assert_eq!((said("allow-origin"), said("allow-methods"), said("max-age")), (SHOP.to_owned(), "POST".to_owned(), "3600".to_owned()));
    assert_eq!((said("allow-headers"), said("allow-credentials")), ("content-type,x-shop".to_owned(), String::new()));
    assert_eq!(ask(&app, SHOP, "PUT").await.status, 204);
    check_problem(&ask(&app, "https://other.example.com", "POST").await, 403, "origin-not-allowed", "`cors`");
    check_problem(&ask(&app, SHOP, "DELETE").await, 405, "wrong-method", "POST");
    assert_eq!(app.all_runs().await.len(), 0, "a question starts nothing");
}

#[tokio::test]
async fn a_page_may_read_the_answer_also_when_it_is_a_problem() {
    let (app, _project) = app(&hook(", cors: {origins: ['https://shop.example.com', 'http://localhost:3000']}"), "").await;
    let told = |answer: &Answer| (answer.status, answer.header("access-control-allow-origin").to_owned());
    assert_eq!(told(&post(&app, SHOP, "{}").await), (202, SHOP.to_owned()));
    assert_eq!(told(&post(&app, "http://localhost:3000", "{").await), (400, "http://localhost:3000".to_owned()));
    assert_eq!(told(&post(&app, "https://other.example.com", "{}").await), (202, String::new()), "the browser keeps the answer from it");
    assert_eq!(told(&app.post("open", &json!({})).await), (202, String::new()));
}

#[tokio::test]
async fn a_hook_of_all_sites_names_its_headers() {
    let (app, _project) = app(&hook(", cors: {origins: '*', headers: [content-type]}"), "").await;
    let answer = ask(&app, "https://anybody.example", "POST").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, "*"));
    assert_eq!(answer.header("access-control-allow-headers"), "content-type");
}

#[tokio::test]
async fn a_hook_without_cors_answers_no_such_question() {
    let (app, _project) = app(&hook(""), "").await;
    check_problem(&ask(&app, SHOP, "POST").await, 405, "wrong-method", "POST");
    assert_eq!(post(&app, SHOP, "{}").await.header("access-control-allow-origin"), "");
}
