//! Gives disk back: what is stored is copied into a new file, which then takes the old one's place.
//!
//! Others go on writing. What they write meanwhile goes into the old file and is noted, and is written to the
//! copy at the end; only for the last of it do they wait.

use std::sync::TryLockError;

use super::super::kv::{Batch, Kv};
use super::super::{Compacted, StoreError};
use super::{Core, Wanted};

/// The most that is noted before a compaction is given up.
const DELTA_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Others wait while so much is written to the copy.
const LAST_DELTA_MAX_BYTES: usize = 256 * 1024;

/// So much is copied for each sync.
const COPIED_AT_ONCE_BYTES: usize = 4 * 1024 * 1024;

/// How often the copy is brought up to date before others wait anyhow.
const ROUNDS_MAX: u32 = 20;

/// What was written since the snapshot that is being copied.
#[derive(Debug, Default)]
pub(super) struct Delta {
    batch: Batch,
    bytes: usize,
    broken: Option<StoreError>,
}

impl Delta {
    /// Notes a batch.
    pub(super) fn add(&mut self, batch: &Batch, applied: &Result<(), StoreError>) {
        if let Err(error) = applied {
            // Whether it is in the old file is not known, so it cannot be known what the copy is to hold.
            self.broken = Some(error.clone());
        }
        if self.broken.is_some() {
            return;
        }
        for (key, value) in batch.changes() {
            self.bytes += key.len() + value.map_or(0, <[u8]>::len);
            match value {
                Some(value) => self.batch.put(key.to_vec(), value.to_vec()),
                None => self.batch.delete(key.to_vec()),
            }
        }
        if DELTA_MAX_BYTES < self.bytes {
            let text = "more was written meanwhile than a compaction takes (64 MiB); try again when there is less to do";
            self.broken = Some(StoreError::Io(text.to_owned()));
            self.batch = Batch::default();
        }
    }
}

impl Core {
    pub(super) fn compact(&self, wanted: &Wanted) -> Result<Compacted, StoreError> {
        let _alone = match self.compacting.try_lock() {
            Ok(alone) => alone,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(StoreError::Io("the store is being compacted already".to_owned())),
        };
        let before_bytes = self.kv.disk_bytes()?;
        let done = match self.kv.begin_copy() {
            Ok(None) => return Ok(Compacted { before_bytes, after_bytes: before_bytes }),
            Ok(Some(copy)) => self.fill(&*copy, wanted).and_then(|()| self.exchange(copy)),
            Err(error) => Err(error),
        };
        self.writer().delta = None;
        if let Err(error) = done {
            // Also what was begun of one: it takes room until the next attempt.
            self.kv.drop_copy()?;
            return Err(error);
        }
        Ok(Compacted { before_bytes, after_bytes: self.kv.disk_bytes()? })
    }

    fn fill(&self, copy: &dyn Kv, wanted: &Wanted) -> Result<(), StoreError> {
        let mut snapshot = {
            let mut writer = self.writer();
            writer.delta = Some(Delta::default());
            self.begin_snapshot(&mut writer)?
        };
        let (mut batch, mut bytes) = (Batch::default(), 0);
        while let Some(piece) = self.next_piece(&mut snapshot)? {
            wanted.still()?;
            for (key, value) in piece {
                bytes += key.len() + value.len();
                batch.put(key, value);
            }
            if COPIED_AT_ONCE_BYTES <= bytes {
                self.has_room()?;
                copy.apply(&std::mem::take(&mut batch))?;
                bytes = 0;
            }
        }
        self.has_room()?;
        copy.apply(&batch)
    }

    /// The copy must not take the room that events need.
    fn has_room(&self) -> Result<(), StoreError> {
        let Some((free, min_bytes)) = &self.free else { return Ok(()) };
        let (free, need) = (free()?, min_bytes.saturating_mul(2));
        if free < need {
            return Err(StoreError::Full(format!("{free} bytes are free, and a compaction leaves {need}")));
        }
        Ok(())
    }

    fn exchange(&self, copy: Box<dyn Kv>) -> Result<(), StoreError> {
        for round in 0.. {
            let mut writer = self.writer();
            let Delta { batch, bytes, broken } = writer.delta.replace(Delta::default()).unwrap_or_default();
            if let Some(broken) = broken {
                return Err(broken);
            }
            if bytes <= LAST_DELTA_MAX_BYTES || round == ROUNDS_MAX {
                copy.apply(&batch)?;
                drop(copy);
                return self.kv.take_copy();
            }
            drop(writer);
            copy.apply(&batch)?;
        }
        Ok(())
    }
}
