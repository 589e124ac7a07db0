mod certificates;
mod services;
mod vectors;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::domain::workflow::{Hmac, HmacAlgorithm, SignatureEncoding, SignedPart};

/// From GitHub's documentation, "Testing the webhook payload validation".
const GITHUB_SECRET: &str = "It's a Secret to Everybody";
const GITHUB_BODY: &[u8] = b"Hello, World!";
const GITHUB_SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

/// A public key.
const P256_KEY: &str =
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfFdhhb8zlQDzUYMx4wnVtHBoYzk9EcQ4wMLJuFNPzQgC1yYZC7SC6C5nlmRD2JmKGcYN5K1lIcFpC5VB7yyIvw==";

fn secrets() -> Secrets {
    Secrets::new(BTreeMap::from([
        ("GITHUB".to_owned(), Secret::new(GITHUB_SECRET)),
        ("OTHER".to_owned(), Secret::new("another one")),
        ("EMPTY".to_owned(), Secret::new("")),
        ("STANDARD".to_owned(), Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")),
        ("EXAMPLE".to_owned(), Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        ("TWILIO".to_owned(), Secret::new("12345")),
        ("STRIPE".to_owned(), Secret::new("whsec_abc")),
        ("DISCORD".to_owned(), Secret::new("0a".repeat(32))),
        ("SENDGRID".to_owned(), Secret::new(P256_KEY)),
    ]))
}

fn names(names: &[&str]) -> Vec<SecretName> {
    names.iter().map(|name| SecretName((*name).into())).collect()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())).collect()
}

/// Nothing is anywhere.
struct Nowhere;

impl FetchCertificate for Nowhere {
    fn fetch(&self, _url: &str) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async { Err("nothing is anywhere".to_owned()) })
    }
}

fn verify(scheme: &Verify, headers: &HeaderMap, body: &[u8], now_s: i64) -> Result<(), Denied> {
    let verifier = Verifier::new(Arc::new(secrets()), Some("https://hence.example.com".to_owned()), Arc::new(Nowhere));
    let body = Bytes::copy_from_slice(body);
    let sent = Sent { method: "POST", target: "/hooks/a?b=c", headers, body: &body, now: Timestamp(now_s * 1000) };
    verifier.verify(scheme, &sent).now_or_never().unwrap().map(|_verified| ())
}

fn check(scheme: &Verify, pairs: &[(&str, &str)], body: &[u8], now_s: i64, expected: Result<(), Denied>) {
    assert_eq!(verify(scheme, &headers(pairs), body, now_s), expected, "{scheme:?} {pairs:?}");
}

#[test]
fn github() {
    let scheme = |list: &[&str]| Verify::Signed(Signed { scheme: Scheme::Github, secrets: names(list) });
    let header = "x-hub-signature-256";
    let missing = || Err(Denied::Missing(header.to_owned()));
    let malformed = || Err(Denied::Malformed(header.to_owned()));
    check(&scheme(&["GITHUB"]), &[(header, GITHUB_SIGNATURE)], GITHUB_BODY, 0, Ok(()));
    check(&scheme(&["OTHER", "GITHUB"]), &[(header, GITHUB_SIGNATURE)], GITHUB_BODY, 0, Ok(()));
    check(&scheme(&["GITHUB"]), &[(header, GITHUB_SIGNATURE)], b"Hello, World?", 0, Err(Denied::Mismatch));
    check(&scheme(&["OTHER"]), &[(header, GITHUB_SIGNATURE)], GITHUB_BODY, 0, Err(Denied::Mismatch));
    check(&scheme(&["GITHUB"]), &[], GITHUB_BODY, 0, missing());
    check(&scheme(&["GITHUB"]), &[(header, "sha1=00")], GITHUB_BODY, 0, malformed());
    check(&scheme(&["GITHUB"]), &[(header, "sha256=7571zz")], GITHUB_BODY, 0, malformed());
    check(&scheme(&["GITHUB"]), &[(header, "sha256=757")], GITHUB_BODY, 0, malformed());
    check(&scheme(&["GITHUB"]), &[(header, "sha256=é0")], GITHUB_BODY, 0, malformed());
    check(&scheme(&["GITHUB"]), &[(header, "sha256=")], GITHUB_BODY, 0, Err(Denied::Mismatch));
    check(&scheme(&["ABSENT"]), &[(header, GITHUB_SIGNATURE)], GITHUB_BODY, 0, Err(Denied::NoSecret));
    check(&scheme(&["EMPTY"]), &[(header, GITHUB_SIGNATURE)], GITHUB_BODY, 0, Err(Denied::NoSecret));
}

#[test]
fn an_hmac_with_a_signed_timestamp() {
    let scheme = Verify::Hmac(Hmac {
        algorithm: HmacAlgorithm::Sha256,
        header: "x-signature".into(),
        encoding: SignatureEncoding::Base64,
        prefix: "v1,".into(),
        signs: vec![SignedPart::Timestamp, SignedPart::Text(".".into()), SignedPart::Body],
        timestamp_header: Some("x-time".into()),
        tolerance: Duration::from_secs(300),
        secrets: names(&["OTHER"]),
    });
    // python3: base64.b64encode(hmac.digest(b"another one", b"1000.\r\n\xc3\xa9", "sha256"))
    let signature = "v1,40FMHWHmVOaFeQOOzyJy5dh9atFEDn0qiRQpsjf7fBU=";
    let body = "\r\né".as_bytes();
    check(&scheme, &[("x-signature", signature), ("x-time", "1000")], body, 1000, Ok(()));
    check(&scheme, &[("x-signature", signature), ("x-time", "1000")], body, 1300, Ok(()));
    check(&scheme, &[("x-signature", signature), ("x-time", "1000")], body, 1301, Err(Denied::Stale { window_s: 300 }));
    check(&scheme, &[("x-signature", signature), ("x-time", "1000")], body, 699, Err(Denied::Stale { window_s: 300 }));
    check(&scheme, &[("x-signature", signature), ("x-time", "1001")], body, 1000, Err(Denied::Mismatch));
    check(&scheme, &[("x-signature", signature)], body, 1000, Err(Denied::Missing("x-time".to_owned())));
    check(&scheme, &[("x-signature", "v0,AA=="), ("x-time", "1000")], body, 1000, Err(Denied::Malformed("x-signature".to_owned())));
}

/// Every scheme, with a secret of its form.
fn schemes() -> Vec<Verify> {
    let topics = vec!["arn:aws:sns:eu-central-1:123456789012:orders".into()];
    let schemes = [
        (Scheme::StandardWebhooks, "STANDARD"),
        (Scheme::Svix, "STANDARD"),
        (Scheme::Stripe, "STRIPE"),
        (Scheme::Github, "OTHER"),
        (Scheme::Slack, "OTHER"),
        (Scheme::Twilio { url: None }, "OTHER"),
        (Scheme::Shopify, "OTHER"),
        (Scheme::Sendgrid, "SENDGRID"),
        (Scheme::Square { url: Some("https://a.test/b?c=d".into()) }, "OTHER"),
        (Scheme::Discord, "DISCORD"),
        (Scheme::Hubspot { url: None }, "OTHER"),
        (Scheme::AwsSns { topics }, "OTHER"),
        (Scheme::Mailgun, "OTHER"),
        (Scheme::Zoom, "OTHER"),
        (Scheme::Meta { verify_token: SecretName("OTHER".into()) }, "OTHER"),
        (Scheme::Typeform, "OTHER"),
        (Scheme::Calendly, "OTHER"),
        (Scheme::Paypal { webhook_id: "1".into() }, "OTHER"),
    ];
    let signed = schemes.map(|(scheme, secret)| Verify::Signed(Signed { scheme, secrets: names(&[secret]) }));
    let basic = Verify::Basic { user: "me".into(), secrets: names(&["OTHER"]) };
    signed.into_iter().chain([basic, Verify::Bearer { secrets: names(&["OTHER"]) }]).collect()
}

/// What the schemes read.
const HEADERS: [&str; 26] = [
    "authorization",
    "content-type",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "svix-id",
    "svix-signature",
    "svix-timestamp",
    "stripe-signature",
    "calendly-webhook-signature",
    "x-hub-signature-256",
    "x-slack-signature",
    "x-slack-request-timestamp",
    "x-zm-signature",
    "x-zm-request-timestamp",
    "x-twilio-signature",
    "x-twilio-webhooks-signature-settings",
    "x-shopify-hmac-sha256",
    "typeform-signature",
    "x-twilio-email-event-webhook-signature",
    "x-twilio-email-event-webhook-timestamp",
    "x-square-hmacsha256-signature",
    "x-signature-ed25519",
    "x-signature-timestamp",
    "x-hubspot-signature-v3",
    "x-hubspot-request-timestamp",
];

/// Values near to what is meant, and any others.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let near = "(v0=|v1,|v1a,|t=|sha256=|Basic |Bearer |application/x-www-form-urlencoded)?[ -~é]{0,40}";
    let timed = "t=[0-9]{0,25},v1=([0-9a-fé]{0,9},){0,20}v1=";
    prop_oneof![
        near.prop_map(String::into_bytes),
        timed.prop_map(String::into_bytes),
        "[0-9]{0,25}".prop_map(String::into_bytes),
        "[A-Za-z0-9+/]{0,43}=".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..60),
    ]
}

/// Bodies near to what is meant, and any others.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let word = "[ -~é]{0,12}";
    let mailgun = (word, word, "[0-9a-f]{0,64}")
        .prop_map(|(time, token, signature)| serde_json::json!({"signature": {"timestamp": time, "token": token, "signature": signature}}));
    let sns = (word, "[12]", "(https://sns\\.eu-central-1\\.amazonaws\\.com/)?[ -~]{0,20}(\\.pem)?").prop_map(|(text, version, url)| {
        serde_json::json!({"Type": "Notification", "MessageId": text, "TopicArn": "arn:aws:sns:eu-central-1:123456789012:orders",
            "Message": text, "Timestamp": text, "SignatureVersion": version, "Signature": "AAAA", "SigningCertURL": url})
    });
    let made = prop_oneof![mailgun, sns].prop_map(|body: crate::domain::Value| body.to_string().into_bytes());
    let form = "(timestamp=[0-9]{0,12}&token=[ -~]{0,9}&signature=[0-9a-f]{0,64})?[ -~]{0,40}";
    prop_oneof![made, form.prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..60)]
}

proptest! {
    #[test]
    fn no_request_panics_and_none_is_believed(
        values in prop::collection::vec(prop::option::of(value()), HEADERS.len()),
        body in body(),
        now_s in prop_oneof![Just(0_i64), 0_i64..=4_000_000_000],
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in HEADERS.iter().zip(values) {
            if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(&value).ok()) {
                headers.insert(*name, value);
            }
        }
        for scheme in schemes() {
            prop_assert!(verify(&scheme, &headers, &body, now_s).is_err(), "{scheme:?} {headers:?}");
        }
    }
}

#[test]
fn basic() {
    let basic = |user: &str| Verify::Basic { user: user.into(), secrets: names(&["GITHUB", "OTHER"]) };
    let header = |pair: &str| format!("Basic {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair));
    let check = |user: &str, value: &str, expected| check(&basic(user), &[("authorization", value)], b"", 0, expected);
    check("me", &header("me:another one"), Ok(()));
    check("é", &header("é:another one"), Ok(()));
    check("me", &header("me:another one").replace("Basic", "basic"), Ok(()));
    for pair in ["me:another", "you:another one", "me:", ":", "me:another one:"] {
        check("me", &header(pair), Err(Denied::Mismatch));
    }
    for wrong in [&header("me"), "Basic !", "Bearer x", "Basic"] {
        check("me", wrong, Err(Denied::Malformed("authorization".to_owned())));
    }
}

#[test]
fn bearer_and_header() {
    let bearer = Verify::Bearer { secrets: names(&["GITHUB", "OTHER"]) };
    check(&bearer, &[("authorization", "Bearer another one")], b"", 0, Ok(()));
    check(&bearer, &[("authorization", "bearer another one")], b"", 0, Ok(()));
    check(&bearer, &[("authorization", "Bearer another on")], b"", 0, Err(Denied::Mismatch));
    check(&bearer, &[("authorization", "another one")], b"", 0, Err(Denied::Malformed("authorization".to_owned())));
    check(&bearer, &[], b"", 0, Err(Denied::Missing("authorization".to_owned())));
    let header = Verify::Header { name: "x-token".into(), secrets: names(&["OTHER"]) };
    check(&header, &[("x-token", "another one")], b"", 0, Ok(()));
    check(&header, &[("x-token", "")], b"", 0, Err(Denied::Mismatch));
}
