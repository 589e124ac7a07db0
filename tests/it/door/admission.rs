//! How often, and from where.

use std::time::Duration;

use serde_json::json;

use super::{app, check_problem, hook};
use crate::support::TestApp;
use crate::support::app::Answer;

async fn from(app: &TestApp, path: &str, header: &str, value: &str) -> Answer {
    app.send(app.http.post(format!("{}/hooks/{path}", app.url)).header(header, value).json(&json!({}))).await
}

#[tokio::test]
async fn a_hook_takes_so_many_and_then_429() {
    let (app, _project) = app(&hook(", limits: {rate: {limit: 6, per: 1m}, burst: 2}"), "").await;
    let first = app.post("open", &json!({})).await;
    assert_eq!(
        (first.status, first.header("ratelimit"), first.header("ratelimit-policy")),
        (202, "\"hook\";r=1;t=10", "\"hook\";q=6;w=60")
    );
    assert_eq!(app.post("open", &json!({})).await.status, 202);
    let refused = app.post("open", &json!({})).await;
    check_problem(&refused, 429, "rate-limited", "6 in 1m");
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit")), ("10", "\"hook\";r=0;t=10"));
    app.clock.advance(Duration::from_secs(10));
    assert_eq!(app.post("open", &json!({})).await.status, 202);
    assert_eq!(app.post("open", &json!({})).await.status, 429);
    assert_eq!(app.all_runs().await.len(), 3, "nothing is stored of the refused ones");
}

#[tokio::test]
async fn what_was_used_of_a_rate_stays_used_when_files_change() {
    let workflow = |text: &str| {
        format!(
            "when:\n  - webhook: {{path: open, verify: none, limits: {{rate: {{limit: 1, per: 1d}}}}}}\n  \
             - form: {{path: join, fields: {{name: {{}}}}, limits: {{rate: {{limit: 1, per: 1d}}}}}}\nsteps: [{{stop: '\"{text}\"'}}]\n"
        )
    };
    let (app, project) = app(&workflow("one"), "").await;
    let form = async || {
        let sent = app.http.post(format!("{}/forms/join", app.url)).header("accept", "application/json");
        app.send(sent.header("content-type", "application/x-www-form-urlencoded").body("name=Ada")).await.status
    };
    assert_eq!((app.post("open", &json!({})).await.status, app.post("open", &json!({})).await.status), (202, 429));
    assert_ne!(form().await, 429);
    assert_eq!(form().await, 429);
    project.write("workflows/main.yaml", &workflow("two"));
    crate::reload::changed(&app).await;
    assert_eq!((app.post("open", &json!({})).await.status, form().await), (429, 429));
}

#[tokio::test]
async fn a_refused_body_is_not_read() {
    let (app, _project) = app(&hook(", limits: {rate: {limit: 1, per: 1h}}"), "").await;
    assert_eq!(app.post("open", &json!({})).await.status, 202);
    // Nothing but the head is sent: whoever wanted to read the body first would wait.
    let head = "POST /hooks/open HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1000\r\n\r\n";
    super::check_raw(&super::raw(&app, head.as_bytes()).await, "429 ", "rate-limited");
}

#[tokio::test]
async fn a_sender_has_a_rate_of_its_own_over_all_hooks() {
    let settings = "trusted_proxies: [127.0.0.0/8]\nlimits: {sender: {rate: {limit: 1, per: 1m}, burst: 2}}\n";
    let workflow = "when:\n  - webhook: {path: a, verify: none}\n  - webhook: {path: b, verify: none}\nsteps: [{stop: 1}]\n";
    let (app, _project) = app(workflow, settings).await;
    let send = async |path: &str, sender: &str| from(&app, path, "x-forwarded-for", sender).await;
    assert_eq!(send("a", "203.0.113.7").await.status, 202);
    assert_eq!(send("b", "203.0.113.7").await.status, 202);
    let refused = send("a", "203.0.113.7").await;
    check_problem(&refused, 429, "rate-limited", "one sender");
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit-policy")), ("60", "\"sender\";q=1;w=60"));
    assert_eq!(send("a", "203.0.113.8").await.status, 202, "another one");
    assert_eq!(send("a", "1.2.3.4, 203.0.113.7").await.status, 429, "what it writes itself is not believed");
}

#[tokio::test]
async fn a_hook_takes_from_its_networks_alone() {
    let workflow = hook(", allow_from: [203.0.113.0/24, '2001:db8::/32', 192.0.2.7]");
    let (app, _project) = app(&workflow, "trusted_proxies: 127.0.0.1\n").await;
    for (sender, status) in [
        ("203.0.113.200", 202),
        ("2001:db8::9", 202),
        ("192.0.2.7", 202),
        ("192.0.2.8", 403),
        ("203.0.114.1", 403),
        ("2001:db9::1", 403),
        ("unknown", 403),
    ] {
        let answer = from(&app, "open", "x-forwarded-for", sender).await;
        assert_eq!(answer.status, status, "{sender}: {answer:?}");
    }
    check_problem(&from(&app, "open", "x-forwarded-for", "192.0.2.8").await, 403, "sender-not-allowed", "192.0.2.8");
    check_problem(&app.post("open", &json!({})).await, 403, "sender-not-allowed", "127.0.0.1");
    assert_eq!(app.all_runs().await.len(), 3);
}

#[tokio::test]
async fn who_is_no_trusted_proxy_is_not_believed() {
    let workflow = hook(", allow_from: [203.0.113.0/24]");
    for settings in ["", "trusted_proxies: [10.0.0.0/8]\n", "trusted_proxies: {from: [127.0.0.1], header: forwarded}\n"] {
        let (app, _project) = app(&workflow, settings).await;
        assert_eq!(from(&app, "open", "x-forwarded-for", "203.0.113.7").await.status, 403, "{settings}");
    }
    let (app, _project) = app(&workflow, "trusted_proxies: {from: [127.0.0.1], header: forwarded}\n").await;
    assert_eq!(from(&app, "open", "forwarded", "for=1.1.1.1, for=\"203.0.113.7:99\";proto=https").await.status, 202);
}

#[tokio::test]
async fn bodies_in_hand_are_bounded_together() {
    let (app, _project) = app(&hook(""), "limits: {bodies: 10KiB}\n").await;
    let large = app.post("open", &json!({"pad": "x".repeat(11 << 10)})).await;
    check_problem(&large, 503, "crowded", "nothing was stored");
    assert_ne!(large.header("retry-after"), "");
    // What was held is given back: with refusals, and with answers.
    for _ in 0..20 {
        assert_eq!(app.post("open", &json!({"pad": "x".repeat(1 << 10)})).await.status, 202);
    }
    assert_eq!(app.app.intake.door.bodies.held_bytes(), 0);
}

#[tokio::test]
async fn hooks_on_one_path_have_one_door() {
    let (app, project) = app(&hook(", limits: {rate: {limit: 1, per: 1h}}"), "").await;
    let other = |more: &str| project.write("workflows/other.yaml", &hook(more));
    let problems = || {
        hence::app::check(project.dir())
            .problems
            .iter()
            .map(|problem| format!("{}: {}", problem.code, problem.message))
            .collect::<Vec<_>>()
            .join("\n")
    };
    other("");
    assert!(problems().contains("`limits.rate`"), "{}", problems());
    other(", limits: {rate: {limit: 1, per: 1h}}, allow_from: [10.0.0.0/8]");
    assert!(problems().contains("`allow_from`"), "{}", problems());
    other(", limits: {rate: {limit: 1, per: 1h}}, cors: {origins: '*'}");
    assert!(problems().contains("`cors`"), "{}", problems());
    other(", limits: {rate: {limit: 1, per: 1h}}");
    assert!(!problems().contains("hook-conflict"), "{}", problems());
    drop(app);
}

#[tokio::test]
async fn a_question_about_a_hook_comes_through_the_same_door() {
    let settings = "trusted_proxies: 127.0.0.1\nlimits: {sender: {rate: {limit: 1, per: 1m}, burst: 1}}\n";
    let (app, _project) = app(&hook(", allow_from: [203.0.113.0/24]"), settings).await;
    let ask = async |sender: &str| {
        let request = app.http.request(reqwest::Method::OPTIONS, format!("{}/hooks/open", app.url));
        app.send(request.header("webhook-request-origin", "shop.test").header("x-forwarded-for", sender)).await
    };
    assert_eq!(ask("198.51.100.1").await.status, 403);
    assert_eq!(ask("203.0.113.1").await.status, 200);
    assert_eq!(ask("203.0.113.1").await.status, 429);
}
