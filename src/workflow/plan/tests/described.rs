//! The words of a plan, and what is kept out of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::super::{Inventory, WorkflowOutline, alike, compare};
use super::{hook, project, served};
use crate::domain::secret::{Secret, Secrets};

#[test]
fn what_is_masked_may_be_the_same() {
    assert!(alike("a == \"***\" && b", "a == \"hunter22\" && b"));
    assert!(alike("***", "anything"));
    assert!(!alike("a == \"***\" && b", "a == \"hunter22\" && c"));
    assert!(!alike("aa***aa", "aaa"));
    assert!(!alike("a", "b"));

    let text = "when: [manual]\nif: event.body.token == \"hunter22\"\nsteps: []\n";
    let mut before = served(project(&[("a", text)]));
    before.project.mask(&Secrets::new(BTreeMap::from([("X".to_owned(), Secret::new("hunter22"))])));
    assert_eq!(before.project.workflows[0].settings["if"], "event.body.token == \"***\"");
    assert!(compare(&before, &project(&[("a", text)]), &BTreeSet::new()).is_empty());
}

#[test]
fn an_inventory_of_another_version_is_read() {
    let text = r#"{"version": "9", "time": "2026-11-01T00:00:00Z", "news": 1, "secrets": [], "runs": {"counts": [], "complete": true},
        "project": {"workflows": [{"name": "a", "file": "f", "revision": "r", "triggers": [{"kind": "pigeon", "loft": 3}], "steps": []}]}}"#;
    let inventory: Inventory = serde_json::from_str(text).unwrap();
    assert_eq!(inventory.project.workflows[0].triggers[0].kind, "pigeon");
    let own = served(project(&[("a", &hook("a", "path: p, verify: none").1)]));
    assert_eq!(serde_json::from_value::<Inventory>(serde_json::to_value(&own).unwrap()).unwrap(), own);
}

const EVERYTHING: &str = r#"
description: All there is
when:
  - webhook:
      path: o/{id}
      methods: [POST, PUT]
      verify: {hmac: {header: X-Sig, prefix: v1=, signs: "${timestamp}.${body}", timestamp_header: X-Time, secrets: [HOOK_SECRET, NEW_SECRET]}}
      dedupe: {key: event.body.id, within: 24h}
  - schedule: {every: 15m}
if: event.body.a > 1
timeout: 2h
steps:
  - {id: c, name: Tell, call: hubspot.upsert_contact, using: crm, with: {a: "x ${event.id}", b: [1]}, retry: {attempts: 3}, at_most_once: false, idempotency_key: event.id, on_error: continue}
  - {id: once, call: http.post, at_most_once: true}
  - {script: "let a = 1;\na"}
  - set: {total: event.body.a * 2}
  - switch: event.body.kind
    cases: {x: [{stop: 1}], "y z": []}
    default: [{fail: "no ${event.id}"}]
  - foreach: event.body.list
    as: line
    parallel: 3
    steps: [{wait: 90s}]
  - repeat: {until: steps.c.done, every: 30s, at_most: 20}
    steps: [{wait: {until: event.body.at}}]
  - parallel: {one: [], two: []}
    any: true
"#;

#[test]
fn every_part_of_a_workflow_is_in_its_outline() {
    let project = project(&[("all", EVERYTHING)]);
    let WorkflowOutline { name, file, revision: _, scripts, triggers, settings, steps, secrets } = &project.workflows[0];
    let lines = [json!(triggers), json!(steps)].into_iter().flat_map(|list| list.as_array().cloned().unwrap());
    let lines = [json!([name, file, scripts, settings, secrets])].into_iter().chain(lines).map(|line| line.to_string());
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r###"
    ["all","workflows/all.yaml",{},{"description":"All there is","if":"event.body.a > 1","timeout":"2h"},["HOOK_SECRET","NEW_SECRET"]]
    {"kind":"webhook","route":{"methods":["POST","PUT"],"path":"/hooks/o/{id}","secrets":["HOOK_SECRET","NEW_SECRET"],"verify":"hmac sha256 hex in x-sig after `v1=` of `${timestamp}.${body}`, x-time within 5m"},"settings":{"dedupe":"event.body.id within 1d"}}
    {"kind":"schedule","schedule":{"next":["2026-11-01T00:15:00+00:00","2026-11-01T00:30:00+00:00","2026-11-01T00:45:00+00:00"],"rule":"every 15m"},"settings":{"catch_up":"last"}}
    {"address":"c","call":"hubspot.upsert_contact","kind":"call","settings":{"idempotency_key":"event.id","name":"Tell","on_error":"continue","retry":"3 attempts, 1s × 2 up to 5m","timeout":"30s","with":"sha256:d7047f60079dd262"},"using":"crm"}
    {"address":"once","call":"http.post","kind":"call","settings":{"at_most_once":"true","retry":"1 attempt","timeout":"30s","with":"sha256:44136fa355b3678a"}}
    {"address":"2","kind":"script","settings":{"script":"sha256:972556609fd602d9"}}
    {"address":"3","kind":"set","settings":{"set.total":"event.body.a * 2"}}
    {"address":"4","kind":"switch","settings":{"cases":"x, y z","switch":"event.body.kind"}}
    {"address":"4/case-x/0","kind":"stop","settings":{"stop":"1"}}
    {"address":"4/default/0","kind":"fail","settings":{"fail":"no ${event.id}"}}
    {"address":"5","kind":"foreach","settings":{"as":"line","foreach":"event.body.list","parallel":"3"}}
    {"address":"5/0","kind":"wait","settings":{"wait":"1m30s"}}
    {"address":"6","kind":"repeat","settings":{"at_most":"20","every":"30s","until":"steps.c.done"}}
    {"address":"6/0","kind":"wait","settings":{"until":"event.body.at"}}
    {"address":"7","kind":"parallel","settings":{"any":"true","branches":"one, two"}}
    "###);
}
