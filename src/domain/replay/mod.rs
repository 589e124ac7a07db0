//! A replay from a step on: which facts of the earlier run the new one begins with.
//!
//! The walk decides, as it does for a run: the old facts are offered to it in their order, all but those of the
//! step itself, and it takes each one that it asks for. The step is never done, so nothing that comes after it is
//! asked for. What goes side by side with it is: its finished steps are kept, a call that had not ended is made
//! anew, as is a question or a wait for an event, and a wait keeps its time.

mod offer;
mod places;

use std::collections::BTreeSet;

use super::id::RunId;
use super::journal::{Address, Entry, Fact};
use super::next::Task;
use super::run::{Impossible, Run};
use super::time::Timestamp;
use super::workflow::{Step, Workflow};
use offer::Offered;
use places::{Places, is_within};

/// The most facts that a replay takes over.
pub const FACTS_LIMIT: usize = 100_000;

/// What a replay begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct Reused {
    /// The step from which everything is done anew.
    pub from: Address,
    /// The facts that are taken over, with their times.
    pub facts: Vec<Entry>,
}

/// Why a run cannot be replayed from a step.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refused {
    /// No such step.
    #[error("the workflow has no step `{step}`; it has {}", .known.iter().map(|step| format!("`{step}`")).collect::<Vec<_>>().join(", "))]
    Unknown {
        /// As asked for.
        step: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// A step of a loop has many places.
    #[error("`{step}` is in a loop: say in which iteration, as in `{example}`, or replay from `{outer}`")]
    InLoop {
        /// As asked for.
        step: String,
        /// With iterations.
        example: String,
        /// The outermost step around it.
        outer: String,
    },
    /// A step of the workflow's `on_error`, `on_cancel` or `finally`.
    #[error("`{step}` is done when a run ends: replay from one of the workflow's own steps")]
    OfTheRun {
        /// Which.
        step: String,
    },
    /// A step that tells of a question, or takes a call back.
    #[error("`{step}` is done only together with `{outer}`: replay from `{outer}`")]
    PartOf {
        /// As asked for.
        step: String,
        /// What it is a part of.
        outer: String,
    },
    /// Something before it has to be done first.
    #[error("`{before}` comes before `{step}` and did not finish: replay from `{before}`, or the whole run")]
    Unfinished {
        /// The step asked for.
        step: Address,
        /// The one before it.
        before: Address,
    },
    /// The run went another way.
    #[error("the run did not come to `{step}`, `{by}` went on without it: replay from `{by}`, or the whole run")]
    NotReached {
        /// The step asked for.
        step: Address,
        /// What it stands in.
        by: Address,
    },
    /// The workflow is another one where it matters.
    #[error(
        "`{before}` was done before `{step}`, and the workflow has changed there since: replay the whole run (a step with an `id` may change, but not its kind or its place)"
    )]
    Changed {
        /// The step asked for.
        step: Address,
        /// The one that cannot be reused.
        before: Address,
    },
    /// Nobody knows whether a call beside it took effect.
    #[error(
        "`{call}` may be made at most once and was under way when the run ended: look whether it took effect at the other side, then replay from `{call}`, or the whole run"
    )]
    UnderWay {
        /// The call.
        call: Address,
    },
    /// The earlier run took a call back when it failed.
    #[error(
        "`{call}`, which `{step}` builds on, was taken back when the run failed (`undo`): replay from `{call}` or a step before it, or the whole run"
    )]
    TakenBack {
        /// The step asked for.
        step: Address,
        /// The call.
        call: Address,
    },
    /// A bound.
    #[error("{facts} facts would be taken over, more than the limit of {limit}: replay the whole run", limit = FACTS_LIMIT)]
    TooMany {
        /// How many.
        facts: usize,
    },
    /// A fault in hence.
    #[error("{0}; replay the whole run, and please report this")]
    Impossible(#[from] Impossible),
}

/// The facts of `run` that a replay from `from` begins with. `from` is a step's id or its address; `old` is the revision
/// that the run followed and `new` the one that the replay will follow. A reused step has to be at the same place and of the
/// same kind in both; one without an id has to be the same, which `is_same` says.
///
/// # Errors
/// When there is no such step, the run did not come to it, or what came before it cannot be reused as it is.
pub fn reuse(
    run: RunId,
    (old, new): (&Workflow, &Workflow),
    entries: &[Entry],
    from: &str,
    is_same: &dyn Fn(&Step, &Step) -> bool,
) -> Result<Reused, Refused> {
    let places = Places::of(new);
    let from = places.resolve(new, from, entries)?;
    let offered = Offered::to(new, &places, run, entries, &from);
    if old.revision != new.revision {
        check_unchanged(run, (old, &places), entries, &from, &offered.kept, is_same)?;
    }
    if !offered.asks_for_it() {
        return Err(offered.why_not());
    }
    let open = open_steps(&offered)?;
    let is_kept = |(position, entry): &(usize, &Entry)| {
        let is_open = |step: &Address| open.iter().any(|open| is_within(step, open));
        offered.kept.contains(position) && !entry.fact.step().is_some_and(is_open)
    };
    let facts: Vec<Entry> = entries.iter().enumerate().filter(is_kept).map(|(_, entry)| entry.clone()).collect();
    if FACTS_LIMIT < facts.len() {
        return Err(Refused::TooMany { facts: facts.len() });
    }
    check_not_taken_back(&from, &facts, entries)?;
    Run::replay(run, Timestamp::default(), facts.iter().cloned())?;
    Ok(Reused { from, facts })
}

/// Steps side by side with the one that is done anew that were under way, and are begun anew, too: a wait for a time alone goes on.
fn open_steps(offered: &Offered<'_, '_>) -> Result<Vec<Address>, Refused> {
    let mut open = Vec::new();
    for todo in &offered.asked {
        match todo.task {
            Task::GiveUp { .. } => return Err(Refused::UnderWay { call: todo.address.clone() }),
            Task::Listen(_) | Task::Call { attempt: 2.. } => open.push(todo.address.clone()),
            Task::Evaluate
            | Task::Call { .. }
            | Task::Conclude { .. }
            | Task::EndIteration { .. }
            | Task::EndRound { .. }
            | Task::Wake
            | Task::Expire
            | Task::TimeOut { .. }
            | Task::Retry { .. } => {}
        }
    }
    Ok(open)
}

/// A call that was taken back is not done, whatever it gave.
fn check_not_taken_back(from: &Address, facts: &[Entry], entries: &[Entry]) -> Result<(), Refused> {
    for entry in facts {
        let Fact::CallSucceeded { step: call, undo: true, .. } = &entry.fact else { continue };
        let undo = Address::new(format!("{call}/undo"));
        if entries.iter().any(|entry| entry.fact.step().is_some_and(|step| step.is_inside(&undo))) {
            return Err(Refused::TakenBack { step: from.clone(), call: call.clone() });
        }
    }
    Ok(())
}

/// What was done before the step in the old revision has to be what the new one has before it.
fn check_unchanged(
    run: RunId,
    (old, new_places): (&Workflow, &Places<'_>),
    entries: &[Entry],
    from: &Address,
    kept: &BTreeSet<usize>,
    is_same: &dyn Fn(&Step, &Step) -> bool,
) -> Result<(), Refused> {
    let old_places = Places::of(old);
    let changed = |before: &Address| Refused::Changed { step: from.clone(), before: before.clone() };
    let step_at = |position: &usize| entries.get(*position).and_then(|entry| entry.fact.step());
    let lost = match counterpart(&old_places, new_places, from) {
        Some(from) => Offered::to(old, &old_places, run, entries, &from).kept.difference(kept).find_map(step_at),
        // A step that was put in: what was there has to be there still, if only somewhere else.
        None => entries.iter().filter_map(|entry| entry.fact.step()).find(|step| {
            let id = old_places.get(step).and_then(|place| place.step.id.as_deref());
            new_places.get(step).or_else(|| new_places.named(id?)).is_none()
        }),
    };
    if let Some(before) = lost {
        return Err(changed(before));
    }
    let mut compared = BTreeSet::new();
    for step in kept.iter().filter_map(step_at) {
        if !compared.insert(step.outside_loops()) {
            continue;
        }
        let is_fine = match (old_places.get(step), new_places.get(step)) {
            (Some(old), Some(new)) => {
                old.step.kind.word() == new.step.kind.word() && (new.step.id.is_some() || is_same(old.step, new.step))
            }
            (None, _) | (_, None) => false,
        };
        if !is_fine {
            return Err(changed(step));
        }
    }
    Ok(())
}

/// Where the step stood in the old revision: at the same place, or where its id was.
fn counterpart(old: &Places<'_>, new: &Places<'_>, from: &Address) -> Option<Address> {
    if old.get(from).is_some() {
        return Some(from.clone());
    }
    let id = new.get(from)?.step.id.as_deref()?;
    old.named(id).map(|place| place.step.address.clone())
}

#[cfg(test)]
mod tests;
