//! The small ordered key-value port that the embedded engines share, and its engines.
//!
//! Keys sort as bytes. There is one writer: [`Kv::apply`] calls come one after the other; reads may
//! come from any thread at any time, and see what is on stable storage, not what is on its way there.

pub mod faulty;
mod folder;
pub mod memory;
pub mod redb;
mod settling;
pub mod sled;
mod sled_copy;
mod sled_log;
mod slot;

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::StoreError;

/// The largest value an engine has to take. sled moves larger ones into files of their own, which
/// it never syncs, so everything larger is split into chunks.
pub const VALUE_MAX_BYTES: usize = 8 * 1024;

/// Which way a range is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Smallest key first.
    Ascending,
    /// Largest key first.
    Descending,
}

/// Sees one key and value of a range, and says whether the walk goes on. It must not call the store.
pub type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// An ordered key-value store.
pub trait Kv: Send + Sync {
    /// The value of `key`.
    ///
    /// # Errors
    /// When the engine cannot read.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Visits what lies in `from..to`, `to` excluded.
    ///
    /// # Errors
    /// When the engine cannot read.
    fn range(&self, from: &[u8], to: &[u8], order: Order, visit: Visit<'_>) -> Result<(), StoreError>;

    /// Writes a batch, all or nothing. On `Ok` it is on stable storage.
    ///
    /// # Errors
    /// When the engine cannot write. Whether the batch is in the store is then unknown until the next
    /// successful call: a disk that fails a sync does not say what it kept.
    fn apply(&self, batch: &Batch) -> Result<(), StoreError>;

    /// What is stored now, however it changes later. `None` where the engine cannot keep that by itself.
    ///
    /// # Errors
    /// When the engine cannot read.
    fn snapshot(&self) -> Result<Option<Box<dyn Snapshot>>, StoreError> {
        Ok(None)
    }

    /// What the engine's files take on the disk, in bytes; zero where it has none.
    ///
    /// # Errors
    /// When the disk cannot be asked.
    fn disk_bytes(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// An empty engine beside this one, to be filled and then put in its place. What an earlier attempt left is
    /// removed. `None` where there is nothing to gain by it.
    ///
    /// # Errors
    /// When it cannot be made.
    fn begin_copy(&self) -> Result<Option<Box<dyn Kv>>, StoreError> {
        Ok(None)
    }

    /// Puts the copy in the place of this one. A crash at any moment leaves the one or the other. The
    /// copy's handle has to be gone, and nobody may write meanwhile.
    ///
    /// # Errors
    /// When the disk fails; the next use opens whichever of the two is there.
    fn take_copy(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Removes a copy that is not wanted. One that has taken the place of this one already stays.
    ///
    /// # Errors
    /// When the disk fails.
    fn drop_copy(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What was stored at one moment.
pub trait Snapshot: Send + Sync {
    /// Visits what lies in `from..to`, smallest key first.
    ///
    /// # Errors
    /// When the engine cannot read.
    fn range(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError>;
}

/// Changes to write together. Until then it is an overlay: what it holds hides what is stored.
#[derive(Debug, Default, Clone)]
pub struct Batch(BTreeMap<Vec<u8>, Option<Vec<u8>>>);

impl Batch {
    /// Sets a value.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.0.insert(key, Some(value));
    }

    /// Removes a key, there or not.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.0.insert(key, None);
    }

    /// What the batch does to `key`: nothing, remove it, or set it.
    #[must_use]
    pub fn change(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.0.get(key).map(Option::as_deref)
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The changes, smallest key first.
    pub fn changes(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.0.iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
    }
}

/// Sorts an I/O error of an engine by what a person can do about it.
fn io_error(what: &str, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::Full(format!("{what}: {error}"))
        }
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => StoreError::Damaged(format!("{what}: {error}")),
        _ => StoreError::Io(format!("{what}: {error}")),
    }
}

/// Runs an engine's code; a panic in it means that it met bytes it never wrote.
fn no_panic<T>(what: &str, run: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(StoreError::Damaged(format!("{what}: the engine panicked: {}", text.unwrap_or_default())))
    })
}

#[cfg(test)]
mod tests;
