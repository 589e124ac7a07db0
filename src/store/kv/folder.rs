//! The folder an engine keeps its files in: made if missing, and locked against other processes.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::super::StoreError;
use super::io_error;

/// Its lock is held for as long as the store is open. The file itself stays: to remove it would let two processes in.
const LOCK_FILE: &str = "lock";

/// A folder that this process alone uses.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is missing, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |error| io_error(&format!("open the folder {}", path.display()), &error);
        fs::create_dir_all(path).map_err(failed)?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join(LOCK_FILE)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.display().to_string())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// The file of this name in the folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes the folder's own entries durable, and its own entry in its parent: without it a power
    /// cut may take a new file away although its content was synced.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        for folder in [Some(self.path.as_path()), parent].into_iter().flatten() {
            let synced = File::open(folder).and_then(|file| file.sync_all());
            synced.map_err(|error| io_error(&format!("sync the folder {}", folder.display()), &error))?;
        }
        Ok(())
    }
}
