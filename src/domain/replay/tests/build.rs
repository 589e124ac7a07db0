//! Workflows and journals by hand.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::super::*;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::{EventId, Parts, Revision};
use crate::domain::journal::Branch;
use crate::domain::next::tests::{BEGIN, id, workflow};
use crate::domain::response::Response;
use crate::domain::retry::Retry;
use crate::domain::workflow::{Approve, Call, Child, Code, Emit, OnError, Respond, RespondBody, StepKind, Wait, WaitEvent};

/// A step by its id, or by its place where it has none.
pub(super) type Named = (&'static str, Kind);

pub(super) enum Kind {
    Call,
    Once,
    Script,
    Wait,
    If(Vec<Named>, Vec<Named>),
    Each(u32, Vec<Named>),
    Repeat(Vec<Named>),
    Parallel(bool, Vec<Named>, Vec<Named>),
    Caught(Box<Self>, Vec<Named>),
    /// A call that can be taken back.
    Undone(Vec<Named>),
    /// Done twice when it fails.
    Twice(Box<Self>),
    /// A question: what tells of it, and what is done when the answer is no.
    Ask(Vec<Named>, Vec<Named>),
    /// A wait for an event.
    Hear,
    Run,
    Emit,
    Respond,
}

pub(super) fn steps(prefix: &str, named: &[Named]) -> Vec<Step> {
    let step = |(name, kind): &Named| {
        let address = format!("{prefix}{name}");
        let inside = |steps: &[Named], segment: &str| self::steps(&format!("{address}/{segment}"), steps);
        let call = |at_most_once, undo| {
            let with = Code(0);
            let (connector, action, timeout) = ("http".into(), "post".into(), Duration::from_secs(1));
            let retry = Retry::default();
            StepKind::Call(Call { connector, action, using: None, with, retry, timeout, at_most_once, idempotency_key: None, undo })
        };
        let (kind, on_error) = if let Kind::Caught(kind, handler) = kind {
            (&**kind, OnError::Steps(inside(handler, "on_error/")))
        } else {
            (kind, OnError::Fail)
        };
        let (kind, retry) =
            if let Kind::Twice(kind) = kind { (&**kind, Some(Retry { attempts: 2, ..Retry::default() })) } else { (kind, None) };
        let kind = match kind {
            Kind::Call => call(false, Vec::new()),
            Kind::Once => call(true, Vec::new()),
            Kind::Undone(undo) => call(false, inside(undo, "undo/")),
            Kind::Ask(notify, otherwise) => {
                let (within, notify, otherwise) = (Duration::from_secs(60), inside(notify, "notify/"), inside(otherwise, "else/"));
                StepKind::Approve(Approve { to: Code(0), message: Code(0), within, notify, otherwise })
            }
            Kind::Hear => {
                StepKind::Wait(Wait::Event(WaitEvent { kind: "paid".into(), condition: None, within: None, otherwise: Vec::new() }))
            }
            Kind::Run => StepKind::Run(Child { workflow: "other".into(), with: Code(0) }),
            Kind::Emit => StepKind::Emit(Emit { kind: "paid".into(), with: Code(0) }),
            Kind::Respond => StepKind::Respond(Respond { status: None, headers: None, body: RespondBody::Empty }),
            Kind::Script | Kind::Caught(..) | Kind::Twice(_) => StepKind::Script(Code(0)),
            Kind::Wait => StepKind::Wait(Wait::For(Duration::from_secs(60))),
            Kind::If(then, otherwise) => {
                StepKind::If { condition: Code(0), then: inside(then, "then/"), otherwise: inside(otherwise, "else/") }
            }
            Kind::Each(parallel, steps) => StepKind::Foreach { items: Code(0), name: None, parallel: *parallel, steps: inside(steps, "") },
            Kind::Repeat(steps) => StepKind::Repeat { until: Code(0), every: Duration::from_secs(5), at_most: 9, steps: inside(steps, "") },
            Kind::Parallel(any, a, b) => {
                StepKind::Parallel { branches: vec![("a".into(), inside(a, "a/")), ("b".into(), inside(b, "b/"))], any: *any }
            }
        };
        let id = name.parse::<u32>().is_err().then(|| (*name).into());
        Step { address: Address::new(address), id, name: None, condition: None, timeout: None, retry, on_error, kind }
    };
    named.iter().map(step).collect()
}

pub(super) fn flow(named: &[Named]) -> Workflow {
    Workflow { steps: steps("", named), ..workflow(&[]) }
}

fn fact(text: &str) -> Fact {
    let (word, step) = text.split_once(' ').unwrap();
    let (step, detail) = step.split_once(' ').unwrap_or((step, "0"));
    let step = Address::new(step);
    let number = || detail.parse().unwrap();
    let (error, output) = (Failure::new(FailureKind::Status, "no"), Arc::new(json!(1)));
    let response = Response { status: 200, headers: Vec::new(), content_type: String::new(), body: String::new() };
    let (event, topic) = (EventId::new(Parts { time_ms: 1, counter: 0, chance: 7, shard: 0 }), "paid".into());
    match word {
        "done" => Fact::CallSucceeded { step, attempt: 1, output, undo: detail == "undo" },
        "denied" => Fact::StepFailed { step, attempts: 0, error: Failure::new(FailureKind::Denied, "no") },
        "late" => Fact::StepFailed { step, attempts: 0, error: Failure::new(FailureKind::Timeout, "late") },
        "again" => Fact::StepRetried { step, attempt: number(), error, due: BEGIN },
        "asked" => Fact::ApprovalAsked { step, to: String::new(), message: String::new(), until: BEGIN },
        "hears" => Fact::EventAwaited { step, topic, since: BEGIN, until: None },
        "child" => Fact::ChildStarted { step, run: id(), workflow: "other".into() },
        "taken" => Fact::EventTaken { step, event, seq: 1, output },
        "emitted" => Fact::EventEmitted { step, event, kind: topic },
        "responded" => Fact::Responded { step, response: Arc::new(response) },
        "retry" => Fact::CallRetried { step, attempt: 1, error, due: BEGIN },
        "start" => Fact::CallStarted { step, attempt: 1 },
        "failed" => Fact::StepFailed { step, attempts: 1, error },
        "gave" => Fact::StepEvaluated { step, output },
        "took" => Fact::BranchTaken { step, branch: Branch::case(detail.to_owned()) },
        "wait" => Fact::WaitBegan { step, until: BEGIN.after(Duration::from_secs(60)) },
        "loop" => Fact::LoopBegan { step, items: Arc::new(json!(vec![1; detail.parse().unwrap()])) },
        "end" => Fact::IterationEnded { step, index: number(), output },
        "round" => Fact::RoundEnded { step, round: number(), due: BEGIN },
        word => unreachable!("{word}"),
    }
}

fn journal(facts: &[&str]) -> Vec<Entry> {
    let entry = |(at, text): (i64, &&str)| Entry { at: Timestamp(BEGIN.0 + at), fact: fact(text) };
    let mut entries: Vec<Entry> = (0..).zip(facts).map(entry).collect();
    entries.push(Entry { at: BEGIN, fact: Fact::CancelRequested });
    entries
}

/// Replays from a step in the same revision; `expected` are the positions of the facts that are reused, or why not.
pub(super) fn check(named: &[Named], facts: &[&str], from: &str, expected: Result<&[usize], &str>) {
    let workflow = flow(named);
    check_between((&workflow, &workflow), facts, from, expected);
}

/// Replays from a step in another revision. Unnamed steps are the same when their kind is.
pub(super) fn check_changed(old: &[Named], new: &[Named], facts: &[&str], from: &str, expected: Result<&[usize], &str>) {
    let new = Workflow { revision: Revision([1; 32]), ..flow(new) };
    check_between((&flow(old), &new), facts, from, expected);
}

pub(super) fn check_between(revisions: (&Workflow, &Workflow), facts: &[&str], from: &str, expected: Result<&[usize], &str>) {
    let entries = journal(facts);
    let reused =
        reuse(id(), revisions, &entries, from, &|old, new| std::mem::discriminant(&old.on_error) == std::mem::discriminant(&new.on_error));
    let expected = expected.map(|positions| positions.iter().map(|position| entries[*position].clone()).collect::<Vec<_>>());
    assert_eq!(reused.map(|reused| reused.facts).map_err(|refused| refused.to_string()), expected.map_err(str::to_owned), "{from}");
}
