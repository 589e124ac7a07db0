//! The program itself: a signed request over a real socket at the real time, and what is seen of one that is not.

use hence::clock::{Clock, SystemClock};
use http::StatusCode;
use ring::hmac;

use crate::process::{Engine, Project, Serve, hence};

const SECRET: &str = "whsec_of_the_endpoint";
const WORKFLOW: &str = "
when:
  - webhook: {path: stripe, verify: {scheme: stripe, secret: STRIPE_SECRET}, dedupe: {key: event.body.id, within: 1h}}
steps:
  - stop: event.type
";

fn signed(time_s: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, format!("{time_s}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time_s},v1={hex}")
}

#[tokio::test]
async fn an_operator_sees_which_check_failed_and_nothing_of_what_was_sent() {
    let project = Project::new().file("workflows/pay.yaml", WORKFLOW);
    let served = Serve::new(&project, Engine::Redb).with("HENCE_SECRET_STRIPE_SECRET", SECRET).start().await;
    let api = served.api();
    let body = r#"{"id": "evt_1", "type": "charge.failed", "card": "4242424242424242 é"}"#;
    let now_s = SystemClock.now().0 / 1000;
    let good = signed(now_s, body);
    let answer = api.hook("stripe", &[("stripe-signature", &good)], body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    assert_eq!(api.ended(&answer.runs()[0]).await["output"], "charge.failed");
    assert_eq!(api.hook("stripe", &[("stripe-signature", &good)], body).await.status, StatusCode::OK, "a repeat");

    let forged = body.replace("charge.failed", "charge.succeeded");
    assert_eq!(api.hook("stripe", &[("stripe-signature", &good)], forged.as_str()).await.status, StatusCode::UNAUTHORIZED);
    let old = signed(now_s - 400, body);
    assert_eq!(api.hook("stripe", &[("stripe-signature", &old)], body).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(api.hook("stripe", &[], body).await.status, StatusCode::UNAUTHORIZED);

    let told = api.get("events/refused").await["refused"].clone();
    let details: Vec<&str> = told.as_array().unwrap().iter().map(|refused| refused["detail"].as_str().unwrap()).collect();
    let words = ["is missing", "outside the window", "does not match"];
    assert_eq!(details.len(), 3, "{details:?}");
    assert!(details.iter().zip(words).all(|(detail, words)| detail.contains(words)), "{details:?}");
    served.says("requests were refused").await;
    let all = format!("{told}\n{}", served.log().join("\n"));
    let signature = good.split("v1=").nth(1).unwrap();
    for hidden in [SECRET, signature, "4242424242424242", "evt_1"] {
        assert!(!all.contains(hidden), "{hidden}: {all}");
    }
    assert_eq!(served.stop().await, Some(0));
}

#[tokio::test]
async fn a_check_tells_a_setting_and_a_secret_that_cannot_be_right() {
    let twilio = WORKFLOW.replace("stripe", "twilio").replace("STRIPE", "TWILIO");
    let project = Project::new().file("workflows/pay.yaml", WORKFLOW).file("workflows/sms.yaml", &twilio);
    std::fs::write(project.dir().join("secrets.env"), "STRIPE_SECRET=sk_live_0123456789\nTWILIO_SECRET=x\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(project.dir().join("secrets.env"), mode).unwrap();
    let dir = project.dir();
    let checked = hence(&["check", dir.to_str().unwrap()]).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let said = format!("{}{}", checked.out, checked.err);
    assert!(said.contains("error[bad-secret]") && said.contains("error[missing-setting]"), "{said}");
    assert!(!said.contains("sk_live_0123456789"), "{said}");
    let project = project.file("hence.yaml", "public_url: https://hence.example.com\n");
    std::fs::write(project.dir().join("secrets.env"), "STRIPE_SECRET=whsec_0123456789\nTWILIO_SECRET=x\n").unwrap();
    let checked = hence(&["check", project.dir().to_str().unwrap()]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
}
