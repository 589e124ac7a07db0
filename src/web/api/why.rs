//! `/api/events/{id}/why`: what each workflow made of an event, what it would make of it now, and why.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::json;

use super::super::{ProblemResponse, Web};
use super::{events, runs, view};
use crate::domain::event::{Event, EventHead, MatchResult, Source};
use crate::domain::id::RunId;
use crate::domain::journal::Fact;
use crate::domain::run::Status;
use crate::domain::time::Timestamp;
use crate::domain::{Map, Value};
use crate::store::RunHead;
use crate::workflow::catalog::Loaded;
use crate::workflow::matching::condition::{self, Explained, Outcome, Part, PartKind};
use crate::workflow::matching::{self, Arrived, Decision};
use crate::workflow::problem::Problem;

/// What became of an event at one workflow, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Matched,
    ConditionFailed,
    NotMatched,
    NotConcerned,
    NotLoaded,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::ConditionFailed => "condition_failed",
            Self::NotMatched => "not_matched",
            Self::NotConcerned => "not_concerned",
            Self::NotLoaded => "not_loaded",
        }
    }
}

/// What happened when the event arrived.
struct Then {
    verdict: Verdict,
    reason: Option<String>,
    /// The run that began, and where it stands if it is still stored.
    run: Option<(RunId, Option<RunHead>)>,
}

/// What would happen if it arrived now.
struct Now {
    verdict: Verdict,
    reason: Option<String>,
    triggers: Vec<Value>,
    condition: Option<Explained>,
}

pub(in super::super) async fn show(State(web): State<Arc<Web>>, Path(text): Path<String>) -> Result<Json<Value>, ProblemResponse> {
    let event = events::find(&web, &text).await?;
    let catalog = Arc::clone(&web.intake.current.get());
    let arrived = Arrived::new(&catalog, &event.head);
    let at = web.intake.clock.now();
    let mut workflows = Vec::with_capacity(catalog.workflows().len());
    for loaded in catalog.workflows() {
        let name = &loaded.workflow.name;
        let then = then(&web, &event.head, name).await?;
        let now = now(&web, &event, &arrived, loaded, then.run.as_ref().map(|(run, _)| *run));
        workflows.push(((then.verdict, now.verdict, Arc::clone(name)), workflow(name, Some(loaded), then, now, at)));
        // Conditions may take long; others wait for this thread.
        tokio::task::yield_now().await;
    }
    for found in event.head.matches.iter().filter(|found| catalog.get(&found.workflow).is_none()) {
        let name = &found.workflow;
        let then = then(&web, &event.head, name).await?;
        workflows.push(((then.verdict, Verdict::NotLoaded, Arc::clone(name)), workflow(name, None, then, not_loaded(), at)));
    }
    workflows.sort_by(|(a, _), (b, _)| a.cmp(b));
    let workflows: Vec<Value> = workflows.into_iter().map(|(_, shown)| shown).collect();
    let problems = web.problems.load();
    let problems: Vec<&Problem> = problems.iter().filter(|problem| problem.is_error()).collect();
    let mut head = view::event(&event.head);
    if let Value::Object(head) = &mut head {
        head.remove("matches");
        head.insert("method".to_owned(), json!(event.head.method));
        head.insert("content_type".to_owned(), json!(event.head.content_type));
        head.insert("body_bytes".to_owned(), json!(event.body.len()));
        head.extend(filled_in(&event).map(|form| ("form".to_owned(), form)));
    }
    let mut shown = json!({"event": head, "workflows": workflows, "problems": problems});
    web.intake.secrets.mask_value(&mut shown);
    Ok(Json(shown))
}

/// What was filled in, of a form: its body is what we made of it, and no more what came.
fn filled_in(event: &Event) -> Option<Value> {
    let body: Map = (event.head.source == Source::Form).then(|| serde_json::from_slice(&event.body).ok())??;
    let fields: Vec<&String> = body.keys().collect();
    Some(json!({"fields": fields, "files": event.head.files.len()}))
}

async fn then(web: &Web, head: &EventHead, workflow: &str) -> Result<Then, ProblemResponse> {
    let found = head.matches.iter().find(|found| *found.workflow == *workflow);
    let run = match found.map(|found| &found.result) {
        None => return Ok(Then { verdict: Verdict::NotConcerned, reason: None, run: None }),
        Some(MatchResult::NotMatched(why)) => return Ok(Then { verdict: Verdict::NotMatched, reason: Some(why.clone()), run: None }),
        Some(MatchResult::Run(run)) => *run,
    };
    let store = web.intake.journal.store();
    let Some(stored) = store.run(run).await? else {
        return Ok(Then { verdict: Verdict::Matched, reason: None, run: Some((run, None)) });
    };
    // A run that could not evaluate its `if` failed at no step; its first fact says so.
    let at_no_step = stored.status == Status::Failed && stored.error.as_ref().is_some_and(|error| error.step.is_none());
    let facts = if at_no_step { store.facts(run).await? } else { Vec::new() };
    let failure =
        facts.into_iter().next().and_then(|entry| if let Fact::ConditionFailed { error } = entry.fact { Some(error) } else { None });
    let verdict = if failure.is_some() { Verdict::ConditionFailed } else { Verdict::Matched };
    let stored = runs::as_of_now(web, stored);
    Ok(Then { verdict, reason: failure.map(|failure| failure.message), run: Some((run, Some(stored))) })
}

fn now(web: &Web, event: &Event, arrived: &Arrived<'_>, loaded: &Loaded, run: Option<RunId>) -> Now {
    let concerns = arrived.concerns(loaded);
    let triggers = loaded.workflow.triggers.iter().zip(&concerns).enumerate();
    let triggers: Vec<Value> = triggers
        .map(|(index, (trigger, concerns))| {
            let mut shown = view::trigger(trigger, web.intake.clock.now());
            let more = match concerns {
                Ok(()) => dedupe(web, event, loaded, index).map(|dedupe| ("dedupe", dedupe)),
                Err(reason) => Some(("reason", json!(reason.to_string()))),
            };
            if let Value::Object(shown) = &mut shown {
                shown.insert("concerned".to_owned(), json!(concerns.is_ok()));
                shown.extend(more.map(|(key, value)| (key.to_owned(), value)));
            }
            shown
        })
        .collect();
    let concerned: Vec<usize> = concerns.iter().enumerate().filter(|(_, concerns)| concerns.is_ok()).map(|(index, _)| index).collect();
    if concerned.is_empty() {
        let reasons: Vec<_> = concerns.into_iter().filter_map(Result::err).collect();
        let reason = Some(matching::none_concerned(&reasons));
        return Now { verdict: Verdict::NotConcerned, reason, triggers, condition: None };
    }
    // Where there was no run, nothing is left of the id it would have had.
    let run = run.unwrap_or_else(|| RunId::from_bytes(event.head.id.to_bytes()));
    let (decision, condition) = matching::explain(loaded, &concerned, event, run, &web.intake.secrets);
    let (verdict, reason) = match decision {
        Decision::Matched => (Verdict::Matched, None),
        Decision::NotMatched(reason) => (Verdict::NotMatched, Some(reason)),
        Decision::Failed(failure) => (Verdict::ConditionFailed, Some(failure.message)),
    };
    Now { verdict, reason, triggers, condition }
}

fn not_loaded() -> Now {
    let reason = "no workflow of this name is served now: its file was removed, has another name, or has an error";
    Now { verdict: Verdict::NotLoaded, reason: Some(reason.to_owned()), triggers: Vec::new(), condition: None }
}

/// The key by which a repeat of the event would be recognised.
fn dedupe(web: &Web, event: &Event, loaded: &Loaded, trigger: usize) -> Option<Value> {
    let dedupe = loaded.dedupe(trigger)?;
    let until = event.head.received.after(dedupe.within).to_string();
    Some(match matching::dedupe_key(loaded, trigger, event)? {
        Ok(key) => {
            let (value, _) = condition::shorten(Value::String(key), &web.intake.secrets);
            json!({"key": *dedupe.text, "value": value, "until": until})
        }
        Err(failure) => json!({"key": *dedupe.text, "error": failure.message}),
    })
}

fn workflow(name: &Arc<str>, loaded: Option<&Arc<Loaded>>, then: Then, now: Now, at: Timestamp) -> Value {
    let differs = then.verdict != now.verdict;
    let revision = loaded.map(|loaded| loaded.workflow.revision);
    let began_with = then.run.as_ref().and_then(|(_, stored)| stored.as_ref()).map(|stored| stored.revision);
    let changed = began_with.zip(revision).map(|(began_with, revision)| began_with != revision);
    let mut shown_then = verdict(then.verdict, then.reason);
    if let Some((run, stored)) = then.run {
        shown_then.insert("run".to_owned(), stored.map_or_else(|| json!({"id": run}), |stored| view::run(&stored, at)));
    }
    let mut shown_now = verdict(now.verdict, now.reason);
    if loaded.is_some() {
        shown_now.insert("triggers".to_owned(), Value::Array(now.triggers));
    }
    if let Some(explained) = now.condition {
        let mut shown = part(&explained.part);
        if let Some(whole) = explained.whole {
            shown.insert("note".to_owned(), json!(whole.to_string()));
        }
        shown_now.insert("if".to_owned(), Value::Object(shown));
    }
    json!({
        "workflow": name,
        "file": loaded.and_then(|loaded| loaded.files.first()).map(|(path, _)| path),
        "revision": revision,
        "then": shown_then,
        "now": shown_now,
        "differs": differs,
        "changed": changed,
    })
}

fn verdict(verdict: Verdict, reason: Option<String>) -> Map {
    let mut shown = Map::new();
    shown.insert("result".to_owned(), json!(verdict.as_str()));
    if let Some(reason) = reason {
        shown.insert("reason".to_owned(), json!(reason));
    }
    shown
}

fn part(part: &Part) -> Map {
    let list = |parts: &[Part]| Value::Array(parts.iter().map(|inner| Value::Object(self::part(inner))).collect());
    let mut shown = Map::new();
    shown.insert("text".to_owned(), json!(part.text));
    let (kind, parts) = match &part.kind {
        PartKind::All(parts) => ("all", Some(list(parts))),
        PartKind::Any(parts) => ("any", Some(list(parts))),
        PartKind::Not(inner) => ("not", Some(list(std::slice::from_ref(&**inner)))),
        PartKind::Test(operands) => {
            let values =
                operands.iter().map(|operand| json!({"text": operand.text, "value": operand.value, "shortened": operand.shortened}));
            shown.insert("values".to_owned(), Value::Array(values.collect()));
            ("test", None)
        }
    };
    shown.insert("kind".to_owned(), json!(kind));
    let result = match &part.outcome {
        Outcome::True => "true",
        Outcome::False => "false",
        Outcome::Failed(_) => "failed",
        Outcome::NotLookedAt => "not_looked_at",
    };
    // A group fails with one of its parts: that one says how.
    if let (Outcome::Failed(error), PartKind::Test(_)) = (&part.outcome, &part.kind) {
        shown.insert("error".to_owned(), json!(error));
    }
    shown.insert("result".to_owned(), json!(result));
    if let Some(parts) = parts {
        shown.insert("parts".to_owned(), parts);
    }
    shown
}
