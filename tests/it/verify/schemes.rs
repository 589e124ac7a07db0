//! Every scheme on the same trials.

use std::sync::Arc;

use serde_json::{Value, json};

use super::signer::{self, Keys, Pair, Signed, request};
use super::{events, output, project, publishing, send};
use crate::support::TestApp;

/// What a service's request is put to.
struct Trial {
    scheme: &'static str,
    /// `verify` beside scheme and secrets.
    more: &'static str,
    pairs: [Pair; 2],
    body: &'static str,
    /// What the event's type is.
    kind: &'static str,
    /// A part of the signed body, and what takes its place.
    tampered: (&'static str, &'static str),
    /// How old a request may be, and how far in the future.
    window_s: (Option<i64>, Option<i64>),
    /// Headers that are not signed.
    free: &'static [&'static str],
}

const JSON: &str =
    "{\r\n  \"type\": \"order.paid\", \"name\": \"Ada Größe 日本\",\r\n  \"event_type\": \"order.paid\", \"event\": \"order.paid\"\r\n}";
const FORM: &str = "Name=Ada+Gr%C3%B6%C3%9Fe%0D%0A&From=%2B441&Body=&Body=b&Body=a";
const BATCH: &str = "[{\"event\": \"open\",\r\n \"subscriptionType\": \"contact.creation\", \"name\": \"Ada Größe\"}]";
const META: &str = "{\"object\": \"page\", \"name\": \"Ada Größe\"}\r\n";
const ADA: (&str, &str) = ("Ada", "Eve");

fn text(a: &str, b: &str) -> [Pair; 2] {
    [a, b].map(|text| Pair { private: text.to_owned(), public: text.to_owned() })
}

fn two(pairs: &[Pair]) -> [Pair; 2] {
    [pairs[0].clone(), pairs[1].clone()]
}

fn trials(keys: &Keys) -> Vec<Trial> {
    let base = || Trial {
        scheme: "",
        more: "",
        pairs: text("first secret, Größe", "second secret"),
        body: JSON,
        kind: "webhook",
        tampered: ADA,
        window_s: (None, None),
        free: &[],
    };
    let standard = || text("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let paid = "order.paid";
    let both = |seconds| (Some(seconds), Some(seconds));
    vec![
        Trial { scheme: "standard-webhooks", pairs: standard(), kind: paid, window_s: both(300), ..base() },
        Trial { scheme: "svix", pairs: standard(), kind: paid, window_s: both(300), ..base() },
        Trial { scheme: "stripe", pairs: text("whsec_a", "whsec_b"), kind: paid, window_s: (Some(300), None), ..base() },
        Trial { scheme: "github", ..base() },
        Trial { scheme: "slack", kind: paid, window_s: both(300), ..base() },
        Trial { scheme: "twilio", body: FORM, ..base() },
        Trial { scheme: "shopify", kind: "orders/create", free: &["x-shopify-topic"], ..base() },
        Trial { scheme: "sendgrid", pairs: two(&keys.ec), body: BATCH, kind: "open", window_s: both(90_000), ..base() },
        Trial { scheme: "square", kind: paid, ..base() },
        Trial { scheme: "discord", pairs: two(&keys.ed25519), window_s: both(900), ..base() },
        Trial { scheme: "hubspot", body: BATCH, kind: "contact.creation", window_s: (Some(300), Some(300)), ..base() },
        Trial { scheme: "mailgun", kind: "opened", tampered: ("msg", "gsm"), window_s: both(32_400), ..base() },
        Trial { scheme: "zoom", kind: paid, window_s: both(7_800), ..base() },
        Trial { scheme: "meta", more: ", verify_token: FIRST", body: META, kind: "page", ..base() },
        Trial { scheme: "typeform", kind: paid, ..base() },
        Trial { scheme: "calendly", kind: paid, window_s: (Some(180), None), ..base() },
        Trial {
            scheme: "aws-sns",
            more: ", topics: ['arn:aws:sns:eu-central-1:123456789012:orders']",
            pairs: two(&keys.rsa),
            kind: "Notification",
            window_s: both(86_400),
            free: &["x-amz-sns-message-type"],
            ..base()
        },
        Trial {
            scheme: "paypal",
            more: ", webhook_id: 8PT597110X687430L",
            pairs: two(&keys.rsa),
            kind: paid,
            window_s: both(4 * 86_400),
            ..base()
        },
    ]
}

impl Trial {
    fn has_secrets(&self) -> bool {
        !matches!(self.scheme, "aws-sns" | "paypal")
    }

    fn name(&self, which: &str) -> String {
        format!("{}_{which}", self.scheme.to_uppercase().replace('-', "_"))
    }

    fn verify(&self) -> String {
        let names = [self.name("NEW"), self.name("OLD")].join(", ");
        let secrets = if self.has_secrets() { format!(", secrets: [{names}]") } else { String::new() };
        format!("{{scheme: {}{secrets}{}}}", self.scheme, self.more)
    }

    /// All that is to be signed: valid, by the other secret, by an unknown one, at and beyond the ends of the window.
    fn requests(&self, id: usize, unknown: &str) -> Vec<Value> {
        let [new, old] = &self.pairs;
        let with = |n: usize, secret: &str, off_s: i64| {
            let mut request = request(self.scheme, secret, self.body, 100 * id + n);
            request["time"] = json!(request["time"].as_i64().unwrap() + off_s);
            request
        };
        let (past, future) = self.window_s;
        let (past, future) = (past.unwrap_or(400 * 86_400), future.unwrap_or(400 * 86_400));
        vec![
            with(0, &new.private, 0),
            with(1, &old.private, 0),
            with(2, unknown, 0),
            with(3, &new.private, -past),
            with(4, &new.private, -past - 1),
            with(5, &new.private, future),
            with(6, &new.private, future + 1),
        ]
    }

    /// A secret of the right form that the hook does not know.
    fn unknown(&self, keys: &Keys) -> String {
        match self.scheme {
            "sendgrid" => keys.ec[2].private.clone(),
            "discord" => keys.ed25519[2].private.clone(),
            "aws-sns" | "paypal" => keys.rsa[2].private.clone(),
            "standard-webhooks" | "svix" => "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned(),
            _ => "another secret".to_owned(),
        }
    }

    /// What must be refused of a good request: without a header, with a changed one, with another body.
    fn spoilt(&self, good: &Signed) -> Vec<(String, Signed)> {
        let (part, other) = self.tampered;
        assert!(good.body.contains(part), "{}: {}", self.scheme, good.body);
        let mut spoilt = vec![
            ("another body".to_owned(), good.with_body(&good.body.replacen(part, other, 1))),
            ("an empty body".to_owned(), good.with_body("")),
        ];
        for (name, value) in good.headers.iter().filter(|(name, _)| *name != "content-type" && !self.free.contains(&name.as_str())) {
            spoilt.push((format!("without {name}"), good.without(name)));
            spoilt.push((format!("an empty {name}"), good.with(name, "")));
            spoilt.push((format!("another {name}"), good.with(name, &changed(value))));
        }
        for pointer in self.proofs() {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let mut body: Value = serde_json::from_str(&good.body).unwrap();
            let fields = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            let proof = fields.remove(name).unwrap();
            let without = good.with_body(&body.to_string());
            let other = changed(proof.as_str().unwrap_or(&proof.to_string()));
            body.pointer_mut(parent).unwrap()[name] = json!(other);
            spoilt.extend([(format!("without {pointer}"), without), (format!("another {pointer}"), good.with_body(&body.to_string()))]);
        }
        spoilt
    }

    /// What in the body says who sent it.
    fn proofs(&self) -> &'static [&'static str] {
        match self.scheme {
            "aws-sns" => {
                &["/Signature", "/SigningCertURL", "/SignatureVersion", "/Timestamp", "/TopicArn", "/MessageId", "/Message", "/Type"]
            }
            "mailgun" => &["/signature/timestamp", "/signature/token", "/signature/signature"],
            _ => &[],
        }
    }
}

/// Another character in the middle.
fn changed(value: &str) -> String {
    let middle = value.len() / 2;
    let at = middle + value[middle..].find(|c: char| c.is_ascii_alphanumeric()).unwrap();
    let other = match &value[at..=at] {
        "1" => "2",
        digit if digit.chars().all(|c| c.is_ascii_digit()) => "1",
        "a" => "b",
        _ => "a",
    };
    format!("{}{other}{}", &value[..at], &value[at + 1..])
}

async fn put_to(app: &TestApp, trial: &Trial, signed: &[Signed]) -> usize {
    let scheme = trial.scheme;
    let answers = |at: usize, expected: u16, what: &'static str| {
        let request = signed[at].clone();
        async move {
            let answer = send(app, scheme, &request).await;
            assert_eq!(answer.status, expected, "{scheme} {what}: {answer:?} {request:?}");
            answer
        }
    };
    let shown = output(app, &answers(0, 202, "valid").await).await;
    assert_eq!(shown["type"], trial.kind, "{scheme}");
    if !matches!(scheme, "twilio" | "mailgun" | "aws-sns") {
        assert_eq!(shown["body"], serde_json::from_str::<Value>(trial.body).unwrap(), "{scheme}");
    }
    answers(1, if trial.has_secrets() { 202 } else { 401 }, "the second secret").await;
    answers(2, 401, "an unknown secret").await;
    let (past, future) = trial.window_s;
    answers(3, 202, "as old as may be").await;
    answers(4, if past.is_some() { 401 } else { 202 }, "too old").await;
    answers(5, 202, "as far ahead as may be").await;
    answers(6, if future.is_some() { 401 } else { 202 }, "too far ahead").await;
    for (what, request) in trial.spoilt(&signed[0]) {
        let answer = send(app, scheme, &request).await;
        assert_eq!(answer.status, 401, "{scheme} {what}: {answer:?} {request:?}");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(!signed[0].headers.values().any(|value| 8 < value.len() && detail.contains(value)), "{scheme} {what}: {detail}");
    }
    3 + usize::from(trial.has_secrets()) + usize::from(past.is_none()) + usize::from(future.is_none())
}

#[tokio::test]
async fn every_scheme_takes_what_is_signed_and_nothing_else() {
    let Some(keys) = signer::keys("every_scheme_takes_what_is_signed_and_nothing_else") else { return };
    let trials = trials(keys);
    let requests: Vec<Vec<Value>> = trials.iter().enumerate().map(|(id, trial)| trial.requests(id, &trial.unknown(keys))).collect();
    let signed = signer::sign(&requests.concat());
    let names: Vec<(String, String)> = trials
        .iter()
        .filter(|trial| trial.has_secrets())
        .flat_map(|trial| [(trial.name("NEW"), trial.pairs[0].public.clone()), (trial.name("OLD"), trial.pairs[1].public.clone())])
        .collect();
    let mut secrets: Vec<(&str, &str)> = names.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    secrets.push(("FIRST", "a token for the first request"));
    let verifies: Vec<String> = trials.iter().map(Trial::verify).collect();
    let hooks: Vec<(&str, &str)> = trials.iter().zip(&verifies).map(|(trial, verify)| (trial.scheme, verify.as_str())).collect();
    let project = project(&hooks, &secrets);
    let recorder = publishing(keys);
    let app = TestApp::start(&project, Arc::clone(&recorder)).await;

    let (mut accepted, mut at) = (0, 0);
    for (trial, requests) in trials.iter().zip(&requests) {
        accepted += put_to(&app, trial, &signed[at..at + requests.len()]).await;
        at += requests.len();
    }
    assert_eq!(events(&app).await, accepted, "what was refused is not stored");
    // Each certificate was fetched once.
    let fetched: Vec<String> = recorder.calls().iter().map(|call| call.with["url"].as_str().unwrap().to_owned()).collect();
    assert_eq!(fetched.len(), 2, "{fetched:?}");
}

#[tokio::test]
async fn one_of_several_signatures_is_enough() {
    let Some(keys) = signer::keys("one_of_several_signatures_is_enough") else { return };
    let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let signed = signer::sign(&[
        request("standard-webhooks", secret, JSON, 1),
        request("stripe", "whsec_a", JSON, 2),
        request("calendly", "plain", JSON, 3),
        request("svix", secret, JSON, 4),
    ]);
    let hooks = [
        ("svix", "{scheme: svix, secret: STANDARD}"),
        ("standard-webhooks", "{scheme: standard-webhooks, secret: STANDARD}"),
        ("stripe", "{scheme: stripe, secret: STRIPE}"),
        ("calendly", "{scheme: calendly, secret: CALENDLY}"),
    ];
    let project = project(&hooks, &[("STANDARD", secret), ("STRIPE", "whsec_a"), ("CALENDLY", "plain")]);
    let app = TestApp::start(&project, publishing(keys)).await;
    let check = async |path: &str, signed: &Signed, name: &str, value: &str, expected: u16| {
        let answer = send(&app, path, &signed.with(name, value)).await;
        assert_eq!(answer.status, expected, "{path} {value}: {answer:?}");
    };
    let good = &signed[0].headers["webhook-signature"];
    let name = "webhook-signature";
    check("standard-webhooks", &signed[0], name, &format!("v1,AAAA {good}"), 202).await;
    check("standard-webhooks", &signed[0], name, &format!("v0,x v1a,AAAA nonsense {good}"), 202).await;
    check("standard-webhooks", &signed[0], name, &good.replacen("v1,", "v1a,", 1), 401).await;
    check("standard-webhooks", &signed[0], name, &format!("{}{good}", "v1,AAAA ".repeat(16)), 401).await;
    let good = &signed[3].headers["svix-signature"];
    check("svix", &signed[3], "svix-signature", &format!("v1,AAAA {good}"), 202).await;
    check("svix", &signed[3], "svix-signature", &good.replacen("v1,", "v2,", 1), 401).await;
    for (signed, scheme) in [(&signed[1], "stripe"), (&signed[2], "calendly")] {
        let name = if scheme == "stripe" { "stripe-signature" } else { "calendly-webhook-signature" };
        let (time, good) = signed.headers[name].split_once(',').unwrap();
        check(scheme, signed, name, &format!("{time},v1=00,v0=11,{good}"), 202).await;
        check(scheme, signed, name, &format!("{good}, {time}"), 202).await;
        check(scheme, signed, name, &format!("{time},{}", good.replacen("v1", "v0", 1)), 401).await;
        check(scheme, signed, name, good, 401).await;
    }
}

#[tokio::test]
async fn standard_webhooks_and_svix_know_each_others_headers_and_public_keys() {
    let Some(keys) = signer::keys("standard_webhooks_and_svix_know_each_others_headers_and_public_keys") else { return };
    let base64 = |hex: &str| {
        use base64::Engine as _;
        let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let mut asymmetric = request("standard-webhooks", &base64(&keys.ed25519[0].private), JSON, 3);
    asymmetric["variant"] = json!("ed25519");
    let signed = signer::sign(&[request("svix", secret, JSON, 1), request("standard-webhooks", secret, JSON, 2), asymmetric]);
    let hooks = [
        ("standard-webhooks", "{scheme: standard-webhooks, secrets: [SHARED, PUBLIC]}"),
        ("svix", "{scheme: svix, secret: SHARED}"),
        ("other", "{scheme: svix, secret: OTHER}"),
    ];
    let (public, other) = (format!("whpk_{}", base64(&keys.ed25519[0].public)), format!("whpk_{}", base64(&keys.ed25519[1].public)));
    let project = project(&hooks, &[("SHARED", secret), ("PUBLIC", &public), ("OTHER", &other)]);
    let app = TestApp::start(&project, publishing(keys)).await;
    let check = async |path: &str, signed: &Signed, expected: u16| {
        let answer = send(&app, path, signed).await;
        assert_eq!(answer.status, expected, "{path}: {answer:?}");
    };
    check("standard-webhooks", &signed[0], 202).await;
    check("svix", &signed[1], 202).await;
    check("standard-webhooks", &signed[2], 202).await;
    check("svix", &signed[2], 401).await;
    check("other", &signed[2], 401).await;
    check("standard-webhooks", &signed[2].with_body(&JSON.replace("Ada", "Eve")), 401).await;
}

#[tokio::test]
async fn a_transmission_of_paypal_comes_once() {
    let Some(keys) = signer::keys("a_transmission_of_paypal_comes_once") else { return };
    let body = "{\"id\": \"WH-1\", \"amount\": 1}";
    let signed = signer::sign(&[request("paypal", &keys.rsa[0].private, body, 1)]);
    let hook = "{scheme: paypal, webhook_id: 8PT597110X687430L}, dedupe: {key: event.body.id, within: 1h}";
    let app = TestApp::start(&project(&[("paypal", hook)], &[]), publishing(keys)).await;
    assert_eq!(send(&app, "paypal", &signed[0]).await.status, 202);
    // Its `pad` was chosen so that both have one CRC-32.
    let forged = "{\"id\": \"WH-2\", \"amount\": 9999, \"pad\": \"CAACCACCCCCCACAACCCACACAACACAACAAAAAAAAAAAAAAAAA\"}";
    let answer = send(&app, "paypal", &signed[0].with_body(forged)).await;
    assert_eq!((answer.status, &answer.body["duplicate"]), (200, &json!(true)), "another body with the same checksum: {answer:?}");
    assert_eq!(events(&app).await, 1);
}

#[tokio::test]
async fn a_token_of_mailgun_comes_once() {
    let Some(keys) = signer::keys("a_token_of_mailgun_comes_once") else { return };
    let mut mail = request("mailgun", "plain", "hello", 2);
    mail["variant"] = json!("form");
    let signed = signer::sign(&[request("mailgun", "plain", JSON, 1), mail]);
    let by_body = "{scheme: mailgun, secret: MAILGUN}, dedupe: {key: event.body.to_string(), within: 1h}";
    let project = project(&[("mailgun", "{scheme: mailgun, secret: MAILGUN}"), ("deduped", by_body)], &[("MAILGUN", "plain")]);
    let app = TestApp::start(&project, publishing(keys)).await;
    for path in ["mailgun", "deduped"] {
        for signed in &signed {
            assert_eq!(send(&app, path, signed).await.status, 202, "{path}");
            // The body beside the proof is not signed: another one with the same proof is still the same request.
            let replayed = send(&app, path, &signed.with_body(&signed.body.replace("hello", "bye").replace("Ada", "Eve"))).await;
            assert_eq!((replayed.status, &replayed.body["duplicate"]), (200, &json!(true)), "{path}: {replayed:?}");
        }
    }
    // Digits of the time may be moved into the token: both together are signed.
    let moved = signed[0].with_body(&signed[0].body.replace("00\", \"token\": \"", "0\", \"token\": \"0"));
    assert_ne!(moved.body, signed[0].body);
    assert_eq!(send(&app, "mailgun", &moved).await.status, 401);
    app.clock.advance(std::time::Duration::from_secs(32_400));
    assert_eq!(send(&app, "mailgun", &signed[0]).await.status, 200, "it is known as long as it could be taken");
    assert_eq!(events(&app).await, 4);
    app.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(send(&app, "mailgun", &signed[0]).await.status, 401, "when the token is forgotten, its time is over");
}

#[tokio::test]
async fn signatures_made_by_the_services_libraries_for_node_are_taken() {
    let Some(keys) = signer::keys("signatures_made_by_the_services_libraries_for_node_are_taken") else { return };
    let signed = signer::sign(&[request("shopify", "plain", JSON, 1), request("aws-sns", &keys.rsa[0].private, JSON, 2)]);
    let shopify = &signed[0].headers["x-shopify-hmac-sha256"];
    let asked = json!([
        {"github": {"secret": "plain", "body": JSON}},
        {"shopify": {"secret": "plain", "body": JSON, "signature": shopify}},
        {"sns": {"body": signed[1].body, "certificate": keys.rsa[0].public}},
        {"sns": {"body": signed[1].body.replace("Ada", "Eve"), "certificate": keys.rsa[0].public}},
    ]);
    let Some(answers) = signer::node("signatures_made_by_the_services_libraries_for_node_are_taken", &asked) else { return };
    assert_eq!(&answers[1..3], [json!(true), json!(true)], "the services' own libraries take them");
    assert_eq!(answers[3], "The message signature is invalid.");
    let project = project(
        &[
            ("github", "{scheme: github, secret: PLAIN}"),
            ("shopify", "{scheme: shopify, secret: PLAIN}"),
            ("aws-sns", "{scheme: aws-sns, topics: 'arn:aws:sns:eu-central-1:123456789012:orders'}"),
        ],
        &[("PLAIN", "plain")],
    );
    let app = TestApp::start(&project, publishing(keys)).await;
    let github = signed[0].with("x-hub-signature-256", answers[0].as_str().unwrap());
    for (path, signed) in [("github", &github), ("shopify", &signed[0]), ("aws-sns", &signed[1])] {
        assert_eq!(send(&app, path, signed).await.status, 202, "{path}");
    }
}
