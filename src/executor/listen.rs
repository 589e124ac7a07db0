//! Looks whether an event has come that a run waits for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Stop;
use super::drive::{AGAIN, Driver, Stuck};
use crate::domain::event::{Event, Source};
use crate::domain::journal::Address;
use crate::domain::next::{Task, Todo};
use crate::domain::run::{Awaiting, Stamped, StepState};
use crate::store::{CommitError, Listening, Posted, StoreError, TopicKey, seq_at};
use crate::workflow::evaluate::{self, Heard, Shell};

/// How many events are looked at at a time.
const EVENTS_AT_ONCE: usize = 100;

/// What a look brought.
pub(super) enum Listened {
    /// Facts: there is something to do.
    Heard,
    /// Nothing yet; how far was looked.
    Nothing(Vec<Listening>),
}

impl Driver<'_> {
    /// Looks at everything that has come since the last look. The run is armed before, so that what comes later is told.
    pub(super) async fn listen(&mut self, listens: &[Todo<'_>], stop: &Stop) -> Result<Listened, Stuck> {
        if listens.is_empty() {
            self.executor.listeners.disarm(self.run.id);
            return Ok(Listened::Nothing(Vec::new()));
        }
        self.executor.listeners.arm(self.run.id, self.looked(listens).into());
        for todo in listens {
            if let Task::Listen(awaiting) = &todo.task
                && self.listen_to(todo, awaiting, stop).await?
            {
                return Ok(Listened::Heard);
            }
        }
        let nothing = self.looked(listens);
        self.executor.listeners.looked(self.run.id, &nothing);
        Ok(Listened::Nothing(nothing))
    }

    /// What has come in time is heard, also when the run comes to it too late.
    pub(super) async fn listen_before_expiry(&mut self, todos: &[Todo<'_>], stop: &Stop) -> Result<bool, Stuck> {
        for todo in todos {
            let awaiting = match (&todo.task, self.run.steps.get(&todo.address)) {
                (Task::Expire, Some(Stamped { state: StepState::Awaiting(awaiting), .. })) => awaiting.clone(),
                _ => continue,
            };
            if self.listen_to(todo, &awaiting, stop).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How far each wait has looked; the least where several wait for the same.
    fn looked(&self, listens: &[Todo<'_>]) -> Vec<Listening> {
        let mut looked: BTreeMap<TopicKey, u64> = BTreeMap::new();
        for todo in listens {
            let Task::Listen(awaiting) = &todo.task else { continue };
            let seen = self.seen_of(&todo.address, awaiting);
            looked.entry(TopicKey::of(&awaiting.topic)).and_modify(|least| *least = seen.min(*least)).or_insert(seen);
        }
        looked.into_iter().map(|(topic, seen)| Listening { topic, seen }).collect()
    }

    /// What lies behind this place has not been looked at.
    fn seen_of(&self, step: &Address, awaiting: &Awaiting) -> u64 {
        self.seen.get(step).copied().unwrap_or(0).max(seq_at(awaiting.since).saturating_sub(1))
    }

    async fn listen_to(&mut self, todo: &Todo<'_>, awaiting: &Awaiting, stop: &Stop) -> Result<bool, Stuck> {
        let topic = TopicKey::of(&awaiting.topic);
        loop {
            let after = self.seen_of(&todo.address, awaiting);
            let store = self.executor.journal.store();
            let posted = match store.posted(topic, after, EVENTS_AT_ONCE).await {
                Ok(posted) => posted,
                Err(error) => {
                    self.pause(&error, stop).await?;
                    continue;
                }
            };
            if posted.is_empty() {
                return Ok(false);
            }
            for Posted { seq, event } in posted {
                let is_taken = self.run.taken.get(&awaiting.topic).is_some_and(|taken| taken.contains(&seq));
                let event = if is_taken { Ok(None) } else { store.event(event).await };
                match event {
                    Ok(Some(event)) if is_of(&event, awaiting) => {
                        if self.hear(todo, &event, seq)? {
                            return Ok(true);
                        }
                    }
                    // Another topic with the same hash, too late, taken before, or gone.
                    Ok(Some(_) | None) => {}
                    Err(error) => {
                        self.pause(&error, stop).await?;
                        break;
                    }
                }
                self.seen.insert(todo.address.clone(), seq);
            }
        }
    }

    fn hear(&mut self, todo: &Todo<'_>, event: &Event, seq: u64) -> Result<bool, Stuck> {
        let loaded = Arc::clone(&self.loaded);
        let shell = Shell { secrets: &self.executor.secrets, link: &*self.executor.link };
        let fact = match evaluate::hear(&loaded, todo, &mut self.scope, &self.run, event, seq, &shell) {
            Heard::Other => return Ok(false),
            Heard::Fact(fact) => fact,
        };
        self.record(self.executor.clock.now(), fact)?;
        self.seen.remove(&todo.address);
        self.show(todo);
        Ok(true)
    }

    /// The store cannot be read now: it is tried again in a moment, until told to stop.
    async fn pause(&self, error: &StoreError, stop: &Stop) -> Result<(), Stuck> {
        tracing::error!(run.id = %self.run.id, error = %error, "events cannot be read now; it is tried again in a moment");
        tokio::select! {
            () = stop.soft.cancelled() => Err(Stuck::Commit(CommitError::Store(error.clone()))),
            () = self.executor.clock.pause(AGAIN) => Ok(()),
        }
    }
}

/// Whether an event is one that is waited for, and came in time. It is known by its type, if a workflow emitted it, else by
/// the topic in its path.
fn is_of(event: &Event, awaiting: &Awaiting) -> bool {
    let is_topic = match event.head.source {
        Source::Workflow => *event.head.kind == *awaiting.topic,
        Source::Run | Source::Approval => *event.head.path == *awaiting.topic,
        Source::Webhook | Source::Form | Source::Schedule | Source::Manual => false,
    };
    is_topic && awaiting.until.is_none_or(|until| event.head.received < until)
}
