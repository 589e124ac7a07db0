//! Workflows drawn by chance, driven by a make-believe executor: whatever the steps answer, a run
//! ends, replays to the same state, and goes on from any prefix of its journal to the same end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::id::{Parts, Revision, RunId};
use crate::domain::journal::{Branch, Entry, Fact};
use crate::domain::retry::{Retry, hash};
use crate::domain::run::StepState;
use crate::domain::workflow::{Call, Case, Code, OnError, StepKind, Wait};

pub(in crate::domain) const BEGIN: Timestamp = Timestamp(1_000_000);

pub(in crate::domain) fn id() -> RunId {
    RunId::new(Parts { time_ms: 1, counter: 0, chance: 7, shard: 0 })
}

/// A step without its address: that depends on where it ends up.
#[derive(Debug, Clone)]
pub(in crate::domain) enum Shape {
    Call,
    Script,
    Set,
    Fail,
    Stop,
    Wait,
    If(Vec<Drawn>, Vec<Drawn>),
    Switch(Vec<Drawn>, Vec<Drawn>),
    Foreach(Vec<Drawn>, u32),
    Repeat(Vec<Drawn>),
    Parallel(Vec<Drawn>, Vec<Drawn>, bool),
}

#[derive(Debug, Clone)]
pub(in crate::domain) struct Drawn {
    pub(in crate::domain) shape: Shape,
    pub(in crate::domain) named: bool,
    pub(in crate::domain) conditional: bool,
    pub(in crate::domain) on_error: u8,
}

pub(in crate::domain) fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let leaf = prop_oneof![
        4 => Just(Shape::Call),
        3 => Just(Shape::Script),
        1 => Just(Shape::Set),
        1 => Just(Shape::Fail),
        1 => Just(Shape::Stop),
        1 => Just(Shape::Wait),
    ];
    let dress = |shape: BoxedStrategy<Shape>| {
        let step = (shape, any::<bool>(), prop::bool::weighted(0.2), 0u8..5);
        step.prop_map(|(shape, named, conditional, on_error)| Drawn { shape, named, conditional, on_error })
    };
    let step = dress(leaf.boxed()).prop_recursive(3, 24, 3, move |inner| {
        let block = || prop::collection::vec(inner.clone(), 0..3);
        let shape = prop_oneof![
            (block(), block()).prop_map(|(a, b)| Shape::If(a, b)),
            (block(), block()).prop_map(|(a, b)| Shape::Switch(a, b)),
            (block(), 1u32..4).prop_map(|(a, n)| Shape::Foreach(a, n)),
            block().prop_map(Shape::Repeat),
            (block(), block(), any::<bool>()).prop_map(|(a, b, any)| Shape::Parallel(a, b, any)),
        ];
        dress(shape.boxed())
    });
    prop::collection::vec(step, 0..5)
}

fn build(drawn: &[Drawn], prefix: &str) -> Vec<Step> {
    drawn
        .iter()
        .enumerate()
        .map(|(index, step)| {
            let segment = if step.named { format!("s{index}") } else { index.to_string() };
            let address = if prefix.is_empty() { segment.clone() } else { format!("{prefix}/{segment}") };
            let inside = |steps: &[Drawn], segment: &str| build(steps, &format!("{address}/{segment}"));
            let kind = match &step.shape {
                Shape::Call => StepKind::Call(Call {
                    connector: "http".into(),
                    action: "get".into(),
                    using: None,
                    with: Code(0),
                    retry: Retry { attempts: 3, ..Retry::default() },
                    timeout: Duration::from_secs(1),
                    at_most_once: false,
                    idempotency_key: None,
                    undo: Vec::new(),
                }),
                Shape::Script => StepKind::Script(Code(0)),
                Shape::Set => StepKind::Set(vec![("v".into(), Code(0))]),
                Shape::Fail => StepKind::Fail(Code(0)),
                Shape::Stop => StepKind::Stop(None),
                Shape::Wait => StepKind::Wait(Wait::For(Duration::from_secs(60))),
                Shape::If(then, otherwise) => {
                    StepKind::If { condition: Code(0), then: inside(then, "then"), otherwise: inside(otherwise, "else") }
                }
                Shape::Switch(case, default) => {
                    let case = Case { value: "x".into(), branch: Branch::case("case-x".to_owned()), steps: inside(case, "case-x") };
                    StepKind::Switch { on: Code(0), cases: vec![case], default: inside(default, "default") }
                }
                Shape::Foreach(steps, parallel) => {
                    StepKind::Foreach { items: Code(0), name: None, parallel: *parallel, steps: build(steps, &address) }
                }
                Shape::Repeat(steps) => {
                    StepKind::Repeat { until: Code(0), every: Duration::from_secs(5), at_most: 9, steps: build(steps, &address) }
                }
                Shape::Parallel(a, b, any) => {
                    StepKind::Parallel { branches: vec![("a".into(), inside(a, "a")), ("b".into(), inside(b, "b"))], any: *any }
                }
            };
            let on_error = match step.on_error {
                0 => OnError::Continue,
                1 => OnError::Steps(build(
                    &[Drawn { shape: Shape::Script, named: false, conditional: false, on_error: 9 }],
                    &format!("{address}/on_error"),
                )),
                _ => OnError::Fail,
            };
            let id = step.named.then(|| address.replace('/', "_").into());
            let condition = step.conditional.then_some(Code(0));
            Step { address: Address::new(address), id, name: None, condition, timeout: None, retry: None, on_error, kind }
        })
        .collect()
}

pub(in crate::domain) fn workflow(drawn: &[Drawn]) -> Workflow {
    let handler = [Drawn { shape: Shape::Call, named: false, conditional: false, on_error: 9 }];
    Workflow {
        name: "drawn".into(),
        revision: Revision([0; 32]),
        description: String::new(),
        triggers: Vec::new(),
        condition: None,
        input: Vec::new(),
        concurrency: None,
        gathering: None,
        throttle: None,
        steps: build(drawn, ""),
        on_error: build(&handler, "on_error"),
        on_cancel: Vec::new(),
        finally: Vec::new(),
        timeout: None,
        loop_ids: Vec::new(),
    }
}

/// What a step answers depends on its address alone, as a pure step's does.
fn fact(todo: &Todo<'_>, run: &Run, now: Timestamp) -> Fact {
    let (step, chance) = (todo.address.clone(), |n: u32| hash(id(), &todo.address, n));
    match &todo.task {
        Task::Conclude { output } => Fact::StepEvaluated { step, output: Arc::clone(output) },
        Task::EndIteration { index, output } => Fact::IterationEnded { step, index: *index, output: Arc::clone(output) },
        Task::Wake => Fact::StepEvaluated { step, output: Arc::default() },
        Task::EndRound { round, output } if chance(9) % 3 <= u64::from(*round) => Fact::StepEvaluated { step, output: Arc::clone(output) },
        Task::EndRound { round, .. } => Fact::RoundEnded { step, round: *round, due: now.after(Duration::from_secs(5)) },
        Task::Call { attempt } => match chance(*attempt) % 4 {
            0 if *attempt < 3 => {
                let error = Failure::new(FailureKind::Network, "gone");
                Fact::CallRetried { step, attempt: *attempt, error, due: now.after(Duration::from_secs(1)) }
            }
            1 => Fact::StepFailed { step, attempts: *attempt, error: Failure::new(FailureKind::Status, "no") },
            _ => Fact::CallSucceeded { step, attempt: *attempt, output: Arc::new(json!(chance(0))), undo: false },
        },
        Task::GiveUp { attempt } => {
            Fact::StepFailed { step, attempts: *attempt, error: Failure::new(FailureKind::Interrupted, "interrupted") }
        }
        Task::Listen(_) | Task::Expire | Task::TimeOut { .. } | Task::Retry { .. } => unreachable!("none is drawn"),
        Task::Evaluate => {
            let took = run.steps.get(&step).is_some_and(|stamped| matches!(stamped.state, StepState::Took(_)));
            if todo.step.condition.is_some() && !took && chance(7).is_multiple_of(2) {
                return Fact::StepSkipped { step };
            }
            match &todo.step.kind {
                StepKind::Call(_) | StepKind::Repeat { .. } | StepKind::Parallel { .. } => Fact::BranchTaken { step, branch: Branch::THEN },
                StepKind::Script(_) => Fact::StepEvaluated { step, output: Arc::new(json!({"now": todo.moment, "n": chance(0)})) },
                StepKind::Set(_) => Fact::VarsSet { step, vars: crate::domain::Map::from_iter([("v".to_owned(), json!(chance(0)))]) },
                StepKind::If { .. } => {
                    Fact::BranchTaken { step, branch: if chance(0).is_multiple_of(2) { Branch::THEN } else { Branch::ELSE } }
                }
                StepKind::Switch { cases, .. } if chance(0).is_multiple_of(2) => {
                    Fact::BranchTaken { step, branch: cases[0].branch.clone() }
                }
                StepKind::Switch { .. } => Fact::BranchTaken { step, branch: Branch::DEFAULT },
                StepKind::Foreach { .. } => {
                    Fact::LoopBegan { step, items: Arc::new(json!(vec![1; usize::try_from(chance(0) % 4).unwrap()])) }
                }
                StepKind::Approve(_) | StepKind::Run(_) | StepKind::Emit(_) | StepKind::Respond(_) => unreachable!("none is drawn"),
                StepKind::Wait(_) => Fact::WaitBegan { step, until: todo.moment.after(Duration::from_secs(60)) },
                StepKind::Fail(_) => Fact::StepFailed { step, attempts: 0, error: Failure::new(FailureKind::Failed, "fail") },
                StepKind::Stop(_) => Fact::RunStopped { step, output: Arc::default() },
            }
        }
    }
}

/// Drives a run from these facts to its end; gives all facts.
pub(in crate::domain) fn drive(workflow: &Workflow, begin: Vec<Entry>) -> Vec<Entry> {
    let mut entries = begin.clone();
    let mut run = Run::replay(id(), BEGIN, begin).unwrap();
    let mut now = BEGIN.max(run.at);
    for _ in 0..10_000 {
        let done: Vec<Entry> = match next(workflow, &run, now) {
            Next::Finish(_) if matches!(run.phase, Phase::Finished(_)) => return entries,
            Next::Finish(outcome) => vec![Entry { at: now, fact: Fact::RunFinished { outcome } }],
            Next::Wait(Waits { wake, .. }) => {
                let due = wake.unwrap();
                assert!(now < due, "what is due is done, not waited for");
                now = due;
                continue;
            }
            Next::Perform { todos, waits } => {
                assert!(!todos.is_empty() && waits.wake.is_none_or(|wake| now < wake));
                // One at a time, as answers come in: what follows is asked for again.
                let todo = &todos[0];
                let settled = run
                    .steps
                    .get(&todo.address)
                    .is_some_and(|s| matches!(s.state, StepState::Done { .. } | StepState::Skipped | StepState::Failed { .. }));
                assert!(!settled, "{} is settled and to be done again", todo.address);
                let fact = fact(todo, &run, now);
                vec![Entry { at: if todo.task.is_timed() { now } else { todo.moment }, fact }]
            }
        };
        for entry in done {
            run.apply(entry.clone()).unwrap();
            entries.push(entry);
        }
    }
    unreachable!("the run does not end: {entries:?}")
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

#[test]
fn the_moment_of_a_step_is_the_last_fact_on_its_own_path() {
    let leaf = |shape| Drawn { shape, named: false, conditional: false, on_error: 9 };
    let branches = Shape::Parallel(vec![leaf(Shape::Call), leaf(Shape::Script)], vec![leaf(Shape::Script)], false);
    let workflow = workflow(&[leaf(Shape::Script), leaf(branches)]);
    let mut run = Run::new(id(), BEGIN);
    let mut answer =
        |step: &str, at: i64, fact: fn(Address) -> Fact| run.apply(Entry { at: Timestamp(at), fact: fact(Address::new(step)) }).unwrap();
    answer("0", BEGIN.0, |step| Fact::StepEvaluated { step, output: Arc::default() });
    answer("1/a/0", 5_000_000, |step| Fact::CallSucceeded { step, attempt: 1, output: Arc::default(), undo: false });
    let Next::Perform { todos, .. } = next(&workflow, &run, Timestamp(9_000_000)) else { unreachable!() };
    let moments: Vec<_> = todos.iter().map(|todo| (todo.address.as_str(), todo.moment)).collect();
    assert_eq!(moments, [("1/a/1", Timestamp(5_000_000)), ("1/b/0", BEGIN)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_run_ends_and_replays_to_the_same_state(drawn in drawn()) {
        let workflow = workflow(&drawn);
        let entries = drive(&workflow, Vec::new());
        let mut run = Run::new(id(), BEGIN);
        for (position, entry) in entries.iter().enumerate() {
            run.apply(entry.clone()).unwrap();
            let replayed = Run::replay(id(), BEGIN, entries[..=position].to_vec()).unwrap();
            prop_assert_eq!(&run, &replayed);
        }
        prop_assert!(matches!(run.phase, Phase::Finished(_)));
    }

    #[test]
    fn a_run_goes_on_from_any_prefix_to_the_same_end(drawn in drawn(), cut in any::<prop::sample::Index>()) {
        let workflow = workflow(&drawn);
        let whole = drive(&workflow, Vec::new());
        let again = drive(&workflow, whole[..cut.index(whole.len())].to_vec());
        prop_assert_eq!(story(&again), story(&whole));
    }

    #[test]
    fn a_fact_that_does_not_follow_changes_nothing(drawn in drawn(), at in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let entries = drive(&workflow(&drawn), Vec::new());
        let mut run = Run::replay(id(), BEGIN, entries[..at.index(entries.len())].to_vec()).unwrap();
        let before = run.clone();
        if run.apply(entries[other.index(entries.len())].clone()).is_err() {
            prop_assert_eq!(run, before);
        } else {
            prop_assert_eq!(run.len, before.len + 1);
        }
    }

    #[test]
    fn facts_come_back_from_json(drawn in drawn()) {
        for entry in drive(&workflow(&drawn), Vec::new()) {
            let text = serde_json::to_string(&entry).unwrap();
            prop_assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
        }
    }
}
