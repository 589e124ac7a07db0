//! Workflows drawn by chance, driven by a make-believe executor: whatever the steps answer, a run
//! ends, replays to the same state, and goes on from any prefix of its journal to the same end.

mod drawn;
mod drive;
mod timing;

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::id::{Parts, RunId};
use crate::domain::journal::{Entry, Fact};
use crate::domain::run::Status;

pub(in crate::domain) use drawn::{Drawn, Plot, Shape, drawn, plot, workflow};
pub(in crate::domain) use drive::{drive, drive_until, story};

pub(in crate::domain) const BEGIN: Timestamp = Timestamp(1_000_000);

pub(in crate::domain) fn id() -> RunId {
    RunId::new(Parts { time_ms: 1, counter: 0, chance: 7, shard: 0 })
}

impl Plot {
    fn cancel_at(&self) -> Option<Timestamp> {
        self.cancel.map(|after| BEGIN.after(Duration::from_secs(after)))
    }

    pub(in crate::domain) fn whole(&self) -> (Workflow, Vec<Entry>) {
        let workflow = self.workflow();
        let entries = drive_until(&workflow, Vec::new(), self.cancel_at());
        (workflow, entries)
    }
}

/// The steps that were evaluated, with the position of the fact.
fn evaluated<'e>(entries: &'e [Entry], wanted: impl Fn(&str) -> bool + 'e) -> impl Iterator<Item = (usize, &'e Address)> {
    entries.iter().enumerate().filter_map(move |(position, entry)| {
        let Fact::StepEvaluated { step, .. } = &entry.fact else { return None };
        wanted(step.as_str()).then_some((position, step))
    })
}

fn position(entries: &[Entry], wanted: impl Fn(&Fact) -> bool) -> Option<usize> {
    entries.iter().position(|entry| wanted(&entry.fact))
}

fn outcome(entries: &[Entry]) -> &Outcome {
    let Some(Entry { fact: Fact::RunFinished { outcome }, .. }) = entries.last() else { panic!("not ended: {entries:?}") };
    outcome
}

/// Calls that can be taken back, in the order of completion; one that a block did anew counts once, where it was done last.
fn finished_calls(entries: &[Entry]) -> Vec<Address> {
    let mut finished: Vec<Address> = Vec::new();
    for entry in entries {
        if let Fact::CallSucceeded { step, undo: true, .. } = &entry.fact {
            finished.retain(|before| before != step);
            finished.push(step.clone());
        }
    }
    finished
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn steps_alone_go_on_from_any_prefix_to_the_same_end(drawn in drawn(), cut in any::<prop::sample::Index>()) {
        let workflow = workflow(&drawn);
        let whole = drive(&workflow, Vec::new());
        let again = drive(&workflow, whole[..cut.index(whole.len())].to_vec());
        prop_assert_eq!(story(&again), story(&whole));
    }

    #[test]
    fn a_run_ends_and_replays_to_the_same_state(plot in plot()) {
        let (_, entries) = plot.whole();
        let mut run = Run::new(id(), BEGIN);
        for entry in &entries {
            run.apply(entry.clone()).unwrap();
        }
        prop_assert!(matches!(run.phase, Phase::Finished(_)));
        // In a few places, or the test would take the square of its time.
        let mut half = Run::replay(id(), BEGIN, entries[..entries.len() / 2].to_vec()).unwrap();
        for entry in &entries[entries.len() / 2..] {
            half.apply(entry.clone()).unwrap();
        }
        prop_assert_eq!(&half, &run);
        prop_assert_eq!(&Run::replay(id(), BEGIN, entries).unwrap(), &run);
    }

    #[test]
    fn a_run_goes_on_from_any_prefix_to_the_same_end(plot in plot(), cut in any::<prop::sample::Index>()) {
        let (workflow, whole) = plot.whole();
        let again = drive_until(&workflow, whole[..cut.index(whole.len())].to_vec(), plot.cancel_at());
        prop_assert_eq!(again, whole);
    }

    #[test]
    fn a_fact_that_does_not_follow_changes_nothing(plot in plot(), at in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let (_, entries) = plot.whole();
        let mut run = Run::replay(id(), BEGIN, entries[..at.index(entries.len())].to_vec()).unwrap();
        let before = run.clone();
        if run.apply(entries[other.index(entries.len())].clone()).is_err() {
            prop_assert_eq!(run, before);
        } else {
            prop_assert_eq!(run.len, before.len + 1);
        }
    }

    #[test]
    fn facts_come_back_from_json(plot in plot()) {
        for entry in plot.whole().1 {
            let text = serde_json::to_string(&entry).unwrap();
            prop_assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
        }
    }

    #[test]
    fn what_was_done_is_taken_back_once_and_in_reverse_order_if_the_run_failed(plot in plot()) {
        let (_, entries) = plot.whole();
        let canceled = position(&entries, |fact| matches!(fact, Fact::CancelRequested)).unwrap_or(entries.len());
        let undone: Vec<(usize, Address)> = evaluated(&entries, |step| step.ends_with("/undo/0"))
            .map(|(position, step)| (position, Address::new(step.as_str().trim_end_matches("/undo/0"))))
            .collect();
        prop_assert!(undone.iter().all(|(position, _)| *position < canceled), "canceled, and taken back: {:?}", undone);
        let expected: Vec<Address> = finished_calls(&entries).into_iter().rev().collect();
        let undone: Vec<Address> = undone.into_iter().map(|(_, step)| step).collect();
        match outcome(&entries) {
            // The steps had succeeded.
            Outcome::Failed { step: Some(step), .. } if step.as_str().starts_with("finally/") => prop_assert!(undone.is_empty()),
            Outcome::Failed { .. } => prop_assert_eq!(undone, expected),
            Outcome::Succeeded { .. } => prop_assert!(undone.is_empty(), "{:?}", undone),
            // It had failed, and was canceled while it was taken back.
            Outcome::Canceled => prop_assert!(expected.starts_with(&undone), "{:?} {:?}", undone, expected),
        }
    }

    #[test]
    fn handlers_are_done_once_and_finally_is_the_last(plot in plot()) {
        let (_, entries) = plot.whole();
        let once = |marker: &'static str| evaluated(&entries, move |step| step == marker).count();
        prop_assert_eq!(once("finally/0"), 1);
        let canceled = position(&entries, |fact| matches!(fact, Fact::CancelRequested));
        prop_assert_eq!(once("on_cancel/0"), usize::from(canceled.is_some()));
        prop_assert_eq!(matches!(outcome(&entries), Outcome::Canceled), canceled.is_some());
        let first = entries.iter().position(|entry| entry.fact.step().is_some_and(|step| step.as_str().starts_with("finally/"))).unwrap();
        for (position, entry) in entries.iter().enumerate().skip(first) {
            let is_last = entry.fact.step().is_none_or(|step| step.as_str().starts_with("finally/"));
            // Who is canceled at the very end still has `on_cancel`.
            let is_cancel = entry.fact.step().is_some_and(|step| step.as_str().starts_with("on_cancel/"));
            prop_assert!(is_last || is_cancel && canceled.is_some_and(|at| first < at && at < position), "{:?}", entry);
        }
        if matches!(outcome(&entries), Outcome::Succeeded { .. }) {
            prop_assert_eq!(once("on_error/0"), 0);
        }
    }

    #[test]
    fn the_steps_are_timed_and_what_follows_them_is_not(plot in plot()) {
        let (_, entries) = plot.whole();
        let timed_out = position(&entries, |fact| matches!(fact, Fact::RunTimedOut { .. }));
        let due = plot.timeout.map(|timeout| BEGIN.after(Duration::from_secs(timeout)));
        let handling: BTreeSet<&str> = ["on_error", "on_cancel", "finally"].into();
        for (position, entry) in entries.iter().enumerate() {
            let Some(step) = entry.fact.step().map(Address::as_str) else { continue };
            let first = step.split('/').next().unwrap_or_default();
            let is_after = handling.contains(first) || step.contains("/undo/");
            if let Some(at) = timed_out && !is_after {
                prop_assert!(position < at && Some(entry.at) <= due, "{:?}", entry);
            }
            if is_after && let Some(at) = timed_out {
                prop_assert!(at < position, "{:?}", entry);
            }
        }
    }

    #[test]
    fn an_event_is_taken_once(plot in plot()) {
        let (_, entries) = plot.whole();
        let mut seen = BTreeSet::new();
        let awaited = |entry: &Entry| matches!(entry.fact, Fact::EventAwaited { .. });
        let waits: BTreeSet<&Address> = entries.iter().filter(|entry| awaited(entry)).filter_map(|entry| entry.fact.step()).collect();
        for entry in &entries {
            if let Fact::EventTaken { step, seq, .. } = &entry.fact && waits.contains(step) {
                prop_assert!(seen.insert(*seq), "event {} was taken twice", seq);
            }
        }
    }
}

/// What is drawn reaches every fact of a step, calls are taken back in loops and after retries, and runs end in every way.
#[test]
fn the_plots_leave_nothing_out() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..600 {
        let (_, entries) = plot().new_tree(&mut runner).unwrap().current().whole();
        let words = entries.iter().map(|entry| entry.fact.word().to_owned());
        seen.extend(words);
        seen.insert(Status::from(outcome(&entries)).as_str().to_owned());
        for entry in &entries {
            if let Fact::StepFailed { error, .. } = &entry.fact {
                seen.insert(format!("{:?}", error.kind));
            }
            if entry.fact.step().is_some_and(|step| step.as_str().ends_with("]/0/undo/0")) {
                seen.insert("undo in a loop".to_owned());
            }
        }
        let calls = entries.iter().filter(|entry| matches!(entry.fact, Fact::CallSucceeded { undo: true, .. })).count();
        if finished_calls(&entries).len() < calls {
            seen.insert("undo after a retry".to_owned());
        }
    }
    let expected = [
        "step_skipped branch_taken vars_set step_evaluated loop_began iteration_ended round_ended wait_began event_awaited",
        "approval_asked child_started event_taken event_emitted responded step_retried call_started call_succeeded call_retried",
        "step_failed run_stopped run_timed_out cancel_requested run_finished succeeded failed canceled",
        "Status Timeout Expired Denied ChildFailed Failed BadInput Interrupted",
    ];
    let expected = expected.iter().flat_map(|words| words.split(' ').map(str::to_owned));
    let expected: BTreeSet<String> = expected.chain(["undo in a loop".to_owned(), "undo after a retry".to_owned()]).collect();
    let missing: Vec<_> = expected.difference(&seen).collect();
    assert!(missing.is_empty(), "never drawn: {missing:?}");
}
