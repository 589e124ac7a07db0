//! What services publish as examples, and messages that were signed once for this test with a key that is gone.

use super::*;

pub(super) const CERTIFICATE: &str = include_str!("certificate.pem");
const SNS_1: &str = include_str!("sns-version-1.json");
const SNS_2: &str = include_str!("sns-version-2.json");
const PAYPAL_SIGNATURE: &str = include_str!("paypal-signature.txt");
const PAYPAL_BODY: &str = "{\"id\": \"WH-1\", \"amount\": 1}\r\n";
const NOW_S: i64 = 1_772_355_600;

/// The same certificate is everywhere.
struct Everywhere;

impl FetchCertificate for Everywhere {
    fn fetch(&self, _url: &str) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async { Ok(CERTIFICATE.to_owned()) })
    }
}

fn check(scheme: Scheme, pairs: &[(&str, &str)], body: &str, now_s: i64, expected: Result<Option<&str>, Denied>) {
    let verifier = Verifier::new(Arc::new(secrets()), None, Arc::new(Everywhere));
    let (headers, body) = (headers(pairs), Bytes::copy_from_slice(body.as_bytes()));
    let sent = Sent { method: "POST", target: "/", headers: &headers, body: &body, now: Timestamp(now_s * 1000) };
    let verify = Verify::Signed(Signed { scheme: scheme.clone(), secrets: names(&["EXAMPLE"]) });
    let found = verifier.verify(&verify, &sent).now_or_never().unwrap();
    assert_eq!(found.map(|verified| verified.once.map(|once| once.token)), expected.map(|once| once.map(str::to_owned)), "{scheme:?}");
}

/// The example of the Standard Webhooks libraries.
#[test]
fn standard_webhooks() {
    let pairs = |prefix: &str| {
        let name = |part: &str| format!("{prefix}-{part}");
        [
            (name("id"), "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            (name("timestamp"), "1614265330"),
            (name("signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ]
    };
    let body = "{\"test\": 2432232314}";
    for (scheme, prefix) in [(Scheme::StandardWebhooks, "webhook"), (Scheme::Svix, "svix"), (Scheme::Svix, "webhook")] {
        let pairs = pairs(prefix);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        check(scheme.clone(), &pairs, body, 1_614_265_330, Ok(None));
        check(scheme.clone(), &pairs, body, 1_614_265_631, Err(Denied::Stale { window_s: 300 }));
        check(scheme.clone(), &pairs, body, 1_614_265_029, Err(Denied::Stale { window_s: 300 }));
        check(scheme, &pairs, "{\"test\": 2432232315}", 1_614_265_330, Err(Denied::Mismatch));
    }
}

/// The example of Twilio's libraries.
#[test]
fn twilio() {
    let url = Some("https://mycompany.com/myapp.php".into());
    let body = "Digits=1234&To=%2B18005551212&CallSid=CA1234567890ABCDE&From=%2B14158675309&Caller=%2B14158675309&Digits=1234";
    let verifier = Verifier::new(Arc::new(secrets()), None, Arc::new(Nowhere));
    let verify = Verify::Signed(Signed { scheme: Scheme::Twilio { url }, secrets: names(&["TWILIO"]) });
    let headers = headers(&[("x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8="), ("content-type", "application/x-www-form-urlencoded")]);
    let check = |target: &str, body: &'static str, expected: Result<(), Denied>| {
        let body = Bytes::from_static(body.as_bytes());
        let sent = Sent { method: "POST", target, headers: &headers, body: &body, now: Timestamp(0) };
        assert_eq!(verifier.verify(&verify, &sent).now_or_never().unwrap().map(|_verified| ()), expected, "{target}");
    };
    check("/hooks/a?foo=1&bar=2", body, Ok(()));
    check("/hooks/a?foo=1&bar=3", body, Err(Denied::MismatchWithUrl));
    check("/hooks/a?foo=1&bar=2", "Digits=1234", Err(Denied::MismatchWithUrl));
}

#[test]
fn sns_in_two_versions() {
    let scheme =
        |topic: &str| Scheme::AwsSns { topics: vec!["another".into(), format!("arn:aws:sns:eu-central-1:123456789012:{topic}").into()] };
    for (message, id) in [(SNS_1, "m1"), (SNS_2, "m2")] {
        for off_s in [0, 86_400, -86_400] {
            check(scheme("orders"), &[], message, NOW_S + off_s, Ok(Some(id)));
        }
        for off_s in [86_401, -86_401] {
            check(scheme("orders"), &[], message, NOW_S + off_s, Err(Denied::Stale { window_s: 86_400 }));
        }
        let no_time = || Err(Denied::NoProof("`MessageId` and `Timestamp` of an SNS message"));
        check(scheme("orders"), &[], &message.replace(&format!("\"{id}\""), "\"\""), NOW_S, no_time());
        check(scheme("orders"), &[], &message.replace(&format!("\"{id}\""), &format!("\"{}\"", "m".repeat(201))), NOW_S, no_time());
        check(scheme("orders"), &[], &message.replace("2026-03-01T09:00:00.000Z", "1772355600"), NOW_S, no_time());
        check(scheme("other"), &[], message, NOW_S, Err(Denied::OtherTopic));
        check(
            scheme("orders"),
            &[],
            &message.replace("\"total", "\"tital").replace("\\\"total", "\\\"tital"),
            NOW_S,
            Err(Denied::Mismatch),
        );
        check(scheme("orders"), &[], &message.replace("eu-central-1.amazonaws", "us-east-1.amazonaws"), NOW_S, Err(Denied::ForeignAddress));
    }
    check(scheme("orders"), &[], &SNS_2.replace("SubscriptionConfirmation", "UnsubscribeConfirmation"), NOW_S, Err(Denied::Mismatch));
}

#[test]
fn paypal() {
    let scheme = |id: &str| Scheme::Paypal { webhook_id: id.into() };
    let id = "69cd13f0-d67a-11e5-baa3-778b53f4ae55";
    let mut pairs = [
        ("paypal-transmission-id", id),
        ("paypal-transmission-time", "2026-03-01T09:00:00Z"),
        ("paypal-transmission-sig", PAYPAL_SIGNATURE),
        ("paypal-cert-url", "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1"),
        ("paypal-auth-algo", "SHA256withRSA"),
    ];
    check(scheme("8PT597110X687430L"), &pairs, PAYPAL_BODY, NOW_S, Ok(Some(id)));
    check(scheme("WEBHOOK_ID"), &pairs, PAYPAL_BODY, NOW_S, Err(Denied::Mismatch));
    check(scheme("8PT597110X687430L"), &pairs, PAYPAL_BODY.trim(), NOW_S, Err(Denied::Mismatch));
    check(scheme("8PT597110X687430L"), &pairs, PAYPAL_BODY, NOW_S + 4 * 86_400 + 1, Err(Denied::Stale { window_s: 345_600 }));
    pairs[4] = ("paypal-auth-algo", "SHA1withRSA");
    check(scheme("8PT597110X687430L"), &pairs, PAYPAL_BODY, NOW_S, Err(Denied::Malformed("paypal-auth-algo".to_owned())));
}
