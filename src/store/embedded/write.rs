//! What changes the store. Each write of a batch first checks and then puts, so that a refused one
//! leaves nothing behind.

use std::ops::ControlFlow;
use std::sync::{MutexGuard, PoisonError};

use super::super::kv::{Batch, Order};
use super::super::{
    Accept, Accepted, Commit, CommitError, Cursor, DedupeKey, Epoch, Listening, RevisionFiles, StoreError, TopicKey, Write, Written, seq_at,
};
use super::files::put_files;
use super::record::{EventRecord, Reader, Remembered, RunRecord, damaged, to_json};
use super::{Core, View, Writer, key, open_record, put_chunked, read};
use crate::domain::event::{EventHead, Match, MatchResult};
use crate::domain::id::{EventId, Revision, RunId};
use crate::domain::journal::Entry;
use crate::domain::run::Status;
use crate::domain::time::Timestamp;

impl Core {
    pub(super) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn acquire(&self) -> Result<Epoch, StoreError> {
        let mut writer = self.writer();
        let epoch = read::epoch(self.view())?.0 + 1;
        let mut batch = Batch::default();
        batch.put(key::epoch(), epoch.to_be_bytes().to_vec());
        self.apply(&mut writer, &batch)?;
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
                Write::AcceptAll(accepts) => refuse_damaged(self.accept_all(&mut writer, &mut batch, &accepts))?,
                Write::Replay(replay) => refuse_damaged(self.replay(&mut writer, &mut batch, &replay))?,
                Write::Commit(commit) => match self.commit(epoch, &mut batch, &commit) {
                    Ok(accepted) => Written::Committed(accepted),
                    Err(CommitError::Store(error)) => refuse_damaged(Err(error))?,
                    Err(refused) => Written::Refused(refused),
                },
                Write::Cancel(run) => refuse_damaged(self.cancel(&mut batch, run))?,
                Write::Cursor(cursor) => {
                    self.move_cursor(&mut batch, Some(&cursor))?;
                    Written::Committed(Vec::new())
                }
                Write::Files(pieces) => put_files(&mut writer, &mut batch, &pieces),
            });
        }
        if !batch.is_empty() {
            self.apply(&mut writer, &batch)?;
        }
        Ok(written)
    }

    fn accept(&self, writer: &mut Writer, batch: &mut Batch, accept: &Accept) -> Result<Written, StoreError> {
        let event = &accept.event;
        // Everything that can fail comes before the first put.
        EventRecord::check(&event.head, &event.body)?;
        let mut ended = Vec::new();
        for dedupe in &accept.dedupe {
            let remembered = self.seen(batch, dedupe)?;
            if let Some((event, matches)) = self.first_event(batch, remembered.as_ref(), event.head.received)? {
                self.move_cursor(batch, accept.cursor.as_ref())?;
                return Ok(Written::Accepted(Accepted::Duplicate { event, matches }));
            }
            ended.extend(remembered.map(|Remembered { until, .. }| key::expiry(until, &dedupe.hash)));
        }
        if let Err(full) = admit(writer) {
            return Ok(Written::Refused(full.into()));
        }
        ended.into_iter().for_each(|expiry| batch.delete(expiry));
        for dedupe in &accept.dedupe {
            batch.put(key::dedupe(&dedupe.hash), Remembered { until: dedupe.until, event: event.head.id, matches: None }.write()?);
            batch.put(key::expiry(dedupe.until, &dedupe.hash), Vec::new());
        }
        self.put_event(batch, accept).map(Written::Accepted)
    }

    /// When one is refused, what those before it have put is taken back.
    fn accept_all(&self, writer: &mut Writer, batch: &mut Batch, accepts: &[Accept]) -> Result<Written, StoreError> {
        let before = batch.clone();
        let mut all = Vec::with_capacity(accepts.len());
        for accept in accepts {
            match self.accept(writer, batch, accept) {
                Ok(Written::Accepted(accepted)) => all.push(accepted),
                refused => {
                    *batch = before;
                    return refused;
                }
            }
        }
        Ok(Written::Committed(all))
    }

    /// Puts an event that is new, with its runs.
    fn put_event(&self, batch: &mut Batch, accept: &Accept) -> Result<Accepted, StoreError> {
        let event = &accept.event;
        let (mut matches, mut delayed) = (event.head.matches.clone(), Vec::new());
        for run in &accept.runs {
            let admitted = self.admit_run(batch, &event.head, run)?;
            if admitted.run != run.id {
                let taken = |m: &&mut Match| m.result == MatchResult::Run(run.id);
                matches.iter_mut().filter(taken).for_each(|m| m.result = MatchResult::Run(admitted.run));
            }
            delayed.extend(admitted.wake.map(|wake| (admitted.run, wake)));
        }
        let record = if matches == event.head.matches {
            EventRecord::write(&event.head, &event.body)?
        } else {
            EventRecord::write(&EventHead { matches: matches.clone(), ..event.head.clone() }, &event.body)?
        };
        put_chunked(batch, key::event(event.head.id), &key::event_rest(event.head.id), &record);
        if let Some(topic) = &accept.topic {
            self.post(batch, TopicKey::of(topic), &event.head)?;
        }
        self.move_cursor(batch, accept.cursor.as_ref())?;
        Ok(Accepted::New { matches, delayed })
    }

    /// Gives an event its place among all that runs may wait for.
    fn post(&self, batch: &mut Batch, topic: TopicKey, event: &EventHead) -> Result<(), StoreError> {
        let last = self.over(batch).get(&key::last_posted())?;
        let last = last.map(|bytes| Reader(&bytes).take().map(u64::from_be_bytes).ok_or_else(|| damaged("the last place"))).transpose()?;
        // Places go up even when the clock steps back.
        let seq = last.map_or(0, |last| last.saturating_add(1)).max(seq_at(event.received));
        batch.put(key::last_posted(), seq.to_be_bytes().to_vec());
        batch.put(key::posted(topic, seq), event.id.to_bytes().to_vec());
        Ok(())
    }

    fn seen(&self, batch: &Batch, dedupe: &DedupeKey) -> Result<Option<Remembered>, StoreError> {
        self.over(batch).get(&key::dedupe(&dedupe.hash))?.map(|bytes| Remembered::read(&bytes)).transpose()
    }

    /// The event that the key stands for, and what came of it, if its window has not ended.
    fn first_event(
        &self,
        batch: &Batch,
        remembered: Option<&Remembered>,
        received: Timestamp,
    ) -> Result<Option<(EventId, Vec<Match>)>, StoreError> {
        let Some(Remembered { event, matches, .. }) = remembered.filter(|remembered| received < remembered.until) else { return Ok(None) };
        match matches {
            Some(matches) => Ok(Some((*event, matches.clone()))),
            None => Ok(read::event_head(self.over(batch), *event)?.map(|head| (*event, head.matches))),
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

    fn commit(&self, epoch: Epoch, batch: &mut Batch, commit: &Commit) -> Result<Vec<Accepted>, CommitError> {
        let id = commit.run;
        if commit.epoch != epoch {
            return Err(CommitError::Fenced(id));
        }
        for emit in &commit.emits {
            EventRecord::check(&emit.event.head, &emit.event.body)?;
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
        put_run(batch, id, &mut run, Some(&before), &commit.listens)?;
        let accepted = commit.emits.iter().map(|emit| self.put_event(batch, emit)).collect::<Result<_, _>>()?;
        for child in &commit.cancels {
            self.cancel(batch, *child)?;
        }
        Ok(accepted)
    }

    fn cancel(&self, batch: &mut Batch, id: RunId) -> Result<Written, StoreError> {
        let Some(before) = read::run_record(self.over(batch), id)? else {
            return Ok(Written::Refused(CommitError::Unknown(id)));
        };
        if before.status.is_final() {
            return Ok(Written::Canceling(false));
        }
        if !before.cancel {
            let mut run = before;
            run.cancel = true;
            let open = self.over(batch).get(&key::open(id))?.and_then(|bytes| open_record::read(id.to_bytes(), &bytes));
            let listens = open.map(|open| open.listens).unwrap_or_default();
            put_run(batch, id, &mut run, None, &listens)?;
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
        self.apply(&mut writer, &batch)
    }

    pub(super) fn put_revision(&self, revision: Revision, files: &RevisionFiles) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let first = key::revision(revision);
        if let Some(pass) = &mut writer.pass {
            pass.revisions.insert(revision);
        }
        writer.unreferred.remove(&revision);
        if self.kv.get(&first)?.is_some() {
            return Ok(());
        }
        let mut batch = Batch::default();
        put_chunked(&mut batch, first.clone(), &first, &to_json(files)?);
        self.apply(&mut writer, &batch)
    }

    pub(super) fn forget_keys(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut writer = self.writer();
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
            self.apply(&mut writer, &batch)?;
        }
        Ok(forgotten)
    }

    pub(super) fn over<'v>(&'v self, batch: &'v Batch) -> View<'v> {
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

pub(super) fn admit(writer: &mut Writer) -> Result<(), StoreError> {
    writer.gauge.as_mut().map_or(Ok(()), super::space::Gauge::admit)
}

pub(super) fn add_facts(batch: &mut Batch, id: RunId, run: &mut RunRecord, entries: &[Entry]) -> Result<(), StoreError> {
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
pub(super) fn put_run(
    batch: &mut Batch,
    id: RunId,
    run: &mut RunRecord,
    before: Option<&RunRecord>,
    listens: &[Listening],
) -> Result<(), StoreError> {
    run.listening = !listens.is_empty();
    batch.put(key::run(id), run.write()?);
    let lane = run.lane()?;
    let open = |run: &RunRecord, listens: &[Listening]| {
        let begun = run.status != Status::Queued;
        (!run.status.is_final()).then(|| open_record::write(run.wake, run.cancel, begun, lane, listens))
    };
    let (was, is) = (before.filter(|before| !before.listening).and_then(|before| open(before, &[])), open(run, listens));
    // What was listened to is not at hand here, so it is written anew.
    if was != is || before.is_some_and(|before| before.listening) {
        match is {
            Some(value) => batch.put(key::open(id), value),
            None => batch.delete(key::open(id)),
        }
    }
    Ok(())
}
