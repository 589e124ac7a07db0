//! What the runs of a case share: the clock, what has come and will come, the mocks, and what is written down.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::file::{Comes, Replies, Reply};
use super::mock::Mocks;
use super::trace::{Act, Deed, Trace};
use crate::domain::Map;
use crate::domain::Value;
use crate::domain::event::{Event, EventHead, Source};
use crate::domain::failure::Failure;
use crate::domain::id::{EventId, Parts, RunId};
use crate::domain::journal::{Address, Outcome};
use crate::domain::run::child_topic;
use crate::domain::secret::Secrets;
use crate::domain::time::Timestamp;
use crate::domain::workflow::Step;
use crate::workflow::catalog::Catalog;
use crate::workflow::inside;

/// An event that has come, and what it is called by.
pub(super) struct Posted {
    pub(super) seq: u64,
    pub(super) topic: Arc<str>,
    pub(super) event: Event,
}

/// What the runs of a case share.
pub(super) struct Stage<'d, 'm, 'c> {
    pub(super) catalog: &'d Catalog,
    pub(super) secrets: &'d Secrets,
    pub(super) secret_values: Map,
    pub(super) mocks: &'m mut Mocks<'c>,
    pub(super) comes: &'d Comes,
    pub(super) now: Timestamp,
    pub(super) trace: Trace,
    pub(super) posted: Vec<Posted>,
    /// What will come, by its time.
    coming: BTreeMap<(Timestamp, u64), (Arc<str>, Event)>,
    asked: BTreeMap<Arc<str>, usize>,
    counter: u32,
}

impl<'d, 'm, 'c> Stage<'d, 'm, 'c> {
    pub(super) fn new(catalog: &'d Catalog, secrets: &'d Secrets, mocks: &'m mut Mocks<'c>, comes: &'d Comes, now: Timestamp) -> Self {
        let mut stage = Self {
            catalog,
            secrets,
            secret_values: secrets.expose_all(),
            mocks,
            comes,
            now,
            trace: Trace::default(),
            posted: Vec::new(),
            coming: BTreeMap::new(),
            asked: BTreeMap::new(),
            counter: 0,
        };
        for arrival in &comes.arrivals {
            let due = arrival.due.from(now);
            let event = stage.event(Source::Workflow, &arrival.kind, "", &arrival.body, due);
            stage.expect(due, Arc::clone(&arrival.kind), event);
        }
        stage.bring();
        stage
    }

    fn parts(&mut self, at: Timestamp) -> Parts {
        self.counter = self.counter.wrapping_add(1);
        Parts { time_ms: u64::try_from(at.0).unwrap_or(0), counter: self.counter, chance: 1, shard: 0 }
    }

    /// The name of a further run.
    pub(super) fn run_id(&mut self) -> RunId {
        let parts = self.parts(self.now);
        RunId::new(parts)
    }

    /// An event with a JSON body.
    pub(super) fn event(&mut self, source: Source, kind: &str, path: &str, body: &Value, at: Timestamp) -> Event {
        let mut head = EventHead::new(EventId::new(self.parts(at)), source, kind, at);
        "application/json".clone_into(&mut head.content_type);
        path.clone_into(&mut head.path);
        Event::new(head, Bytes::from(body.to_string()))
    }

    fn expect(&mut self, due: Timestamp, topic: Arc<str>, event: Event) {
        self.counter = self.counter.wrapping_add(1);
        self.coming.insert((due, u64::from(self.counter)), (topic, event));
    }

    /// When the next thing comes.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.coming.first_key_value().map(|((due, _), _)| *due)
    }

    /// Everything that has come by now.
    pub(super) fn bring(&mut self) {
        while let Some(entry) = self.coming.first_entry() {
            if self.now < entry.key().0 {
                return;
            }
            let (topic, event) = entry.remove();
            self.post(topic, event);
        }
    }

    /// An event is there, for all who wait for one of this name.
    pub(super) fn post(&mut self, topic: Arc<str>, event: Event) {
        let seq = u64::try_from(self.posted.len()).unwrap_or(u64::MAX).saturating_add(1);
        self.posted.push(Posted { seq, topic, event });
    }

    /// A person is asked: their answer comes when the case says.
    pub(super) fn ask(&mut self, topic: Arc<str>, step: &Step, address: &Address, to: &str) -> Result<(), String> {
        let Some(Reply { approved, who, comment, after }) = self.reply(step, address)? else { return Ok(()) };
        let due = self.now.after(after);
        let what = if approved { "approved" } else { "denied" };
        let who = who.as_deref().unwrap_or(to);
        let event = self.event(Source::Approval, "approval", &topic, &json!({"who": who, "what": what, "comment": comment}), due);
        self.expect(due, topic, event);
        self.bring();
        Ok(())
    }

    fn reply(&mut self, step: &Step, address: &Address) -> Result<Option<Reply>, String> {
        let names = [Some(address.as_str()), Some(step.address.as_str()), step.id.as_deref()];
        let found = names.into_iter().flatten().find_map(|name| self.comes.approvals.get_key_value(name));
        match found {
            None if self.comes.all_approved => {
                Ok(Some(Reply { approved: true, who: None, comment: "".into(), after: std::time::Duration::ZERO }))
            }
            None => Ok(None),
            Some((_, Replies::Always(reply))) => Ok(Some(reply.clone())),
            Some((name, Replies::Each(replies))) => {
                let used = self.asked.entry(Arc::clone(name)).or_default();
                let place = *used;
                *used = place.saturating_add(1);
                let missing = || format!("step `{address}` asks for the {}. time, and `approvals.{name}` has no more answers", place + 1);
                replies.get(place).cloned().map(Some).ok_or_else(missing)
            }
        }
    }

    /// A mocked child run has ended so.
    pub(super) fn end_mocked(&mut self, run: RunId, workflow: &str, answer: Result<Value, Failure>) {
        let outcome = match answer {
            Ok(output) => Outcome::Succeeded { output: Arc::new(output) },
            Err(error) => Outcome::Failed { step: None, error },
        };
        self.tell_ended(run, workflow, &outcome);
    }

    /// The run that waits for the end of this one is told.
    pub(super) fn tell_ended(&mut self, run: RunId, workflow: &str, outcome: &Outcome) {
        let topic = child_topic(run);
        let body = inside::ended(run, workflow, outcome);
        let event = self.event(Source::Run, inside::RUN_ENDED, &topic, &body, self.now);
        self.post(topic, event);
    }

    /// Writes down what a run brings about.
    pub(super) fn act(&mut self, workflow: &Arc<str>, deed: Deed) {
        self.trace.acts.push(Act { workflow: Arc::clone(workflow), deed });
    }
}
