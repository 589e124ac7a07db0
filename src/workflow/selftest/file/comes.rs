//! What comes while the run of a case goes on: events, answers of people, a cancel.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{not_a_map, read_instant};
use crate::domain::Value;
use crate::domain::time::Timestamp;
use crate::workflow::file::read::{choice, duration, event_type, list, text};
use crate::workflow::file::{Fields, Report};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Entry, Kind, Node};

/// The most events of one `arrive`.
const ARRIVALS: usize = 1_000;

/// Everything that comes from outside while a run goes on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comes {
    /// Events of other workflows.
    pub arrivals: Vec<Arrival>,
    /// Answers to `approve`, by a step's id or address.
    pub approvals: BTreeMap<Arc<str>, Replies>,
    /// When somebody cancels the run.
    pub cancel: Option<Due>,
    /// Every question is answered with yes at once.
    pub all_approved: bool,
}

/// An event that another workflow emits.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// Its type.
    pub kind: Arc<str>,
    /// Its body.
    pub body: Value,
    /// When it comes.
    pub due: Due,
}

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// So long after the case begins.
    After(Duration),
    /// Then.
    At(Timestamp),
}

impl Due {
    /// When that is, if the case begins at `start`.
    #[must_use]
    pub fn from(self, start: Timestamp) -> Timestamp {
        match self {
            Self::After(span) => start.after(span),
            Self::At(time) => time.max(start),
        }
    }
}

/// The answers to one question, each time it is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Replies {
    /// The same each time.
    Always(Reply),
    /// One after the other.
    Each(Vec<Reply>),
}

/// A person's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Yes or no.
    pub approved: bool,
    /// Who says so; the one who was asked when absent.
    pub who: Option<Arc<str>>,
    /// What they add.
    pub comment: Arc<str>,
    /// How long after the question.
    pub after: Duration,
}

/// Reads `arrive`, `approvals` and `cancel` of a case.
pub(super) fn read_comes(fields: &mut Fields<'_>, report: &mut Report) -> Comes {
    let arrivals = fields.optional("arrive").map(|node| read_arrivals(node, report)).unwrap_or_default();
    let approvals = fields.entry("approvals").map(|entry| read_approvals(entry, report)).unwrap_or_default();
    let cancel = fields.entry("cancel").and_then(|entry| read_cancel(entry, report));
    Comes { arrivals, approvals, cancel, all_approved: false }
}

fn read_arrivals(node: &Node, report: &mut Report) -> Vec<Arrival> {
    let Some(items) = list(node, "arrive", report) else { return Vec::new() };
    if ARRIVALS < items.len() {
        report.error(codes::TOO_MANY, node.span, format!("{} events; the limit is {ARRIVALS}", items.len()), "leave some out");
        return Vec::new();
    }
    items.iter().filter_map(|item| read_arrival(item, report)).collect()
}

fn read_arrival(node: &Node, report: &mut Report) -> Option<Arrival> {
    let mut fields = Fields::open(node, "an event of `arrive`", node.span, report)?;
    let kind = fields.required("type", "order.paid", report).and_then(|node| event_type(node, "type", report));
    let body = fields.optional("body").map(Node::to_value).unwrap_or_default();
    let due = read_due(&mut fields, report);
    fields.close(report);
    Some(Arrival { kind: kind?.value, body, due: due.unwrap_or(Due::After(Duration::ZERO)) })
}

/// `after: 2h`, or `at: 2026-01-02T09:00:00Z`.
fn read_due(fields: &mut Fields<'_>, report: &mut Report) -> Option<Due> {
    let after = fields.optional("after").and_then(|node| duration(node, "after", report));
    let entry = fields.entry("at");
    if let (Some(_), Some(entry)) = (after, entry) {
        report.error(codes::BAD_VALUE, entry.span, "`after` and `at` both say when it comes", "keep one of the two");
        return None;
    }
    match entry {
        Some(entry) => read_instant(&entry.value, "at", report).map(Due::At),
        None => after.map(Due::After),
    }
}

fn read_cancel(entry: &Entry, report: &mut Report) -> Option<Due> {
    let mut fields = Fields::open(&entry.value, "`cancel`", entry.span, report)?;
    let (errors, due) = (report.has_errors(), read_due(&mut fields, report));
    if due.is_none() && !errors && !report.has_errors() {
        report.error(codes::MISSING_KEY, entry.span, "`cancel` says when: `after` or `at`", "write `cancel: {after: 1h}`");
    }
    fields.close(report);
    due
}

fn read_approvals(entry: &Entry, report: &mut Report) -> BTreeMap<Arc<str>, Replies> {
    let Kind::Map(entries) = &entry.value.kind else {
        not_a_map(&entry.value, "approvals", "ID: {what: approved}", report);
        return BTreeMap::new();
    };
    entries.iter().filter_map(|entry| Some((Arc::clone(&entry.key), read_replies(entry, report)?))).collect()
}

fn read_replies(entry: &Entry, report: &mut Report) -> Option<Replies> {
    match &entry.value.kind {
        Kind::List(items) => {
            let replies: Vec<Option<Reply>> = items.iter().map(|item| read_reply(item, report)).collect();
            replies.into_iter().collect::<Option<Vec<_>>>().map(Replies::Each)
        }
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text | Kind::Map(_) => {
            read_reply(&entry.value, report).map(Replies::Always)
        }
    }
}

fn read_reply(node: &Node, report: &mut Report) -> Option<Reply> {
    let words = [("approved", true), ("denied", false)];
    if node.kind == Kind::Text {
        let approved = choice(node, "approvals", &words, report)?;
        return Some(Reply { approved, who: None, comment: "".into(), after: Duration::ZERO });
    }
    let mut fields = Fields::open(node, "an answer of `approvals`", node.span, report)?;
    let approved = fields.required("what", "approved", report).and_then(|node| choice(node, "what", &words, report));
    let who = fields.optional("who").and_then(|node| text(node, "who", report)).map(|who| who.value);
    let comment = fields.optional("comment").and_then(|node| text(node, "comment", report)).map(|text| text.value);
    let after = fields.optional("after").and_then(|node| duration(node, "after", report));
    fields.close(report);
    Some(Reply { approved: approved?, who, comment: comment.unwrap_or_else(|| "".into()), after: after.unwrap_or_default() })
}
