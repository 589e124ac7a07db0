//! `hence run --dry`: what a run would send, say and start, and nothing sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::project::{self, Examined};
use crate::connector::http::prepare;
use crate::connector::{Registry, Request};
use crate::domain::failure::Failure;
use crate::domain::journal::Outcome;
use crate::domain::secret::{MASK, Secret, Secrets};
use crate::domain::time::Timestamp;
use crate::domain::{Map, Value};
use crate::workflow::problem::Problem;
use crate::workflow::selftest::{self, Act, Comes, Deed, Ended, EventFile, MadeCall, Mocks, Scene};

/// What a run would do.
#[derive(Debug)]
pub struct Dry {
    /// What it would do, in order: requests (step, call, method, url, headers, body), events that it emits, runs that it
    /// starts, questions to people, waits for events, the answer to the caller. Secrets are masked.
    pub acts: Vec<Value>,
    /// Whether the event starts a run at all.
    pub matched: bool,
    /// Why the run would fail, if every call were answered with an empty 200.
    pub trouble: Option<String>,
    /// Whether it would go on only once an event comes.
    pub waits: bool,
}

/// Runs a workflow for an event with this body, every call answered with an empty 200, every question with yes. What it
/// starts runs too. Nothing is sent.
///
/// # Errors
/// When there is no such workflow: why, and what is wrong with the project's files.
pub fn dry(dir: &Path, workflow: &str, body: Value, now: Timestamp) -> Result<Dry, (String, Vec<Problem>)> {
    let Examined { config, registry, catalog, problems, .. } = project::examine(dir);
    let Some(loaded) = catalog.get(workflow) else {
        let names: Vec<&str> = catalog.workflows().map(|loaded| &*loaded.workflow.name).collect();
        let there = if names.is_empty() { "there are none".to_owned() } else { format!("there are: {}", names.join(", ")) };
        let errors = problems.into_iter().filter(Problem::is_error).collect();
        return Err((format!("there is no good workflow `{workflow}`; {there}"), errors));
    };
    // The mask takes the place of a secret before the request is made, so that no encoding of it gets out.
    let names = selftest::with_children(&catalog, loaded).into_iter().flat_map(selftest::secret_names);
    let masks = Secrets::new(names.map(|name| (name, Secret::new(MASK))).collect());
    let event = EventFile { body: Some(body), ..EventFile::default() };
    let events = [Arc::new(selftest::event(&event, loaded, now))];
    let none = BTreeMap::new();
    let mut mocks = Mocks::new(&none).or(json!({"status": 200, "headers": {}, "body": {}}));
    let comes = Comes { all_approved: true, ..Comes::default() };
    let trace = selftest::drive(Scene { catalog: &catalog, loaded, events: &events, secrets: &masks, comes: &comes }, &mut mocks);
    let own = &loaded.workflow.name;
    let acts = trace.acts.iter().map(|act| shown(act, own, &registry, &config.secrets)).collect();
    let matched = trace.ended != Some(Ended::NotMatched);
    let waits = !trace.waits.is_empty();
    let trouble = trace.trouble.filter(|_| !waits).or(match trace.ended {
        Some(Ended::Run(Outcome::Failed { step, error })) => {
            let at = step.map(|step| format!(" at {step}")).unwrap_or_default();
            Some(format!("with empty answers the run would fail{at}: {error}"))
        }
        Some(Ended::Refused(why)) => Some(format!("a server would not take the event in: {why}")),
        Some(Ended::NotMatched | Ended::Run(Outcome::Succeeded { .. } | Outcome::Canceled)) | None => None,
    });
    Ok(Dry { acts, matched, trouble, waits })
}

/// What a run does, as data. What another workflow does names it.
fn shown(act: &Act, own: &str, registry: &Registry, secrets: &Secrets) -> Value {
    let mut shown = match &act.deed {
        Deed::Call(call) => request(call, registry, secrets).unwrap_or_else(|error| failed(call, &error)),
        Deed::Emit { step, kind, body } => json!({"step": step, "emit": kind, "with": body}),
        Deed::Start { step, workflow, with, .. } => json!({"step": step, "run": workflow, "with": with}),
        Deed::Ask { step, to, message } => json!({"step": step, "approve": {"to": to, "message": message}}),
        Deed::Await { step, kind } => json!({"step": step, "wait": {"event": kind}}),
        Deed::Respond { step, response } => json!({"step": step, "respond": response}),
    };
    if *act.workflow != *own
        && let Value::Object(shown) = &mut shown
    {
        shown.insert("workflow".to_owned(), Value::from(&*act.workflow));
    }
    secrets.mask_value(&mut shown);
    shown
}

/// A call as the request it would be.
fn request(call: &MadeCall, registry: &Registry, secrets: &Secrets) -> Result<Value, Failure> {
    let (_, settings) = registry.resolve(&call.connector, call.using.as_deref())?;
    let mut settings = Value::Object(Map::clone(&settings));
    secrets.mask_value(&mut settings);
    let Value::Object(settings) = settings else { return Ok(Value::Null) };
    let prepared = prepare(&Request {
        action: Arc::clone(&call.action),
        with: call.with.clone(),
        connection: Arc::new(settings),
        idempotency_key: call.idempotency_key.clone(),
        timeout: Duration::ZERO,
    })?;
    let mut shown = json!({"step": call.step, "call": call.name()});
    if let (Value::Object(shown), Value::Object(request)) = (&mut shown, prepared.to_value()) {
        shown.extend(request);
    }
    secrets.mask_value(&mut shown);
    Ok(shown)
}

fn failed(call: &MadeCall, error: &Failure) -> Value {
    json!({"step": call.step, "call": call.name(), "error": error.message})
}
