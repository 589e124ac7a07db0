//! What starts a workflow: hooks and how their senders are known, due times, events, run endings.

use std::sync::Arc;
use std::time::Duration;

use super::{Code, Form, Respond};
use crate::domain::run::Status;
use crate::domain::schedule::Schedule;

/// One entry of `when`.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// `POST /hooks/PATH`.
    Webhook(Webhook),
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

/// The name of a secret, as in `secrets.NAME`. Never its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(pub Arc<str>);

/// How a webhook's sender is known.
#[derive(Debug, Clone, PartialEq)]
pub enum Verify {
    /// Not at all; said out loud wherever the hook is shown.
    None,
    /// `X-Hub-Signature-256`: HMAC-SHA256 of the raw body, hex, prefix `sha256=`.
    Github {
        /// Any of these may have signed.
        secrets: Vec<SecretName>,
    },
    /// A signature header of another shape.
    Hmac(Hmac),
    /// `Authorization: Bearer …`.
    Bearer {
        /// Any of these.
        secrets: Vec<SecretName>,
    },
    /// A header with a fixed secret value.
    Header {
        /// The header's name, in lower case.
        name: Arc<str>,
        /// Any of these.
        secrets: Vec<SecretName>,
    },
}

/// A keyed hash of the request in a header.
#[derive(Debug, Clone, PartialEq)]
pub struct Hmac {
    /// Which hash.
    pub algorithm: HmacAlgorithm,
    /// The header that holds the signature, in lower case.
    pub header: Arc<str>,
    /// How the signature is written.
    pub encoding: SignatureEncoding,
    /// What stands before the signature in the header.
    pub prefix: Arc<str>,
    /// What is signed: literal text, the body and the timestamp, in this order.
    pub signs: Vec<SignedPart>,
    /// The header that holds the timestamp (Unix seconds), in lower case.
    pub timestamp_header: Option<Arc<str>>,
    /// How far the timestamp may be from now, in both directions.
    pub tolerance: Duration,
    /// Any of these may have signed.
    pub secrets: Vec<SecretName>,
}

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// Only for senders that offer nothing better.
    Sha1,
    /// The usual one.
    Sha256,
    /// The long one.
    Sha512,
}

/// How signature bytes are written in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureEncoding {
    /// Base 16, either case.
    Hex,
    /// Standard base 64 with padding.
    Base64,
}

/// A part of what an HMAC signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedPart {
    /// These characters.
    Text(Arc<str>),
    /// The raw body.
    Body,
    /// The timestamp header's value, as sent.
    Timestamp,
}
