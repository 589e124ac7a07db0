//! One thing that happened, as stored.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Map;
use super::file::EventFile;
use super::id::{EventId, RunId};
use super::time::Timestamp;

/// Where an event came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `POST /hooks/…`.
    Webhook,
    /// A form that somebody sent.
    Form,
    /// A due time.
    Schedule,
    /// A person or a program, through the CLI or the API.
    Manual,
    /// A step `emit` or `run` of a workflow.
    Workflow,
    /// The end of a run.
    Run,
    /// A person's answer to `approve`.
    Approval,
}

impl Source {
    /// As `event.source` shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Form => "form",
            Self::Schedule => "schedule",
            Self::Manual => "manual",
            Self::Workflow => "workflow",
            Self::Run => "run",
            Self::Approval => "approval",
        }
    }
}

/// Everything about an event but its body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventHead {
    /// Its name.
    pub id: EventId,
    /// Where it came from.
    pub source: Source,
    /// What sort of event: the sender's own word if it has one, else the source's name.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was received.
    pub received: Timestamp,
    /// The request's method, for webhooks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// The path below `/hooks/` or `/forms/`, or the trigger's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// What `{name}` in the trigger's path stood for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<(String, String)>,
    /// The query's pairs, as sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, String)>,
    /// Header names in lower case, and values; those that carry credentials are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Says how the body is to be read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content_type: String,
    /// The attributes of a CloudEvent; none of what is no such event.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub cloudevent: Map,
    /// The files that came with it, in the order of sending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<EventFile>,
    /// How many events led to one another before this one: 0 for what came from outside.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: u8,
    /// The lanes that the runs around it hold, in hexadecimal: a run that is a part of them cannot wait for one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<String>,
    /// What came of it, workflow by workflow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<Match>,
}

impl EventHead {
    /// The head of something that has no more to say than this.
    #[must_use]
    pub fn new(id: EventId, source: Source, kind: impl Into<String>, received: Timestamp) -> Self {
        Self {
            id,
            source,
            kind: kind.into(),
            received,
            method: String::new(),
            path: String::new(),
            params: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            content_type: String::new(),
            cloudevent: Map::new(),
            files: Vec::new(),
            depth: 0,
            held: Vec::new(),
            matches: Vec::new(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// The most events that lead to one another: a workflow that wakes itself for ever stops here.
pub const DEPTH_MAX: u8 = 32;

/// What one workflow made of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// The workflow whose trigger concerned the event.
    pub workflow: Arc<str>,
    /// The run it started, or why it started none.
    #[serde(flatten)]
    pub result: MatchResult,
}

/// A run, or the reason there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchResult {
    /// It started this run.
    Run(RunId),
    /// Its `if` was false.
    NotMatched(String),
}

/// An event with its body.
#[derive(Debug)]
pub struct Event {
    /// All but the body.
    pub head: EventHead,
    /// The raw bytes, as received.
    pub body: Bytes,
    /// What a reader made of the event, kept so that it is parsed once.
    pub memo: Memo,
}

impl Event {
    /// An event whose body nobody has read yet.
    #[must_use]
    pub fn new(head: EventHead, body: Bytes) -> Self {
        Self { head, body, memo: Memo::default() }
    }

    /// The runs this event started.
    pub fn runs(&self) -> impl Iterator<Item = (&Arc<str>, RunId)> {
        self.head.matches.iter().filter_map(|m| match &m.result {
            MatchResult::Run(run) => Some((&m.workflow, *run)),
            MatchResult::NotMatched(_) => None,
        })
    }
}

/// A slot for a parsed form of the event. It is never stored; an event read back has an empty one.
#[derive(Default)]
pub struct Memo(OnceLock<Box<dyn Any + Send + Sync>>);

impl Memo {
    /// The parsed form, made by `read` the first time.
    pub fn get_or_init<T: Any + Send + Sync>(&self, read: impl FnOnce() -> T) -> Option<&T> {
        self.0.get_or_init(|| Box::new(read())).downcast_ref()
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.get().is_some() { "Memo(read)" } else { "Memo(empty)" })
    }
}
