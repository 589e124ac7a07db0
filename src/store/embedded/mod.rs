//! The store on this machine: the [`Store`] port over any ordered key-value engine.
//!
//! `redb://PATH` and `sled://PATH` name a folder, made if missing; `memory:` forgets everything.

mod admit;
mod backup;
mod check;
mod compact;
mod files;
mod format;
mod key;
mod keys;
mod open_record;
mod patience;
mod port;
mod prune;
mod read;
mod record;
mod snapshot;
pub mod space;
mod stats;
mod together;
mod write;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};

pub use self::backup::verify;
use self::compact::Delta;
pub use self::format::FORMAT;
use self::keys::{IN_MEMORY_MAX, Known};
use self::patience::Patience;
use self::port::{Embedded, Wanted};
use self::prune::NewRefs;
use self::snapshot::Shadow;
use self::space::{FreeBytes, Gauge, Watermark, free_bytes_of};
use super::kv::memory::Memory;
use super::kv::redb::Redb;
use super::kv::sled::Sled;
use super::kv::{Batch, Kv, VALUE_MAX_BYTES};
use super::{Store, StoreError};
use crate::domain::id::Revision;

/// What can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// New events are refused below this many free bytes on the disk.
    pub free_space_min_bytes: u64,
    /// The free space is asked for once in so many accepted events.
    pub free_space_check_every_events: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { free_space_min_bytes: 64 * 1024 * 1024, free_space_check_every_events: 64 }
    }
}

/// Opens the store that `url` names. Blocks while the engine recovers from a crash: redb reads its
/// whole file then (0.6 s per GB, decision 0011), sled its log.
///
/// # Errors
/// When the URL names no store, or another process has it, or it is damaged or newer than this program.
pub fn open(url: &str, settings: Settings) -> Result<Arc<dyn Store>, StoreError> {
    let bad = || StoreError::BadUrl(url.to_owned());
    if url == "memory:" {
        return over(Arc::new(Memory::default()), None);
    }
    let (engine, path) = url.split_once("://").filter(|(_, path)| !path.is_empty()).ok_or_else(bad)?;
    let path = Path::new(path);
    let kv: Arc<dyn Kv> = match engine {
        "redb" => Arc::new(Redb::open(path)?),
        "sled" => Arc::new(Sled::open(path)?),
        _ => return Err(bad()),
    };
    let watermark = Watermark {
        min_bytes: settings.free_space_min_bytes,
        check_every_events: settings.free_space_check_every_events,
        free: free_bytes_of(path),
    };
    over(kv, Some(watermark))
}

/// Whether there is a store where `url` says. Nothing is made.
///
/// # Errors
/// When the URL names no store.
pub fn exists(url: &str) -> Result<bool, StoreError> {
    let bad = || StoreError::BadUrl(url.to_owned());
    let (engine, path) = url.split_once("://").filter(|(_, path)| !path.is_empty()).ok_or_else(bad)?;
    let file = match engine {
        "redb" => super::kv::redb::FILE,
        "sled" => super::kv::sled::LOG_FILE,
        _ => return Err(bad()),
    };
    Ok(Path::new(path).join(file).exists())
}

/// A store over an engine that is open.
///
/// # Errors
/// When what the engine holds is no store, or is newer than this program.
pub fn over(kv: Arc<dyn Kv>, watermark: Option<Watermark>) -> Result<Arc<dyn Store>, StoreError> {
    knowing(kv, watermark, IN_MEMORY_MAX)
}

/// The same with so many dedupe keys in memory.
fn knowing(kv: Arc<dyn Kv>, watermark: Option<Watermark>, keys_in_memory: usize) -> Result<Arc<dyn Store>, StoreError> {
    format::check(&*kv)?;
    let free = watermark.as_ref().map(|watermark| (Arc::clone(&watermark.free), watermark.min_bytes));
    let writer = Writer {
        gauge: watermark.map(Gauge::new),
        shadows: Vec::new(),
        delta: None,
        pass: None,
        unreferred: HashSet::new(),
        known: None,
        keys_in_memory,
    };
    Ok(Arc::new(Embedded(Arc::new(Core {
        kv,
        free,
        writer: Mutex::new(writer),
        compacting: Mutex::default(),
        written_bytes: AtomicU64::new(0),
        patience: Patience::default(),
    }))))
}

/// Shared with the threads that do the blocking work.
struct Core {
    kv: Arc<dyn Kv>,
    /// Held for the length of a write: what a write checks must still hold when it is applied.
    writer: Mutex<Writer>,
    /// How to ask for free space, and how much is to stay.
    free: Option<(FreeBytes, u64)>,
    /// Held by the one who compacts.
    compacting: Mutex<()>,
    /// All that was put since it was opened.
    written_bytes: AtomicU64,
    /// With a disk that says nothing.
    patience: Patience,
}

struct Writer {
    gauge: Option<Gauge>,
    /// Snapshots being read that the engine cannot keep by itself.
    shadows: Vec<Weak<Mutex<Shadow>>>,
    /// What was written since a compaction began.
    delta: Option<Delta>,
    /// What new runs refer to, while a retention pass goes on.
    pass: Option<NewRefs>,
    /// Revisions that nothing referred to in the last pass.
    unreferred: HashSet<Revision>,
    /// Dedupe keys, once they have been read.
    known: Option<Known>,
    /// So many of them are known in memory.
    keys_in_memory: usize,
}

impl Core {
    /// The only way to the engine's `apply`: whoever reads along is told.
    fn apply(&self, writer: &mut Writer, batch: &Batch) -> Result<(), StoreError> {
        writer.shadows.retain(|shadow| shadow.strong_count() != 0);
        for shadow in writer.shadows.iter().filter_map(Weak::upgrade) {
            shadow.lock().unwrap_or_else(PoisonError::into_inner).before(&*self.kv, batch)?;
        }
        if let Some(pass) = &mut writer.pass {
            pass.note(batch);
        }
        let applied = self.kv.apply(batch);
        let put = batch.changes().filter_map(|(key, value)| Some(key.len() + value?.len())).sum::<usize>();
        self.written_bytes.fetch_add(u64::try_from(put).unwrap_or(u64::MAX), Relaxed);
        if let Some(delta) = &mut writer.delta {
            delta.add(batch, &applied);
        }
        applied
    }
}

/// What is stored, with what a batch is about to change.
#[derive(Clone, Copy)]
struct View<'v> {
    kv: &'v dyn Kv,
    batch: Option<&'v Batch>,
}

impl View<'_> {
    fn get(self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.batch.and_then(|batch| batch.change(key)) {
            Some(change) => Ok(change.map(<[u8]>::to_vec)),
            None => self.kv.get(key),
        }
    }
}

/// So long are the pieces of what is larger than an engine takes. With its key, one fits a page of 8 KiB of redb's; a longer
/// one would take a page of 16.
const CHUNK_BYTES: usize = VALUE_MAX_BYTES - 64;

/// Puts a value that may be larger than an engine takes: the first piece under `first`, the others
/// under the chunk keys of `rest`.
fn put_chunked(batch: &mut Batch, first: Vec<u8>, rest: &[u8], value: &[u8]) {
    let (head, tail) = value.split_at_checked(CHUNK_BYTES).unwrap_or((value, &[]));
    batch.put(first, head.to_vec());
    for (index, piece) in (0u32..).zip(tail.chunks(CHUNK_BYTES)) {
        batch.put(key::chunk(rest, index), piece.to_vec());
    }
}

#[cfg(test)]
mod tests;
