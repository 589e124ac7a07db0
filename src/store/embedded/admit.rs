//! How a run is admitted: at once, at a time, or as one more event of a run that has not begun.
//!
//! What is remembered by key lies among the dedupe keys and is forgotten like them. A key of 16 bytes
//! is filled up with zeros, which no SHA-256 of a dedupe key ends with.

use std::time::Duration;

use super::super::kv::Batch;
use super::super::{Accepted, CommitError, Replay, ReplayOf, StoreError, Written};
use super::record::{Reader, RunRecord, damaged};
use super::write::{add_facts, admit, put_run};
use super::{Core, Writer, key, read};
use crate::domain::admission::{Gather, Key, NewRun, Throttled};
use crate::domain::event::EventHead;
use crate::domain::id::{EventId, RunId};
use crate::domain::run::Status;
use crate::domain::time::Timestamp;

/// How long a run that gathers is remembered beyond its beginning.
const SPARE: Duration = Duration::from_secs(3_600);

/// What became of a run that an event starts.
pub(super) struct Admitted {
    /// The run that will be done: another one if that gathers the event.
    pub(super) run: RunId,
    /// When it begins, if not at once.
    pub(super) wake: Option<Timestamp>,
}

/// A run that gathers events under a key.
struct Gathering {
    until: Timestamp,
    run: RunId,
    events: u32,
}

impl Core {
    pub(super) fn admit_run(&self, batch: &mut Batch, event: &EventHead, new: &NewRun) -> Result<Admitted, StoreError> {
        match new.gather {
            None => {
                let start = new.throttle.map(|throttle| self.throttle(batch, event.received, &throttle)).transpose()?;
                let wake = start.filter(|start| event.received < *start);
                put_new(batch, new, (event.id, event.received), wake, None)?;
                Ok(Admitted { run: new.id, wake })
            }
            Some(Gather::Debounce { key, quiet }) => self.debounce(batch, event, new, key, quiet),
            Some(Gather::Batch { key, size, within }) => self.gather(batch, event, new, (key, size, within)),
        }
    }

    /// A further run for the events of another one, which are there already. It is not gathered with others.
    pub(super) fn replay(&self, writer: &mut Writer, batch: &mut Batch, replay: &Replay) -> Result<Written, StoreError> {
        let Replay { run, event, accepted, of } = replay;
        // What it gathered is known as long as it is there itself, and so long nothing of that is forgotten.
        if read::run_record(self.over(batch), of.run)?.is_none() {
            return Ok(Written::Refused(CommitError::Unknown(of.run)));
        }
        let gathered = self.gathered_ids(of.run)?;
        for event in gathered.iter().chain([event]) {
            if self.over(batch).get(&key::event(*event))?.is_none() {
                return Ok(Written::Refused(CommitError::NoEvent(*event)));
            }
        }
        if let Err(full) = admit(writer) {
            return Ok(Written::Refused(full.into()));
        }
        let start = run.throttle.map(|throttle| self.throttle(batch, *accepted, &throttle)).transpose()?;
        let wake = start.filter(|start| accepted < start);
        put_new(batch, run, (*event, *accepted), wake, Some((of, gathered.len())))?;
        for (number, event) in (1..).zip(gathered) {
            batch.put(key::gathered(run.id, number), event.to_bytes().to_vec());
        }
        let delayed = wake.map(|wake| (run.id, wake)).into_iter().collect();
        Ok(Written::Accepted(Accepted::New { matches: Vec::new(), delayed }))
    }

    /// The last event is the one that counts, and begins the wait anew.
    fn debounce(&self, batch: &mut Batch, event: &EventHead, new: &NewRun, key: Key, quiet: Duration) -> Result<Admitted, StoreError> {
        let wake = event.received.after(quiet);
        let before = self.gathering(batch, key)?;
        let run = match self.pending(batch, before.as_ref())? {
            Some((id, mut record)) => {
                let was = record.clone();
                (record.event, record.wake, record.events) = (event.id, Some(wake), record.events.saturating_add(1));
                put_run(batch, id, &mut record, Some(&was), &[])?;
                id
            }
            None => {
                put_new(batch, new, (event.id, event.received), Some(wake), None)?;
                new.id
            }
        };
        remember(batch, key, before.as_ref(), &Gathering { until: wake.after(SPARE), run, events: 1 });
        Ok(Admitted { run, wake: Some(wake) })
    }

    /// Every event counts; a full batch begins at once.
    fn gather(
        &self,
        batch: &mut Batch,
        event: &EventHead,
        new: &NewRun,
        (key, size, within): (Key, u32, Duration),
    ) -> Result<Admitted, StoreError> {
        let before = self.gathering(batch, key)?;
        let room = before.as_ref().filter(|before| before.events < size);
        let (run, events, wake) = match self.pending(batch, room)? {
            Some((id, mut record)) => {
                let events = room.map_or(0, |room| room.events).saturating_add(1);
                let was = record.clone();
                record.wake = if events < size { record.wake } else { Some(event.received) };
                record.events = events;
                put_run(batch, id, &mut record, Some(&was), &[])?;
                (id, events, record.wake)
            }
            None => {
                let wake = if 1 < size { event.received.after(within) } else { event.received };
                put_new(batch, new, (event.id, event.received), Some(wake), None)?;
                (new.id, 1, Some(wake))
            }
        };
        batch.put(key::gathered(run, events), event.id.to_bytes().to_vec());
        let until = wake.unwrap_or(event.received).max(event.received.after(within)).after(SPARE);
        remember(batch, key, before.as_ref(), &Gathering { until, run, events });
        Ok(Admitted { run, wake })
    }

    fn gathering(&self, batch: &Batch, key: Key) -> Result<Option<Gathering>, StoreError> {
        let Some(bytes) = self.over(batch).get(&key::dedupe(&filled(key)))? else { return Ok(None) };
        let mut reader = Reader(&bytes);
        let read = || {
            Some(Gathering { until: reader.time()?, run: RunId::from_bytes(reader.take()?), events: u32::from_be_bytes(reader.take()?) })
        };
        let mut read = read;
        read().map(Some).ok_or_else(|| damaged("a run that gathers events"))
    }

    /// The run that gathers, if nothing has happened in it: from then on nothing is added.
    fn pending(&self, batch: &Batch, gathering: Option<&Gathering>) -> Result<Option<(RunId, RunRecord)>, StoreError> {
        let Some(Gathering { run, .. }) = gathering else { return Ok(None) };
        let record = read::run_record(self.over(batch), *run)?;
        Ok(record.filter(|record| record.len == 0 && record.status == Status::Queued && !record.cancel).map(|record| (*run, record)))
    }

    /// When a run may begin: no more than the limit in any stretch of the length.
    fn throttle(&self, batch: &mut Batch, now: Timestamp, throttle: &Throttled) -> Result<Timestamp, StoreError> {
        let hash = filled(throttle.key);
        let limit = usize::try_from(throttle.limit).unwrap_or(usize::MAX).max(1);
        let mut starts: Vec<Timestamp> = Vec::new();
        if let Some(bytes) = self.over(batch).get(&key::dedupe(&hash))? {
            let mut reader = Reader(&bytes);
            let until = reader.time().ok_or_else(|| damaged("a throttle"))?;
            while let Some(start) = reader.time() {
                starts.push(start);
            }
            batch.delete(key::expiry(until, &hash));
        }
        let earliest = starts.len().checked_sub(limit).and_then(|nth| starts.get(nth));
        let start = earliest.map_or(now, |start| start.after(throttle.per)).max(now);
        starts.push(start);
        // The clock may have stepped back: the last start is not always the latest.
        let until = starts.iter().fold(start, |latest, start| latest.max(*start)).after(throttle.per);
        let kept = starts.iter().skip(starts.len().saturating_sub(limit));
        let value: Vec<u8> = std::iter::once(&until).chain(kept).flat_map(|time| time.0.to_be_bytes()).collect();
        batch.put(key::dedupe(&hash), value);
        batch.put(key::expiry(until, &hash), Vec::new());
        Ok(start)
    }
}

fn filled(key: Key) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.iter_mut().zip(key.0).for_each(|(slot, byte)| *slot = byte);
    hash
}

fn remember(batch: &mut Batch, key: Key, before: Option<&Gathering>, now: &Gathering) {
    let hash = filled(key);
    if let Some(before) = before {
        batch.delete(key::expiry(before.until, &hash));
    }
    let value = [&now.until.0.to_be_bytes()[..], &now.run.to_bytes(), &now.events.to_be_bytes()].concat();
    batch.put(key::dedupe(&hash), value);
    batch.put(key::expiry(now.until, &hash), Vec::new());
}

fn put_new(
    batch: &mut Batch,
    new: &NewRun,
    (event, accepted): (EventId, Timestamp),
    wake: Option<Timestamp>,
    replay: Option<(&ReplayOf, usize)>,
) -> Result<(), StoreError> {
    let mut run = RunRecord::new(new, event, accepted, replay.map(|(of, _)| of))?;
    run.wake = wake;
    run.events = run.events.max(replay.map_or(0, |(_, gathered)| u32::try_from(gathered).unwrap_or(u32::MAX)));
    add_facts(batch, new.id, &mut run, &new.facts)?;
    // Facts that a replay takes over keep their times.
    run.updated = run.updated.max(accepted);
    put_run(batch, new.id, &mut run, None, &[])
}
