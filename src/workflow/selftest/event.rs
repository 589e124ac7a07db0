//! The event of a case: what is not written is as the workflow's trigger would have it.

use bytes::Bytes;

use super::file::EventFile;
use super::fixture::says_json;
use crate::domain::event::{Event, EventHead, Source};
use crate::domain::id::{EventId, Parts};
use crate::domain::run::Status;
use crate::domain::time::Timestamp;
use crate::domain::workflow::Trigger;
use crate::domain::{Map, Value, xml};
use crate::script::{CLOUD_EVENT, media_type};
use crate::workflow::catalog::Loaded;
use crate::workflow::compile::path::fits;
use crate::workflow::event_type::event_type;
use crate::workflow::filled;
use crate::workflow::inside::RUN_ENDED;

const JSON: &str = "application/json";
/// The type of an event that came through a form.
const FORM: &str = "form";

/// The trigger that an event comes through: the one that names its type, the webhook that takes its path, else the first.
fn trigger<'w>(loaded: &'w Loaded, kind: &str, path: Option<&str>) -> Option<&'w Trigger> {
    let triggers = &loaded.workflow.triggers;
    let takes = |trigger: &&Trigger| path.is_some_and(|path| is_hook(trigger, path));
    triggers.iter().find(|trigger| names(trigger, kind)).or_else(|| triggers.iter().find(takes)).or(triggers.first())
}

fn is_hook(trigger: &Trigger, path: &str) -> bool {
    match trigger {
        Trigger::Webhook(hook) => fits(&hook.path, path) || *hook.path == *path,
        Trigger::Form(form) => fits(&form.path, path) || *form.path == *path,
        Trigger::Schedule(_) | Trigger::Event(_) | Trigger::Run(_) | Trigger::Manual => false,
    }
}

fn names(trigger: &Trigger, kind: &str) -> bool {
    match trigger {
        Trigger::Event(event) => *event.kind == *kind,
        Trigger::Run(_) => kind == RUN_ENDED,
        Trigger::Form(_) => kind == FORM,
        Trigger::Webhook(_) | Trigger::Schedule(_) | Trigger::Manual => false,
    }
}

/// The triggers that an event concerns; nothing in place of one where the workflow has none.
pub(super) fn concerned<'w>(loaded: &'w Loaded, event: &Event) -> Vec<Option<&'w Trigger>> {
    let named: Vec<&Trigger> = loaded.workflow.triggers.iter().filter(|trigger| names(trigger, &event.head.kind)).collect();
    if named.is_empty() {
        let hook =
            loaded.workflow.triggers.iter().find(|trigger| event.head.source == Source::Webhook && is_hook(trigger, &event.head.path));
        return vec![hook.or(loaded.workflow.triggers.first())];
    }
    let body: Value = serde_json::from_slice(&event.body).unwrap_or_default();
    named.into_iter().filter(|trigger| !is_other_end(trigger, &body)).map(Some).collect()
}

/// Whether a `run` trigger waits for another end than this one: of another workflow, or another outcome.
fn is_other_end(trigger: &Trigger, body: &Value) -> bool {
    let Trigger::Run(trigger) = trigger else { return false };
    let workflow = body.get("workflow").and_then(Value::as_str);
    let status = body.get("status").and_then(|status| serde_json::from_value::<Status>(status.clone()).ok());
    workflow.is_some_and(|workflow| *workflow != *trigger.workflow) || status.is_some_and(|status| !trigger.outcomes.contains(&status))
}

/// Makes the event.
#[must_use]
pub fn event(file: &EventFile, loaded: &Loaded, now: Timestamp) -> Event {
    let default = if file.form.is_some() { FORM } else { "" };
    let trigger = trigger(loaded, file.kind.as_deref().unwrap_or(default), file.path.as_deref());
    let header = |name: &str| file.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let content_type = header("content-type").unwrap_or_else(|| JSON.to_owned());
    let (source, mut kind, mut path, mut method) = match trigger {
        Some(Trigger::Webhook(hook)) => {
            let sent = file.body.clone().map(|body| bytes_of(body, &content_type)).unwrap_or_default();
            let named = |name: &str| file.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
            let said = event_type(&hook.verify, named, &sent).unwrap_or_else(|| "webhook".to_owned());
            (Source::Webhook, said, hook.path.to_string(), "POST".to_owned())
        }
        Some(Trigger::Form(form)) => (Source::Form, FORM.to_owned(), form.path.to_string(), "POST".to_owned()),
        Some(Trigger::Schedule(schedule)) => (Source::Schedule, "schedule".to_owned(), schedule.name.to_string(), String::new()),
        Some(Trigger::Event(event)) => (Source::Workflow, event.kind.to_string(), String::new(), String::new()),
        Some(Trigger::Run(_)) => (Source::Run, RUN_ENDED.to_owned(), String::new(), String::new()),
        Some(Trigger::Manual) | None => (Source::Manual, "manual".to_owned(), String::new(), String::new()),
    };
    file.kind.iter().for_each(|given| given.as_ref().clone_into(&mut kind));
    file.method.iter().for_each(|given| method = given.to_uppercase());
    let mut params = Vec::new();
    if let Some(given) = &file.path {
        match trigger {
            Some(Trigger::Webhook(hook)) => params = path_params(&hook.path, given),
            Some(Trigger::Form(form)) => params = path_params(&form.path, given),
            Some(Trigger::Schedule(_) | Trigger::Event(_) | Trigger::Run(_) | Trigger::Manual) | None => {}
        }
        given.as_ref().clone_into(&mut path);
    }
    let body = file.body.clone().or_else(|| match trigger {
        Some(Trigger::Schedule(schedule)) => Some(serde_json::json!({"schedule": schedule.name, "due": now.to_string(), "missed": false})),
        Some(Trigger::Run(trigger)) => {
            let status = trigger.outcomes.first().copied().unwrap_or(Status::Succeeded);
            Some(serde_json::json!({"workflow": trigger.workflow, "status": status}))
        }
        Some(Trigger::Form(form)) => filled::check(form, file.form.as_ref()?, &file.files).ok().map(Value::Object),
        Some(Trigger::Webhook(_) | Trigger::Event(_) | Trigger::Manual) | None => None,
    });
    let cloudevent = cloudevent(file, &content_type);
    if let (None, Some(said)) = (&file.kind, cloudevent.get("type").and_then(Value::as_str)) {
        said.clone_into(&mut kind);
    }
    let id = EventId::new(Parts { time_ms: u64::try_from(now.0).unwrap_or(0), counter: 0, chance: 0, shard: 0 });
    let head = EventHead {
        method,
        path,
        params,
        query: file.query.clone(),
        headers: file.headers.clone(),
        content_type: content_type.clone(),
        cloudevent,
        files: file.files.clone(),
        ..EventHead::new(id, source, kind, now)
    };
    let bytes = file.bytes.clone().map(Bytes::from);
    Event::new(head, bytes.or_else(|| body.map(|body| bytes_of(body, &content_type))).unwrap_or_default())
}

/// The attributes of a CloudEvent: those of the case, of the JSON around the data, or of the headers.
fn cloudevent(file: &EventFile, content_type: &str) -> Map {
    if let Some(given) = &file.cloudevent {
        let kind = file.kind.as_deref().unwrap_or("test");
        let mut all: Map = [("specversion", "1.0"), ("id", "1"), ("source", "/test"), ("type", kind)]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        all.extend(given.clone());
        return all;
    }
    if media_type(content_type) == CLOUD_EVENT {
        let around = file.body.as_ref().and_then(Value::as_object).into_iter().flatten();
        let own = around.filter(|(name, value)| !value.is_null() && !matches!(&***name, "data" | "data_base64"));
        return own.map(|(name, value)| (name.clone(), value.clone())).collect();
    }
    if !file.headers.iter().any(|(name, _)| name == "ce-specversion") {
        return Map::new();
    }
    let attributes = file.headers.iter().filter_map(|(name, value)| Some((name.strip_prefix("ce-")?.to_owned(), value.as_str().into())));
    attributes.collect()
}

/// Why the workflow's form would not take what a case fills in.
pub(super) fn refused(file: &EventFile, loaded: &Loaded) -> Option<String> {
    let pairs = file.form.as_ref()?;
    let Some(Trigger::Form(form)) = trigger(loaded, file.kind.as_deref().unwrap_or(FORM), file.path.as_deref()) else {
        return Some("`event.form` is for a workflow with a `form` trigger; write `body`".to_owned());
    };
    let wrong = filled::check(form, pairs, &file.files).err()?;
    let said: Vec<String> = wrong.into_iter().map(|wrong| format!("{}: {}", wrong.field, wrong.message)).collect();
    Some(format!("the form would not take this: {}", said.join(" ")))
}

/// Text is sent as it is unless the content type says JSON; a map is written as XML where that says so.
fn bytes_of(body: Value, content_type: &str) -> Bytes {
    let says_xml = || media_type(content_type).ends_with("xml");
    match body {
        Value::String(text) if !says_json(content_type) => text.into(),
        body @ Value::Object(_) if says_xml() => xml::write(&body).unwrap_or_else(|_no_form| body.to_string()).into(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            other.to_string().into()
        }
    }
}

/// What `{name}` in a hook's path stands for.
fn path_params(pattern: &str, path: &str) -> Vec<(String, String)> {
    let named = pattern.split('/').zip(path.split('/'));
    named
        .filter_map(|(segment, value)| {
            let name = segment.strip_prefix('{')?.strip_suffix('}')?;
            Some((name.to_owned(), value.to_owned()))
        })
        .collect()
}
