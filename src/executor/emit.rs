//! What a run brings about inside: events for other workflows, runs that are a part of it, and the news of its end.

use std::sync::Arc;

use super::drive::Driver;
use crate::domain::Value;
use crate::domain::admission::Lane;
use crate::domain::event::{DEPTH_MAX, Event, EventHead, Match, MatchResult, Source};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::RunId;
use crate::domain::journal::{Fact, Outcome};
use crate::domain::next::Todo;
use crate::domain::run::{Status, child_topic};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{StepKind, Trigger};
use crate::store::Accept;
use crate::workflow::catalog::Loaded;
use crate::workflow::inside;
use crate::workflow::start;

/// Where a run comes from.
#[derive(Debug, Clone, Default)]
pub(super) struct Origin {
    /// How many events led to one another up to the run's own.
    pub(super) depth: u8,
    /// The run that it is a part of.
    pub(super) parent: Option<RunId>,
    /// The lane that it holds a place in.
    pub(super) lane: Option<Lane>,
    /// The lanes of the runs around it.
    pub(super) held: Vec<String>,
}

impl Driver<'_> {
    /// The event of an `emit` step is stored with this fact, or not at all.
    pub(super) fn emit(&mut self, todo: &Todo<'_>, body: &Value, now: Timestamp) -> Fact {
        let StepKind::Emit(emit) = &todo.step.kind else { return internal(todo) };
        let head = match self.head(Source::Workflow, &emit.kind, body, now) {
            Ok(head) => head,
            Err(error) => return failed(todo, error),
        };
        let id = head.id;
        let catalog = self.executor.revisions.current();
        let targets: Vec<_> = catalog.listeners(&emit.kind).iter().collect();
        let accept = self.accept(head, body, &targets, Some(Arc::clone(&emit.kind)));
        self.emits.push(accept);
        Fact::EventEmitted { step: todo.address.clone(), event: id, kind: Arc::clone(&emit.kind) }
    }

    /// The run of a `run` step is stored with this fact, or not at all.
    pub(super) fn start_child(&mut self, todo: &Todo<'_>, body: &Value, now: Timestamp) -> Fact {
        let StepKind::Run(child) = &todo.step.kind else { return internal(todo) };
        match self.child(&child.workflow, body, now) {
            Ok(run) => Fact::ChildStarted { step: todo.address.clone(), run, workflow: Arc::clone(&child.workflow) },
            Err(error) => failed(todo, error),
        }
    }

    fn child(&mut self, name: &Arc<str>, body: &Value, now: Timestamp) -> Result<RunId, Failure> {
        let catalog = self.executor.revisions.current();
        let loaded = inside::child_workflow(catalog.get(name), name)?;
        let mut head = self.head(Source::Workflow, "run", body, now)?;
        let id = self.executor.ids.run(now);
        head.held.clone_from(&self.origin.held);
        head.held.extend(self.origin.lane.map(|lane| hex(&lane)));
        let event = Event::new(head, bytes(body));
        let mut run = inside::child(loaded, &event, id, &self.executor.secrets, |lane| event.head.held.contains(&hex(lane)))?;
        run.parent = Some(self.run.id);
        let Event { mut head, body, .. } = event;
        head.matches.push(Match { workflow: Arc::clone(name), result: MatchResult::Run(id) });
        let event = Arc::new(Event::new(head, body));
        self.emits.push(Accept { event, dedupe: Vec::new(), runs: vec![run], cursor: None, topic: None });
        Ok(id)
    }

    /// Tells those that wait for the end of this run, or start with it.
    pub(super) fn tell_ended(&mut self, outcome: &Outcome, now: Timestamp) {
        let (name, status) = (Arc::clone(&self.loaded.workflow.name), Status::from(outcome));
        let catalog = self.executor.revisions.current();
        let concerned = |(loaded, trigger): &&(Arc<Loaded>, usize)| match loaded.workflow.triggers.get(*trigger) {
            Some(Trigger::Run(trigger)) => trigger.outcomes.contains(&status),
            Some(Trigger::Webhook(_) | Trigger::Form(_) | Trigger::Schedule(_) | Trigger::Event(_) | Trigger::Manual) | None => false,
        };
        let mut targets: Vec<_> = catalog.endings(&name).iter().filter(concerned).collect();
        if DEPTH_MAX <= self.origin.depth && !targets.is_empty() {
            tracing::error!(run.id = %self.run.id, workflow.name = %name, depth = DEPTH_MAX,
                "runs have led to one another too often: the end of this one starts no more");
            targets.clear();
        }
        if targets.is_empty() && self.origin.parent.is_none() {
            return;
        }
        let body = inside::ended(self.run.id, &name, outcome);
        let mut head = self.bare_head(Source::Run, inside::RUN_ENDED, now);
        let topic = self.origin.parent.map(|_| child_topic(self.run.id));
        topic.iter().for_each(|topic| head.path = topic.to_string());
        let accept = self.accept(head, &body, &targets, topic);
        self.emits.push(accept);
    }

    fn accept(&self, head: EventHead, body: &Value, targets: &[&(Arc<Loaded>, usize)], topic: Option<Arc<str>>) -> Accept {
        let mut event = Event::new(head, bytes(body));
        let concerned = targets.iter().map(|(loaded, trigger)| (&**loaded, loaded.workflow.triggers.get(*trigger)));
        let new_id = || self.executor.ids.run(event.head.received);
        let (runs, matches) = start::consider_all(concerned, &event, new_id, &self.executor.secrets);
        event.head.matches = matches;
        Accept { event: Arc::new(event), dedupe: Vec::new(), runs, cursor: None, topic }
    }

    fn head(&self, source: Source, kind: &str, body: &Value, now: Timestamp) -> Result<EventHead, Failure> {
        inside::check_event(self.origin.depth, body)?;
        Ok(self.bare_head(source, kind, now))
    }

    fn bare_head(&self, source: Source, kind: &str, now: Timestamp) -> EventHead {
        let mut head = EventHead::new(self.executor.ids.event(now), source, kind, now);
        "application/json".clone_into(&mut head.content_type);
        head.depth = self.origin.depth.saturating_add(1);
        head
    }
}

fn bytes(body: &Value) -> bytes::Bytes {
    body.to_string().into()
}

fn hex(lane: &Lane) -> String {
    lane.key.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn failed(todo: &Todo<'_>, error: Failure) -> Fact {
    Fact::StepFailed { step: todo.address.clone(), attempts: 0, error }
}

fn internal(todo: &Todo<'_>) -> Fact {
    failed(todo, Failure::new(FailureKind::Internal, "a step was mistaken for another one: please report this"))
}
