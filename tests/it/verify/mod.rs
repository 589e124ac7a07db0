//! Senders are known: what the services' own libraries sign is taken, and nothing else is.

mod binary;
mod certificates;
mod handshakes;
mod mailgun;
mod schemes;
mod signer;
mod urls;

use std::sync::Arc;

use hence::domain::failure::{Failure, FailureKind};
use serde_json::{Value, json};

use crate::support::app::{Answer, BEGIN};
use crate::support::{Project, Recorder, TestApp};
use signer::{Keys, Signed};

/// When every test begins.
pub(crate) const NOW_S: i64 = BEGIN.0 / 1000;
pub(crate) const PUBLIC_URL: &str = "https://hence.example.com";
pub(crate) const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:orders";
pub(crate) const SNS_CERTIFICATE: &str = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem";
pub(crate) const PAYPAL_CERTIFICATE: &str = "https://api.paypal.com/v1/notifications/certs/CERT-1";

/// A project with these hooks, each at its name, and these secrets.
pub(crate) fn project(hooks: &[(&str, &str)], secrets: &[(&str, &str)]) -> Project {
    let project = Project::new(&[]);
    project.write("hence.yaml", &format!("public_url: {PUBLIC_URL}\n"));
    let lines: String = secrets.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    project.write("secrets.env", &lines);
    for (path, verify) in hooks {
        let text = format!(
            "when:\n  - webhook: {{path: {path}, verify: {verify}}}\nsteps:\n  - stop: '#{{type: event.type, body: event.body, query: event.query}}'\n"
        );
        project.write(&format!("workflows/{path}.yaml"), &text);
    }
    project
}

/// Stands for the outside: the certificates are where the services keep them, and there is nothing else.
pub(crate) fn publishing(keys: &Keys) -> Arc<Recorder> {
    let certificate = keys.rsa[0].public.clone();
    Recorder::answering(move |request, _| match request.with["url"].as_str() {
        Some(SNS_CERTIFICATE | PAYPAL_CERTIFICATE) => Ok(json!({"status": 200, "headers": {}, "body": certificate})),
        Some(url) if url.contains("Action=ConfirmSubscription") => Ok(json!({"status": 200, "headers": {}, "body": "<ok/>"})),
        _ => Err(Failure::new(FailureKind::Status, "answered 404")),
    })
}

pub(crate) async fn send(app: &TestApp, path: &str, signed: &Signed) -> Answer {
    let query = if signed.query.is_empty() { String::new() } else { format!("?{}", signed.query) };
    let mut request = app.http.post(format!("{}/hooks/{path}{query}", app.url));
    if !signed.headers.contains_key("content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    app.send(request.body(signed.body.clone())).await
}

/// What the hook's workflow made of it.
pub(crate) async fn output(app: &TestApp, answer: &Answer) -> Value {
    assert_eq!(answer.status, 202, "{answer:?}");
    let run = answer.runs()[0];
    app.ended(run).await;
    app.get(&format!("/runs/{run}")).await.body["output"].clone()
}

pub(crate) async fn events(app: &TestApp) -> usize {
    app.get("/events?limit=1000").await.body["events"].as_array().unwrap().len()
}
