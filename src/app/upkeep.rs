//! What the command line does with a store that no server uses: check, count, compact, back up, restore.

use std::io::{Read, Seek};
use std::path::PathBuf;
use std::sync::Arc;

use super::make_private;
use crate::config::Config;
use crate::store::embedded::{self, Settings};
use crate::store::{BackupStream, Checked, Compacted, Stats, Store, StoreError};

/// Where a store is, or is to be.
#[derive(Debug, Clone)]
pub struct Place {
    url: String,
    data: PathBuf,
}

impl Place {
    /// As configured.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self { url: config.store.clone(), data: config.data.clone() }
    }

    /// `redb://PATH` or `sled://PATH`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Opens the store there. Nothing is made where there is none.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        if !embedded::exists(&self.url)? {
            return Err(StoreError::Missing(self.url.clone()));
        }
        embedded::open(&self.url, Settings::default())
    }
}

/// Runs this on threads of its own, to its end.
///
/// # Errors
/// When the system gives no threads.
pub fn block_on<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    Ok(super::runtime()?.block_on(work))
}

/// Reads everything.
///
/// # Errors
/// When the store cannot be opened or read at all.
pub async fn check_store(place: &Place) -> Result<Checked, StoreError> {
    place.open()?.check().await
}

/// Counts everything.
///
/// # Errors
/// When the store cannot be opened or read.
pub async fn stats(place: &Place) -> Result<Stats, StoreError> {
    place.open()?.stats().await
}

/// Gives back to the disk what is not used.
///
/// # Errors
/// When the store cannot be opened, read or written anew.
pub async fn compact(place: &Place) -> Result<Compacted, StoreError> {
    place.open()?.compact().await
}

/// A backup of a store that no server uses.
///
/// # Errors
/// When the store cannot be opened or read.
pub async fn offline_backup(place: &Place) -> Result<BackupStream, StoreError> {
    place.open()?.backup().await
}

/// Fills an empty place from a backup, after the backup was read to its end; then checks what was made of it.
///
/// # Errors
/// When it is no whole backup, there is a store already, or the disk fails.
pub async fn restore(place: &Place, mut from: std::fs::File) -> Result<Checked, StoreError> {
    let failed = |error: std::io::Error| StoreError::Io(format!("the backup cannot be read: {error}"));
    if embedded::exists(&place.url)? {
        return Err(StoreError::NotEmpty);
    }
    embedded::verify(std::io::BufReader::new(&mut from))?;
    from.rewind().map_err(failed)?;
    make_private(&place.data).map_err(|error| StoreError::Io(format!("{} cannot be made: {error}", place.data.display())))?;
    let store = embedded::open(&place.url, Settings::default())?;
    store.restore(Box::new(std::io::BufReader::new(from))).await?;
    drop(store);
    place.open()?.check().await
}

/// Reads a backup to its end; says how many records it holds.
///
/// # Errors
/// When it is no whole backup.
pub fn verify_backup(from: impl Read) -> Result<u64, StoreError> {
    embedded::verify(from)
}
