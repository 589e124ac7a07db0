//! `hence run --dry`: the requests that a run would send, and nothing sent.

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
use crate::workflow::selftest::{self, Ended, EventFile, MadeCall, Mocks};

/// What a run would do.
#[derive(Debug)]
pub struct Dry {
    /// The requests, in order: step, call, method, url, headers, body. Secrets are masked.
    pub requests: Vec<Value>,
    /// Whether the event starts a run at all.
    pub matched: bool,
    /// Why the run would fail, if every call were answered with an empty 200.
    pub trouble: Option<String>,
}

/// Runs a workflow for an event with this body, every call answered with an empty 200. Nothing is sent.
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
    let masks = selftest::secret_names(loaded).into_iter().map(|name| (name, Secret::new(MASK)));
    let masks = Secrets::new(masks.collect());
    let event = EventFile { body: Some(body), ..EventFile::default() };
    let event = Arc::new(selftest::event(&event, loaded, now));
    let none = BTreeMap::new();
    let mut mocks = Mocks::new(&none).or(json!({"status": 200, "headers": {}, "body": {}}));
    let trace = selftest::drive(loaded, &event, &masks, &mut mocks);
    let shown = |call: &MadeCall| request(call, &registry, &config.secrets).unwrap_or_else(|error| failed(call, &error));
    let matched = trace.ended != Some(Ended::NotMatched);
    let trouble = trace.trouble.or(match trace.ended {
        Some(Ended::Run(Outcome::Failed { step, error })) => {
            let at = step.map(|step| format!(" at {step}")).unwrap_or_default();
            Some(format!("with empty answers the run would fail{at}: {error}"))
        }
        Some(Ended::NotMatched | Ended::Run(Outcome::Succeeded { .. } | Outcome::Canceled)) | None => None,
    });
    Ok(Dry { requests: trace.calls.iter().map(shown).collect(), matched, trouble })
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
