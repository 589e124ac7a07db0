//! Mailgun's inbound mails with attachments: `multipart/form-data`, signed by three of its parts.

use hence::domain::file::FileId;
use hence::store::Store;
use ring::hmac;
use serde_json::json;

use super::{NOW_S, events, project};
use crate::support::app::Answer;
use crate::support::{Recorder, TestApp};

/// What is signed: a time and a token.
fn proof(time_s: i64, token: &str) -> [(String, String); 3] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"plain");
    let signed = hmac::sign(&key, format!("{time_s}{token}").as_bytes());
    let signature = signed.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    [("timestamp".to_owned(), time_s.to_string()), ("token".to_owned(), token.to_owned()), ("signature".to_owned(), signature)]
}

/// A mail with two attachments, one of them empty.
fn mail(proof: &[(String, String)], subject: &str, attachment: &[u8]) -> Vec<u8> {
    let part = |name: &str, text: &str| format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n").into_bytes();
    let file = |name: &str, kind: &str| {
        let head = "--x\r\nContent-Disposition: form-data; name=";
        format!("{head}\"attachment-1\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n").into_bytes()
    };
    let mut body = Vec::new();
    proof.iter().for_each(|(name, text)| body.extend(part(name, text)));
    body.extend(part("subject", subject));
    body.extend([&file("../über uns.pdf", "application/pdf"), attachment, b"\r\n"].concat());
    body.extend([&file("empty.txt", "text/plain"), &b"\r\n--x--\r\n"[..]].concat());
    body
}

async fn send(app: &TestApp, path: &str, body: Vec<u8>) -> Answer {
    let request = app.http.post(format!("{}/hooks/{path}", app.url)).header("content-type", "multipart/form-data; boundary=x");
    app.send(request.body(body)).await
}

async fn app(more: &str) -> (TestApp, crate::support::Project) {
    let hook = format!("{{scheme: mailgun, secret: MAILGUN}}{more}");
    let project = project(&[("mail", &hook)], &[("MAILGUN", "plain")]);
    (TestApp::start(&project, Recorder::fine()).await, project)
}

#[tokio::test]
async fn a_mail_with_attachments_is_an_event_with_files() {
    let (app, _project) = app(", limits: {body: 2MiB}").await;
    let attachment: Vec<u8> = (0..600_000).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let answer = send(&app, "mail", mail(&proof(NOW_S, "t1"), "Hällo & =", &attachment)).await;
    let made = super::output(&app, &answer).await;
    assert_eq!((&made["type"], &made["body"]["subject"], &made["body"]["token"]), (&json!("webhook"), &json!("Hällo & ="), &json!("t1")));
    let event = answer.body["event"].as_str().unwrap();
    let files = app.get(&format!("/events/{event}")).await.body["files"].clone();
    let told = |at: usize| [&files[at]["field"], &files[at]["name"], &files[at]["type"], &files[at]["size"]].map(Clone::clone);
    assert_eq!(told(0), [json!("attachment-1"), json!("über uns.pdf"), json!("application/pdf"), json!(600_000)]);
    assert_eq!(told(1), [json!("attachment-1"), json!("empty.txt"), json!("text/plain"), json!(0)]);
    let id: FileId = format!("{event}/1").parse().unwrap();
    let mut stored = Vec::new();
    for index in 0.. {
        let Some(piece) = app.store.file(id, index).await.unwrap() else { break };
        stored.extend_from_slice(&piece);
    }
    assert!(stored == attachment);
    assert!(app.store.check().await.unwrap().problems.is_empty());

    // The same delivery once more: its files go again.
    let pieces = async |app: &TestApp| app.store.stats().await.unwrap().kinds["files"];
    let before = pieces(&app).await;
    let again = send(&app, "mail", mail(&proof(NOW_S, "t1"), "Hello", &attachment)).await;
    assert_eq!((again.status, &again.body["duplicate"], events(&app).await), (200, &json!(true), 1));
    app.until(async |app| (pieces(app).await == before).then_some(())).await;
}

#[tokio::test]
async fn a_mail_that_is_not_signed_or_no_form_leaves_nothing() {
    let (app, _project) = app("").await;
    let mut forged = proof(NOW_S, "t1");
    forged[1].1 = "t2".to_owned();
    let torn = mail(&proof(NOW_S, "t3"), "Hello", b"12");
    let torn = torn[..torn.len() - 20].to_vec();
    let large = mail(&proof(NOW_S, "t4"), "Hello", &vec![1; 1 << 20]);
    let many = (0..101).flat_map(|_| b"--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n\r\n".to_vec());
    let many = many.chain(*b"--x--\r\n").collect();
    for (body, status, code, words) in [
        (mail(&forged, "Hello", b"12"), 401, "unverified", "signature"),
        (mail(&[], "Hello", b"12"), 401, "unverified", "Mailgun's `signature`"),
        (torn, 400, "unreadable-body", "last boundary"),
        (large, 413, "body-too-large", "1048576"),
        (many, 400, "unreadable-body", "more than 100 files"),
    ] {
        let answer = send(&app, "mail", body).await;
        assert_eq!((answer.status, answer.body["code"].as_str().unwrap()), (status, code), "{answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().contains(words), "{answer:?}");
    }
    assert_eq!((events(&app).await, app.store.pieces.lock().unwrap().len()), (0, 0));
}

#[tokio::test]
async fn parts_of_other_senders_are_an_event_with_files_too() {
    let hook = "{hmac: {algorithm: sha256, header: x-signature, encoding: hex, signs: '${body}', secret: MAILGUN}}";
    let project = project(&[("open", "none"), ("signed", hook)], &[("MAILGUN", "plain")]);
    let names = "when:\n  - webhook: {path: names, verify: none}\nsteps:\n  - stop: event.files.map(|file| file.name)\n";
    project.write("workflows/names.yaml", names);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let body = mail(&[], "Hällo", b"the file");
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"plain");
    let signature: String = hmac::sign(&key, &body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    for (path, signature, status) in [("open", "", 202), ("signed", &*signature, 202), ("signed", "00", 401)] {
        let request = app.http.post(format!("{}/hooks/{path}", app.url)).header("x-signature", signature);
        let answer = app.send(request.header("content-type", "multipart/form-data; boundary=x").body(body.clone())).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 202 {
            assert_eq!(super::output(&app, &answer).await["body"], json!({"subject": "Hällo"}));
            let event = app.get(&format!("/events/{}", answer.body["event"].as_str().unwrap())).await.body;
            assert_eq!((&event["files"][0]["size"], &event["files"][1]["name"]), (&json!(8), &json!("empty.txt")));
        }
    }
    let answer = send(&app, "names", body).await;
    assert_eq!(super::output(&app, &answer).await, json!(["über uns.pdf", "empty.txt"]));
    let broken = app.http.post(format!("{}/hooks/open", app.url)).header("content-type", "multipart/form-data; boundary=x");
    assert_eq!(app.send(broken.body("--y")).await.status, 400);
    assert_eq!(events(&app).await, 3, "nothing of what was refused");
}
