//! Services that publish certificates: from where they are taken, how often, and what comes of it when they cannot be had.

use std::sync::Arc;
use std::time::Duration;

use hence::domain::failure::{Failure, FailureKind};
use serde_json::{Value, json};

use super::signer::{self, Keys, Signed, request};
use super::{SNS_CERTIFICATE, events, output, project, publishing, send};
use crate::support::{Project, Recorder, TestApp};

const SNS: &str = "{scheme: aws-sns, topics: ['arn:aws:sns:eu-central-1:123456789012:orders']}";
const PAYPAL: &str = "{scheme: paypal, webhook_id: 8PT597110X687430L}";

fn hooks() -> Project {
    project(&[("aws-sns", SNS), ("paypal", PAYPAL)], &[])
}

fn message(keys: &Keys, id: usize, changes: &[(&str, &str)]) -> Value {
    let mut request = request("aws-sns", &keys.rsa[0].private, "{\"a\": 1}", id);
    changes.iter().for_each(|(key, value)| request[*key] = json!(value));
    request
}

/// The same, said so much later.
fn later(mut request: Value, seconds: i64) -> Value {
    request["time"] = json!(request["time"].as_i64().unwrap() + seconds);
    request
}

#[tokio::test]
async fn sns_signs_in_two_versions_from_topics_that_are_heard() {
    let Some(keys) = signer::keys("sns_signs_in_two_versions_from_topics_that_are_heard") else { return };
    let signed = signer::sign(&[
        message(keys, 1, &[("version", "1")]),
        message(keys, 2, &[("version", "2")]),
        message(keys, 3, &[("topic", "arn:aws:sns:eu-central-1:123456789012:others")]),
        message(keys, 4, &[("version", "3")]),
        later(message(keys, 5, &[]), 86_400),
    ]);
    let recorder = publishing(keys);
    let app = TestApp::start(&hooks(), Arc::clone(&recorder)).await;
    let check = async |signed: &Signed, expected: u16, words: &str| {
        let answer = send(&app, "aws-sns", signed).await;
        assert_eq!(answer.status, expected, "{answer:?}");
        assert!(answer.body.to_string().contains(words), "{answer:?}");
    };
    check(&signed[2], 401, "topic").await;
    check(&signed[3], 401, "Signature").await;
    assert_eq!(recorder.calls().len(), 0, "nothing is fetched for what is refused anyway");
    let shown = output(&app, &send(&app, "aws-sns", &signed[0]).await).await;
    let body = &shown["body"];
    assert_eq!((&shown["type"], &body["Message"], &body["Subject"]), (&json!("Notification"), &json!("{\"a\": 1}"), &json!("Größe")));
    check(&signed[1], 202, "run_").await;
    let version = signed[0].body.replace("\"SignatureVersion\": \"1\"", "\"SignatureVersion\": \"2\"");
    check(&signed[0].with_body(&version), 401, "does not match").await;
    check(&signed[0].with_body("plain text of raw delivery"), 401, "raw message delivery").await;
    assert_eq!(recorder.calls().len(), 1, "one certificate is fetched once");
    app.clock.advance(Duration::from_secs(24 * 3_600));
    check(&signed[4], 202, "run_").await;
    assert_eq!(recorder.calls().len(), 2, "and again after a day");
}

#[tokio::test]
async fn a_notification_of_sns_is_taken_once() {
    let Some(keys) = signer::keys("a_notification_of_sns_is_taken_once") else { return };
    let signed = signer::sign(&[message(keys, 1, &[]), message(keys, 2, &[]), message(keys, 3, &[("id", "")])]);
    let app = TestApp::start(&hooks(), publishing(keys)).await;
    let first = send(&app, "aws-sns", &signed[0]).await;
    assert_eq!(first.status, 202, "{first:?}");
    // SNS tries again with the same id and the same time; so does whoever has seen it.
    for hours in [0, 1, 22] {
        app.clock.advance(Duration::from_secs(hours * 3_600));
        let again = send(&app, "aws-sns", &signed[0]).await;
        assert_eq!((again.status, &again.body["duplicate"], &again.body["event"]), (200, &json!(true), &first.body["event"]), "{again:?}");
    }
    assert_eq!(send(&app, "aws-sns", &signed[1]).await.status, 202, "another one, as late as a throttled one may be");
    for seconds in [3_600, 1, 10, 86_400] {
        app.clock.advance(Duration::from_secs(seconds));
        let late = send(&app, "aws-sns", &signed[0]).await;
        assert_eq!(late.status, if seconds == 3_600 { 200 } else { 401 }, "{late:?}");
    }
    assert_eq!(send(&app, "aws-sns", &signed[2]).await.status, 401, "one without an id cannot be known again");
    assert_eq!(events(&app).await, 2);
}

#[tokio::test]
async fn certificates_are_taken_from_the_services_own_hosts_alone() {
    let Some(keys) = signer::keys("certificates_are_taken_from_the_services_own_hosts_alone") else { return };
    let recorder = publishing(keys);
    let app = TestApp::start(&hooks(), Arc::clone(&recorder)).await;
    let sns = [
        "http://sns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com.evil.test/a.pem",
        "https://sns.eu-central-1.amazonaws.com:8443/a.pem",
        "https://evil.test/sns.eu-central-1.amazonaws.com/a.pem",
        "https://evil.test#sns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com@evil.test/a.pem",
        "https://evilsns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com/?Action=Publish&a=.pem",
        "https://sns.eu-central-1.amazonaws.com/a.txt",
        "https://bucket.s3.amazonaws.com/a.pem",
    ];
    let paypal = [
        "https://paypal.com.evil.test/v1/notifications/certs/a",
        "https://evilpaypal.com/v1/notifications/certs/a",
        "http://api.paypal.com/v1/notifications/certs/a",
        "https://api.paypal.com/elsewhere",
        "https://127.0.0.1/v1/notifications/certs/a",
    ];
    let mut requests: Vec<Value> = sns.iter().enumerate().map(|(id, url)| message(keys, id, &[("certificate_url", url)])).collect();
    for url in paypal {
        let mut request = request("paypal", &keys.rsa[0].private, "{}", 1);
        request["certificate_url"] = json!(url);
        requests.push(request);
    }
    let signed = signer::sign(&requests);
    for (signed, request) in signed.iter().zip(&requests) {
        let answer = send(&app, request["scheme"].as_str().unwrap(), signed).await;
        assert_eq!(answer.status, 401, "{request}: {answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().contains("address of the certificate or the confirmation"), "{answer:?}");
    }
    assert_eq!((recorder.calls().len(), events(&app).await), (0, 0));
}

#[tokio::test]
async fn a_certificate_that_cannot_be_had_is_asked_for_later() {
    let Some(keys) = signer::keys("a_certificate_that_cannot_be_had_is_asked_for_later") else { return };
    let signed = signer::sign(&[message(keys, 1, &[])]);
    let certificate = keys.rsa[0].public.clone();
    let nth = std::sync::atomic::AtomicUsize::new(0);
    let recorder = Recorder::answering(move |request, _| {
        assert_eq!((request.with["url"].as_str(), request.with["redirects"].as_u64()), (Some(SNS_CERTIFICATE), Some(0)));
        match nth.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Err(Failure::new(FailureKind::Network, "nobody is there")),
            1 => Ok(json!({"status": 200, "headers": {}, "body": "no certificate"})),
            _ => Ok(json!({"status": 200, "headers": {}, "body": certificate})),
        }
    });
    let app = TestApp::start(&hooks(), Arc::clone(&recorder)).await;
    for expected in [1, 1, 2, 2] {
        let answer = send(&app, "aws-sns", &signed[0]).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (503, Some("sender-unavailable")), "{answer:?}");
        assert_ne!(answer.header("retry-after"), "");
        assert_eq!(recorder.calls().len(), expected);
        app.clock.advance(Duration::from_secs(15));
    }
    assert_eq!(events(&app).await, 0);
    assert_eq!(send(&app, "aws-sns", &signed[0]).await.status, 202);
}
