//! sled 0.34: the second engine, with the recipe that kept every acknowledged write in simulated
//! power cuts. Its own `flush` starts the write-out and does not wait for the disk, so every flush
//! is followed by a sync of ours; `docs/decisions/` has the measurements.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sled::{Config, Db};

use super::super::StoreError;
use super::folder::Folder;
use super::settling::Settling;
use super::slot::{Slot, Trouble};
use super::{Batch, Kv, Order, VALUE_MAX_BYTES, Visit, io_error, no_panic};
use super::{sled_copy, sled_log};

/// Memory for pages; sled's own default is 1 GiB.
pub const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// Part of the recipe; a store keeps the size it was made with.
pub const SEGMENT_BYTES: usize = 2 * 1024 * 1024;

/// So long a read waits for a write that is under way: sled may wait for ever after a write of its own that failed.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// sled's log, which is all it has; its name in the folder.
pub const LOG_FILE: &str = "db";
/// sled's own settings.
pub(super) const CONF_FILE: &str = "conf";

/// Ours: there once something was stored. sled takes an empty or lost log for a new store.
const USED_FILE: &str = "used";

/// A sled database in a folder.
#[derive(Debug)]
pub struct Sled {
    open: Slot<Open>,
    /// Held by a write until its sync is over.
    settling: Settling,
    used: AtomicBool,
    folder: Folder,
    path: PathBuf,
}

#[derive(Debug)]
struct Open {
    db: Db,
    log: File,
}

impl Sled {
    /// Opens the database in `folder`; makes it if it is missing.
    ///
    /// # Errors
    /// When another process has it, when it is damaged, or when the disk fails.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.to_owned();
        let folder = Folder::open(folder)?;
        sled_copy::settle(&path).map_err(|error| io_error(&format!("put a copy in place in {}", path.display()), &error))?;
        let open = open_database(&folder, &path)?;
        let used = was_used(&folder).map_err(|error| io_error(&format!("open the sled store in {}", path.display()), &error))?;
        Ok(Self { open: Slot::new("sled", open), settling: Settling::new(READ_WITHIN), used: AtomicBool::new(used), folder, path })
    }

    fn settled<T>(&self, read: impl FnOnce(&Open) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let _settled = self.settling.read()?;
        self.with(read)
    }

    fn with<T>(&self, run: impl FnOnce(&Open) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.open.with(|| open_database(&self.folder, &self.path), |open| run(open).map_err(Trouble::Broken))
    }

    fn mark_used(&self) -> Result<(), StoreError> {
        if !self.used.load(Ordering::Relaxed) {
            File::create(self.folder.file(USED_FILE)).map_err(|error| io_error("mark the sled store as used", &error))?;
            self.folder.sync()?;
            self.used.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn open_database(folder: &Folder, path: &Path) -> Result<Open, StoreError> {
    let what = format!("open the sled store in {}", path.display());
    let failed = |error: std::io::Error| io_error(&what, &error);
    remove_half_made_snapshots(path).map_err(failed)?;
    wait_for_last_handle(&folder.file(LOG_FILE)).map_err(failed)?;
    sled_copy::finish(path).map_err(failed)?;
    // sled begins a new log over one that it does not recognise: what is left of it must not be lost to that.
    let used = was_used(folder).map_err(failed)?;
    if used && !sled_log::has_segment(&folder.file(LOG_FILE), SEGMENT_BYTES).map_err(failed)? {
        return Err(StoreError::Damaged(format!("{what}: its log holds nothing that sled wrote, and did before; it is left as it is")));
    }
    let config = Config::new().path(path).flush_every_ms(None).segment_size(SEGMENT_BYTES).cache_capacity(CACHE_BYTES);
    let db = no_panic(&what, || config.open().map_err(|error| open_error(&what, error)))?;
    if used && db.is_empty() {
        return Err(StoreError::Damaged(format!("{what}: it is empty, and was not before")));
    }
    match synced_log(folder, &what) {
        Ok(log) => Ok(Open { db, log }),
        Err(error) => {
            // sled syncs once more when it is let go of, and panics when it cannot.
            drop(no_panic(&what, || {
                drop(db);
                Ok(())
            }));
            Err(error)
        }
    }
}

/// Whether something was stored; an error when that cannot be seen now.
fn was_used(folder: &Folder) -> std::io::Result<bool> {
    folder.file(USED_FILE).try_exists()
}

fn synced_log(folder: &Folder, what: &str) -> Result<File, StoreError> {
    let failed = |error: std::io::Error| io_error(what, &error);
    let log = File::open(folder.file(LOG_FILE)).map_err(failed)?;
    // Once is enough: neither the settings nor the folder's entries change while it is in use.
    log.sync_all().map_err(failed)?;
    File::open(folder.file(CONF_FILE)).and_then(|conf| conf.sync_all()).map_err(failed)?;
    folder.sync()?;
    Ok(log)
}

/// A crash may leave one behind, and sled would take it for a whole one.
fn remove_half_made_snapshots(path: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// sled's own threads may hold its file a moment longer than the handle that was closed. The folder
/// is locked by this process, so nobody else can be waited for.
pub(super) fn wait_for_last_handle(log: &Path) -> std::io::Result<()> {
    match File::open(log) {
        Ok(log) => log.lock(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// While opening, an engine that does not understand its files has damaged files.
fn open_error(what: &str, error: sled::Error) -> StoreError {
    match error {
        sled::Error::Unsupported(text) => StoreError::Damaged(format!("{what}: {text}")),
        error => store_error(what, error),
    }
}

fn store_error(what: &str, error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(error) => io_error(what, &error),
        sled::Error::Corruption { .. } | sled::Error::ReportableBug(_) => StoreError::Damaged(format!("{what}: {error}")),
        sled::Error::CollectionNotFound(_) | sled::Error::Unsupported(_) => StoreError::Io(format!("{what}: {error}")),
    }
}

impl Kv for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.settled(|open| {
            let value = open.db.get(key).map_err(|error| store_error("sled", error))?;
            Ok(value.map(|value| value.to_vec()))
        })
    }

    fn range(&self, from: &[u8], to: &[u8], order: Order, visit: Visit<'_>) -> Result<(), StoreError> {
        if to <= from {
            return Ok(());
        }
        self.settled(|open| {
            let mut range = open.db.range(from..to);
            while let Some(item) = match order {
                Order::Ascending => range.next(),
                Order::Descending => range.next_back(),
            } {
                let (key, value) = item.map_err(|error| store_error("sled", error))?;
                if visit(&key, &value).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut changes = sled::Batch::default();
        for (key, value) in batch.changes() {
            match value {
                Some(value) if VALUE_MAX_BYTES < value.len() => {
                    let len = value.len();
                    return Err(StoreError::Io(format!("a value of {len} bytes is larger than sled may be given ({VALUE_MAX_BYTES})")));
                }
                Some(value) => changes.insert(key, value),
                None => changes.remove(key),
            }
        }
        let _settling = self.settling.write();
        self.with(|open| {
            open.db.apply_batch(changes).map_err(|error| store_error("sled", error))?;
            open.db.flush().map_err(|error| store_error("sled", error))?;
            open.log.sync_data().map_err(|error| io_error("sync the sled log", &error))
        })?;
        self.mark_used()
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        self.folder.disk_bytes()
    }

    fn begin_copy(&self) -> Result<Option<Box<dyn Kv>>, StoreError> {
        // An exchange that has not ended is ended first: until then the database is in the folder of the copy.
        self.with(|_| Ok(()))?;
        sled_copy::remove(&self.path).map_err(|error| io_error("remove an old copy", &error))?;
        Ok(Some(Box::new(Self::open(&sled_copy::folder(&self.path))?)))
    }

    fn take_copy(&self) -> Result<(), StoreError> {
        let exchange = || {
            let failed = |error: std::io::Error| io_error(&format!("put a copy in place in {}", self.path.display()), &error);
            wait_for_last_handle(&self.folder.file(LOG_FILE)).map_err(failed)?;
            sled_copy::declare_whole(&self.path).map_err(failed)?;
            sled_copy::settle(&self.path).map_err(failed)
        };
        self.open.exchange(exchange, || open_database(&self.folder, &self.path))
    }

    fn drop_copy(&self) -> Result<(), StoreError> {
        sled_copy::give_up(&self.path).map_err(|error| io_error("remove a copy", &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_before_it_is_synced() {
        let folder = tempfile::tempdir().unwrap();
        let kv = Sled::open(folder.path()).unwrap();
        std::thread::scope(|scope| {
            // As a write does while it waits for the disk.
            let settling = kv.settling.write();
            kv.with(|open| open.db.insert(b"a", b"1").map_err(|error| store_error("sled", error))).unwrap();
            let (told, tells) = std::sync::mpsc::channel();
            let reader = &kv;
            let reader = scope.spawn(move || {
                told.send("asks").unwrap();
                let read = reader.get(b"a");
                told.send("has read").unwrap();
                read
            });
            assert_eq!(tells.recv(), Ok("asks"));
            assert!(tells.recv_timeout(std::time::Duration::from_millis(50)).is_err());
            drop(settling);
            assert_eq!(reader.join().unwrap(), Ok(Some(b"1".to_vec())));
        });
    }

    #[test]
    fn after_a_failure_the_next_call_opens_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let kv = Sled::open(folder.path()).unwrap();
        let mut batch = Batch::default();
        batch.put(b"a".to_vec(), b"1".to_vec());
        kv.apply(&batch).unwrap();
        kv.open.close();
        assert_eq!(kv.get(b"a"), Ok(Some(b"1".to_vec())));
        kv.open.close();
        assert_eq!(kv.apply(&batch), Ok(()));
        let panicked: Result<(), StoreError> = kv.with(|_| panic!("on purpose"));
        assert!(matches!(panicked, Err(StoreError::Damaged(text)) if text.contains("on purpose")));
        assert_eq!(kv.get(b"a"), Ok(Some(b"1".to_vec())));
    }
}
