//! From any step of any workflow: a replay goes on from there, does nothing again that was done before, and ends as a whole run.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::places::{Places, is_within};
use super::super::{Refused, Reused, reuse};
use crate::domain::Value;
use crate::domain::id::Revision;
use crate::domain::journal::{Address, Entry, Fact};
use crate::domain::next::ahead;
use crate::domain::next::tests::{BEGIN, Drawn, Shape, drawn, drive, id, plot, story, workflow};
use crate::domain::run::Run;
use crate::domain::workflow::Workflow;

/// Every step that something happened to, but those of the run's own handler.
fn steps_in(entries: &[Entry]) -> BTreeSet<Address> {
    let of_the_run = |step: &&Address| step.as_str().starts_with("on_error/");
    entries.iter().filter_map(|entry| entry.fact.step()).filter(|step| !of_the_run(step)).cloned().collect()
}

/// The blocks inside a step, and those that are done when it failed.
fn inside(shape: &Shape) -> Vec<&[Drawn]> {
    match shape {
        Shape::If(a, b) | Shape::Switch(a, b) | Shape::Parallel(a, b, _) | Shape::Approve(a, b) => vec![a, b],
        Shape::Foreach(a, _) | Shape::Repeat(a) | Shape::Undone(a) | Shape::WaitEvent(_, a) => vec![a],
        Shape::Call
        | Shape::Script
        | Shape::Set
        | Shape::Fail
        | Shape::Stop
        | Shape::Wait
        | Shape::Once
        | Shape::Run
        | Shape::Emit
        | Shape::Respond => Vec::new(),
    }
}

fn any_shape(drawn: &[Drawn], test: &dyn Fn(&Shape) -> bool) -> bool {
    drawn.iter().any(|step| test(&step.shape) || inside(&step.shape).into_iter().any(|block| any_shape(block, test)))
}

fn is_side_by_side(shape: &Shape) -> bool {
    matches!(shape, Shape::Parallel(..)) || matches!(shape, Shape::Foreach(_, n) if 1 < *n)
}

fn is_done(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::CallSucceeded { .. }
            | Fact::StepEvaluated { .. }
            | Fact::VarsSet { .. }
            | Fact::IterationEnded { .. }
            | Fact::RoundEnded { .. }
    )
}

/// What each step gave, times left out: in branches side by side they depend on which was faster.
fn outputs(entries: &[Entry]) -> BTreeMap<Address, Value> {
    fn timeless(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.remove("now");
                map.values_mut().for_each(timeless);
            }
            Value::Array(items) => items.iter_mut().for_each(timeless),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let output = |entry: &Entry| {
        let (Fact::CallSucceeded { step, output, .. } | Fact::StepEvaluated { step, output }) = &entry.fact else { return None };
        let mut output = Value::clone(output);
        timeless(&mut output);
        Some((step.clone(), output))
    };
    entries.iter().filter_map(output).collect()
}

/// What must hold of any replay: the step is next, and the run goes on from there to an end.
fn check_goes_on(workflow: &Workflow, reused: &Reused) -> Vec<Entry> {
    assert!(reused.facts.iter().all(|entry| entry.fact.step().is_some_and(|step| !is_within(step, &reused.from))));
    let run = Run::replay(id(), BEGIN, reused.facts.clone()).unwrap();
    let todos = ahead(workflow, &run);
    assert!(todos.iter().any(|todo| is_within(&todo.address, &reused.from)), "{todos:?}");
    // It also checks that nothing that is done is asked for again.
    drive(workflow, reused.facts.clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn from_any_step_on_a_run_ends_as_the_whole_one(drawn in drawn()) {
        let workflow = workflow(&drawn);
        let whole = drive(&workflow, Vec::new());
        let (races, forks) = (any_shape(&drawn, &|shape| matches!(shape, Shape::Parallel(_, _, true))), any_shape(&drawn, &is_side_by_side));
        for from in steps_in(&whole) {
            let reused = match reuse(id(), (&workflow, &workflow), &whole, from.as_str(), &|_, _| true) {
                Ok(reused) => reused,
                Err(refused) => {
                    prop_assert!(races && matches!(refused, Refused::NotReached { .. }), "{}: {:?}", from, refused);
                    continue;
                }
            };
            let again = check_goes_on(&workflow, &reused);
            let before: Vec<Entry> =
                whole.iter().take_while(|entry| !entry.fact.step().is_some_and(|step| is_within(step, &from))).cloned().collect();
            for entry in before.iter().filter(|entry| is_done(&entry.fact)) {
                prop_assert!(reused.facts.contains(entry), "{:?} was done before {}", entry, from);
            }
            if !forks {
                prop_assert_eq!(&reused.facts, &before);
                prop_assert_eq!(story(&again), story(&whole));
            } else if !races {
                let (again, whole) = (outputs(&again), outputs(&whole));
                for (step, output) in &again {
                    prop_assert!(whole.get(step).is_none_or(|before| before == output), "{}", step);
                }
            }
        }
    }

    #[test]
    fn a_replay_of_whatever_there_is_goes_on_or_is_refused(plot in plot()) {
        let (workflow, whole) = plot.whole();
        for from in steps_in(&whole) {
            let error = match reuse(id(), (&workflow, &workflow), &whole, from.as_str(), &|_, _| true) {
                Ok(reused) => {
                    check_goes_on(&workflow, &reused);
                    continue;
                }
                Err(error) => error,
            };
            let is_known = match &error {
                Refused::OfTheRun { .. } | Refused::PartOf { .. } | Refused::UnderWay { .. } | Refused::TakenBack { .. } => true,
                // Another branch decided, or another try took another way.
                Refused::NotReached { .. } | Refused::Unfinished { .. } => {
                    any_shape(&plot.steps, &|shape| matches!(shape, Shape::Parallel(_, _, true))) || whole.iter().any(|entry| matches!(entry.fact, Fact::StepRetried { .. }))
                }
                Refused::Unknown { .. } | Refused::InLoop { .. } | Refused::Changed { .. } | Refused::TooMany { .. } | Refused::Impossible(_) => false,
            };
            prop_assert!(is_known, "{}: {:?}", from, error);
        }
    }

    #[test]
    fn in_another_workflow_what_is_taken_over_fits_or_it_is_refused(old in plot(), new in plot()) {
        let ((old, entries), (new, others)) = (old.whole(), new.whole());
        let new = Workflow { revision: Revision([1; 32]), ..new };
        for from in steps_in(&others) {
            if let Ok(reused) = reuse(id(), (&old, &new), &entries, from.as_str(), &|old, new| old.kind == new.kind) {
                check_goes_on(&new, &reused);
                for step in steps_in(&reused.facts) {
                    let kind = |workflow: &Workflow| Places::of(workflow).get(&step).map(|place| place.step.kind.word());
                    prop_assert_eq!(kind(&old), kind(&new));
                }
            }
        }
    }

    #[test]
    fn no_text_panics(drawn in drawn(), text in "[a-z0-9/\\[\\]]{0,12}|.*") {
        let workflow = workflow(&drawn);
        let entries = drive(&workflow, Vec::new());
        if let Ok(reused) = reuse(id(), (&workflow, &workflow), &entries, &text, &|_, _| true) {
            check_goes_on(&workflow, &reused);
        }
    }
}
