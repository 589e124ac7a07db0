//! A run once more: a new run for the same event, in the workflow's current revision, as a whole or from a step on.

use std::sync::Arc;

use super::{Intake, Refusal, Target, scope};
use crate::domain::event::Event;
use crate::domain::failure::Failure;
use crate::domain::id::{EventId, Revision, RunId};
use crate::domain::replay::{Refused, Reused, reuse};
use crate::store::{CommitError, NewRun, Replay, ReplayOf, RunHead};
use crate::workflow::catalog::Loaded;
use crate::workflow::problem::Problem;
use crate::workflow::same::is_same_step;

/// Compiles a stored revision.
pub type Rebuild = Arc<dyn Fn(&[(String, String)]) -> Result<Loaded, Vec<Problem>> + Send + Sync>;

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
        let accepted = self.clock.now();
        let id = self.ids.run(accepted);
        let condition = condition(&event, &loaded, id);
        let (from, facts) = match (condition, from) {
            (Ok(false), _) => return Err(Refusal::NotMatched(head.workflow.to_string())),
            (Ok(true), None) => (None, Vec::new()),
            (Ok(true), Some(from)) => {
                let Reused { from, facts } = self.reused(&head, &loaded, from).await?;
                (Some(from), facts)
            }
            // As for a new event: the run fails at once, and is seen.
            (Err(error), None) => (None, vec![self.condition_failed(error, accepted)]),
            (Err(mut error), Some(_)) => {
                self.secrets.mask_text(&mut error.message);
                return Err(Refusal::NotReusable(format!("the workflow's `if` cannot be evaluated: {error}")));
            }
        };
        let taken_over = if from.is_some() { facts.len() } else { 0 };
        let of = ReplayOf { run, from, facts: u32::try_from(taken_over).unwrap_or(u32::MAX) };
        let revision = loaded.workflow.revision;
        let run_anew = NewRun { id, workflow: Arc::clone(&head.workflow), revision, facts };
        let replay = Replay { run: run_anew, event: head.event, accepted, of: of.clone() };
        self.journal.replay(replay, event).await.map_err(|error| match error {
            CommitError::Store(error) => Refusal::Store(error),
            CommitError::NoEvent(event) => Refusal::NoEvent(event, run),
            CommitError::Unknown(_) | CommitError::Fenced(_) | CommitError::Conflict { .. } => Refusal::NoRun(run),
        })?;
        tracing::info!(run.id = %id, workflow.name = %head.workflow, replay_of = %run, "replay begins");
        Ok(Replayed { run: id, workflow: head.workflow, revision, event: head.event, of })
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
        let store = self.journal.store();
        let entries = store.facts(head.id).await?;
        let files = if head.revision == new.workflow.revision {
            None
        } else {
            Some(store.revision(head.revision).await?.ok_or_else(|| gone(head))?.files)
        };
        let (run, from, new, rebuild) = (head.id, from.to_owned(), Arc::clone(new), Arc::clone(&self.rebuild));
        let unreadable = gone(head);
        // A long journal takes its time, and so does compiling.
        let work = move || {
            let old = match files {
                None => Arc::clone(&new),
                Some(files) => Arc::new(rebuild(&files).ok().ok_or(unreadable)?),
            };
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
            Refused::Unknown { .. } | Refused::InLoop { .. } | Refused::OfTheRun { .. } => Self::NoStep(text),
            Refused::Unfinished { .. }
            | Refused::NotReached { .. }
            | Refused::Changed { .. }
            | Refused::UnderWay { .. }
            | Refused::TooMany { .. }
            | Refused::Impossible(_) => Self::NotReusable(text),
        }
    }
}

/// The workflow's `if`, as of when the event was received.
fn condition(event: &Event, loaded: &Arc<Loaded>, run: RunId) -> Result<bool, Failure> {
    let Some(condition) = loaded.workflow.condition else { return Ok(true) };
    let target = Target { loaded: Arc::clone(loaded), trigger: 0 };
    loaded.program.truth(condition, &mut scope(event, &target, run))
}
