//! Retention: what is old goes, with everything that belongs to it, and nothing that something else needs.
//!
//! A pass first walks over all runs. Those that may go, go; the others pin the events and revisions that they refer
//! to. Then it walks over gathered events, dedupe keys and places, which pin events as well; what is old and not
//! pinned by then goes. References that come into being meanwhile are noted by the writer.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::Duration;

use super::super::kv::{Batch, Order};
use super::super::{Pass, Stage, StoreError, seq_at};
use super::record::{Remembered, RunRecord};
use super::snapshot::Piece;
use super::{Core, Writer, key, read};
use crate::domain::id::{EventId, Revision, RunId};
use crate::domain::time::Timestamp;

/// Records that one step looks at, at most.
const STEP_RECORDS: usize = 2_000;
/// Keys that one step removes, at most, but for those of its last run or event.
const STEP_KEYS: usize = 1_000;
/// What ended or came a moment ago stays, however full the store is: somebody may be about to ask for it.
const RECENT: Duration = Duration::from_secs(60);

/// So long after it began somebody may still be sending a file, whose event comes last.
const FILE_AWAITED: Duration = Duration::from_secs(3_600);

/// References that came into being since a pass began.
#[derive(Debug, Default)]
pub(super) struct NewRefs {
    old_before_ms: u64,
    events: HashSet<EventId>,
    pub(super) revisions: HashSet<Revision>,
}

impl NewRefs {
    /// Notes what the runs of a batch refer to.
    pub(super) fn note(&mut self, batch: &Batch) {
        let (from, to) = key::all_runs();
        let runs = batch.changes().filter(|(key, _)| *from <= **key && **key < *to);
        for run in runs.filter_map(|(_, value)| RunRecord::read(value?).ok()) {
            self.revisions.insert(run.revision);
            if run.event.time_ms() < self.old_before_ms {
                self.events.insert(run.event);
            }
        }
    }
}

/// What one step removes.
#[derive(Default)]
struct Removal {
    batch: Batch,
    keys: usize,
    bytes: u64,
}

impl Removal {
    fn key(&mut self, key: &[u8], value: &[u8]) {
        self.batch.delete(key.to_vec());
        self.keys += 1;
        self.bytes += u64::try_from(key.len() + value.len()).unwrap_or(u64::MAX);
    }
}

/// The records of one step, and where the next step begins if it is not the last of its stage.
type Looked = (Piece, Option<Vec<u8>>);

impl Core {
    pub(super) fn prune(&self, mut pass: Pass) -> Result<Pass, StoreError> {
        let mut writer = self.writer();
        let mut removal = Removal::default();
        let (next, cursor) = match pass.stage {
            Stage::Begin => {
                writer.pass = Some(NewRefs { old_before_ms: old_before_ms(&pass), ..NewRefs::default() });
                pass.horizon = pass.now.before(RECENT);
                (Stage::Runs, None)
            }
            Stage::Runs => (Stage::Gathered, self.prune_runs(&mut pass, &mut removal)?),
            Stage::Gathered => (Stage::Keys, self.pin_gathered(&mut pass)?),
            Stage::Keys => (Stage::Posted, self.note_keys(&mut pass)?),
            Stage::Posted => (Stage::Events, self.prune_posted(&mut pass, &mut removal)?),
            Stage::Events => (Stage::Files, self.prune_events(&mut pass, &writer, &mut removal)?),
            Stage::Files => (Stage::Revisions, self.prune_files(&pass, &mut removal)?),
            Stage::Revisions => {
                self.prune_revisions(&mut pass, &mut writer, &mut removal)?;
                writer.pass = None;
                (Stage::Done, None)
            }
            Stage::Done => (Stage::Done, None),
        };
        if !removal.batch.is_empty() {
            self.apply(&mut writer, &removal.batch)?;
        }
        pass.pruned.bytes += removal.bytes;
        pass.stage = if cursor.is_some() { pass.stage } else { next };
        pass.cursor = cursor.unwrap_or_default();
        Ok(pass)
    }

    fn look(&self, pass: &Pass, (from, to): (Vec<u8>, Vec<u8>)) -> Result<Looked, StoreError> {
        let from = if pass.cursor.is_empty() { from } else { pass.cursor.clone() };
        let (mut records, mut next) = (Vec::new(), None);
        self.kv.range(&from, &to, Order::Ascending, &mut |key, value| {
            if records.len() == STEP_RECORDS {
                next = Some(key.to_vec());
                return ControlFlow::Break(());
            }
            records.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })?;
        Ok((records, next))
    }

    fn remove(&self, removal: &mut Removal, (from, to): (Vec<u8>, Vec<u8>)) -> Result<(), StoreError> {
        self.kv.range(&from, &to, Order::Ascending, &mut |key, value| {
            removal.key(key, value);
            ControlFlow::Continue(())
        })
    }

    fn prune_runs(&self, pass: &mut Pass, removal: &mut Removal) -> Result<Option<Vec<u8>>, StoreError> {
        let (records, next) = self.look(pass, key::all_runs())?;
        let old_ms = old_before_ms(pass);
        let shortest = shortest_age(pass);
        for (key, value) in records {
            if STEP_KEYS <= removal.keys {
                return Ok(Some(key));
            }
            // One that cannot be read stays for a person to look at; `check` finds it.
            let (Some(id), Ok(run)) = (key::id(&key).map(RunId::from_bytes), RunRecord::read(&value)) else { continue };
            if self.may_go(pass, shortest, id, &run)? {
                let facts = key::run_facts(id);
                let end = key::end_of(&facts);
                self.remove(removal, (facts, end))?;
                self.remove(removal, key::all_gathered_of(id))?;
                removal.key(&key, &value);
                pass.pruned.runs += 1;
                continue;
            }
            pass.referred.insert(run.revision);
            if run.event.time_ms() < old_ms {
                pass.pinned.insert(run.event);
            }
            if !run.status.is_final() {
                pass.horizon = pass.horizon.min(run.accepted);
            }
        }
        Ok(next)
    }

    fn may_go(&self, pass: &Pass, shortest: Option<Duration>, id: RunId, run: &RunRecord) -> Result<bool, StoreError> {
        if !run.status.is_final() || pass.now.before(RECENT) < run.updated {
            return Ok(false);
        }
        let over = pass.over.is_some_and(|over| u64::try_from(over.0).is_ok_and(|over_ms| id.time_ms() < over_ms));
        // Most runs are young, and this spares them the reading of their names.
        if !over && shortest.is_none_or(|age| pass.now < run.updated.after(age)) {
            return Ok(false);
        }
        let Ok(head) = run.head(id) else { return Ok(false) };
        let old = pass.keep.ages(&head.workflow).of(run.status).is_some_and(|age| run.updated.after(age) <= pass.now);
        // The run around it may still have to see how it ended.
        let needed = match head.parent {
            Some(parent) => self.kv.get(&key::open(parent))?.is_some(),
            None => false,
        };
        Ok((over || old) && !needed)
    }

    fn pin_gathered(&self, pass: &mut Pass) -> Result<Option<Vec<u8>>, StoreError> {
        let (records, next) = self.look(pass, key::all_gathered())?;
        let old_ms = old_before_ms(pass);
        let events = records.iter().filter_map(|(_, value)| Some(EventId::from_bytes(value.as_slice().try_into().ok()?)));
        pass.pinned.extend(events.filter(|event| event.time_ms() < old_ms));
        Ok(next)
    }

    fn note_keys(&self, pass: &mut Pass) -> Result<Option<Vec<u8>>, StoreError> {
        let (records, next) = self.look(pass, key::all_keys())?;
        let old_ms = old_before_ms(pass);
        for (key, value) in &records {
            if !key::dedupe_hash(key).is_some_and(|hash| is_of_a_sender(&hash)) {
                continue;
            }
            let Ok(remembered) = Remembered::read(value) else { continue };
            // Also those whose window has ended: they are forgotten in their own time.
            if remembered.matches.is_none() && remembered.event.time_ms() < old_ms {
                pass.deduped.entry(remembered.event).or_default().push(key.clone());
            }
        }
        Ok(next)
    }

    fn prune_posted(&self, pass: &mut Pass, removal: &mut Removal) -> Result<Option<Vec<u8>>, StoreError> {
        let (records, next) = self.look(pass, key::all_posted())?;
        let (old_ms, horizon) = (old_before_ms(pass), seq_at(pass.horizon));
        for (key, value) in &records {
            let Some((seq, event)) = key::posted_seq(key).zip(value.as_slice().try_into().ok().map(EventId::from_bytes)) else { continue };
            if old_ms <= event.time_ms() {
                continue;
            }
            if horizon <= seq {
                pass.pinned.insert(event);
            } else {
                removal.key(key, value);
            }
        }
        Ok(next)
    }

    fn prune_events(&self, pass: &mut Pass, writer: &Writer, removal: &mut Removal) -> Result<Option<Vec<u8>>, StoreError> {
        let (from, to) = key::all_events();
        let (records, next) = self.look(pass, (from, to))?;
        let old_ms = old_before_ms(pass);
        for (key, value) in records {
            if STEP_KEYS <= removal.keys {
                return Ok(Some(key));
            }
            let Some(id) = key::id(&key).map(EventId::from_bytes) else { continue };
            if old_ms <= id.time_ms() {
                return Ok(None);
            }
            if pass.pinned.contains(&id) || writer.pass.as_ref().is_some_and(|refs| refs.events.contains(&id)) {
                continue;
            }
            if !self.keep_answer(pass, id, &mut removal.batch)? {
                continue;
            }
            removal.key(&key, &value);
            let rest = key::event_rest(id);
            let end = key::end_of(&rest);
            self.remove(removal, (rest, end))?;
            pass.pruned.events += 1;
        }
        Ok(next)
    }

    /// Files go after their event; also those whose event never came, once nobody can be sending them any more.
    fn prune_files(&self, pass: &Pass, removal: &mut Removal) -> Result<Option<Vec<u8>>, StoreError> {
        let (from, end) = key::all_files();
        let mut from = if pass.cursor.is_empty() { from } else { pass.cursor.clone() };
        let old_ms = u64::try_from(pass.now.before(FILE_AWAITED).0).unwrap_or(0);
        for _ in 0..STEP_RECORDS {
            let mut next = None;
            self.kv.range(&from, &end, Order::Ascending, &mut |key, _| {
                next = key::leading_id(key).map(EventId::from_bytes);
                ControlFlow::Break(())
            })?;
            let Some(event) = next.filter(|event| event.time_ms() < old_ms) else { return Ok(None) };
            let prefix = key::files(event);
            let behind = key::end_of(&prefix);
            if self.kv.get(&key::event(event))?.is_none() && self.remove_some(removal, (prefix, behind.clone()))? {
                // There is more of them: the next step begins where this one did.
                return Ok(Some(from));
            }
            from = behind;
        }
        Ok(Some(from))
    }

    /// Removes what one step may. Whether there is more.
    fn remove_some(&self, removal: &mut Removal, (from, to): (Vec<u8>, Vec<u8>)) -> Result<bool, StoreError> {
        let mut more = false;
        self.kv.range(&from, &to, Order::Ascending, &mut |key, value| {
            if STEP_KEYS <= removal.keys {
                more = true;
                return ControlFlow::Break(());
            }
            removal.key(key, value);
            ControlFlow::Continue(())
        })?;
        Ok(more)
    }

    /// Lets a repeat be answered without the event. Says whether the event may go.
    fn keep_answer(&self, pass: &Pass, event: EventId, batch: &mut Batch) -> Result<bool, StoreError> {
        for key in pass.deduped.get(&event).into_iter().flatten() {
            let Some(bytes) = self.kv.get(key)? else { continue };
            let remembered = Remembered::read(&bytes)?;
            if remembered.event != event {
                continue;
            }
            let head = match read::event_head(self.view(), event) {
                Ok(Some(head)) => head,
                // It stays for a person to look at.
                Ok(None) | Err(StoreError::Damaged(_)) => return Ok(false),
                Err(error) => return Err(error),
            };
            batch.put(key.clone(), Remembered { matches: Some(head.matches), ..remembered }.write()?);
        }
        Ok(true)
    }

    /// One that nothing refers to goes the second time it is found so: a workflow that was just loaded has no run yet.
    fn prune_revisions(&self, pass: &mut Pass, writer: &mut Writer, removal: &mut Removal) -> Result<(), StoreError> {
        if let Some(refs) = &mut writer.pass {
            pass.referred.extend(refs.revisions.drain());
        }
        let (from, to) = key::all_revisions();
        let before = std::mem::take(&mut writer.unreferred);
        let (mut pruned, mut now) = (0, HashSet::new());
        self.kv.range(&from, &to, Order::Ascending, &mut |key, value| {
            if let Some((revision, first)) = key::revision_of(key).filter(|(revision, _)| !pass.referred.contains(revision)) {
                if before.contains(&revision) {
                    removal.key(key, value);
                    pruned += u64::from(first);
                } else {
                    now.insert(revision);
                }
            }
            ControlFlow::Continue(())
        })?;
        writer.unreferred = now;
        pass.pruned.revisions += pruned;
        Ok(())
    }
}

/// Events before this time go, unless something needs them.
fn old_before_ms(pass: &Pass) -> u64 {
    let by_age = pass.keep.events.map(|age| pass.now.before(age));
    let by_size = pass.over.map(|over| over.min(pass.now.before(RECENT)));
    by_age.max(by_size).and_then(|Timestamp(ms)| u64::try_from(ms).ok()).unwrap_or(0)
}

fn shortest_age(pass: &Pass) -> Option<Duration> {
    let all = pass.keep.workflows.values().chain([&pass.keep.runs]);
    all.filter_map(super::super::Ages::shortest).min()
}

/// What a store remembers for itself lies among the dedupe keys; it ends with zeros.
pub(super) fn is_of_a_sender(hash: &[u8; 32]) -> bool {
    hash.last_chunk::<16>().is_some_and(|end| end.iter().any(|byte| *byte != 0))
}
