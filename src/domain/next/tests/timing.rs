//! Times: what a step's moment is, when blocks time out and are done anew, from when on an event counts.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{BEGIN, Drawn, Plot, Shape, id};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::journal::{Address, Entry, Fact};
use crate::domain::next::{Next, Task, Todo, Waits, deadline, has_failed, next};
use crate::domain::run::Run;
use crate::domain::time::Timestamp;
use crate::domain::workflow::Workflow;

fn leaf(shape: Shape) -> Drawn {
    Drawn::bare(shape)
}

fn calls(count: usize) -> Vec<Drawn> {
    vec![leaf(Shape::Call); count]
}

fn timed(timeout: u64, shape: Shape) -> Drawn {
    Drawn { timeout: Some(timeout), ..leaf(shape) }
}

/// So many seconds after the run began.
fn at(seconds: u64) -> Timestamp {
    BEGIN.after(Duration::from_secs(seconds))
}

/// A run and what happens in it.
struct Scene {
    workflow: Workflow,
    run: Run,
}

impl Scene {
    fn of(steps: Vec<Drawn>) -> Self {
        Self::playing(&Plot::of(steps))
    }

    fn playing(plot: &Plot) -> Self {
        Self { workflow: plot.workflow(), run: Run::new(id(), BEGIN) }
    }

    fn fact(&mut self, seconds: u64, fact: Fact) {
        self.run.apply(Entry { at: at(seconds), fact }).unwrap();
    }

    fn called(&mut self, seconds: u64, step: &str) {
        self.fact(seconds, Fact::CallSucceeded { step: Address::new(step), attempt: 1, output: Arc::default(), undo: false });
    }

    fn failed(&mut self, seconds: u64, step: &str, kind: FailureKind) {
        self.fact(seconds, Fact::StepFailed { step: Address::new(step), attempts: 1, error: Failure::new(kind, "no") });
    }

    fn todos(&self, seconds: u64) -> Vec<Todo<'_>> {
        match next(&self.workflow, &self.run, at(seconds)) {
            Next::Perform { todos, .. } => todos,
            other @ (Next::Wait(_) | Next::Finish(_)) => panic!("nothing to do: {other:?}"),
        }
    }

    /// The one thing to do: where, and what.
    fn todo(&self, seconds: u64) -> (String, Task) {
        let todos = self.todos(seconds);
        assert_eq!(todos.len(), 1, "{todos:?}");
        (todos[0].address.to_string(), todos[0].task.clone())
    }

    fn waits(&self, seconds: u64) -> Waits<'_> {
        match next(&self.workflow, &self.run, at(seconds)) {
            Next::Wait(waits) | Next::Perform { waits, .. } => waits,
            Next::Finish(outcome) => panic!("ended: {outcome:?}"),
        }
    }
}

fn time_out(seconds: u64) -> Task {
    Task::TimeOut { timeout: Duration::from_secs(seconds) }
}

#[test]
fn the_moment_of_a_step_is_the_last_fact_on_its_own_path() {
    let branches = Shape::Parallel(vec![leaf(Shape::Call), leaf(Shape::Script)], vec![leaf(Shape::Script)], false);
    let mut scene = Scene::of(vec![leaf(Shape::Script), leaf(branches)]);
    scene.fact(0, Fact::StepEvaluated { step: Address::new("0"), output: Arc::default() });
    scene.called(4, "1/a/0");
    let moments: Vec<_> = scene.todos(8).iter().map(|todo| (todo.address.to_string(), todo.moment)).collect();
    assert_eq!(moments, [("1/a/1".to_owned(), at(4)), ("1/b/0".to_owned(), BEGIN)]);
}

#[test]
fn of_nested_timeouts_the_first_that_is_over_counts() {
    let inner = timed(5, Shape::Parallel(calls(1), calls(1), false));
    let mut scene = Scene::of(vec![leaf(Shape::Call), timed(8, Shape::Parallel(vec![leaf(Shape::Call), inner], Vec::new(), false))]);
    scene.called(10, "0");
    assert_eq!(scene.waits(10).wake, Some(at(18)), "from when the step before was done");
    scene.called(12, "1/a/0");
    assert_eq!(scene.waits(12).wake, Some(at(17)), "the inner one is over first");
    assert_eq!(scene.todo(17), ("1/a/1".to_owned(), time_out(5)), "what is inside it does not matter any more");
    let mut late = Scene { workflow: scene.workflow.clone(), run: scene.run.clone() };
    late.called(17, "1/a/1/a/0");
    assert_eq!(late.todo(18).1, time_out(8), "both are over: the outer one decides");
    scene.failed(17, "1/a/1", FailureKind::Timeout);
    assert!(has_failed(&scene.workflow, &scene.run));
}

#[test]
fn what_was_through_in_time_is_recorded_however_late() {
    let mut scene = Scene::of(vec![timed(8, Shape::Parallel(calls(1), Vec::new(), false))]);
    scene.called(7, "0/a/0");
    assert!(matches!(scene.todo(100).1, Task::Conclude { .. }));
    let mut scene = Scene::of(vec![timed(8, Shape::Parallel(calls(1), Vec::new(), false))]);
    scene.called(9, "0/a/0");
    assert_eq!(scene.todo(100).1, time_out(8), "it was not through in time");
}

#[test]
fn handlers_of_a_timed_step_take_their_time() {
    let block = Shape::Parallel(calls(1), Vec::new(), false);
    let mut scene = Scene::of(vec![Drawn { on_error: 1, ..timed(8, block) }]);
    scene.failed(3, "0/a/0", FailureKind::Status);
    assert_eq!(scene.todo(100).0, "0/on_error/0", "of a failure inside");
    assert_eq!(scene.waits(4).wake, None);
    let mut scene = Scene { run: Run::new(id(), BEGIN), ..scene };
    scene.failed(8, "0", FailureKind::Timeout);
    assert_eq!(scene.todo(100).0, "0/on_error/0", "of the timeout itself");
}

#[test]
fn the_workflows_timeout_is_for_its_steps_alone() {
    let plot = |steps| Plot { timeout: Some(60), finally: calls(1), ..Plot::of(steps) };
    let mut scene = Scene::playing(&plot(calls(1)));
    assert_eq!(deadline(&scene.workflow, &scene.run), Some(at(60)));
    assert_eq!(scene.waits(1).wake, Some(at(60)));
    let mut failed = Scene { workflow: scene.workflow.clone(), run: scene.run.clone() };
    scene.called(59, "0");
    assert_eq!(deadline(&scene.workflow, &scene.run), None, "the steps are through: `finally` is not timed");
    assert_eq!(scene.todo(70).0, "finally/0");
    failed.failed(59, "0", FailureKind::Status);
    assert_eq!(deadline(&failed.workflow, &failed.run), None, "the steps have failed: handlers are not timed");
    assert_eq!(failed.todo(70).0, "on_error/0");
}

#[test]
fn a_block_is_done_anew_when_it_is_due_and_remembers_nothing() {
    let block = Shape::Parallel(calls(2), Vec::new(), false);
    let mut scene = Scene::of(vec![Drawn { tries: 2, ..timed(8, block) }]);
    scene.called(1, "0/a/0");
    scene.failed(3, "0/a/1", FailureKind::Status);
    let (address, task) = scene.todo(3);
    let Task::Retry { attempt: 1, error } = task else { panic!("{task:?}") };
    scene.fact(3, Fact::StepRetried { step: Address::new(address), attempt: 1, error, due: at(5) });
    assert_eq!(scene.waits(4).wake, Some(at(5)));
    assert_eq!(scene.todo(5), ("0/a/0".to_owned(), Task::Call { attempt: 1 }), "nothing inside it has happened");
    assert_eq!(scene.waits(5).wake, Some(at(13)), "each try has its own time");
    assert_eq!(scene.todos(5)[0].moment, at(5));
    scene.failed(13, "0", FailureKind::Timeout);
    assert!(has_failed(&scene.workflow, &scene.run), "two tries are all there are");
}

#[test]
fn a_no_is_not_asked_again_and_silence_is() {
    let scene = || {
        let mut scene = Scene::of(vec![Drawn { tries: 3, ..leaf(Shape::Approve(Vec::new(), calls(1))) }]);
        let asked = Fact::ApprovalAsked { step: Address::new("0"), to: "a".to_owned(), message: "b".to_owned(), until: at(40) };
        scene.fact(0, asked);
        scene
    };
    let mut denied = scene();
    denied.failed(9, "0", FailureKind::Denied);
    assert_eq!(denied.todo(9).0, "0/else/0");
    let mut silent = scene();
    assert_eq!(silent.todo(40).1, Task::Expire);
    silent.failed(40, "0", FailureKind::Expired);
    assert!(matches!(silent.todo(40).1, Task::Retry { attempt: 1, .. }));
}

#[test]
fn a_question_that_reached_nobody_has_failed_also_when_its_time_is_over() {
    let mut scene = Scene::of(vec![Drawn { on_error: 1, ..leaf(Shape::Approve(calls(1), calls(1))) }]);
    let asked = Fact::ApprovalAsked { step: Address::new("0"), to: "a".to_owned(), message: "b".to_owned(), until: at(40) };
    scene.fact(0, asked);
    scene.failed(2, "0/notify/0", FailureKind::Status);
    for seconds in [2, 39, 40, 99] {
        assert_eq!(scene.todo(seconds).0, "0/on_error/0", "after {seconds} s");
    }
}

/// From when on the one wait that is to be done counts events.
fn since(scene: &Scene, seconds: u64, address: &str) -> Timestamp {
    let todos = scene.todos(seconds);
    todos.iter().find(|todo| todo.address.as_str() == address).unwrap_or_else(|| panic!("{todos:?}")).since
}

#[test]
fn a_wait_counts_events_from_when_the_step_before_it_began() {
    let wait = || leaf(Shape::WaitEvent(None, Vec::new()));
    let mut scene = Scene::of(vec![leaf(Shape::Call), leaf(Shape::Call), wait()]);
    scene.called(3, "0");
    scene.called(7, "1");
    assert_eq!(since(&scene, 8, "2"), at(3));
    assert_eq!(since(&Scene::of(vec![wait()]), 8, "0"), BEGIN, "the first step: from the run's own event on");

    let branches = Shape::Parallel(vec![leaf(Shape::Call), wait()], vec![wait()], false);
    let mut scene = Scene::of(vec![leaf(Shape::Call), leaf(branches), wait()]);
    scene.called(3, "0");
    scene.called(9, "1/a/0");
    assert_eq!(since(&scene, 10, "1/a/1"), at(3), "the call in its branch began then");
    assert_eq!(since(&scene, 10, "1/b/0"), BEGIN, "the step before is the one before the block");
}

#[test]
fn a_wait_in_a_loop_counts_events_of_its_own_iteration() {
    let body = vec![leaf(Shape::Call), leaf(Shape::WaitEvent(None, Vec::new()))];
    let mut scene = Scene::of(vec![leaf(Shape::Foreach(body, 1))]);
    scene.fact(1, Fact::LoopBegan { step: Address::new("0"), items: Arc::new(json!([1, 2])) });
    scene.called(2, "0[0]/0");
    assert_eq!(since(&scene, 3, "0[0]/1"), at(1));
    scene.fact(5, Fact::StepEvaluated { step: Address::new("0[0]/1"), output: Arc::default() });
    scene.fact(5, Fact::IterationEnded { step: Address::new("0"), index: 0, output: Arc::default() });
    scene.called(8, "0[1]/0");
    assert_eq!(since(&scene, 9, "0[1]/1"), at(5), "the call of the second iteration began when the first was through");
}

#[test]
fn a_loop_of_waits_takes_each_event_once() {
    let body = vec![leaf(Shape::WaitEvent(None, Vec::new()))];
    let scene = Scene::of(vec![leaf(Shape::Foreach(body, 1))]);
    let began = Entry { at: BEGIN, fact: Fact::LoopBegan { step: Address::new("0"), items: Arc::new(json!([1, 2, 3, 4])) } };
    let taken: Vec<u64> = super::drive(&scene.workflow, vec![began]).iter().filter_map(seq).collect();
    assert_eq!(taken, [1, 2, 3, 4]);
}

fn seq(entry: &Entry) -> Option<u64> {
    if let Fact::EventTaken { seq, .. } = &entry.fact { Some(*seq) } else { None }
}

#[test]
fn a_gathered_run_begins_when_its_events_are_all_there() {
    let mut scene = Scene::playing(&Plot { timeout: Some(60), ..Plot::of(vec![timed(8, Shape::Wait)]) });
    scene.fact(3600, Fact::GatheringEnded { events: 3 });
    let todos = scene.todos(3600);
    assert_eq!((todos[0].moment, &todos[0].task), (at(3600), &Task::Evaluate), "its first step is not late");
    assert_eq!(deadline(&scene.workflow, &scene.run), Some(at(3660)));
}
