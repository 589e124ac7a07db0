//! What starts a workflow: hooks, due times, events, run endings.

use std::sync::Arc;
use std::time::Duration;

use super::{Code, Form, Respond, Verify};
use crate::domain::door::Door;
use crate::domain::run::Status;
use crate::domain::schedule::Schedule;

/// One entry of `when`.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// `POST /hooks/PATH`.
    Webhook(Box<Webhook>),
    /// A form at `/forms/PATH`.
    Form(Box<Form>),
    /// A due time.
    Schedule(ScheduleTrigger),
    /// An event that a workflow emitted.
    Event(EventTrigger),
    /// Another workflow's run ended.
    Run(RunTrigger),
    /// The CLI, the API or the dashboard.
    Manual,
}

impl Trigger {
    /// Its own `if`.
    #[must_use]
    pub fn condition(&self) -> Option<Code> {
        match self {
            Self::Event(trigger) => trigger.condition,
            Self::Webhook(_) | Self::Form(_) | Self::Schedule(_) | Self::Run(_) | Self::Manual => None,
        }
    }
}

/// An event that a workflow emitted, by its type.
#[derive(Debug, Clone, PartialEq)]
pub struct EventTrigger {
    /// `type`.
    pub kind: Arc<str>,
    /// `if`: over the event alone; a false one does not concern the workflow.
    pub condition: Option<Code>,
}

/// The end of another workflow's run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunTrigger {
    /// Whose.
    pub workflow: Arc<str>,
    /// How it ended: one of these.
    pub outcomes: Vec<Status>,
}

/// A schedule, and the name its slots are remembered by.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleTrigger {
    /// `WORKFLOW/N`, N the trigger's place in `when`: what `event.path` says.
    pub name: Arc<str>,
    /// When it is due.
    pub schedule: Schedule,
}

/// A webhook trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// The path below `/hooks/`; may hold `{name}`.
    pub path: Arc<str>,
    /// Upper-case methods.
    pub methods: Vec<Arc<str>>,
    /// How the sender is known.
    pub verify: Verify,
    /// When a repeat is recognised.
    pub dedupe: Option<Dedupe>,
    /// The largest body, in bytes; the server's limit when absent.
    pub body_limit_bytes: Option<usize>,
    /// Who may come in, and how often.
    pub door: Door,
    /// What the caller gets; the receipt when absent.
    pub respond: Option<Reply>,
}

/// What the caller of a webhook gets in place of the receipt.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// What the run answers, if it does so within this time.
    Wait(Duration),
    /// Always this, over the event alone.
    Fixed(Respond),
}

/// When two events are the same one.
#[derive(Debug, Clone, PartialEq)]
pub struct Dedupe {
    /// An expression over `event`; equal values within the window are one event.
    pub key: Code,
    /// The expression as written.
    pub text: Arc<str>,
    /// How long a key is remembered.
    pub within: Duration,
}
