//! What the API shows, apart from what is stored: the stored form may change, this may not.

use crate::domain::event::{Event, EventHead, MatchResult};
use crate::domain::file::EventFile;
use crate::domain::journal::{Address, Entry, Fact, Outcome};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Reply, Trigger};
use crate::domain::{Map, Value};
use crate::intake::replay::Replayed;
use crate::store::{ReplayOf, RunHead};
use crate::workflow::catalog::Loaded;
use serde_json::json;

/// A body up to this size is shown.
const BODY_SHOWN_BYTES: usize = 64 * 1024;

pub(super) fn workflow(loaded: &Loaded, now: Timestamp) -> Value {
    let workflow = &loaded.workflow;
    let triggers: Vec<_> = workflow.triggers.iter().map(|trigger| self::trigger(trigger, now)).collect();
    json!({
        "name": workflow.name,
        "description": workflow.description,
        "file": loaded.files.first().map(|(path, _)| path),
        "revision": workflow.revision,
        "triggers": triggers,
    })
}

pub(super) fn trigger(trigger: &Trigger, now: Timestamp) -> Value {
    match trigger {
        Trigger::Webhook(hook) => {
            let (path, respond) = (format!("/hooks/{}", hook.path), reply(hook.respond.as_ref()));
            json!({"kind": "webhook", "path": path, "methods": hook.methods, "verify": hook.verify.word(), "respond": respond})
        }
        Trigger::Form(form) => json!({"kind": "form", "path": format!("/forms/{}", form.path), "served": form.fields.is_some()}),
        Trigger::Schedule(schedule) => {
            let next = schedule.schedule.rule.next_after(now).map(|time| time.to_string());
            json!({"kind": "schedule", "rule": schedule.schedule.rule.to_string(), "next": next})
        }
        Trigger::Event(event) => json!({"kind": "event", "type": event.kind}),
        Trigger::Run(run) => json!({"kind": "run", "workflow": run.workflow, "outcomes": run.outcomes}),
        Trigger::Manual => json!({"kind": "manual"}),
    }
}

fn reply(respond: Option<&Reply>) -> String {
    match respond {
        None => "receipt".to_owned(),
        Some(Reply::Wait(within)) => format!("wait {within:?}"),
        Some(Reply::Fixed(_)) => "fixed".to_owned(),
    }
}

pub(super) fn event(head: &EventHead) -> Value {
    let matches: Vec<_> = head
        .matches
        .iter()
        .map(|m| match &m.result {
            MatchResult::Run(run) => json!({"workflow": m.workflow, "run": run}),
            MatchResult::NotMatched(why) => json!({"workflow": m.workflow, "not_matched": why}),
        })
        .collect();
    let mut shown = json!({
        "id": head.id,
        "source": head.source,
        "type": head.kind,
        "path": head.path,
        "received": head.received.to_string(),
        "matches": matches,
    });
    if let (Value::Object(map), false) = (&mut shown, head.cloudevent.is_empty()) {
        map.insert("cloudevent".into(), Value::Object(head.cloudevent.clone()));
    }
    shown
}

pub(super) fn event_with_body(event: &Event) -> Value {
    let mut shown = self::event(&event.head);
    if let Value::Object(map) = &mut shown {
        map.insert("method".into(), json!(event.head.method));
        map.insert("headers".into(), json!(event.head.headers.iter().cloned().collect::<std::collections::BTreeMap<_, _>>()));
        map.insert("query".into(), json!(event.head.query));
        map.insert("params".into(), json!(event.head.params.iter().cloned().collect::<std::collections::BTreeMap<_, _>>()));
        map.insert("content_type".into(), json!(event.head.content_type));
        if !event.head.files.is_empty() {
            map.insert("files".into(), event.head.files.iter().map(|file| self::file(&event.head, file)).collect());
        }
        map.insert("body_bytes".into(), json!(event.body.len()));
        if event.body.len() <= BODY_SHOWN_BYTES {
            let body =
                serde_json::from_slice(&event.body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&event.body).into_owned()));
            map.insert("body".into(), body);
        }
    }
    shown
}

/// A file of an event, and where it can be had.
fn file(head: &EventHead, file: &EventFile) -> Value {
    let EventFile { number, field, name, kind, size, sha256 } = file;
    let url = format!("/api/events/{}/files/{number}", head.id);
    json!({"id": file.id(head.id).to_string(), "field": field, "name": name, "type": kind, "size": size, "sha256": sha256, "url": url})
}

pub(super) fn run(head: &RunHead, now: Timestamp) -> Value {
    let mut shown = json!({
        "id": head.id,
        "workflow": head.workflow,
        "revision": head.revision,
        "event": head.event,
        "status": head.status,
        "accepted": head.accepted.to_string(),
        "updated": head.updated.to_string(),
    });
    if let Value::Object(map) = &mut shown {
        if let Some(parent) = head.parent {
            map.insert("parent".into(), json!(parent));
        }
        if let Some(wake) = head.wake {
            map.insert("wake".into(), json!(wake.to_string()));
        }
        if let Some(error) = &head.error {
            map.insert("error".into(), json!(error));
        }
        if 1 < head.events {
            map.insert("events".into(), json!(head.events));
        }
        map.extend(super::queued::waits(head, now).map(|waits| ("waits".to_owned(), waits)));
        if let Some(of) = &head.replay_of {
            replay_of(map, of);
        }
    }
    shown
}

fn replay_of(map: &mut Map, of: &ReplayOf) {
    map.insert("replay_of".into(), json!(of.run));
    if let Some(from) = &of.from {
        map.insert("replay_from".into(), json!(from));
    }
}

pub(super) fn replayed(replayed: &Replayed) -> Value {
    let Replayed { run, workflow, revision, event, of } = replayed;
    let mut shown = json!({"run": run, "workflow": workflow, "revision": revision, "event": event});
    if let Value::Object(map) = &mut shown {
        replay_of(map, of);
    }
    shown
}

/// Adds to steps that wait for a person where that person answers.
pub(super) fn add_links(run: &mut Value, questions: &[(Address, String)]) {
    for step in run.get_mut("steps").and_then(Value::as_array_mut).into_iter().flatten() {
        let link = questions.iter().find(|(address, _)| step.get("step").and_then(Value::as_str) == Some(address.as_str()));
        if let (Some((_, link)), Value::Object(step)) = (link, step) {
            step.insert("link".to_owned(), json!(link));
        }
    }
}

pub(super) fn run_with_steps(head: &RunHead, entries: &[Entry], now: Timestamp) -> Value {
    let mut shown = run(head, now);
    let output = entries.iter().rev().find_map(|entry| match &entry.fact {
        Fact::RunFinished { outcome: Outcome::Succeeded { output } } => Some(&**output),
        _ => None,
    });
    let child = |entry: &Entry| match &entry.fact {
        Fact::ChildStarted { step, run, workflow } => Some(json!({"run": run, "workflow": workflow, "step": step})),
        _ => None,
    };
    let children: Vec<Value> = entries.iter().filter_map(child).collect();
    let skipped = entries.iter().find_map(|entry| match &entry.fact {
        Fact::RunSkipped { reason } => Some(reason),
        _ => None,
    });
    if let Value::Object(map) = &mut shown {
        if !children.is_empty() {
            map.insert("children".into(), Value::Array(children));
        }
        map.extend(skipped.map(|reason| ("skipped".to_owned(), json!(reason))));
        let reused = head.replay_of.as_ref().map_or(0, |of| of.facts);
        let reused = usize::try_from(reused).unwrap_or(usize::MAX);
        map.insert("steps".into(), Value::Array(super::steps::steps(entries, reused)));
        map.insert("output".into(), output.cloned().unwrap_or_default());
    }
    shown
}
