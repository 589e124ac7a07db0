//! What changes the store. Each write of a batch first checks and then puts, so that a refused one
//! leaves nothing behind.

use std::ops::ControlFlow;
use std::sync::{MutexGuard, PoisonError};

use super::super::kv::{Batch, Order};
use super::super::{
    Accept, Accepted, Commit, CommitError, Cursor, DedupeKey, Epoch, NewRun, Replay, ReplayOf, RevisionFiles, StoreError, Write, Written,
};
use super::record::{EventRecord, Remembered, RunRecord, to_json, write_open};
use super::{Core, View, Writer, key, put_chunked, read};
use crate::domain::event::EventHead;
use crate::domain::id::{EventId, Revision, RunId};
use crate::domain::journal::Entry;
use crate::domain::time::Timestamp;

impl Core {
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn acquire(&self) -> Result<Epoch, StoreError> {
        let _writer = self.writer();
        let epoch = read::epoch(self.view())?.0 + 1;
        let mut batch = Batch::default();
        batch.put(key::epoch(), epoch.to_be_bytes().to_vec());
        self.kv.apply(&batch)?;
        Ok(Epoch(epoch))
    }

    pub(super) fn write(&self, writes: Vec<Write>) -> Result<Vec<Written>, StoreError> {
        let mut writer = self.writer();
        // Once for all: nothing in a batch changes the epoch.
        let epoch = read::epoch(self.view())?;
        let mut batch = Batch::default();
        let mut written = Vec::with_capacity(writes.len());
        for write in writes {
            written.push(match write {
                Write::Accept(accept) => refuse_damaged(self.accept(&mut writer, &mut batch, &accept))?,
                Write::Replay(replay) => refuse_damaged(self.replay(&mut writer, &mut batch, &replay))?,
                Write::Commit(commit) => match self.commit(epoch, &mut batch, &commit) {
                    Ok(()) => Written::Committed,
                    Err(CommitError::Store(error)) => refuse_damaged(Err(error))?,
                    Err(refused) => Written::Refused(refused),
                },
                Write::Cancel(run) => refuse_damaged(self.cancel(&mut batch, run))?,
                Write::Cursor(cursor) => {
                    self.move_cursor(&mut batch, Some(&cursor))?;
                    Written::Committed
                }
            });
        }
        if !batch.is_empty() {
            self.kv.apply(&batch)?;
        }
        Ok(written)
    }

    fn accept(&self, writer: &mut Writer, batch: &mut Batch, accept: &Accept) -> Result<Written, StoreError> {
        let event = &accept.event;
        // Everything that can fail comes before the first put.
        let record = EventRecord::write(&event.head, &event.body)?;
        if let Some(dedupe) = &accept.dedupe {
            let remembered = self.seen(batch, dedupe)?;
            if let Some(first) = self.first_event(batch, remembered, event.head.received)? {
                self.move_cursor(batch, accept.cursor.as_ref())?;
                return Ok(Written::Accepted(Accepted::Duplicate { event: first.id, matches: first.matches }));
            }
            if let Err(full) = admit(writer) {
                return Ok(Written::Refused(full.into()));
            }
            if let Some(Remembered { until, .. }) = remembered {
                batch.delete(key::expiry(until, &dedupe.hash));
            }
            batch.put(key::dedupe(&dedupe.hash), Remembered { until: dedupe.until, event: event.head.id }.write());
            batch.put(key::expiry(dedupe.until, &dedupe.hash), Vec::new());
        } else if let Err(full) = admit(writer) {
            return Ok(Written::Refused(full.into()));
        }
        put_chunked(batch, key::event(event.head.id), &key::event_rest(event.head.id), &record);
        for run in &accept.runs {
            put_new_run(batch, run, event.head.id, event.head.received, None)?;
        }
        self.move_cursor(batch, accept.cursor.as_ref())?;
        Ok(Written::Accepted(Accepted::New))
    }

    fn replay(&self, writer: &mut Writer, batch: &mut Batch, replay: &Replay) -> Result<Written, StoreError> {
        if self.over(batch).get(&key::event(replay.event))?.is_none() {
            return Ok(Written::Refused(CommitError::NoEvent(replay.event)));
        }
        if let Err(full) = admit(writer) {
            return Ok(Written::Refused(full.into()));
        }
        put_new_run(batch, &replay.run, replay.event, replay.accepted, Some(&replay.of))?;
        Ok(Written::Accepted(Accepted::New))
    }

    fn seen(&self, batch: &Batch, dedupe: &DedupeKey) -> Result<Option<Remembered>, StoreError> {
        self.over(batch).get(&key::dedupe(&dedupe.hash))?.map(|bytes| Remembered::read(&bytes)).transpose()
    }

    /// The event that the key stands for, if its window has not ended and the event is still there.
    fn first_event(&self, batch: &Batch, remembered: Option<Remembered>, received: Timestamp) -> Result<Option<EventHead>, StoreError> {
        match remembered {
            Some(Remembered { until, event }) if received < until => read::event_head(self.over(batch), event),
            Some(_) | None => Ok(None),
        }
    }

    /// Only forward: a slot that was served is never due again.
    fn move_cursor(&self, batch: &mut Batch, cursor: Option<&Cursor>) -> Result<(), StoreError> {
        let Some(Cursor { name, slot }) = cursor else { return Ok(()) };
        if read::cursor(self.over(batch), name)?.is_none_or(|stored| stored < *slot) {
            batch.put(key::cursor(name), slot.0.to_be_bytes().to_vec());
        }
        Ok(())
    }

    fn commit(&self, epoch: Epoch, batch: &mut Batch, commit: &Commit) -> Result<(), CommitError> {
        let id = commit.run;
        if commit.epoch != epoch {
            return Err(CommitError::Fenced(id));
        }
        let before = read::run_record(self.over(batch), id)?.ok_or(CommitError::Unknown(id))?;
        if before.len != commit.from {
            return Err(CommitError::Conflict { run: id, len: before.len, expected: commit.from });
        }
        let mut run = before.clone();
        run.status = commit.status;
        run.wake = commit.wake;
        run.set_error(commit.error.as_ref())?;
        // A wish to end it is over once it has ended.
        run.cancel = before.cancel && !commit.status.is_final();
        add_facts(batch, id, &mut run, &commit.entries)?;
        put_run(batch, id, &run, Some(&before))?;
        Ok(())
    }

    fn cancel(&self, batch: &mut Batch, id: RunId) -> Result<Written, StoreError> {
        let Some(before) = read::run_record(self.over(batch), id)? else {
            return Ok(Written::Refused(CommitError::Unknown(id)));
        };
        if before.status.is_final() {
            return Ok(Written::Canceling(false));
        }
        if !before.cancel {
            let mut run = before.clone();
            run.cancel = true;
            put_run(batch, id, &run, Some(&before))?;
        }
        Ok(Written::Canceling(true))
    }

    /// Asks the disk for room and writes one value again, so that a disk that takes no writes is noticed.
    pub(super) fn writable(&self) -> Result<(), StoreError> {
        let mut writer = self.writer();
        if let Some(gauge) = &mut writer.gauge {
            gauge.look_now()?;
        }
        let mut batch = Batch::default();
        batch.put(key::epoch(), read::epoch(self.view())?.0.to_be_bytes().to_vec());
        self.kv.apply(&batch)
    }

    pub(super) fn put_revision(&self, revision: Revision, files: &RevisionFiles) -> Result<(), StoreError> {
        let _writer = self.writer();
        let first = key::revision(revision);
        if self.kv.get(&first)?.is_some() {
            return Ok(());
        }
        let mut batch = Batch::default();
        put_chunked(&mut batch, first.clone(), &first, &to_json(files)?);
        self.kv.apply(&batch)
    }

    pub(super) fn forget_keys(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let _writer = self.writer();
        let (mut batch, mut forgotten) = (Batch::default(), 0);
        let (from, _) = key::all_expiries();
        self.kv.range(&from, &key::expiry_after(now), Order::Ascending, &mut |expiry, _| {
            if forgotten == limit {
                return ControlFlow::Break(());
            }
            batch.delete(expiry.to_vec());
            if let Some(hash) = key::expiry_hash(expiry) {
                batch.delete(key::dedupe(&hash));
            }
            forgotten += 1;
            ControlFlow::Continue(())
        })?;
        if !batch.is_empty() {
            self.kv.apply(&batch)?;
        }
        Ok(forgotten)
    }

    fn over<'v>(&'v self, batch: &'v Batch) -> View<'v> {
        View { kv: &*self.kv, batch: Some(batch) }
    }
}

/// A damaged record is the trouble of the write that met it, not of the others in its batch.
fn refuse_damaged(written: Result<Written, StoreError>) -> Result<Written, StoreError> {
    match written {
        Err(error @ StoreError::Damaged(_)) => Ok(Written::Refused(error.into())),
        other => other,
    }
}

fn admit(writer: &mut Writer) -> Result<(), StoreError> {
    writer.gauge.as_mut().map_or(Ok(()), super::space::Gauge::admit)
}

fn put_new_run(
    batch: &mut Batch,
    new: &NewRun,
    event: EventId,
    accepted: Timestamp,
    replay_of: Option<&ReplayOf>,
) -> Result<(), StoreError> {
    let mut run = RunRecord::new(new, event, accepted, replay_of)?;
    add_facts(batch, new.id, &mut run, &new.facts)?;
    // Facts that a replay takes over keep their times.
    run.updated = run.updated.max(accepted);
    put_run(batch, new.id, &run, None)
}

fn add_facts(batch: &mut Batch, id: RunId, run: &mut RunRecord, entries: &[Entry]) -> Result<(), StoreError> {
    let Some(last) = entries.last() else { return Ok(()) };
    let first = key::facts(id, run.len);
    put_chunked(batch, first.clone(), &first, &to_json(entries)?);
    let added = u32::try_from(entries.len()).ok();
    run.len = added
        .and_then(|added| run.len.checked_add(added))
        .ok_or_else(|| StoreError::Io(format!("{id} has more facts than a run can have")))?;
    run.updated = last.at;
    Ok(())
}

/// Puts a run's head, and its key among the open ones if that has changed.
fn put_run(batch: &mut Batch, id: RunId, run: &RunRecord, before: Option<&RunRecord>) -> Result<(), StoreError> {
    batch.put(key::run(id), run.write()?);
    let open = |run: &RunRecord| (!run.status.is_final()).then(|| write_open(run.wake, run.cancel));
    let (was, is) = (before.and_then(open), open(run));
    if was != is {
        match is {
            Some(value) => batch.put(key::open(id), value),
            None => batch.delete(key::open(id)),
        }
    }
    Ok(())
}
