//! Which dedupe keys are known.
//!
//! Hashes come in no order. Kept by hash, each key would change a page of its own and cost a look at the disk, for an
//! event that is nearly always new. So the keys that are live are known in memory, and written in the order in which they
//! end, many to a page. Beyond the bound a key is kept by its hash, as it has to be found there.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::super::kv::{Batch, Order};
use super::super::{DedupeKey, StoreError};
use super::record::{Remembered, damaged};
use super::{Core, Writer, key};
use crate::domain::id::EventId;
use crate::domain::time::Timestamp;

/// So many keys are known in memory, in 18 MB: what fits a table of 2^20 places before it grows.
pub(super) const IN_MEMORY_MAX: usize = (1 << 20) / 8 * 7;

/// What memory knows of them. It is read from the store before the first write, and again after one that failed.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// When each ends, by the beginning of its hash. No two live here under one beginning: the second is kept by its hash.
    ends: HashMap<u64, Timestamp>,
    /// Those that came with the batch that is being put together.
    staged: Vec<u64>,
    /// There may be some that are kept by their hash.
    some_by_hash: bool,
}

/// A key that is stored, its window over or not.
pub(super) struct Seen {
    pub(super) remembered: Remembered,
    hash: [u8; 32],
    /// It lies among those that memory knows.
    by_end: bool,
}

impl Known {
    /// Whether memory takes it.
    fn enter(&mut self, hash: &[u8; 32], until: Timestamp, max: usize) -> bool {
        let short = beginning(hash);
        if max <= self.ends.len() || self.ends.contains_key(&short) {
            return false;
        }
        self.ends.insert(short, until);
        self.staged.push(short);
        true
    }

    fn leave(&mut self, hash: &[u8; 32], until: Timestamp) {
        let short = beginning(hash);
        if self.ends.get(&short) == Some(&until) {
            self.ends.remove(&short);
        }
        // After a busy hour the room is given back.
        if self.ends.len() < self.ends.capacity() / 8 {
            self.ends.shrink_to(self.ends.len() * 2);
        }
    }

    /// The batch is put together anew.
    pub(super) fn unstage(&mut self) {
        for short in self.staged.drain(..) {
            self.ends.remove(&short);
        }
    }

    /// The batch is stored.
    pub(super) fn settle(&mut self) {
        self.staged.clear();
    }
}

fn beginning(hash: &[u8; 32]) -> u64 {
    hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl Core {
    fn known<'w>(&self, writer: &'w mut Writer) -> Result<&'w mut Known, StoreError> {
        let known = match writer.known.take() {
            Some(known) => known,
            None => self.load_known()?,
        };
        Ok(writer.known.insert(known))
    }

    fn load_known(&self) -> Result<Known, StoreError> {
        let mut known = Known::default();
        let (from, to) = key::all_by_end();
        let mut unread = false;
        self.kv.range(&from, &to, Order::Ascending, &mut |key, _| {
            match key::by_end_parts(key) {
                Some((until, hash)) => drop(known.ends.insert(beginning(&hash), until)),
                None => unread = true,
            }
            ControlFlow::Continue(())
        })?;
        known.some_by_hash = self.has_some_by_hash()?;
        if unread { Err(damaged("a dedupe key")) } else { Ok(known) }
    }

    fn has_some_by_hash(&self) -> Result<bool, StoreError> {
        let (from, to) = key::all_expiries();
        let mut some = false;
        self.kv.range(&from, &to, Order::Ascending, &mut |_, _| {
            some = true;
            ControlFlow::Break(())
        })?;
        Ok(some)
    }

    /// What is stored of a key, with what the batch holds.
    pub(super) fn seen(&self, writer: &mut Writer, batch: &Batch, hash: &[u8; 32]) -> Result<Option<Seen>, StoreError> {
        let known = self.known(writer)?;
        let view = self.over(batch);
        if let Some(until) = known.ends.get(&beginning(hash)).copied()
            && let Some(bytes) = view.get(&key::by_end(until, hash))?
        {
            let remembered = Remembered::read(&bytes)?;
            return Ok(Some(Seen { remembered, hash: *hash, by_end: true }));
        }
        if known.some_by_hash
            && let Some(bytes) = view.get(&key::dedupe(hash))?
        {
            let remembered = Remembered::read(&bytes)?;
            return Ok(Some(Seen { remembered, hash: *hash, by_end: false }));
        }
        Ok(None)
    }

    /// Removes a key whose window is over.
    pub(super) fn forget(&self, writer: &mut Writer, batch: &mut Batch, seen: &Seen) -> Result<(), StoreError> {
        let Seen { remembered: Remembered { until, .. }, hash, by_end } = seen;
        if *by_end {
            self.known(writer)?.leave(hash, *until);
            batch.delete(key::by_end(*until, hash));
        } else {
            batch.delete(key::dedupe(hash));
            batch.delete(key::expiry(*until, hash));
        }
        Ok(())
    }

    /// Puts a key that is not stored.
    pub(super) fn remember(&self, writer: &mut Writer, batch: &mut Batch, dedupe: &DedupeKey, event: EventId) -> Result<(), StoreError> {
        let value = Remembered { until: dedupe.until, event, matches: None }.write()?;
        let max = writer.keys_in_memory;
        let known = self.known(writer)?;
        if known.enter(&dedupe.hash, dedupe.until, max) {
            batch.put(key::by_end(dedupe.until, &dedupe.hash), value);
        } else {
            known.some_by_hash = true;
            batch.put(key::dedupe(&dedupe.hash), value);
            batch.put(key::expiry(dedupe.until, &dedupe.hash), Vec::new());
        }
        Ok(())
    }

    pub(super) fn forget_keys(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut writer = self.writer();
        let (mut batch, mut left, mut forgotten) = (Batch::default(), Vec::new(), 0);
        let (from, _) = key::all_by_end();
        self.kv.range(&from, &key::by_end_after(now), Order::Ascending, &mut |key, _| {
            if forgotten == limit {
                return ControlFlow::Break(());
            }
            batch.delete(key.to_vec());
            left.extend(key::by_end_parts(key));
            forgotten += 1;
            ControlFlow::Continue(())
        })?;
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
        if batch.is_empty() {
            return Ok(0);
        }
        // Until it is stored, and if it fails, nothing is known.
        let known = writer.known.take();
        self.apply(&mut writer, &batch)?;
        if let Some(mut known) = known {
            left.iter().for_each(|(until, hash)| known.leave(hash, *until));
            known.some_by_hash = known.some_by_hash && self.has_some_by_hash()?;
            writer.known = Some(known);
        }
        Ok(forgotten)
    }
}
