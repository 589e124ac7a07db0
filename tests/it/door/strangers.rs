//! What somebody without the secret can do to a hook: nothing to those who have it.

use std::time::Duration;

use serde_json::json;

use super::{app, check_problem, check_raw, raw};
use crate::support::TestApp;
use crate::support::app::Answer;

const HOOKS: &str = "
when:
  - webhook: {path: signed, verify: {scheme: github, secret: GITHUB_SECRET}, limits: {rate: {limit: 2, per: 1h}}}
  - webhook: {path: token, verify: {bearer: TOKEN}, limits: {rate: {limit: 2, per: 1h}}}
  - webhook: {path: free, verify: {bearer: TOKEN}}
  - webhook: {path: open, verify: none}
steps:
  - stop: event.body
";
const BEHIND_A_PROXY: &str = "trusted_proxies: 127.0.0.1\n";
const FEW: &str = "trusted_proxies: 127.0.0.1\nlimits: {unverified: {rate: {limit: 1, per: 1m}, burst: 3}}\n";

/// An event with these credentials, which are right or wrong.
async fn post(app: &TestApp, path: &str, sender: &str, is_right: bool) -> Answer {
    let body = "{\"n\": 1}";
    let secret = if is_right { "s3cret-of-github" } else { "another one" };
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let hex: String = ring::hmac::sign(&key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let request = app.http.post(format!("{}/hooks/{path}", app.url)).header("x-forwarded-for", sender);
    let request = request.header("content-type", "application/json").header("x-hub-signature-256", format!("sha256={hex}"));
    app.send(request.bearer_auth(if is_right { "t0ken-of-tests" } else { "guessed" }).body(body)).await
}

#[tokio::test]
async fn who_has_no_secret_uses_up_no_rate_of_a_hook() {
    let (app, _project) = app(HOOKS, BEHIND_A_PROXY).await;
    for path in ["signed", "token"] {
        for _ in 0..10 {
            assert_eq!(post(&app, path, "203.0.113.9", false).await.status, 401, "{path}");
        }
        let first = post(&app, path, "198.51.100.1", true).await;
        assert_eq!((first.status, first.header("ratelimit")), (202, "\"hook\";r=1;t=1800"), "{path}: {first:?}");
        assert_eq!(post(&app, path, "198.51.100.1", true).await.status, 202);
        check_problem(&post(&app, path, "198.51.100.1", true).await, 429, "rate-limited", "more requests than this hook takes");
    }
    assert_eq!(app.all_runs().await.len(), 4);
    // Nothing but the head is sent: there is no room for what would have to be read.
    let head = "POST /hooks/signed HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1000\r\n\r\n";
    check_raw(&raw(&app, head.as_bytes()).await, "429 ", "rate-limited");
}

#[tokio::test]
async fn what_a_head_does_not_prove_is_refused_before_its_body() {
    let (app, _project) = app(HOOKS, "").await;
    let head = "POST /hooks/token HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer no\r\ncontent-length: 1000\r\n\r\n";
    check_raw(&raw(&app, head.as_bytes()).await, "401 ", "unverified");
}

#[tokio::test]
async fn a_stranger_is_asked_to_wait_wherever_it_knocks() {
    let (app, _project) = app(HOOKS, FEW).await;
    for path in ["free", "token", "free"] {
        assert_eq!(post(&app, path, "203.0.113.9", false).await.status, 401, "{path}");
    }
    for path in ["token", "free"] {
        let refused = post(&app, path, "203.0.113.9", false).await;
        check_problem(&refused, 429, "rate-limited", "could not be verified");
        assert_eq!((refused.header("retry-after"), refused.header("ratelimit-policy")), ("60", "\"unverified\";q=1;w=60"));
    }
    assert_eq!(post(&app, "open", "203.0.113.9", false).await.status, 202, "this one is for anybody");
    for _ in 0..5 {
        assert_eq!(post(&app, "signed", "203.0.113.9", false).await.status, 401, "a signature cannot be guessed");
    }
    assert_eq!(post(&app, "signed", "203.0.113.9", true).await.status, 202, "others send from this address, too");
    assert_eq!(post(&app, "free", "203.0.113.8", false).await.status, 401, "another one");
    assert_eq!(post(&app, "free", "203.0.113.7", true).await.status, 202, "and one with the secret");
    app.clock.advance(Duration::from_secs(60));
    assert_eq!(post(&app, "free", "203.0.113.9", false).await.status, 401);
    assert_eq!(post(&app, "free", "203.0.113.9", false).await.status, 429);
    let counts = app.get("/events/refused").await.body["counts"].clone();
    assert!(counts.as_array().unwrap().contains(&json!({"reason": "rate-limited", "hook": "free", "count": 2})), "{counts}");
}

#[tokio::test]
async fn a_real_sender_is_not_kept_out_by_others_behind_its_address() {
    let (app, _project) = app(HOOKS, FEW).await;
    for path in ["open", "signed"] {
        assert_eq!(post(&app, path, "203.0.113.9", true).await.status, 202);
    }
    for status in [401, 401, 401, 429] {
        assert_eq!(post(&app, "free", "203.0.113.9", false).await.status, status, "only the right word makes somebody known");
    }
    app.clock.advance(Duration::from_secs(60));
    assert_eq!(post(&app, "token", "203.0.113.9", true).await.status, 202);
    for _ in 0..10 {
        assert_eq!(post(&app, "free", "203.0.113.9", false).await.status, 401);
    }
    assert_eq!(post(&app, "free", "203.0.113.9", true).await.status, 202);
    app.clock.advance(Duration::from_secs(3_600));
    for status in [401, 401, 401, 429] {
        assert_eq!(post(&app, "free", "203.0.113.9", false).await.status, status, "after an hour it is a stranger again");
    }
}

#[tokio::test]
async fn the_word_of_a_handshake_cannot_be_guessed_for_ever() {
    let hook = "when:\n  - webhook: {path: meta, verify: {scheme: meta, secret: GITHUB_SECRET, verify_token: TOKEN}}\nsteps: [{stop: 1}]\n";
    let (app, _project) = app(hook, FEW).await;
    for status in [401, 401, 401, 429] {
        let query = [("hub.mode", "subscribe"), ("hub.challenge", "1"), ("hub.verify_token", "guessed")];
        let answer = app.send(app.http.get(format!("{}/hooks/meta", app.url)).query(&query)).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
}
