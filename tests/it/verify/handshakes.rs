//! Questions that services ask before they send: answered, verified where they are signed, and never stored.

use std::sync::Arc;

use hence::domain::failure::{Failure, FailureKind};
use serde_json::{Value, json};

use super::signer::{self, request};
use super::{TOPIC, events, project, publishing, send};
use crate::support::{Recorder, TestApp};

const SNS: &str = "{scheme: aws-sns, topics: ['arn:aws:sns:eu-central-1:123456789012:orders']}";

#[tokio::test]
async fn slack_zoom_and_discord_are_answered_when_they_have_signed() {
    let Some(keys) = signer::keys("slack_zoom_and_discord_are_answered_when_they_have_signed") else { return };
    let slack = "{\"token\": \"x\", \"challenge\": \"3eZbrw1a\", \"type\": \"url_verification\"}";
    let zoom = "{\"event\": \"endpoint.url_validation\", \"payload\": {\"plainToken\": \"qgg8vlvZ\"}, \"event_ts\": 1}";
    let discord = &keys.ed25519[0].private;
    let signed = signer::sign(&[
        request("slack", "plain", slack, 1),
        request("zoom", "old", zoom, 2),
        request("discord", discord, "{\"type\": 1, \"id\": \"1\"}", 3),
        request("discord", discord, "{\"type\": 0, \"version\": 1}", 4),
        request("discord", discord, "{\"type\": 1, \"version\": 1, \"event\": {\"type\": \"ENTITLEMENT_CREATE\"}}", 5),
    ]);
    let hooks = [
        ("slack", "{scheme: slack, secret: PLAIN}"),
        ("zoom", "{scheme: zoom, secrets: [PLAIN, OLD]}"),
        ("discord", "{scheme: discord, secret: DISCORD}"),
    ];
    let project = project(&hooks, &[("PLAIN", "plain"), ("OLD", "old"), ("DISCORD", &keys.ed25519[0].public)]);
    let app = TestApp::start(&project, publishing(keys)).await;
    let answer = send(&app, "slack", &signed[0]).await;
    assert_eq!((answer.status, &answer.body), (200, &json!({"challenge": "3eZbrw1a"})));
    let answer = send(&app, "zoom", &signed[1]).await;
    // python3: hmac.new(b"old", b"qgg8vlvZ", "sha256").hexdigest()
    let encrypted = "fd884af4cda86187782048f95687b94ea665fd25c5982bb613d54d6f890b200c";
    assert_eq!((answer.status, &answer.body), (200, &json!({"plainToken": "qgg8vlvZ", "encryptedToken": encrypted})));
    let answer = send(&app, "discord", &signed[2]).await;
    assert_eq!((answer.status, &answer.body, answer.header("content-type")), (200, &json!({"type": 1}), "application/json"));
    let answer = send(&app, "discord", &signed[3]).await;
    assert_eq!((answer.status, &answer.body), (204, &json!("")));
    for (path, at) in [("slack", 0), ("zoom", 1), ("discord", 2), ("discord", 3)] {
        let unsigned = signed[at].with_body(&signed[at].body.replace(": ", ":  "));
        assert_eq!(send(&app, path, &unsigned).await.status, 401, "{path}: a question that is not signed is not answered");
    }
    assert_eq!(events(&app).await, 0);
    assert_eq!(send(&app, "discord", &signed[4]).await.status, 202, "an event with the number of a ping is an event");
}

#[tokio::test]
async fn meta_is_let_in_by_the_token() {
    let project = project(
        &[("meta", "{scheme: meta, secret: APP, verify_token: TOKEN}"), ("slack", "{scheme: slack, secret: APP}")],
        &[("APP", "app secret"), ("TOKEN", "let me in")],
    );
    let app = TestApp::start(&project, Recorder::fine()).await;
    let get = async |path: &str, query: &[(&str, &str)]| app.send(app.http.get(format!("{}/hooks/{path}", app.url)).query(query)).await;
    let ask = |token: &'static str| [("hub.mode", "subscribe"), ("hub.challenge", "1158201444"), ("hub.verify_token", token)];
    let answer = get("meta", &ask("let me in")).await;
    assert_eq!((answer.status, answer.body.to_string()), (200, "1158201444".to_owned()));
    assert!(answer.header("content-type").starts_with("text/plain"), "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    for wrong in ["app secret", "let me", ""] {
        assert_eq!(get("meta", &ask(wrong)).await.status, 401, "{wrong}");
    }
    assert_eq!(get("meta", &[("hub.mode", "unsubscribe"), ("hub.challenge", "1")]).await.status, 405);
    assert_eq!(get("meta", &[("hub.mode", "subscribe")]).await.status, 405);
    assert_eq!(get("meta", &[]).await.status, 405, "other GETs are not for this hook");
    assert_eq!(get("slack", &ask("let me in")).await.status, 405, "nor for hooks of other services");
    assert_eq!(get("nowhere", &ask("let me in")).await.status, 404);
    assert_eq!(events(&app).await, 0);
}

#[tokio::test]
async fn a_subscription_of_sns_is_confirmed_at_its_own_place() {
    let Some(keys) = signer::keys("a_subscription_of_sns_is_confirmed_at_its_own_place") else { return };
    let subscription = |id: usize, changes: &[(&str, &str)]| {
        let mut request = request("aws-sns", &keys.rsa[0].private, "You have chosen to subscribe", id);
        request["variant"] = json!("SubscriptionConfirmation");
        changes.iter().for_each(|(key, value)| request[*key] = json!(value));
        request
    };
    let signed = signer::sign(&[
        subscription(1, &[]),
        subscription(2, &[("topic", "arn:aws:sns:eu-central-1:123456789012:others")]),
        subscription(3, &[("subscribe", "https://evil.test/?Action=ConfirmSubscription&Token=a")]),
        subscription(4, &[("subscribe", "https://sns.eu-central-1.amazonaws.com/?Action=Publish&Token=a")]),
        subscription(5, &[("secret", &keys.rsa[1].private)]),
        subscription(6, &[("variant", "UnsubscribeConfirmation")]),
    ]);
    let recorder = publishing(keys);
    let app = TestApp::start(&project(&[("aws-sns", SNS)], &[]), Arc::clone(&recorder)).await;
    assert_eq!(send(&app, "aws-sns", &signed[0]).await.status, 200);
    let visited = |recorder: &Recorder| -> Vec<Value> {
        recorder.calls().iter().map(|call| call.with["url"].clone()).filter(|url| !url.to_string().contains(".pem")).collect()
    };
    let own = format!("https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t0ken");
    assert_eq!(visited(&recorder), [json!(own)]);
    for at in [1, 2, 3, 4] {
        assert_eq!(send(&app, "aws-sns", &signed[at]).await.status, 401, "{}", signed[at].body);
    }
    assert_eq!(send(&app, "aws-sns", &signed[5]).await.status, 200, "the end of a subscription is heard, and not subscribed to again");
    assert_eq!((visited(&recorder).len(), events(&app).await), (1, 0));
}

#[tokio::test]
async fn a_subscription_that_cannot_be_confirmed_is_asked_for_again() {
    let Some(keys) = signer::keys("a_subscription_that_cannot_be_confirmed_is_asked_for_again") else { return };
    let mut subscription = request("aws-sns", &keys.rsa[0].private, "You have chosen to subscribe", 1);
    subscription["variant"] = json!("SubscriptionConfirmation");
    let signed = signer::sign(&[subscription]);
    let certificate = keys.rsa[0].public.clone();
    let recorder = Recorder::answering(move |request, _| match request.with["url"].as_str() {
        Some(url) if url.ends_with(".pem") => Ok(json!({"status": 200, "headers": {}, "body": certificate})),
        _ => Err(Failure::new(FailureKind::Network, "nobody is there")),
    });
    let app = TestApp::start(&project(&[("aws-sns", SNS)], &[]), recorder).await;
    let answer = send(&app, "aws-sns", &signed[0]).await;
    assert_eq!((answer.status, answer.body["code"].as_str()), (503, Some("sender-unavailable")), "{answer:?}");
}

#[tokio::test]
async fn origins_of_cloud_events_are_let_in_at_hooks() {
    let project = project(&[("open", "none"), ("closed", "{bearer: TOKEN}")], &[("TOKEN", "t0ken")]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let ask = async |path: &str, headers: &[(&str, &str)]| {
        let request = app.http.request(http::Method::OPTIONS, format!("{}/hooks/{path}", app.url));
        app.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    };
    let origin = [("webhook-request-origin", "eventemitter.example.com"), ("webhook-request-rate", "120")];
    for path in ["open", "closed"] {
        let answer = ask(path, &origin).await;
        let shown = ["webhook-allowed-origin", "webhook-allowed-rate", "allow"].map(|name| answer.header(name));
        assert_eq!((answer.status, shown), (200, ["eventemitter.example.com", "*", "POST"]), "{answer:?}");
    }
    assert_eq!(ask("nowhere", &origin).await.status, 404);
    assert_eq!(ask("open", &[]).await.status, 405);
    assert_eq!(ask("open", &[("webhook-request-origin", &"x".repeat(1_025))]).await.status, 405);
    assert_eq!(events(&app).await, 0);
}

#[tokio::test]
async fn origins_of_cloud_events_are_told_the_rate() {
    let hook = |path: &str, more: &str| format!("when:\n  - webhook: {{path: {path}, verify: none{more}}}\nsteps: [{{stop: 1}}]\n");
    let check = async |settings: &str, expected: [&str; 3]| {
        let project = project(&[], &[]);
        if !settings.is_empty() {
            project.write("hence.yaml", settings);
        }
        project.write("workflows/a.yaml", &hook("a", ", limits: {rate: {limit: 20, per: 10s}, burst: 5}"));
        project.write("workflows/b.yaml", &hook("b", ", limits: {rate: {limit: 1, per: 1h}}"));
        project.write("workflows/c.yaml", &hook("c", ""));
        let app = TestApp::start(&project, Recorder::fine()).await;
        for (path, expected) in ["a", "b", "c"].iter().zip(expected) {
            let request = app.http.request(http::Method::OPTIONS, format!("{}/hooks/{path}", app.url));
            let answer = app.send(request.header("webhook-request-origin", "shop.test").header("webhook-request-rate", "500")).await;
            assert_eq!((answer.status, answer.header("webhook-allowed-rate")), (200, expected), "{path}: {answer:?}");
        }
    };
    check("", ["120", "1", "*"]).await;
    // No sender may send more than each of them may.
    check("limits: {sender: {rate: {limit: 1, per: 1s}, burst: 100}}\n", ["60", "1", "60"]).await;
}

#[tokio::test]
async fn a_sender_without_credentials_is_told_how_to_bring_them() {
    let project =
        project(&[("basic", "{basic: {user: hooks, secret: PASSWORD}}"), ("bearer", "{bearer: PASSWORD}")], &[("PASSWORD", "pässword")]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let url = |path: &str| format!("{}/hooks/{path}", app.url);
    let denied = app.post("basic", &json!({})).await;
    assert_eq!((denied.status, denied.header("www-authenticate")), (401, "Basic realm=\"hence\""));
    assert_eq!(app.post("bearer", &json!({})).await.header("www-authenticate"), "Bearer realm=\"hence\"");
    for (user, password, expected) in [("hooks", "pässword", 202), ("hooks", "password", 401), ("hook", "pässword", 401), ("", "", 401)] {
        let answer = app.send(app.http.post(url("basic")).basic_auth(user, Some(password)).json(&json!({}))).await;
        assert_eq!(answer.status, expected, "{user}:{password}");
    }
    let stored = app.get("/events").await.body["events"][0]["id"].as_str().unwrap().to_owned();
    let shown = app.get(&format!("/events/{stored}")).await.body.to_string();
    assert!(!shown.contains("authorization"), "{shown}");
}
