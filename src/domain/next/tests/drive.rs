//! A make-believe executor and the world around it. What a step answers depends on its address and its try alone; calls take
//! time, events come at set times, people and other runs answer or do not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{BEGIN, id};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::{EventId, Parts, RunId};
use crate::domain::journal::{Address, Branch, Entry, Fact};
use crate::domain::next::{Next, Task, Todo, Waits, deadline, next};
use crate::domain::response::Response;
use crate::domain::retry::hash;
use crate::domain::run::{Awaiting, Phase, Run, Stamped, StepState};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Step, StepKind, Wait, WaitEvent, Workflow};

/// Events of the topic `t` come this often.
const EVENTS_EVERY: u64 = 7;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Drives a run from these facts to its end; gives all facts.
pub(in crate::domain) fn drive(workflow: &Workflow, begin: Vec<Entry>) -> Vec<Entry> {
    drive_until(workflow, begin, None)
}

/// The same with a person who ends it at a time.
pub(in crate::domain) fn drive_until(workflow: &Workflow, begin: Vec<Entry>, cancel: Option<Timestamp>) -> Vec<Entry> {
    let mut entries = begin.clone();
    let mut run = Run::replay(id(), BEGIN, begin).unwrap();
    let mut now = BEGIN.max(run.at);
    for _ in 0..20_000 {
        let interrupted = interrupt(workflow, &run, now, cancel);
        let entry = if let Some(fact) = interrupted {
            Entry { at: now, fact }
        } else {
            let (todos, waits) = match next(workflow, &run, now) {
                Next::Finish(_) if matches!(run.phase, Phase::Finished(_)) => return entries,
                Next::Finish(outcome) => {
                    let is_fault = format!("{outcome:?}").contains("neither go on nor wait");
                    assert!(!is_fault, "{entries:?}");
                    (None, Ok(Entry { at: now, fact: Fact::RunFinished { outcome } }))
                }
                Next::Wait(waits) => (None, Err(waits)),
                Next::Perform { todos, waits } => (Some(todos), Err(waits)),
            };
            match (todos, waits) {
                (_, Ok(finish)) => finish,
                (todos, Err(waits)) => match turn(&todos.unwrap_or_default(), &waits, &run, now, cancel) {
                    Turn::Fact(entry) => {
                        now = now.max(entry.at);
                        entry
                    }
                    Turn::Later(time) => {
                        now = time;
                        continue;
                    }
                },
            }
        };
        run.apply(entry.clone()).unwrap();
        entries.push(entry);
    }
    unreachable!("the run does not end: {entries:?}")
}

/// What comes from outside the steps.
fn interrupt(workflow: &Workflow, run: &Run, now: Timestamp, cancel: Option<Timestamp>) -> Option<Fact> {
    if cancel.is_some_and(|at| at <= now) && !matches!(run.phase, Phase::Canceling { .. } | Phase::Finished(_)) {
        return Some(Fact::CancelRequested);
    }
    let is_over = deadline(workflow, run).is_some_and(|due| due <= now);
    is_over.then(|| Fact::RunTimedOut { error: Failure::new(FailureKind::RunTimeout, "too long") })
}

enum Turn {
    Fact(Entry),
    Later(Timestamp),
}

/// One thing that is to be done, or what is waited for, whichever comes first.
fn turn(todos: &[Todo<'_>], waits: &Waits<'_>, run: &Run, now: Timestamp, cancel: Option<Timestamp>) -> Turn {
    for todo in todos {
        let settled = matches!(
            run.steps.get(&todo.address),
            Some(Stamped { state: StepState::Done { .. } | StepState::Skipped | StepState::Failed { .. }, .. })
        );
        assert!(!settled || matches!(todo.task, Task::Retry { .. }), "{} is settled and to be done again", todo.address);
    }
    assert!(waits.wake.is_none_or(|wake| now < wake), "what is due is done, not waited for: {waits:?}");
    // Branches go on in any order, but the same one each time.
    let chosen = usize::try_from(hash(id(), &Address::new("turn"), run.len)).unwrap_or_default().checked_rem(todos.len());
    if let Some(todo) = chosen.map(|chosen| &todos[chosen]).filter(|todo| !is_call(todo)) {
        return Turn::Fact(Entry { at: if todo.task.is_timed() { now } else { todo.moment }, fact: fact(todo, run, now) });
    }
    let call = chosen.map(|chosen| (now.after(seconds(chance(&todos[chosen], run, 8) % 4)), &todos[chosen]));
    let heard = waits.listens.iter().map(|todo| (comes(todo, run).max(now), todo)).min_by_key(|(at, _)| *at);
    let cancel = cancel.filter(|at| now < *at);
    let wake = [waits.wake, cancel].into_iter().flatten().min();
    let first = [call, heard].into_iter().flatten().min_by_key(|(at, _)| *at);
    match (first, wake) {
        (Some((at, todo)), wake) if wake.is_none_or(|wake| at < wake) => Turn::Fact(Entry { at, fact: fact(todo, run, at) }),
        (_, Some(wake)) => Turn::Later(wake),
        (_, None) => unreachable!("nothing to do and nothing to wait for"),
    }
}

fn is_call(todo: &Todo<'_>) -> bool {
    matches!(todo.task, Task::Call { .. } | Task::GiveUp { .. })
}

/// When that comes what a step listens to.
fn comes(todo: &Todo<'_>, run: &Run) -> Timestamp {
    let Task::Listen(awaiting) = &todo.task else { unreachable!("{todo:?}") };
    if matches!(todo.step.kind, StepKind::Wait(_)) {
        return event_time(event_for(awaiting, run));
    }
    // A person takes longer than another run, and at times too long.
    let most = if matches!(todo.step.kind, StepKind::Approve(_)) { 60 } else { 20 };
    run.steps[&todo.address].at.after(seconds(chance(todo, run, 5) % most))
}

/// The nth event of the topic `t`, from 1.
fn event_time(seq: u64) -> Timestamp {
    BEGIN.after(seconds(EVENTS_EVERY * seq))
}

fn event_for(awaiting: &Awaiting, run: &Run) -> u64 {
    let taken = run.taken.get(&awaiting.topic);
    (1..).find(|seq| awaiting.since <= event_time(*seq) && taken.is_none_or(|taken| !taken.contains(seq))).unwrap()
}

fn chance(todo: &Todo<'_>, run: &Run, n: u32) -> u64 {
    let tries: u32 =
        run.steps.iter().filter(|(step, _)| todo.address == **step || todo.address.is_inside(step)).map(|(_, s)| s.tries).sum();
    hash(id(), &todo.address, n + 1000 * tries)
}

fn failed(step: Address, kind: FailureKind) -> Fact {
    Fact::StepFailed { step, attempts: 0, error: Failure::new(kind, format!("{kind:?}")) }
}

fn fact(todo: &Todo<'_>, run: &Run, now: Timestamp) -> Fact {
    let (step, chance) = (todo.address.clone(), |n: u32| chance(todo, run, n));
    match &todo.task {
        Task::Conclude { output } => Fact::StepEvaluated { step, output: Arc::clone(output) },
        Task::EndIteration { index, output } => Fact::IterationEnded { step, index: *index, output: Arc::clone(output) },
        Task::Wake => Fact::StepEvaluated { step, output: Arc::default() },
        Task::EndRound { round, output } if chance(9) % 3 <= u64::from(*round) => Fact::StepEvaluated { step, output: Arc::clone(output) },
        Task::EndRound { round, .. } => Fact::RoundEnded { step, round: *round, due: now.after(seconds(5)) },
        Task::Call { attempt } => called(todo, *attempt, run, now),
        Task::GiveUp { attempt } if chance(4).is_multiple_of(2) => {
            Fact::CallSucceeded { step, attempt: *attempt, output: Arc::new(json!(chance(0))), undo: false }
        }
        Task::GiveUp { .. } => failed(step, FailureKind::Interrupted),
        Task::Expire => failed(step, FailureKind::Expired),
        Task::TimeOut { .. } => failed(step, FailureKind::Timeout),
        Task::Retry { attempt, error } => {
            let due = todo.step.retry.as_ref().unwrap().due_after(error, id(), &step, *attempt, now);
            Fact::StepRetried { step, attempt: *attempt, error: error.clone(), due }
        }
        Task::Listen(_) if matches!(todo.step.kind, StepKind::Approve(_)) && chance(6).is_multiple_of(3) => {
            failed(step, FailureKind::Denied)
        }
        Task::Listen(_) if matches!(todo.step.kind, StepKind::Run(_)) && chance(6).is_multiple_of(3) => {
            failed(step, FailureKind::ChildFailed)
        }
        Task::Listen(awaiting) => {
            Fact::EventTaken { step, event: event(), seq: event_for(awaiting, run), output: Arc::new(json!(chance(0))) }
        }
        Task::Evaluate => {
            let decided = matches!(run.steps.get(&step), Some(Stamped { state: StepState::Took(_) | StepState::Retrying { .. }, .. }));
            if todo.step.condition.is_some() && !decided && chance(7).is_multiple_of(2) {
                return Fact::StepSkipped { step };
            }
            evaluated(todo, step, run)
        }
    }
}

fn event() -> EventId {
    EventId::new(Parts { time_ms: 1, counter: 0, chance: 9, shard: 0 })
}

fn called(todo: &Todo<'_>, attempt: u32, run: &Run, now: Timestamp) -> Fact {
    let step = todo.address.clone();
    let StepKind::Call(call) = &todo.step.kind else { unreachable!("{todo:?}") };
    if call.at_most_once {
        return Fact::CallStarted { step, attempt };
    }
    match chance(todo, run, attempt) % 5 {
        0 if attempt < 3 => {
            Fact::CallRetried { step, attempt, error: Failure::new(FailureKind::Network, "gone"), due: now.after(seconds(1)) }
        }
        1 => Fact::StepFailed { step, attempts: attempt, error: Failure::new(FailureKind::Status, "no") },
        _ => Fact::CallSucceeded { step, attempt, output: Arc::new(json!(chance(todo, run, 0))), undo: !call.undo.is_empty() },
    }
}

fn evaluated(todo: &Todo<'_>, step: Address, run: &Run) -> Fact {
    let chance = |n: u32| chance(todo, run, n);
    let Step { kind, .. } = todo.step;
    match kind {
        StepKind::Call(_) | StepKind::Repeat { .. } | StepKind::Parallel { .. } => Fact::BranchTaken { step, branch: Branch::THEN },
        StepKind::Script(_) => Fact::StepEvaluated { step, output: Arc::new(json!({"now": todo.moment, "n": chance(0)})) },
        StepKind::Set(_) => Fact::VarsSet { step, vars: crate::domain::Map::from_iter([("v".to_owned(), json!(chance(0)))]) },
        StepKind::If { .. } => Fact::BranchTaken { step, branch: if chance(0).is_multiple_of(2) { Branch::THEN } else { Branch::ELSE } },
        StepKind::Switch { cases, .. } if chance(0).is_multiple_of(2) => Fact::BranchTaken { step, branch: cases[0].branch.clone() },
        StepKind::Switch { .. } => Fact::BranchTaken { step, branch: Branch::DEFAULT },
        StepKind::Foreach { .. } => Fact::LoopBegan { step, items: Arc::new(json!(vec![1; usize::try_from(chance(0) % 4).unwrap()])) },
        StepKind::Wait(Wait::Event(WaitEvent { kind, within, .. })) => {
            let until = within.map(|within| todo.moment.after(within));
            Fact::EventAwaited { step, topic: Arc::clone(kind), since: todo.since, until }
        }
        StepKind::Wait(_) => Fact::WaitBegan { step, until: todo.moment.after(seconds(60)) },
        StepKind::Approve(approve) => {
            Fact::ApprovalAsked { step, to: "ada".to_owned(), message: "may it?".to_owned(), until: todo.moment.after(approve.within) }
        }
        StepKind::Run(_) => {
            let run = RunId::new(Parts { time_ms: 2, counter: 0, chance: chance(1) >> 20, shard: 0 });
            Fact::ChildStarted { step, run, workflow: "child".into() }
        }
        StepKind::Emit(_) => Fact::EventEmitted { step, event: event(), kind: "t".into() },
        StepKind::Respond(_) if run.response.is_some() => failed(step, FailureKind::BadInput),
        StepKind::Respond(_) => {
            let response = Response { status: 200, headers: Vec::new(), content_type: String::new(), body: String::new() };
            Fact::Responded { step, response: Arc::new(response) }
        }
        StepKind::Fail(_) => failed(step, FailureKind::Failed),
        StepKind::Stop(_) => Fact::RunStopped { step, output: Arc::default() },
    }
}

/// How a run ended and what each step gave, times left out.
pub(in crate::domain) fn story(entries: &[Entry]) -> (String, BTreeMap<Address, String>) {
    let outcome = entries.iter().rev().find_map(|entry| {
        let Fact::RunFinished { outcome } = &entry.fact else { return None };
        Some(format!("{outcome:?}"))
    });
    let outputs = entries.iter().filter_map(|entry| {
        let (Fact::CallSucceeded { step, output, .. } | Fact::StepEvaluated { step, output }) = &entry.fact else { return None };
        Some((step.clone(), output.to_string()))
    });
    (outcome.unwrap(), outputs.collect())
}
