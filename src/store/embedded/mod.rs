//! The store on this machine: the [`Store`] port over any ordered key-value engine.
//!
//! `redb://PATH` and `sled://PATH` name a folder, made if missing; `memory:` forgets everything.

mod admit;
mod key;
mod open_record;
mod read;
mod record;
pub mod space;
mod write;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;

use self::space::{Gauge, Watermark, free_bytes_of};
use super::kv::memory::Memory;
use super::kv::redb::Redb;
use super::kv::sled::Sled;
use super::kv::{Batch, Kv, Order, VALUE_MAX_BYTES};
use super::{Epoch, OpenRun, Page, Posted, RevisionFiles, RunFilter, RunHead, Store, StoreError, TopicKey, Write, Written};
use crate::domain::event::{Event, EventHead};
use crate::domain::id::{EventId, Revision, RunId};
use crate::domain::journal::Entry;
use crate::domain::time::Timestamp;

/// The newest data format this program reads, and the one it writes.
pub const FORMAT: u32 = 1;

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
/// whole file then (about a second per GB), sled its log.
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

/// A store over an engine that is open.
///
/// # Errors
/// When what the engine holds is no store, or is newer than this program.
pub fn over(kv: Arc<dyn Kv>, watermark: Option<Watermark>) -> Result<Arc<dyn Store>, StoreError> {
    check_format(&*kv)?;
    let writer = Mutex::new(Writer { gauge: watermark.map(Gauge::new) });
    Ok(Arc::new(Embedded(Arc::new(Core { kv, writer }))))
}

/// An empty engine becomes a store; one of a newer format is left as it is.
fn check_format(kv: &dyn Kv) -> Result<(), StoreError> {
    if let Some(bytes) = kv.get(&key::format())? {
        let bytes = bytes.try_into().ok().ok_or_else(|| record::damaged("the data format's number"))?;
        let found = u32::from_be_bytes(bytes);
        return if FORMAT < found { Err(StoreError::NewerFormat { found, known: FORMAT }) } else { Ok(()) };
    }
    let mut empty = true;
    kv.range(&[], &[u8::MAX], Order::Ascending, &mut |_, _| {
        empty = false;
        ControlFlow::Break(())
    })?;
    if !empty {
        return Err(StoreError::Damaged("it holds data but not the number of its data format".to_owned()));
    }
    let mut batch = Batch::default();
    batch.put(key::format(), FORMAT.to_be_bytes().to_vec());
    kv.apply(&batch)
}

/// Shared with the threads that do the blocking work.
struct Core {
    kv: Arc<dyn Kv>,
    /// Held for the length of a write: what a write checks must still hold when it is applied.
    writer: Mutex<Writer>,
}

struct Writer {
    gauge: Option<Gauge>,
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

/// Puts a value that may be larger than an engine takes: the first piece under `first`, the others
/// under the chunk keys of `rest`.
fn put_chunked(batch: &mut Batch, first: Vec<u8>, rest: &[u8], value: &[u8]) {
    let (head, tail) = value.split_at_checked(VALUE_MAX_BYTES).unwrap_or((value, &[]));
    batch.put(first, head.to_vec());
    for (index, piece) in (0u32..).zip(tail.chunks(VALUE_MAX_BYTES)) {
        batch.put(key::chunk(rest, index), piece.to_vec());
    }
}

/// Everything that writes waits for the disk, and lists may read a lot of it, so both run on tokio's
/// blocking threads. A lookup of one small value runs where it is: handing it over costs more.
struct Embedded(Arc<Core>);

impl Embedded {
    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Core) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let core = Arc::clone(&self.0);
        Box::pin(async move {
            match tokio::task::spawn_blocking(move || work(&core)).await {
                Ok(result) => result,
                Err(error) if error.is_cancelled() => Err(StoreError::Closed),
                Err(error) => Err(StoreError::Io(format!("a store thread stopped: {error}"))),
            }
        })
    }
}

impl Store for Embedded {
    fn acquire(&self) -> BoxFuture<'_, Result<Epoch, StoreError>> {
        self.blocking(Core::acquire)
    }

    fn write(&self, batch: Vec<Write>) -> BoxFuture<'_, Result<Vec<Written>, StoreError>> {
        self.blocking(move |core| core.write(batch))
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<OpenRun>, StoreError>> {
        self.blocking(Core::load)
    }

    fn put_revision(&self, revision: Revision, files: RevisionFiles) -> BoxFuture<'_, Result<(), StoreError>> {
        self.blocking(move |core| core.put_revision(revision, &files))
    }

    fn revision(&self, revision: Revision) -> BoxFuture<'_, Result<Option<RevisionFiles>, StoreError>> {
        self.blocking(move |core| core.revision(revision))
    }

    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunHead>, StoreError>> {
        Box::pin(async move { self.0.run(run) })
    }

    fn facts(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Entry>, StoreError>> {
        self.blocking(move |core| core.facts(run))
    }

    fn gathered(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Event>, StoreError>> {
        self.blocking(move |core| core.gathered(run))
    }

    fn posted(&self, topic: TopicKey, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Posted>, StoreError>> {
        self.blocking(move |core| core.posted(topic, after, limit))
    }

    fn event(&self, event: EventId) -> BoxFuture<'_, Result<Option<Event>, StoreError>> {
        self.blocking(move |core| core.event(event))
    }

    fn runs(&self, filter: RunFilter, limit: usize) -> BoxFuture<'_, Result<Page<RunHead, RunId>, StoreError>> {
        self.blocking(move |core| core.runs(&filter, limit))
    }

    fn open_runs(&self, limit: usize) -> BoxFuture<'_, Result<Page<RunHead, RunId>, StoreError>> {
        self.blocking(move |core| core.open_runs(limit))
    }

    fn events(&self, before: Option<EventId>, limit: usize) -> BoxFuture<'_, Result<Page<EventHead, EventId>, StoreError>> {
        self.blocking(move |core| core.events(before, limit))
    }

    fn writable(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.blocking(Core::writable)
    }

    fn cursor(&self, name: &str) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        let cursor = read::cursor(self.0.view(), name);
        Box::pin(async move { cursor })
    }

    fn newest(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>> {
        self.blocking(Core::newest)
    }

    fn forget_keys(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        self.blocking(move |core| core.forget_keys(now, limit))
    }
}

#[cfg(test)]
mod tests;
