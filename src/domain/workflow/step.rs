//! Steps: what a run does, one key a kind.

use std::sync::Arc;
use std::time::Duration;

use super::Code;
use crate::domain::journal::{Address, Branch};
use crate::domain::retry::Retry;

/// One thing a run does.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its address outside every loop.
    pub address: Address,
    /// The name other steps call it by: `steps.ID`.
    pub id: Option<Arc<str>>,
    /// For people.
    pub name: Option<Arc<str>>,
    /// A false one skips the step.
    pub condition: Option<Code>,
    /// How long it may take, waits and what is inside it included. An attempt of a call has its own, in the call.
    pub timeout: Option<Duration>,
    /// How often it is done anew, with all that is inside it, when it fails. A call has its own, in the call.
    pub retry: Option<Retry>,
    /// What follows when it fails for good.
    pub on_error: OnError,
    /// What it does.
    pub kind: StepKind,
}

/// What follows when a step fails for good.
#[derive(Debug, Clone, PartialEq)]
pub enum OnError {
    /// The run fails.
    Fail,
    /// The next step; the output is `()`.
    Continue,
    /// These steps, then the next one.
    Steps(Vec<Step>),
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum StepKind {
    /// Calls an outside API.
    Call(Call),
    /// Runs a script; its last value is the output.
    Script(Code),
    /// Writes into `vars`, in this order.
    Set(Vec<(Arc<str>, Code)>),
    /// One of two blocks.
    If {
        /// Which.
        condition: Code,
        /// When true.
        then: Vec<Step>,
        /// When false.
        otherwise: Vec<Step>,
    },
    /// The case whose key is the value as text, or the default.
    Switch {
        /// The value.
        on: Code,
        /// In the order of writing.
        cases: Vec<Case>,
        /// When none fits.
        default: Vec<Step>,
    },
    /// The steps once for each item of a list; the output is the list of last outputs.
    Foreach {
        /// The list.
        items: Code,
        /// What the item is called, besides `item`.
        name: Option<Arc<str>>,
        /// How many iterations at once; at least 1.
        parallel: u32,
        /// What is done for each.
        steps: Vec<Step>,
    },
    /// The steps again and again until a condition holds.
    Repeat {
        /// The condition, looked at after each round.
        until: Code,
        /// The wait between rounds.
        every: Duration,
        /// Rounds, at most; one more is a failure.
        at_most: u32,
        /// What is done in each.
        steps: Vec<Step>,
    },
    /// Branches side by side; the output is a map of last outputs.
    Parallel {
        /// By name, in the order of writing.
        branches: Vec<(Arc<str>, Vec<Step>)>,
        /// The first branch that is through decides.
        any: bool,
    },
    /// Waits, parked.
    Wait(Wait),
    /// Asks a person, and waits for the answer.
    Approve(Approve),
    /// Starts another workflow, and waits for its end.
    Run(Child),
    /// Emits an event for other workflows.
    Emit(Emit),
    /// Answers the caller that waits for the run.
    Respond(Respond),
    /// Ends the run as failed, with this text.
    Fail(Code),
    /// Ends the run as succeeded, with this output.
    Stop(Option<Code>),
}

/// One case of a `switch`.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The value as text.
    pub value: Arc<str>,
    /// The segment of its steps' addresses.
    pub branch: Branch,
    /// What is done.
    pub steps: Vec<Step>,
}

/// What a `wait` waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum Wait {
    /// So long.
    For(Duration),
    /// Until the time that an expression gives: RFC 3339, or Unix milliseconds.
    Until(Code),
    /// Until an event comes.
    Event(WaitEvent),
}

/// A wait for an event that a workflow emitted.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitEvent {
    /// Its type.
    pub kind: Arc<str>,
    /// Over the event that came, as `event`; one for which it is false is passed over.
    pub condition: Option<Code>,
    /// How long, at most.
    pub within: Option<Duration>,
    /// What is done when none came in that time.
    pub otherwise: Vec<Step>,
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Approve {
    /// Who is asked: text.
    pub to: Code,
    /// What they are asked: text.
    pub message: Code,
    /// How long they have.
    pub within: Duration,
    /// How the link gets to them: steps that see it as `approval.link`.
    pub notify: Vec<Step>,
    /// What is done when they say no, or nothing in time.
    pub otherwise: Vec<Step>,
}

/// Another workflow as a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// Which.
    pub workflow: Arc<str>,
    /// A template that gives the body of its event, and its `input`.
    pub with: Code,
}

/// An event for other workflows.
#[derive(Debug, Clone, PartialEq)]
pub struct Emit {
    /// Its type.
    pub kind: Arc<str>,
    /// A template that gives its body.
    pub with: Code,
}

/// An answer to the caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Respond {
    /// The status; 200 when absent, 303 for a redirect.
    pub status: Option<Code>,
    /// A template that gives a map of headers.
    pub headers: Option<Code>,
    /// What is sent.
    pub body: RespondBody,
}

/// What an answer holds: templates.
#[derive(Debug, Clone, PartialEq)]
pub enum RespondBody {
    /// Nothing.
    Empty,
    /// A value as JSON.
    Json(Code),
    /// XML, as text.
    Xml(Code),
    /// Plain text.
    Text(Code),
    /// A page.
    Html(Code),
    /// Another address.
    Redirect(Code),
}

impl StepKind {
    /// What is done in place of the rest when what it waits for does not come.
    #[must_use]
    pub fn otherwise(&self) -> Option<&[Step]> {
        match self {
            Self::Wait(Wait::Event(WaitEvent { otherwise, .. })) | Self::Approve(Approve { otherwise, .. }) => {
                (!otherwise.is_empty()).then_some(otherwise)
            }
            Self::Call(_)
            | Self::Script(_)
            | Self::Set(_)
            | Self::If { .. }
            | Self::Switch { .. }
            | Self::Foreach { .. }
            | Self::Repeat { .. }
            | Self::Parallel { .. }
            | Self::Wait(Wait::For(_) | Wait::Until(_))
            | Self::Run(_)
            | Self::Emit(_)
            | Self::Respond(_)
            | Self::Fail(_)
            | Self::Stop(_) => None,
        }
    }

    /// The blocks inside it, in the order of writing.
    pub fn blocks(&self) -> impl DoubleEndedIterator<Item = &[Step]> {
        let blocks: Vec<&[Step]> = match self {
            Self::Script(_)
            | Self::Set(_)
            | Self::Wait(Wait::For(_) | Wait::Until(_))
            | Self::Run(_)
            | Self::Emit(_)
            | Self::Respond(_)
            | Self::Fail(_)
            | Self::Stop(_) => Vec::new(),
            Self::Call(call) => vec![&call.undo],
            Self::Wait(Wait::Event(WaitEvent { otherwise, .. })) => vec![otherwise],
            Self::Approve(Approve { notify, otherwise, .. }) => vec![notify, otherwise],
            Self::If { then, otherwise, .. } => vec![then, otherwise],
            Self::Switch { cases, default, .. } => cases.iter().map(|case| &*case.steps).chain([&**default]).collect(),
            Self::Foreach { steps, .. } | Self::Repeat { steps, .. } => vec![steps],
            Self::Parallel { branches, .. } => branches.iter().map(|(_, steps)| &**steps).collect(),
        };
        blocks.into_iter()
    }

    /// The key that says the kind, as written in YAML.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Call(_) => "call",
            Self::Script(_) => "script",
            Self::Set(_) => "set",
            Self::If { .. } => "if",
            Self::Switch { .. } => "switch",
            Self::Foreach { .. } => "foreach",
            Self::Repeat { .. } => "repeat",
            Self::Parallel { .. } => "parallel",
            Self::Wait(_) => "wait",
            Self::Approve(_) => "approve",
            Self::Run(_) => "run",
            Self::Emit(_) => "emit",
            Self::Respond(_) => "respond",
            Self::Fail(_) => "fail",
            Self::Stop(_) => "stop",
        }
    }
}

/// One operation of a connector.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `http` in `http.get`.
    pub connector: Arc<str>,
    /// `get` in `http.get`.
    pub action: Arc<str>,
    /// The connection; the one named like the connector when absent.
    pub using: Option<Arc<str>>,
    /// A template that gives the input.
    pub with: Code,
    /// When and how often it is tried again.
    pub retry: Retry,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// A person decides when an attempt was interrupted.
    pub at_most_once: bool,
    /// A text in place of `run/step/iteration`.
    pub idempotency_key: Option<Code>,
    /// What takes it back when the run fails later.
    pub undo: Vec<Step>,
}
