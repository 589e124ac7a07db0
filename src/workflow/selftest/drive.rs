//! Runs a case: the run of its workflow and those that it starts, without a store, without connectors,
//! and with a clock that jumps to whatever comes next.

use std::sync::Arc;

use super::file::{Comes, Due};
use super::hand::Hand;
use super::mock::Mocks;
use super::stage::Stage;
use super::trace::{Ended, Trace};
use crate::domain::event::Event;
use crate::domain::id::{Parts, RunId};
use crate::domain::journal::Outcome;
use crate::domain::secret::Secrets;
use crate::domain::time::Timestamp;
use crate::script::{Uses, check_body};
use crate::workflow::catalog::{Catalog, Loaded};
use crate::workflow::start;

/// The most turns of a case: a run that takes more does not end.
const TURNS: u32 = 200_000;

/// What a run is made of.
#[derive(Clone, Copy)]
pub struct Scene<'d> {
    /// The project: what the run starts is looked up there.
    pub catalog: &'d Catalog,
    /// The workflow.
    pub loaded: &'d Loaded,
    /// The events that the run is for: one, or those of a batch.
    pub events: &'d [Arc<Event>],
    /// What `secrets.NAME` gives, masked in outputs.
    pub secrets: &'d Secrets,
    /// What comes while it goes on.
    pub comes: &'d Comes,
}

/// Runs the workflow for events that arrive now.
pub fn drive(scene: Scene<'_>, mocks: &mut Mocks<'_>) -> Trace {
    if let Some(trouble) = scene.events.iter().find_map(|event| check_body(event, Uses::ALL).err()) {
        return Trace { trouble: Some(trouble), ..Trace::default() };
    }
    let now = scene.events.first().map_or(super::file::START, |event| event.head.received);
    let mut stage = Stage::new(scene.catalog, scene.secrets, mocks, scene.comes, now);
    let ended = begin(&scene, &mut stage, now).and_then(|hand| match hand {
        None => Ok(Ended::NotMatched),
        Some(hand) => go(hand, &mut stage, scene.comes.cancel.map(|due: Due| due.from(now))).map(Ended::Run),
    });
    let mut trace = stage.trace;
    match ended {
        Ok(ended) => trace.ended = Some(ended),
        Err(trouble) => trace.trouble = Some(trouble),
    }
    trace
}

/// Looks at what decides about a run, as intake does: each event of a batch by itself.
fn begin<'d>(scene: &Scene<'d>, stage: &mut Stage<'_, '_, '_>, now: Timestamp) -> Result<Option<Hand<'d>>, String> {
    let id = RunId::new(Parts { time_ms: u64::try_from(now.0).unwrap_or(0), counter: 0, chance: 1, shard: 0 });
    let (mut events, mut first) = (Vec::new(), None);
    for event in scene.events {
        let concerned = super::event::concerned(scene.loaded, event);
        let triggers = concerned.into_iter().map(|trigger| (scene.loaded, trigger));
        if let Some(run) = start::consider_all(triggers, event, || id, stage.secrets).0.pop() {
            events.push(Arc::clone(event));
            first.get_or_insert(run);
        }
    }
    first.map(|run| Hand::new(scene.loaded, run, &events, now)).transpose()
}

fn go<'d>(root: Hand<'d>, stage: &mut Stage<'d, '_, '_>, mut cancel: Option<Timestamp>) -> Result<Outcome, String> {
    let mut hands = vec![root];
    for _turn in 0..TURNS {
        let (mut any, mut begun) = (false, Vec::new());
        if cancel.is_some_and(|due| due <= stage.now) {
            cancel = None;
            any = hands.first_mut().is_some_and(Hand::cancel);
        }
        for hand in &mut hands {
            any |= hand.turn(stage, &mut begun)?;
        }
        hands.append(&mut begun);
        let over: Vec<RunId> = hands.iter().filter(|hand| hand.outcome.is_some()).map(|hand| hand.run.id).collect();
        // What a run that has ended waited for is not needed any more.
        for hand in hands.iter_mut().filter(|hand| hand.outcome.is_none() && hand.parent.is_some_and(|parent| over.contains(&parent))) {
            any |= hand.cancel();
        }
        if any {
            continue;
        }
        let wakes = hands.iter().filter(|hand| hand.outcome.is_none()).filter_map(|hand| hand.wake);
        let is_over = hands.iter().all(|hand| hand.outcome.is_some());
        let next = if is_over { None } else { wakes.chain(stage.next_due()).chain(cancel).min() };
        let Some(due) = next else { return end(&hands, stage) };
        stage.now = stage.now.max(due);
        stage.bring();
    }
    Err(format!("the run does not end: it was stopped after {TURNS} turns"))
}

/// Nothing can come any more: every run has ended, or waits for ever.
fn end(hands: &[Hand<'_>], stage: &mut Stage<'_, '_, '_>) -> Result<Outcome, String> {
    if let Some(root) = hands.first() {
        stage.trace.vars.clone_from(&root.run.vars);
        stage.trace.response.clone_from(&root.run.response);
        if let Some(outcome) = &root.outcome {
            return Ok(outcome.clone());
        }
    }
    let awaited: Vec<String> = hands.iter().flat_map(|hand| hand.waits_in_vain(stage)).collect();
    stage.trace.waits.clone_from(&awaited);
    Err(awaited.join("\n"))
}
