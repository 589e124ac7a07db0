//! The folder an engine keeps its files in: made if missing, and locked against other processes.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::StoreError;
use super::io_error;

/// Its lock is held for as long as the store is open. The file itself stays: to remove it would let two processes in.
const LOCK_FILE: &str = "lock";

/// The unit of `st_blocks`.
const BLOCK_BYTES: u64 = 512;

/// A folder that this process alone uses.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

fn blocks_bytes(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(of) if of.is_dir() => bytes += blocks_bytes(&entry.path())?,
            Ok(of) => bytes += of.blocks() * BLOCK_BYTES,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
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

    /// The blocks that its files take, in bytes. Folders inside count as well; a file that goes away meanwhile does not.
    pub(super) fn disk_bytes(&self) -> Result<u64, StoreError> {
        blocks_bytes(&self.path).map_err(|error| io_error(&format!("look at the size of {}", self.path.display()), &error))
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
