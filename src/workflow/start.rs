//! How a run begins: whether an event concerns a workflow, what the run is given, and what it shares
//! with others. Intake and executor both start runs, and do it alike.

use std::sync::Arc;

use ring::digest;

use super::catalog::Loaded;
use crate::domain::admission::{Gather, Key, Lane, NewRun, Throttled};
use crate::domain::event::{Event, Match, MatchResult};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::RunId;
use crate::domain::journal::{Address, Entry, Fact};
use crate::domain::secret::Secrets;
use crate::domain::workflow::{Code, Concurrency, Gathering, Input, Throttle, Trigger};
use crate::domain::{Map, Value};
use crate::script::{RunInfo, Scope};

/// What is stored of a workflow whose `if` was false.
pub const IF_IS_FALSE: &str = "`if` is false";
/// What is stored of a workflow whose trigger has an `if` that was false.
pub const TRIGGER_IF_IS_FALSE: &str = "the trigger's `if` is false";

/// What an event is to a workflow.
#[derive(Debug, Clone, PartialEq)]
pub enum Considered {
    /// It starts this run.
    Starts(Box<NewRun>),
    /// It starts none, and why.
    NotMatched(&'static str),
}

/// The runs that an event starts, and what it is to each of the workflows that it may concern. A workflow with several
/// triggers that fit is started by the first of them alone.
pub fn consider_all<'t>(
    targets: impl Iterator<Item = (&'t Loaded, Option<&'t Trigger>)>,
    event: &Event,
    new_id: impl FnMut() -> RunId,
    secrets: &Secrets,
) -> (Vec<NewRun>, Vec<Match>) {
    consider_all_in(None, targets, event, new_id, secrets)
}

/// The same, where the event has been read into a scope already: making one costs more than most conditions.
pub fn consider_all_in<'t>(
    mut ready: Option<Scope>,
    targets: impl Iterator<Item = (&'t Loaded, Option<&'t Trigger>)>,
    event: &Event,
    mut new_id: impl FnMut() -> RunId,
    secrets: &Secrets,
) -> (Vec<NewRun>, Vec<Match>) {
    let (mut runs, mut matches): (Vec<NewRun>, Vec<Match>) = (Vec::new(), Vec::new());
    for (loaded, trigger) in targets {
        let workflow = &loaded.workflow.name;
        // Triggers of one workflow come one after the other.
        let before = matches.pop_if(|last| last.workflow == *workflow);
        if let Some(started @ Match { result: MatchResult::Run(_), .. }) = before {
            matches.push(started);
            continue;
        }
        let id = new_id();
        let result = match consider_in(&mut ready, loaded, trigger, event, id, secrets) {
            Considered::Starts(run) => {
                runs.push(*run);
                MatchResult::Run(id)
            }
            Considered::NotMatched(reason) => MatchResult::NotMatched(reason.to_owned()),
        };
        matches.push(Match { workflow: Arc::clone(workflow), result });
    }
    (runs, matches)
}

/// Evaluates what decides about a run. What cannot be evaluated starts a run that fails at once, so
/// that the event is seen, its handlers run, and it can be replayed once the workflow is mended.
pub fn consider(loaded: &Loaded, trigger: Option<&Trigger>, event: &Event, id: RunId, secrets: &Secrets) -> Considered {
    consider_in(&mut None, loaded, trigger, event, id, secrets)
}

fn consider_in(
    ready: &mut Option<Scope>,
    loaded: &Loaded,
    trigger: Option<&Trigger>,
    event: &Event,
    id: RunId,
    secrets: &Secrets,
) -> Considered {
    let workflow = &loaded.workflow;
    let mut run = NewRun::new(id, Arc::clone(&workflow.name), workflow.revision);
    let own = trigger.and_then(Trigger::condition);
    let simple = workflow.condition.is_none()
        && own.is_none()
        && workflow.input.is_empty()
        && workflow.concurrency.is_none()
        && workflow.gathering.is_none()
        && workflow.throttle.is_none();
    if simple {
        return Considered::Starts(Box::new(run));
    }
    let mut scope = for_run(ready.take().unwrap_or_else(|| Scope::new(event)), loaded, event, id);
    match decide(loaded, own, &mut scope, &mut run) {
        Ok(None) => {}
        Ok(Some(reason)) => return Considered::NotMatched(reason),
        Err(mut error) => {
            secrets.mask_text(&mut error.message);
            run.facts.push(Entry { at: event.head.received, fact: Fact::ConditionFailed { error } });
        }
    }
    Considered::Starts(Box::new(run))
}

fn decide(loaded: &Loaded, own: Option<Code>, scope: &mut Scope, run: &mut NewRun) -> Result<Option<&'static str>, Failure> {
    let workflow = &loaded.workflow;
    if let Some(condition) = own
        && !loaded.program.truth(condition, scope)?
    {
        return Ok(Some(TRIGGER_IF_IS_FALSE));
    }
    set_input(loaded, scope)?;
    if let Some(condition) = workflow.condition
        && !loaded.program.truth(condition, scope)?
    {
        return Ok(Some(IF_IS_FALSE));
    }
    let name = &workflow.name;
    let mut key = |rule: &str, code: Option<Code>| -> Result<Key, Failure> {
        let value = code.map(|code| loaded.program.value(code, scope)).transpose()?;
        Ok(key_of(&[name, rule, &value.unwrap_or_default().to_string()]))
    };
    let lane = match &workflow.concurrency {
        None => None,
        Some(Concurrency { key: code, limit, mode }) => Some(Lane { key: key("concurrency", *code)?, limit: *limit, mode: *mode }),
    };
    let gather = match &workflow.gathering {
        None => None,
        Some(Gathering::Debounce { key: code, quiet }) => Some(Gather::Debounce { key: key("debounce", *code)?, quiet: *quiet }),
        Some(Gathering::Batch { key: code, size, within }) => {
            Some(Gather::Batch { key: key("batch", *code)?, size: *size, within: *within })
        }
    };
    let throttle = match &workflow.throttle {
        None => None,
        Some(Throttle { key: code, limit, per }) => Some(Throttled { key: key("throttle", *code)?, limit: *limit, per: *per }),
    };
    (run.lane, run.gather, run.throttle) = (lane, gather, throttle);
    Ok(None)
}

/// What is seen by the code that decides about a run.
#[must_use]
pub fn scope(loaded: &Loaded, event: &Event, run: RunId) -> Scope {
    for_run(Scope::new(event), loaded, event, run)
}

fn for_run(mut scope: Scope, loaded: &Loaded, event: &Event, run: RunId) -> Scope {
    let workflow = &loaded.workflow;
    if loaded.uses.variable("run") {
        scope.set_run(&RunInfo {
            id: run.to_string(),
            workflow: &workflow.name,
            revision: workflow.revision.to_string(),
            started: event.head.received,
            attempt: 1,
        });
    }
    scope.set_moment(event.head.received, crate::domain::retry::hash(run, &Address::new("if"), 0));
    scope
}

/// Sets `input`: what the workflow declares, from the event's body, or the whole body where it declares nothing.
///
/// # Errors
/// When something is missing or of another type: which, and what was there.
pub fn set_input(loaded: &Loaded, scope: &mut Scope) -> Result<(), Failure> {
    let inputs = &loaded.workflow.input;
    if inputs.is_empty() {
        if loaded.uses.variable("input") {
            scope.set_input_to_body();
        }
        return Ok(());
    }
    let mut given = Map::new();
    for input in inputs {
        let value = match scope.body_value(&input.name) {
            Some(value) => value,
            None if input.required => return Err(missing(input)),
            None => input.default.map(|code| loaded.program.value(code, scope)).transpose()?.unwrap_or_default(),
        };
        if !value.is_null() {
            check(input, &value)?;
        }
        given.insert(input.name.to_string(), value);
    }
    scope.set_input(&given);
    Ok(())
}

fn missing(input: &Input) -> Failure {
    let what = if input.description.is_empty() { String::new() } else { format!(" ({})", input.description) };
    Failure::new(FailureKind::BadInput, format!("the input `{}`{what} is required and was not given", input.name))
}

fn check(input: &Input, value: &Value) -> Result<(), Failure> {
    let shown = |value: &Value| {
        let text = value.to_string();
        if text.len() < 100 { text } else { format!("{}…", text.get(..text.floor_char_boundary(100)).unwrap_or_default()) }
    };
    if !input.kind.fits(value) {
        let message = format!("the input `{}` is of type {}, and {} was given", input.name, input.kind.word(), shown(value));
        return Err(Failure::new(FailureKind::BadInput, message));
    }
    if !input.one_of.is_empty() && !input.one_of.contains(value) {
        let choices: Vec<String> = input.one_of.iter().map(&shown).collect();
        let message = format!("the input `{}` is one of {}, and {} was given", input.name, choices.join(", "), shown(value));
        return Err(Failure::new(FailureKind::BadInput, message));
    }
    Ok(())
}

/// What runs have in common that share a limit: the beginning of a hash over the parts.
fn key_of(parts: &[&str]) -> Key {
    let mut key = [0; 16];
    key.iter_mut().zip(hash_of(parts)).for_each(|(slot, byte)| *slot = byte);
    Key(key)
}

/// SHA-256 over the parts, each with its length before it, so that no two lists of parts collide.
#[must_use]
pub fn hash_of(parts: &[&str]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut hash = [0; 32];
    hash.iter_mut().zip(context.finish().as_ref()).for_each(|(slot, byte)| *slot = *byte);
    hash
}
