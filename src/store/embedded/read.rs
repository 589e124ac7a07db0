//! What only looks.

use std::ops::ControlFlow;

use super::super::kv::{Order, VALUE_MAX_BYTES};
use super::super::{Epoch, OpenRun, Page, Posted, RevisionFiles, RunFilter, RunHead, StoreError, TopicKey};
use super::record::{EventRecord, Reader, RunRecord, damaged, from_json};
use super::{Core, View, key, open_record};
use crate::domain::event::{Event, EventHead};
use crate::domain::id::{EventId, Revision, RunId};
use crate::domain::journal::Entry;
use crate::domain::time::Timestamp;

/// How many runs a listing looks at, so that a rare filter stays bounded.
pub(super) const LISTING_SCAN_MAX_RUNS: usize = 10_000;

pub(super) fn epoch(view: View<'_>) -> Result<Epoch, StoreError> {
    match view.get(&key::epoch())? {
        None => Ok(Epoch(0)),
        Some(bytes) => Reader(&bytes).take().map(|bytes| Epoch(u64::from_be_bytes(bytes))).ok_or_else(|| damaged("the epoch")),
    }
}

pub(super) fn cursor(view: View<'_>, name: &str) -> Result<Option<Timestamp>, StoreError> {
    let bytes = view.get(&key::cursor(name))?;
    bytes.map(|bytes| Reader(&bytes).time().ok_or_else(|| damaged("a schedule's cursor"))).transpose()
}

pub(super) fn run_record(view: View<'_>, id: RunId) -> Result<Option<RunRecord>, StoreError> {
    view.get(&key::run(id))?.map(|bytes| RunRecord::read(&bytes)).transpose()
}

pub(super) fn event_head(view: View<'_>, id: EventId) -> Result<Option<EventHead>, StoreError> {
    let Some(first) = view.get(&key::event(id))? else { return Ok(None) };
    complete_head(view, id, first).map(Some)
}

fn complete_head(view: View<'_>, id: EventId, first: Vec<u8>) -> Result<EventHead, StoreError> {
    let need = EventRecord::head_bytes(&first).ok_or_else(|| damaged("an event"))?;
    EventRecord::read_head(&complete(view, id, first, need)?)
}

/// An event's record from its first value on, at least `need` bytes of it.
fn complete(view: View<'_>, id: EventId, first: Vec<u8>, need: usize) -> Result<Vec<u8>, StoreError> {
    let mut record = first;
    for index in 0u32.. {
        if need <= record.len() {
            break;
        }
        let chunk = view.get(&key::chunk(&key::event_rest(id), index))?.filter(|chunk| !chunk.is_empty());
        record.extend(chunk.ok_or_else(|| damaged("an event's body"))?);
    }
    Ok(record)
}

impl Core {
    pub(super) fn view(&self) -> View<'_> {
        View { kv: &*self.kv, batch: None }
    }

    pub(super) fn load(&self) -> Result<Vec<OpenRun>, StoreError> {
        let (from, to) = key::all_open();
        let mut runs = Vec::new();
        let mut broken = false;
        self.kv.range(&from, &to, Order::Ascending, &mut |key, value| {
            match key::id(key).and_then(|id| open_record::read(id, value)) {
                Some(run) => runs.push(run),
                None => broken = true,
            }
            if broken { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if broken {
            return Err(damaged("an open run"));
        }
        for run in &mut runs {
            for listening in &run.listens {
                // Something came while nobody was there to tell it.
                if !self.posted(listening.topic, listening.seen, 1)?.is_empty() {
                    run.wake = Some(Timestamp(0));
                }
            }
        }
        Ok(runs)
    }

    pub(super) fn revision(&self, revision: Revision) -> Result<Option<RevisionFiles>, StoreError> {
        let first = key::revision(revision);
        let mut json = Vec::new();
        self.kv.range(&first, &key::end_of(&first), Order::Ascending, &mut |_, chunk| {
            json.extend_from_slice(chunk);
            ControlFlow::Continue(())
        })?;
        if json.is_empty() { Ok(None) } else { from_json("a revision", &json).map(Some) }
    }

    pub(super) fn run(&self, id: RunId) -> Result<Option<RunHead>, StoreError> {
        run_record(self.view(), id)?.map(|run| run.head(id)).transpose()
    }

    pub(super) fn facts(&self, run: RunId) -> Result<Vec<Entry>, StoreError> {
        let prefix = key::run_facts(run);
        let first_len = key::facts(run, 0).len();
        let mut commits: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        self.kv.range(&prefix, &key::end_of(&prefix), Order::Ascending, &mut |key, value| {
            match commits.last_mut() {
                Some((_, json)) if first_len < key.len() => json.extend_from_slice(value),
                _ => commits.push((key.to_vec(), value.to_vec())),
            }
            ControlFlow::Continue(())
        })?;
        let mut facts: Vec<Entry> = Vec::new();
        for (key, json) in commits {
            // Each commit begins where the one before it ended, or some of them are missing.
            if u32::try_from(facts.len()).is_ok_and(|position| key::facts(run, position) != key) {
                return Err(damaged(&format!("the journal of {run}")));
            }
            facts.extend(from_json::<Vec<Entry>>(&format!("the journal of {run}"), &json)?);
        }
        Ok(facts)
    }

    pub(super) fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        let Some(first) = self.kv.get(&key::event(id))? else { return Ok(None) };
        let need = EventRecord::total_bytes(&first).ok_or_else(|| damaged("an event"))?;
        let record = complete(self.view(), id, first, need)?;
        let head = EventRecord::read_head(&record)?;
        Ok(Some(Event::new(head, EventRecord::read_body(record)?)))
    }

    pub(super) fn gathered(&self, run: RunId) -> Result<Vec<Event>, StoreError> {
        let mut ids = self.gathered_ids(run)?;
        if ids.is_empty() {
            ids.extend(run_record(self.view(), run)?.map(|run| run.event));
        }
        let event = |id| self.event(id)?.ok_or_else(|| StoreError::Damaged(format!("{id}, which {run} gathered, is not there")));
        ids.into_iter().map(event).collect()
    }

    /// The events that a run gathered, oldest first; none for a run that gathers none.
    pub(super) fn gathered_ids(&self, run: RunId) -> Result<Vec<EventId>, StoreError> {
        let mut ids: Option<Vec<EventId>> = Some(Vec::new());
        let (from, to) = (key::gathered(run, 0), key::gathered(run, u32::MAX));
        self.kv.range(&from, &to, Order::Ascending, &mut |_, value| {
            let id = value.try_into().ok().map(EventId::from_bytes);
            match (&mut ids, id) {
                (Some(ids), Some(id)) => ids.push(id),
                (ids, _) => *ids = None,
            }
            ControlFlow::Continue(())
        })?;
        ids.ok_or_else(|| damaged("an event's id"))
    }

    pub(super) fn posted(&self, topic: TopicKey, after: u64, limit: usize) -> Result<Vec<Posted>, StoreError> {
        let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
        let (mut found, mut broken) = (Vec::new(), false);
        self.kv.range(&key::posted(topic, first), &key::posted(topic, u64::MAX), Order::Ascending, &mut |key, value| {
            if found.len() == limit {
                return ControlFlow::Break(());
            }
            let event = value.try_into().ok().map(EventId::from_bytes);
            match key::posted_seq(key).zip(event) {
                Some((seq, event)) => found.push(Posted { seq, event }),
                None => broken = true,
            }
            ControlFlow::Continue(())
        })?;
        if broken { Err(damaged("an event's place")) } else { Ok(found) }
    }

    pub(super) fn runs(&self, filter: &RunFilter, limit: usize) -> Result<Page<RunHead, RunId>, StoreError> {
        let (from, all) = key::all_runs();
        let to = filter.before.map_or(all, key::run);
        let (mut items, mut last, mut more, mut looked) = (Vec::new(), None, false, 0);
        let mut failed = None;
        self.kv.range(&from, &to, Order::Descending, &mut |key, value| {
            let Some(id) = key::id(key).map(RunId::from_bytes) else {
                failed = Some(damaged("a run's key"));
                return ControlFlow::Break(());
            };
            // An id is never older than the time its run was accepted: nothing below can be newer.
            if filter.since.is_some_and(|since| u64::try_from(since.0).is_ok_and(|since_ms| id.time_ms() < since_ms)) {
                return ControlFlow::Break(());
            }
            if items.len() == limit || looked == LISTING_SCAN_MAX_RUNS {
                more = true;
                return ControlFlow::Break(());
            }
            looked += 1;
            last = Some(id);
            match filtered(filter, id, value) {
                Ok(head) => items.extend(head),
                Err(error) => failed = Some(error),
            }
            if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        match failed {
            Some(error) => Err(error),
            None => Ok(Page { items, next: last.filter(|_| more) }),
        }
    }

    pub(super) fn open_runs(&self, limit: usize) -> Result<Page<RunHead, RunId>, StoreError> {
        let (from, to) = key::all_open();
        let mut found = Vec::new();
        let mut next = None;
        self.kv.range(&from, &to, Order::Ascending, &mut |key, _| {
            let id = key::id(key).map(RunId::from_bytes);
            if found.len() == limit {
                next = id;
                return ControlFlow::Break(());
            }
            found.push(id);
            ControlFlow::Continue(())
        })?;
        let mut items = Vec::with_capacity(found.len());
        for id in found {
            // It may have been forgotten since.
            items.extend(self.run(id.ok_or_else(|| damaged("an open run"))?)?.filter(|head| !head.status.is_final()));
        }
        Ok(Page { items, next })
    }

    pub(super) fn events(&self, before: Option<EventId>, limit: usize) -> Result<Page<EventHead, EventId>, StoreError> {
        let (from, all) = key::all_events();
        let to = before.map_or(all, key::event);
        let (mut found, mut more) = (Vec::new(), false);
        self.kv.range(&from, &to, Order::Descending, &mut |key, value| {
            if found.len() == limit {
                more = true;
                return ControlFlow::Break(());
            }
            // The body's beginning lies in the same value and is not wanted here.
            let head_bytes = EventRecord::head_bytes(value).unwrap_or(VALUE_MAX_BYTES);
            found.push((key::id(key), value.get(..head_bytes).unwrap_or(value).to_vec()));
            ControlFlow::Continue(())
        })?;
        let mut items = Vec::with_capacity(found.len());
        for (id, first) in found {
            let id = EventId::from_bytes(id.ok_or_else(|| damaged("an event's key"))?);
            items.push(complete_head(self.view(), id, first)?);
        }
        let next = items.last().map(|head: &EventHead| head.id).filter(|_| more);
        Ok(Page { items, next })
    }

    pub(super) fn newest(&self) -> Result<Timestamp, StoreError> {
        let mut newest_ms = 0;
        for (from, to) in [key::all_events(), key::all_runs()] {
            self.kv.range(&from, &to, Order::Descending, &mut |key, _| {
                newest_ms = newest_ms.max(key::id(key).map_or(0, |id| RunId::from_bytes(id).time_ms()));
                ControlFlow::Break(())
            })?;
        }
        Ok(Timestamp(i64::try_from(newest_ms).unwrap_or(i64::MAX)))
    }
}

fn filtered(filter: &RunFilter, id: RunId, value: &[u8]) -> Result<Option<RunHead>, StoreError> {
    let run = RunRecord::read(value)?;
    let status = filter.status.is_empty() || filter.status.contains(&run.status);
    if !status || filter.since.is_some_and(|since| run.accepted < since) {
        return Ok(None);
    }
    let head = run.head(id)?;
    let wanted = filter.workflow.as_deref().is_none_or(|name| name == &*head.workflow) && (!filter.replays || head.replay_of.is_some());
    Ok(wanted.then_some(head))
}
