//! Schemes that sign the URL: behind a proxy, with a query, with the URL said in the workflow.

use serde_json::{Value, json};

use super::signer::{self, Signed, request};
use super::{output, project, publishing, send};
use crate::support::TestApp;

fn with(scheme: &str, id: usize, body: &str, changes: &[(&str, &str)]) -> Value {
    let mut request = request(scheme, "plain", body, id);
    changes.iter().for_each(|(key, value)| request[*key] = json!(value));
    request
}

fn query(signed: &Signed, query: &str) -> Signed {
    Signed { query: query.to_owned(), ..signed.clone() }
}

#[tokio::test]
async fn twilio_signs_forms_hashed_bodies_and_urls_with_ports() {
    let Some(keys) = signer::keys("twilio_signs_forms_hashed_bodies_and_urls_with_ports") else { return };
    let url = "https://hence.example.com/hooks/twilio?b=2&a=%20x";
    let form = "To=%2B1&Body=hi";
    let signed = signer::sign(&[
        with("twilio", 1, form, &[("url", url)]),
        with("twilio", 2, "{\"a\": \"é\"}", &[("url", url), ("variant", "json")]),
        with("twilio", 3, form, &[("variant", "sha256")]),
        with("twilio", 4, form, &[("variant", "port")]),
        with("twilio", 5, "", &[]),
    ]);
    let project = project(&[("twilio", "{scheme: twilio, secret: TWILIO}")], &[("TWILIO", "plain")]);
    let app = TestApp::start(&project, publishing(keys)).await;
    let check = async |signed: &Signed, expected: u16| {
        let answer = send(&app, "twilio", signed).await;
        assert_eq!(answer.status, expected, "{signed:?}: {answer:?}");
        answer
    };
    let shown = output(&app, &check(&signed[0], 202).await).await;
    assert_eq!((&shown["query"]["a"], &shown["body"]["To"]), (&json!(" x"), &json!("+1")));
    check(&query(&signed[0], "a=%20x&b=2"), 401).await;
    check(&query(&signed[0], ""), 401).await;
    check(&signed[1], 202).await;
    check(&signed[1].with_body("{\"a\": \"e\"}"), 401).await;
    check(&query(&signed[1], &signed[1].query.replace("bodySHA256", "bodySHA")), 401).await;
    check(&signed[2], 202).await;
    check(&signed[2].without("x-twilio-webhooks-signature-settings"), 401).await;
    check(&signed[2].with("x-twilio-webhooks-signature-settings", "algorithm=HMAC_MD5"), 401).await;
    check(&signed[3], 202).await;
    check(&signed[4], 202).await;
    // A body that nobody signed must not come in under a signature of none.
    check(&signed[4].with("content-type", "application/json").with_body("{}"), 401).await;
    check(&signed[4].with_body("a=b"), 401).await;
}

#[tokio::test]
async fn hubspot_signs_method_and_url_with_some_characters_decoded() {
    let Some(keys) = signer::keys("hubspot_signs_method_and_url_with_some_characters_decoded") else { return };
    let signed = signer::sign(&[
        with("hubspot", 1, "[]", &[("url", "https://hence.example.com/hooks/hubspot?email=a@b.test&at=10:30&name=%20")]),
        with("hubspot", 2, "[]", &[("url", "https://hence.example.com/hooks/hubspot?email=a%40b.test")]),
        with("hubspot", 3, "[]", &[("method", "PUT")]),
    ]);
    let project = project(&[("hubspot", "{scheme: hubspot, secret: HUBSPOT}")], &[("HUBSPOT", "plain")]);
    let app = TestApp::start(&project, publishing(keys)).await;
    let check = async |signed: &Signed, expected: u16| {
        let answer = send(&app, "hubspot", signed).await;
        assert_eq!(answer.status, expected, "{signed:?}: {answer:?}");
    };
    check(&query(&signed[0], "email=a%40b.test&at=10%3a30&name=%20"), 202).await;
    check(&query(&signed[0], "email=a%41b.test&at=10%3A30&name=%20"), 401).await;
    check(&query(&signed[1], "email=a%40b.test"), 202).await;
    check(&signed[2], 401).await;
}

#[tokio::test]
async fn the_url_of_the_workflow_goes_before_the_servers() {
    let Some(keys) = signer::keys("the_url_of_the_workflow_goes_before_the_servers") else { return };
    let url = "https://shop.example.com/from/square";
    let signed = signer::sign(&[with("square", 1, "{}", &[("url", url)]), with("square", 2, "{}", &[("url", &format!("{url}?a=1"))])]);
    let verify = format!("{{scheme: square, secret: SQUARE, url: '{url}'}}");
    let project = project(&[("square", &verify), ("public", "{scheme: square, secret: SQUARE}")], &[("SQUARE", "plain")]);
    let app = TestApp::start(&project, publishing(keys)).await;
    assert_eq!(send(&app, "square", &signed[0]).await.status, 202);
    let other = send(&app, "public", &signed[0]).await;
    assert_eq!(other.status, 401);
    assert!(other.body["detail"].as_str().unwrap().contains("public_url"), "{other:?}");
    assert_eq!(send(&app, "square", &query(&signed[1], "a=1")).await.status, 202);
    assert_eq!(send(&app, "square", &query(&signed[1], "a=2")).await.status, 401);
}
