use std::time::Duration;

use super::super::cases::with_context;
use super::super::catalog::{Catalog, Loaded};
use crate::domain::schedule::{CatchUp, Rule};
use crate::domain::workflow::{
    HmacAlgorithm, OnError, Scheme, SecretName, SignatureEncoding, Signed, SignedPart, Step, StepKind, Trigger, Verify,
};

fn load(text: &str) -> Loaded {
    let files = [("workflows/lead.yaml".to_owned(), text.to_owned())];
    with_context(|context| Catalog::rebuild(&files, context)).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn addresses(loaded: &Loaded) -> Vec<String> {
    let mut found = Vec::new();
    loaded.workflow.for_each_step(|step| found.push(step.address.to_string()));
    found
}

fn calls(loaded: &Loaded) -> Vec<&crate::domain::workflow::Call> {
    let mut found = Vec::new();
    loaded.workflow.for_each_step(|step| {
        if let StepKind::Call(call) = &step.kind {
            found.push(call);
        }
    });
    found
}

#[test]
fn a_whole_workflow_compiles() {
    let loaded = load(
        r#"
description: Web form lead to CRM.
when:
  - webhook:
      path: /leads/{shop}
      verify: {scheme: github, secret: HOOK_SECRET}
      methods: [POST, PUT, POST]
      dedupe: {key: 'event.headers["x-id"]', within: 24h}
      limits: {body: 64KiB}
  - schedule: {cron: "0 9 * * MON-FRI", timezone: Europe/Berlin, catch_up: all}
  - manual:
if: event.body.email != ""
timeout: 2h
steps:
  - id: contact
    name: Into the CRM
    call: hubspot.upsert_contact
    using: crm
    with: {email: "${event.body.email}", score: 1.10, tags: [a, true, ~]}
    timeout: 10s
    on_error:
      - fail: "no contact: ${error.message}"
  - if: event.body.amount >= 80
    then:
      - call: http.post
      - {id: note, script: "1 + 1", if: true}
    else:
      - stop: steps.contact
  - set: {total: event.body.amount * 2, n: 1}
    on_error: continue
  - stop:
on_error:
  - call: http.post
"#,
    );
    let workflow = &loaded.workflow;
    assert_eq!((&*workflow.name, workflow.timeout), ("lead", Some(Duration::from_secs(7_200))));
    let expected = ["contact", "contact/on_error/0", "1", "1/then/0", "1/then/note", "1/else/0", "2", "3", "on_error/0"];
    assert_eq!(addresses(&loaded), expected);
    let Trigger::Webhook(hook) = &workflow.triggers[0] else { panic!() };
    assert_eq!((&*hook.path, hook.methods.len(), hook.body_limit_bytes), ("leads/{shop}", 2, Some(65_536)));
    assert_eq!(hook.dedupe.as_ref().map(|dedupe| dedupe.within), Some(Duration::from_secs(86_400)));
    let Trigger::Schedule(schedule) = &workflow.triggers[1] else { panic!() };
    assert_eq!((&*schedule.name, schedule.schedule.catch_up), ("lead/1", CatchUp::All));
    let contact = calls(&loaded)[0];
    assert_eq!((contact.using.as_deref(), contact.timeout, contact.retry.attempts), (Some("crm"), Duration::from_secs(10), 5));
    assert!(matches!(&workflow.steps[2], Step { on_error: OnError::Continue, kind: StepKind::Set(entries), .. } if entries.len() == 2));
    assert!(matches!(&workflow.steps[1], Step { condition: None, kind: StepKind::If { .. }, .. }));
    assert_eq!(loaded.secrets.iter().map(|secret| &*secret.0).collect::<Vec<_>>(), ["HOOK_SECRET"]);
    assert_eq!(loaded.problems, []);
}

#[test]
fn retries_come_from_the_step_then_the_workflow_then_the_default() {
    let check = |head: &str, step: &str, attempts: u32, first_s: u64| {
        let loaded = load(&format!("when: [manual]\n{head}\nsteps:\n  - {{call: http.get{step}}}\n"));
        let retry = &calls(&loaded)[0].retry;
        assert_eq!((retry.attempts, retry.first.as_secs()), (attempts, first_s), "{head} {step}");
    };
    check("", "", 5, 1);
    check("retry: {attempts: 9}", "", 9, 1);
    check("retry: patient", "", 20, 60);
    check("retry: patient", ", retry: {first: 2s}", 5, 2);
    check("", ", retry: patient", 20, 60);
    check("retry: patient", ", at_most_once: true", 1, 1);
    check("", ", at_most_once: true, retry: {attempts: 1}", 1, 1);
}

#[test]
fn a_first_wait_longer_than_the_default_maximum_raises_it() {
    let loaded = load("when: [manual]\nsteps: [{call: http.get, retry: {first: 1h}}]");
    assert_eq!(calls(&loaded)[0].retry.max, Duration::from_secs(3_600));
}

#[test]
fn every_kind_of_verify_is_read() {
    let verify = |text: &str| {
        let loaded = load(&format!("when:\n  - webhook: {{path: a, verify: {text}}}\nsteps: []\n"));
        loaded.webhook(0).unwrap().verify.clone()
    };
    let secret = |name: &str| SecretName(name.into());
    assert_eq!(verify("none"), Verify::None);
    assert_eq!(verify("{bearer: HOOK_SECRET}"), Verify::Bearer { secrets: vec![secret("HOOK_SECRET")] });
    let both = vec![secret("NEW_SECRET"), secret("HOOK_SECRET")];
    assert_eq!(verify("{bearer: {secrets: [NEW_SECRET, HOOK_SECRET]}}"), Verify::Bearer { secrets: both.clone() });
    assert_eq!(
        verify("{scheme: github, secrets: [NEW_SECRET, HOOK_SECRET]}"),
        Verify::Signed(Signed { scheme: Scheme::Github, secrets: both })
    );
    let header = verify("{header: {name: X-Token, secret: HOOK_SECRET}}");
    assert_eq!(header, Verify::Header { name: "x-token".into(), secrets: vec![secret("HOOK_SECRET")] });
    let Verify::Hmac(short) = verify("{hmac: {header: X-Sig, secret: HOOK_SECRET}}") else { panic!() };
    assert_eq!((short.algorithm, short.encoding, short.signs), (HmacAlgorithm::Sha256, SignatureEncoding::Hex, vec![SignedPart::Body]));
    let long = "{hmac: {algorithm: sha512, header: X-Sig, encoding: base64, prefix: v1=, signs: \"v1:${timestamp}.${body}\", \
timestamp_header: X-Time, tolerance: 1m, secret: HOOK_SECRET}}";
    let Verify::Hmac(long) = verify(long) else { panic!() };
    let parts = vec![SignedPart::Text("v1:".into()), SignedPart::Timestamp, SignedPart::Text(".".into()), SignedPart::Body];
    assert_eq!((long.signs, &*long.prefix, long.tolerance), (parts, "v1=", Duration::from_secs(60)));
    assert_eq!(long.timestamp_header.as_deref(), Some("x-time"));
}

#[test]
fn a_time_is_an_instant_or_a_local_time() {
    let check = |fields: &str, expected: &str| {
        let loaded = load(&format!("when:\n  - schedule: {{{fields}}}\nsteps: []\n"));
        let Rule::At(time) = loaded.schedule(0).unwrap().schedule.rule else { panic!() };
        assert_eq!(time.to_string(), expected, "{fields}");
    };
    check("at: 2026-03-01T09:00:00Z", "2026-03-01T09:00:00.000Z");
    check("at: 2026-03-01T09:00:00+02:00", "2026-03-01T07:00:00.000Z");
    check("at: 2026-03-01T09:00:00", "2026-03-01T09:00:00.000Z");
    check("at: 2026-03-01T09:00:00, timezone: Europe/Berlin", "2026-03-01T08:00:00.000Z");
}

#[test]
fn a_warning_stays_with_the_workflow() {
    let loaded = load("when:\n  - webhook: {path: a, verify: {bearer: OTHER_SECRET}}\nsteps: []\n");
    assert_eq!(loaded.problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["missing-secret"]);
}
