//! What a case saw: everything the run brought about, and what coverage asks about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use super::mock::CHILD;
use crate::domain::journal::{Address, Branch, Fact, Outcome};
use crate::domain::response::Response;
use crate::domain::workflow::{Step, StepKind};
use crate::domain::{Map, Value};

/// One call as it would have been made.
#[derive(Debug, Clone, PartialEq)]
pub struct MadeCall {
    /// Where.
    pub step: Address,
    /// `http` in `http.get`.
    pub connector: Arc<str>,
    /// `get` in `http.get`.
    pub action: Arc<str>,
    /// The connection that the step names.
    pub using: Option<Arc<str>>,
    /// Its input. Holds the values of secrets.
    pub with: Value,
    /// The same on every attempt.
    pub idempotency_key: String,
}

impl MadeCall {
    /// `http.get`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.connector, self.action)
    }
}

/// One thing that a run brings about.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// The workflow whose run it was: the tested one, or one that it started.
    pub workflow: Arc<str>,
    /// Which.
    pub deed: Deed,
}

/// What a run brings about.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// A call, each attempt.
    Call(MadeCall),
    /// An event for other workflows.
    Emit {
        /// Where.
        step: Address,
        /// Its type.
        kind: Arc<str>,
        /// Its body.
        body: Value,
    },
    /// A run of another workflow.
    Start {
        /// Where.
        step: Address,
        /// Which.
        workflow: Arc<str>,
        /// The body of its event.
        with: Value,
        /// Whether a mock took its place.
        mocked: bool,
    },
    /// A question to a person.
    Ask {
        /// Where.
        step: Address,
        /// Whom.
        to: String,
        /// What.
        message: String,
    },
    /// A wait for an event.
    Await {
        /// Where.
        step: Address,
        /// Its type.
        kind: Arc<str>,
    },
    /// An answer to the caller.
    Respond {
        /// Where.
        step: Address,
        /// With what.
        response: Arc<Response>,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// An `if` is false for the event: there is no run.
    NotMatched,
    /// A server would refuse the event, and why.
    Refused(String),
    /// With this outcome.
    Run(Outcome),
}

/// Everything a run did.
#[derive(Debug, Default)]
pub struct Trace {
    /// How it ended; nothing if it could not go on.
    pub ended: Option<Ended>,
    /// Why it could not go on.
    pub trouble: Option<String>,
    /// The steps that wait for an event that does not come, if that is why it could not go on.
    pub waits: Vec<String>,
    /// What it and the runs it started brought about, in order.
    pub acts: Vec<Act>,
    /// The last output of every step with an id.
    pub outputs: BTreeMap<Arc<str>, Arc<Value>>,
    /// What `set` wrote.
    pub vars: Map,
    /// What the caller was answered.
    pub response: Option<Arc<Response>>,
    /// Steps that were done, by their address outside loops.
    pub(super) reached: BTreeSet<Address>,
    /// Steps whose `if` was false.
    pub(super) skipped: BTreeSet<Address>,
    /// Which ways `if` and `switch` went.
    pub(super) branches: BTreeSet<(Address, String)>,
    /// Steps that failed for good.
    pub(super) failed: BTreeSet<Address>,
    /// Steps that waited for what did not come, or for a person who said no.
    pub(super) refused: BTreeSet<Address>,
}

impl Trace {
    /// Every call by its name, attempts and mocked runs included, in order; with its input.
    pub(super) fn calls(&self) -> impl Iterator<Item = (String, &Value)> {
        self.acts.iter().filter_map(|act| match &act.deed {
            Deed::Call(call) => Some((call.name(), &call.with)),
            Deed::Start { workflow, with, mocked: true, .. } => Some((format!("{CHILD}{workflow}"), with)),
            Deed::Start { .. } | Deed::Emit { .. } | Deed::Ask { .. } | Deed::Await { .. } | Deed::Respond { .. } => None,
        })
    }

    /// What the calls of an action, or the runs of a workflow (`run NAME`), were given.
    pub(super) fn inputs<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t Value> {
        self.acts.iter().filter_map(move |act| match &act.deed {
            Deed::Call(call) => (call.name() == name).then_some(&call.with),
            Deed::Start { workflow, with, .. } => (name.strip_prefix(CHILD) == Some(workflow)).then_some(with),
            Deed::Emit { .. } | Deed::Ask { .. } | Deed::Await { .. } | Deed::Respond { .. } => None,
        })
    }

    /// Every event that was emitted: its type and its body.
    pub(super) fn emitted(&self) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        self.acts.iter().filter_map(|act| match &act.deed {
            Deed::Emit { kind, body, .. } => Some((kind, body)),
            Deed::Call(_) | Deed::Start { .. } | Deed::Ask { .. } | Deed::Await { .. } | Deed::Respond { .. } => None,
        })
    }

    /// Keeps what expectations and coverage ask about.
    pub(super) fn note(&mut self, step: &Step, fact: &Fact) {
        let address = step.address.clone();
        if let Fact::StepSkipped { .. } = fact {
            self.skipped.insert(address);
            return;
        }
        let output = match fact {
            Fact::StepEvaluated { output, .. }
            | Fact::CallSucceeded { output, .. }
            | Fact::RunStopped { output, .. }
            | Fact::EventTaken { output, .. } => Some(Arc::clone(output)),
            Fact::VarsSet { vars, .. } => Some(Arc::new(Value::Object(vars.clone()))),
            Fact::EventEmitted { event, kind, .. } => Some(Arc::new(json!({"id": event, "type": kind}))),
            Fact::StepFailed { error, .. } => {
                self.failed.insert(address.clone());
                if error.is_refusal() {
                    self.refused.insert(address.clone());
                }
                None
            }
            Fact::BranchTaken { branch, .. } if is_choice(&step.kind) => {
                self.branches.insert((address.clone(), branch_name(step, branch)));
                None
            }
            _ => None,
        };
        if let (Some(id), Some(output)) = (&step.id, output) {
            self.outputs.insert(Arc::clone(id), output);
        }
        self.reached.insert(address);
    }
}

fn is_choice(kind: &StepKind) -> bool {
    matches!(kind, StepKind::If { .. } | StepKind::Switch { .. })
}

/// A branch in the words of the file: `then`, `case express`, `default`.
fn branch_name(step: &Step, branch: &Branch) -> String {
    let StepKind::Switch { cases, .. } = &step.kind else { return branch.as_str().to_owned() };
    cases.iter().find(|case| case.branch == *branch).map_or_else(|| branch.as_str().to_owned(), |case| format!("case {}", case.value))
}
