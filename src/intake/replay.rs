//! A run once more: a new run for the same event, in the workflow's current revision, as a whole or from a step on.

use std::sync::Arc;

use super::{Intake, Refusal};
use crate::domain::id::{EventId, Revision, RunId};
use crate::domain::journal::{Entry, Fact};
use crate::domain::replay::{Refused, Reused, reuse};
use crate::domain::workflow::Gathering;
use crate::store::{CommitError, Replay, ReplayOf, RunHead};
use crate::workflow::catalog::Loaded;
use crate::workflow::same::is_same_step;
use crate::workflow::start::{self, Considered};

/// A replay that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The new run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: Arc<str>,
    /// The revision it follows: the current one.
    pub revision: Revision,
    /// The event of both.
    pub event: EventId,
    /// The run it replays, and from where.
    pub of: ReplayOf,
}

impl Intake {
    /// Starts a new run for the event of a run that has ended. With `from`, a step's id or address, what was done before
    /// that step is not done again. Durable on return.
    ///
    /// # Errors
    /// When the run is open or unknown, its event, its workflow or the step is not there, what was done cannot be
    /// reused, or the store would not take it. Nothing is stored then.
    pub async fn replay(&self, run: RunId, from: Option<&str>) -> Result<Replayed, Refusal> {
        let store = self.journal.store();
        let head = store.run(run).await?.ok_or(Refusal::NoRun(run))?;
        if !head.status.is_final() {
            return Err(Refusal::RunOpen(run));
        }
        let loaded = self.workflow_now(&head.workflow)?;
        let event = Arc::new(store.event(head.event).await?.ok_or(Refusal::NoEvent(head.event, run))?);
        let gathered = store.gathered(run).await?.len();
        let is_batch = matches!(loaded.workflow.gathering, Some(Gathering::Batch { .. }));
        if 1 < gathered && !is_batch {
            let text = format!("{run} was for a batch of {gathered} events, and the workflow has no `batch` now: it would see one of them");
            return Err(Refusal::NotReusable(text));
        }
        let accepted = self.clock.now();
        let mut new = match start::consider(&loaded, None, &event, self.ids.run(accepted), &self.secrets) {
            Considered::Starts(new) => *new,
            Considered::NotMatched(_) => return Err(Refusal::NotMatched(head.workflow.to_string())),
        };
        // A replay has its events already.
        new.gather = None;
        new.facts.iter_mut().for_each(|entry| entry.at = accepted);
        let mut of = ReplayOf { run, from: None, facts: 0 };
        if let Some(from) = from {
            if let Some(Entry { fact: Fact::ConditionFailed { error }, .. }) = new.facts.first() {
                return Err(Refusal::NotReusable(format!("what decides whether a run begins cannot be evaluated: {error}")));
            }
            let Reused { from, facts } = self.reused(&head, &loaded, from).await?;
            of = ReplayOf { run, from: Some(from), facts: u32::try_from(facts.len()).unwrap_or(u32::MAX) };
            new.facts = facts;
        }
        let replayed = Replayed { run: new.id, workflow: head.workflow, revision: new.revision, event: head.event, of: of.clone() };
        let replay = Replay { run: new, event: head.event, accepted, of };
        self.journal.replay(replay, Some(event).filter(|_| !is_batch)).await.map_err(|error| match error {
            CommitError::Store(error) => Refusal::Store(error),
            CommitError::NoEvent(event) => Refusal::NoEvent(event, run),
            CommitError::Unknown(_) | CommitError::Fenced(_) | CommitError::Conflict { .. } => Refusal::NoRun(run),
        })?;
        tracing::info!(run.id = %replayed.run, workflow.name = %replayed.workflow, replay_of = %run, "replay begins");
        Ok(replayed)
    }

    /// The revision that new events get, unless the file says something else by now.
    fn workflow_now(&self, name: &str) -> Result<Arc<Loaded>, Refusal> {
        let catalog = self.current.get();
        if catalog.is_outdated(name) {
            return Err(Refusal::BadWorkflow(name.to_owned()));
        }
        catalog.get(name).map(Arc::clone).ok_or_else(|| Refusal::NoWorkflow(name.to_owned()))
    }

    async fn reused(&self, head: &RunHead, new: &Arc<Loaded>, from: &str) -> Result<Reused, Refusal> {
        let entries = self.journal.store().facts(head.id).await?;
        let old = (self.find_revision)(Arc::clone(&head.workflow), head.revision).await?.ok_or_else(|| gone(head))?;
        let (run, from, new) = (head.id, from.to_owned(), Arc::clone(new));
        // A long journal takes its time.
        let work = move || {
            let is_same = |one: &_, other: &_| is_same_step((&old, one), (&new, other));
            reuse(run, (&old.workflow, &new.workflow), &entries, &from, &is_same).map_err(Refusal::from)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => Err(Refusal::NotReusable(format!("what was done could not be looked through: {error}; replay the whole run"))),
        }
    }
}

fn gone(head: &RunHead) -> Refusal {
    let text = format!("the revision that {} followed cannot be read any more: replay the whole run", head.id);
    Refusal::NotReusable(text)
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let text = refused.to_string();
        match refused {
            Refused::Unknown { .. } | Refused::InLoop { .. } | Refused::OfTheRun { .. } | Refused::PartOf { .. } => Self::NoStep(text),
            Refused::Unfinished { .. }
            | Refused::NotReached { .. }
            | Refused::Changed { .. }
            | Refused::UnderWay { .. }
            | Refused::TakenBack { .. }
            | Refused::TooMany { .. }
            | Refused::Impossible(_) => Self::NotReusable(text),
        }
    }
}
