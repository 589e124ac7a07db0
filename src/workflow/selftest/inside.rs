//! What the runs of a case say to each other: events, runs that are a part of another one, waits.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::hand::{Hand, shell};
use super::stage::{Posted, Stage};
use super::trace::Deed;
use crate::domain::Value;
use crate::domain::event::Source;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::journal::Fact;
use crate::domain::next::{Task, Todo};
use crate::domain::run::Awaiting;
use crate::domain::workflow::StepKind;
use crate::workflow::evaluate::{self, Heard};
use crate::workflow::inside;

impl<'d> Hand<'d> {
    pub(super) fn emit(&self, todo: &Todo<'_>, body: &Value, stage: &mut Stage<'d, '_, '_>) -> Fact {
        let StepKind::Emit(emit) = &todo.step.kind else { return internal(todo) };
        if let Err(error) = inside::check_event(self.depth, body) {
            return failed(todo, error);
        }
        let event = stage.event(Source::Workflow, &emit.kind, "", body, stage.now);
        let (id, kind) = (event.head.id, Arc::clone(&emit.kind));
        stage.post(Arc::clone(&kind), event);
        let deed = Deed::Emit { step: todo.address.clone(), kind: Arc::clone(&kind), body: body.clone() };
        stage.act(&self.loaded.workflow.name, deed);
        Fact::EventEmitted { step: todo.address.clone(), event: id, kind }
    }

    /// A mock takes the place of the child run; without one the workflow of the project runs.
    pub(super) fn start(
        &mut self,
        todo: &Todo<'_>,
        with: Value,
        stage: &mut Stage<'d, '_, '_>,
        begun: &mut Vec<Self>,
    ) -> Result<Fact, String> {
        let StepKind::Run(child) = &todo.step.kind else { return Ok(internal(todo)) };
        let (step, workflow) = (todo.address.clone(), Arc::clone(&child.workflow));
        let answer = stage.mocks.child(&workflow, &step)?;
        let mocked = answer.is_some();
        let run = match answer {
            Some(answer) => {
                let run = stage.run_id();
                stage.end_mocked(run, &workflow, answer);
                run
            }
            None => match self.child(&workflow, &with, stage) {
                Ok(hand) => {
                    let hand = hand?;
                    let run = hand.run.id;
                    begun.push(hand);
                    run
                }
                Err(error) => return Ok(failed(todo, error)),
            },
        };
        let deed = Deed::Start { step: step.clone(), workflow: Arc::clone(&workflow), with, mocked };
        stage.act(&self.loaded.workflow.name, deed);
        Ok(Fact::ChildStarted { step, run, workflow })
    }

    fn child(&self, name: &str, with: &Value, stage: &mut Stage<'d, '_, '_>) -> Result<Result<Self, String>, Failure> {
        let catalog = stage.catalog;
        let loaded = inside::child_workflow(catalog.get(name), name)?;
        inside::check_event(self.depth, with)?;
        let id = stage.run_id();
        let mut event = stage.event(Source::Workflow, "run", "", with, stage.now);
        event.head.depth = self.depth.saturating_add(1);
        let mut new = inside::child(loaded, &event, id, stage.secrets, |lane| self.held.iter().any(|held| held.key == lane.key))?;
        new.parent = Some(self.run.id);
        let hand = Self::new(loaded, new, &[Arc::new(event)], stage.now);
        Ok(hand.map(|mut hand| {
            hand.held.extend(self.held.iter().copied());
            hand
        }))
    }

    /// Looks whether something has come that the run waits for.
    pub(super) fn listen(&mut self, listens: &[Todo<'d>], stage: &mut Stage<'d, '_, '_>) -> Result<bool, String> {
        for todo in listens {
            let Task::Listen(awaiting) = &todo.task else { continue };
            let taken = self.run.taken.get(&awaiting.topic).cloned().unwrap_or_default();
            let shell = shell(stage);
            let fact = stage.posted.iter().filter(|posted| is_for(posted, awaiting, &taken)).find_map(|Posted { seq, event, .. }| {
                match evaluate::hear(self.loaded, todo, &mut self.scope, &self.run, event, *seq, &shell) {
                    Heard::Other => None,
                    Heard::Fact(fact) => Some(fact),
                }
            });
            if let Some(fact) = fact {
                self.keep(todo, stage.now, fact, stage)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What it waits for and nobody brings, for a person.
    pub(super) fn waits_in_vain(&self, stage: &Stage<'_, '_, '_>) -> Vec<String> {
        if self.outcome.is_some() {
            return Vec::new();
        }
        let of = if self.parent.is_some() { format!(" of `{}`", self.loaded.workflow.name) } else { String::new() };
        let said = |todo: &Todo<'_>| {
            let Task::Listen(Awaiting { topic, child: None, .. }) = &todo.task else { return None };
            let step = &todo.address;
            let came = stage.posted.iter().filter(|posted| posted.topic == *topic).count();
            let other = match came {
                0 => String::new(),
                1 => "; one came, and was too early, taken already, or not the one by its `if`".to_owned(),
                many => format!("; {many} came, and were too early, taken already, or not the one by its `if`"),
            };
            Some(format!(
                "step `{step}`{of} waits for an event `{topic}`, and the case brings none{other}; add\n  \
                 arrive:\n    - {{type: {topic}, body: {{}}, after: 1h}}"
            ))
        };
        self.awaiting.iter().filter_map(said).collect()
    }
}

/// Whether an event that has come counts for a wait: the same in name, neither too early nor too late, not taken by another one.
fn is_for(posted: &Posted, awaiting: &Awaiting, taken: &BTreeSet<u64>) -> bool {
    let received = posted.event.head.received;
    let in_time = awaiting.since <= received && awaiting.until.is_none_or(|until| received < until);
    posted.topic == awaiting.topic && in_time && !taken.contains(&posted.seq)
}

fn failed(todo: &Todo<'_>, error: Failure) -> Fact {
    Fact::StepFailed { step: todo.address.clone(), attempts: 0, error }
}

fn internal(todo: &Todo<'_>) -> Fact {
    failed(todo, Failure::new(FailureKind::Internal, "a step was mistaken for another one: please report this"))
}
