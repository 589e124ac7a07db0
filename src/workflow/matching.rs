//! Which workflows an event concerns, and which of those it starts. Intake decides by this and `why`
//! tells by it, so that what is told is what is done.

use std::fmt;
use std::sync::Arc;

use super::catalog::{Catalog, Loaded, RouteMatch};
use super::compile::path::fits;
use super::start;
use crate::domain::event::{Event, EventHead, Match, MatchResult, Source};
use crate::domain::failure::Failure;
use crate::domain::id::RunId;
use crate::domain::journal::{Entry, Fact};
use crate::domain::secret::Secrets;
use crate::domain::workflow::{Form, Trigger, Webhook};
use crate::script::Scope;

pub use crate::script::condition;

/// How many reasons of one workflow are told together.
const REASONS_TOLD: usize = 5;

/// What an event does with a workflow that it concerns.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It starts a run.
    Matched,
    /// Nothing, and why: an `if` is false.
    NotMatched(String),
    /// It starts a run that fails at once: what decides about it cannot be evaluated.
    Failed(Failure),
}

/// What a workflow, some triggers of which an event concerns, makes of it, and the `if` that counts taken apart: that of a
/// trigger which keeps the event out, else the workflow's own. Secrets are masked.
#[must_use]
pub fn explain(
    loaded: &Loaded,
    concerned: &[usize],
    event: &Event,
    run: RunId,
    secrets: &Arc<Secrets>,
) -> (Decision, Option<condition::Explained>) {
    let triggers = concerned.iter().filter_map(|trigger| loaded.workflow.triggers.get(*trigger));
    let (mut runs, mut matches) = start::consider_all(triggers.clone().map(|trigger| (loaded, Some(trigger))), event, || run, secrets);
    let decision = match (runs.pop(), matches.pop()) {
        (Some(run), _) => run.facts.into_iter().next().map_or(Decision::Matched, Decision::of),
        (None, Some(Match { result: MatchResult::NotMatched(reason), .. })) => Decision::NotMatched(reason),
        (None, Some(Match { result: MatchResult::Run(_), .. }) | None) => Decision::Matched,
    };
    let mut scope = start::scope(loaded, event, run);
    let mut keeps_out = None;
    for trigger in triggers {
        keeps_out = trigger.condition().map(|own| (own, loaded.program.truth(own, &mut scope))).filter(|(_, found)| *found != Ok(true));
        if !matches!(keeps_out, Some((_, Ok(false)))) {
            break;
        }
    }
    let counts = keeps_out.or_else(|| {
        let given = start::set_input(loaded, &mut scope);
        let own = loaded.workflow.condition?;
        Some((own, given.and_then(|()| loaded.program.truth(own, &mut scope))))
    });
    (decision, counts.map(|(condition, found)| loaded.program.explain(condition, &found, &mut scope, secrets)))
}

impl Decision {
    /// What the first fact of a run says that was accepted.
    fn of(entry: Entry) -> Self {
        match entry.fact {
            Fact::ConditionFailed { error } => Self::Failed(error),
            _ => Self::Matched,
        }
    }
}

/// The value of a hook's `dedupe` key for an event; nothing when the trigger has none.
#[must_use]
pub fn dedupe_key(loaded: &Loaded, trigger: usize, event: &Event) -> Option<Result<String, Failure>> {
    dedupe_key_in(&mut None, loaded, trigger, event)
}

/// The same, in the event's scope, which is made where it is needed first.
pub fn dedupe_key_in(scope: &mut Option<Scope>, loaded: &Loaded, trigger: usize, event: &Event) -> Option<Result<String, Failure>> {
    let dedupe = loaded.dedupe(trigger)?;
    Some(loaded.program.text(dedupe.key, scope.get_or_insert_with(|| Scope::new(event))))
}

/// Why no hook takes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoHook {
    /// None has this path.
    Path,
    /// Those of the path take other methods, these.
    Method(Vec<String>),
}

/// The hooks that take a request to a path below `/hooks/`: `route.hooks(method)` is not empty.
///
/// # Errors
/// When there is none.
pub fn route<'c>(catalog: &'c Catalog, method: &str, path: &str) -> Result<RouteMatch<'c>, NoHook> {
    let found = catalog.route(path).ok_or(NoHook::Path)?;
    if found.route.hooks(method).is_empty() {
        return Err(NoHook::Method(found.route.methods().map(str::to_owned).collect()));
    }
    Ok(found)
}

/// An event that arrived, to be asked which triggers it concerns.
#[derive(Debug)]
pub struct Arrived<'c> {
    head: &'c EventHead,
    /// The workflows whose hooks or form take it, and which trigger of each.
    hooks: Vec<(&'c str, usize)>,
    /// The path of the hooks or the form that took it, as one of them writes it.
    taken_at: Option<&'c str>,
}

impl<'c> Arrived<'c> {
    /// An event, as the loaded workflows would take it.
    #[must_use]
    pub fn new(catalog: &'c Catalog, head: &'c EventHead) -> Self {
        let mut arrived = Self { head, hooks: Vec::new(), taken_at: None };
        if head.source == Source::Webhook
            && let Ok(found) = route(catalog, &head.method, &head.path)
        {
            let hooks = found.route.hooks(&head.method);
            arrived.hooks = hooks.iter().map(|hook| (&*hook.loaded.workflow.name, hook.trigger)).collect();
            arrived.taken_at = hooks.first().and_then(|hook| hook.webhook()).map(|webhook| &*webhook.path);
        }
        if head.source == Source::Form
            && let Some(found) = catalog.form(&head.path)
        {
            arrived.hooks = vec![(&*found.loaded.workflow.name, found.trigger)];
            arrived.taken_at = found.loaded.form(found.trigger).map(|form| &*form.path);
        }
        arrived
    }

    /// For each trigger of a workflow, in the order of its `when`: whether the event concerns it, or why not.
    #[must_use]
    pub fn concerns(&self, loaded: &Loaded) -> Vec<Result<(), Elsewhere>> {
        let triggers = loaded.workflow.triggers.iter().enumerate();
        triggers.map(|(index, trigger)| self.concerns_trigger(&loaded.workflow.name, index, trigger)).collect()
    }

    fn concerns_trigger(&self, workflow: &Arc<str>, index: usize, trigger: &Trigger) -> Result<(), Elsewhere> {
        let is_it = match (self.head.source, trigger) {
            (Source::Webhook, Trigger::Webhook(webhook)) => return self.concerns_hook(workflow, index, webhook),
            (Source::Form, Trigger::Form(form)) => return self.concerns_form(workflow, index, form),
            (Source::Schedule, Trigger::Schedule(schedule)) => *schedule.name == *self.head.path,
            (Source::Manual, Trigger::Manual) => self.started_by_hand() == Some(workflow),
            (Source::Workflow, Trigger::Event(event)) => *event.kind == *self.head.kind,
            // The ended run's workflow is in the body; what it started is in the event's matches.
            (Source::Run, Trigger::Run(_)) => self.head.matches.iter().any(|found| found.workflow == *workflow),
            (Source::Webhook, Trigger::Form(_) | Trigger::Schedule(_) | Trigger::Event(_) | Trigger::Run(_) | Trigger::Manual)
            | (Source::Form, Trigger::Webhook(_) | Trigger::Schedule(_) | Trigger::Event(_) | Trigger::Run(_) | Trigger::Manual)
            | (Source::Schedule, Trigger::Webhook(_) | Trigger::Form(_) | Trigger::Event(_) | Trigger::Run(_) | Trigger::Manual)
            | (Source::Manual, Trigger::Webhook(_) | Trigger::Form(_) | Trigger::Schedule(_) | Trigger::Event(_) | Trigger::Run(_))
            | (Source::Workflow, Trigger::Webhook(_) | Trigger::Form(_) | Trigger::Schedule(_) | Trigger::Run(_) | Trigger::Manual)
            | (Source::Run, Trigger::Webhook(_) | Trigger::Form(_) | Trigger::Schedule(_) | Trigger::Event(_) | Trigger::Manual)
            | (Source::Approval, _) => {
                return Err(Elsewhere::Kind { has: kind(trigger), came: self.came() });
            }
        };
        if is_it { Ok(()) } else { Err(Elsewhere::Other { own: kind(trigger), came: self.came() }) }
    }

    fn concerns_hook(&self, workflow: &str, trigger: usize, webhook: &Webhook) -> Result<(), Elsewhere> {
        if self.hooks.contains(&(workflow, trigger)) {
            return Ok(());
        }
        let (takes, came) = (Arc::clone(&webhook.path), self.head.path.clone());
        if !fits(&webhook.path, &came) {
            return Err(Elsewhere::Path { takes, came });
        }
        if !webhook.methods.iter().any(|method| **method == *self.head.method) {
            return Err(Elsewhere::Method { path: takes, takes: webhook.methods.clone(), was: self.head.method.clone() });
        }
        Err(Elsewhere::Shadowed { takes, came, by: self.taken_at.map(Arc::from) })
    }

    fn concerns_form(&self, workflow: &str, trigger: usize, form: &Form) -> Result<(), Elsewhere> {
        if self.hooks.contains(&(workflow, trigger)) {
            return Ok(());
        }
        let (takes, came) = (Arc::clone(&form.path), self.head.path.clone());
        let by = self.taken_at.map(Arc::from).filter(|_| fits(&form.path, &came));
        Err(Elsewhere::OtherForm { takes, came, by })
    }

    /// Only one workflow is started by hand at a time, so that is the one it was stored with.
    fn started_by_hand(&self) -> Option<&'c Arc<str>> {
        self.head.matches.first().map(|found| &found.workflow)
    }

    fn came(&self) -> Came {
        match self.head.source {
            Source::Webhook => Came::Hook(self.head.path.clone()),
            Source::Form => Came::Form(self.head.path.clone()),
            Source::Schedule => Came::Due(self.head.path.clone()),
            Source::Manual => Came::ByHand(self.started_by_hand().cloned()),
            Source::Workflow => Came::Emitted(self.head.kind.clone()),
            Source::Run => Came::Ended,
            Source::Approval => Came::Answer,
        }
    }
}

fn kind(trigger: &Trigger) -> &'static str {
    match trigger {
        Trigger::Webhook(_) => "webhook",
        Trigger::Form(_) => "form",
        Trigger::Schedule(_) => "schedule",
        Trigger::Event(_) => "event trigger",
        Trigger::Run(_) => "run trigger",
        Trigger::Manual => "manual trigger",
    }
}

/// How an event arrived, in words that go on after "the event".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// At this path below `/hooks/`.
    Hook(String),
    /// Through the form at this path below `/forms/`.
    Form(String),
    /// As a due time of this schedule.
    Due(String),
    /// By hand, for this workflow.
    ByHand(Option<Arc<str>>),
    /// From a workflow, with this type.
    Emitted(String),
    /// As the end of a run.
    Ended,
    /// As a person's answer to a question.
    Answer,
}

impl fmt::Display for Came {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hook(path) => write!(out, "came to the webhook `{path}`"),
            Self::Form(path) => write!(out, "came through the form `{path}`"),
            Self::Due(name) => write!(out, "is a due time of the schedule `{name}`"),
            Self::ByHand(Some(workflow)) => write!(out, "started `{workflow}` by hand"),
            Self::ByHand(None) => out.write_str("was made by hand"),
            Self::Emitted(kind) => write!(out, "was emitted with the type `{kind}`"),
            Self::Ended => out.write_str("says that a run ended"),
            Self::Answer => out.write_str("is the answer to a question"),
        }
    }
}

/// Why a trigger does not concern an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Elsewhere {
    /// The event arrived in another way.
    #[error("this is a {has}, the event {came}")]
    Kind {
        /// `schedule`.
        has: &'static str,
        /// The other way.
        came: Came,
    },
    /// It arrived in this way, for another one.
    #[error("its {own} is another one, the event {came}")]
    Other {
        /// `schedule`.
        own: &'static str,
        /// For which.
        came: Came,
    },
    /// The hook has another path.
    #[error("its webhook takes `{takes}`, the event came to `{came}`")]
    Path {
        /// As the workflow has it.
        takes: Arc<str>,
        /// Where it came to.
        came: String,
    },
    /// The hook takes other methods.
    #[error("its webhook `{path}` takes {}, the event was a {was}", takes.join(" and "))]
    Method {
        /// The hook's.
        path: Arc<str>,
        /// In upper case.
        takes: Vec<Arc<str>>,
        /// As sent.
        was: String,
    },
    /// The form has another path, or another form fits the path more closely.
    #[error("its form is `{takes}`, the event came through `{came}`{}", by.as_ref().map_or(String::new(), |by| format!(", which is the form `{by}`")))]
    OtherForm {
        /// As the workflow has it.
        takes: Arc<str>,
        /// Where it came to.
        came: String,
        /// The path of the other, where this one would have fitted too.
        by: Option<Arc<str>>,
    },
    /// Another hook fits the path more closely.
    #[error("its webhook takes `{takes}`, but `{came}` goes to {}", by.as_ref().map_or("another webhook".to_owned(), |by| format!("the webhook `{by}`")))]
    Shadowed {
        /// As the workflow has it.
        takes: Arc<str>,
        /// Where it came to.
        came: String,
        /// The path of the other.
        by: Option<Arc<str>>,
    },
}

/// Why none of a workflow's triggers concerns an event, in one sentence.
#[must_use]
pub fn none_concerned(reasons: &[Elsewhere]) -> String {
    let (mut kinds, mut told, mut came) = (Vec::new(), Vec::new(), String::new());
    let add = |list: &mut Vec<String>, text: String| {
        if !list.contains(&text) {
            list.push(text);
        }
    };
    for reason in reasons {
        match reason {
            Elsewhere::Kind { has, came: other } => {
                add(&mut kinds, format!("a {has}"));
                came = other.to_string();
            }
            Elsewhere::Other { .. }
            | Elsewhere::Path { .. }
            | Elsewhere::Method { .. }
            | Elsewhere::OtherForm { .. }
            | Elsewhere::Shadowed { .. } => {
                add(&mut told, reason.to_string());
            }
        }
    }
    // Triggers of another kind say little beside one that might have been meant.
    if told.is_empty() {
        return format!("it has only {}, the event {came}", kinds.join(" and "));
    }
    let more = told.len().saturating_sub(REASONS_TOLD);
    told.truncate(REASONS_TOLD);
    let more = if more == 0 { String::new() } else { format!("; and {more} more") };
    format!("{}{more}", told.join("; "))
}

#[cfg(test)]
mod tests;
