//! redb: the default engine. One file, one table, every commit synced.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use redb::{Builder, Database, DatabaseError, Durability, Error, ReadableDatabase, TableDefinition};

use super::super::StoreError;
use super::folder::Folder;
use super::slot::{Slot, Trouble};
use super::{Batch, Kv, Order, Snapshot, Visit, io_error, no_panic};

/// The database's name in its folder.
pub const FILE: &str = "hence.redb";
const HALF_MADE_FILE: &str = "hence.redb.new";
const COPY_FILE: &str = "hence.redb.copy";

/// Memory for pages. The operating system caches the file as well, so little is lost by a small one.
pub const CACHE_BYTES: usize = 16 * 1024 * 1024;

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("hence");

/// A redb database in a folder.
#[derive(Debug)]
pub struct Redb {
    database: Slot<Database>,
    files: Arc<Folder>,
    name: &'static str,
}

impl Redb {
    /// Opens the database in `folder`; makes both if they are missing.
    ///
    /// # Errors
    /// When another process has it, when it is damaged, or when the disk fails.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let folder = Folder::open(folder)?;
        create_if_missing(&folder)?;
        // A copy that was not finished is of no use.
        remove_copy(&folder)?;
        let database = open_database(&folder, FILE)?;
        Ok(Self { database: Slot::new("redb", database), files: Arc::new(folder), name: FILE })
    }

    fn with<T>(&self, run: impl FnOnce(&Database) -> Result<T, Error>) -> Result<T, StoreError> {
        self.database.with(
            || open_database(&self.files, self.name),
            |database| {
                run(database).map_err(|error| {
                    let told = store_error("redb", &error);
                    match error {
                        Error::Io(_) | Error::PreviousIo | Error::LockPoisoned(_) | Error::DatabaseClosed => Trouble::Broken(told),
                        _ => Trouble::Refused(told),
                    }
                })
            },
        )
    }
}

/// A new database is made under another name and moved into place whole. So an empty or half-written
/// file under the real name is damage, and never taken for a new store.
fn create_if_missing(folder: &Folder) -> Result<(), StoreError> {
    let (path, half_made) = (folder.file(FILE), folder.file(HALF_MADE_FILE));
    // One that cannot be looked at now is there all the same, and would be written over.
    if path.try_exists().map_err(|error| io_error(&format!("look for {}", path.display()), &error))? {
        return Ok(());
    }
    let what = format!("make {}", path.display());
    remove_if_there(&half_made).map_err(|error| io_error(&what, &error))?;
    no_panic(&what, || {
        let database = Builder::new().create(&half_made).map_err(|error| store_error(&what, &error.into()))?;
        make_table(&database).map_err(|error| store_error(&what, &error))
    })?;
    fs::rename(&half_made, &path).map_err(|error| io_error(&what, &error))?;
    folder.sync()
}

fn make_table(database: &Database) -> Result<(), Error> {
    let write = database.begin_write()?;
    drop(write.open_table(TABLE)?);
    Ok(write.commit()?)
}

fn open_database(folder: &Folder, name: &str) -> Result<Database, StoreError> {
    let path = folder.file(name);
    let what = format!("open {}", path.display());
    // The renaming that put it there may have been cut off before its sync; what is written now must not be lost with it.
    folder.sync()?;
    no_panic(&what, || match Builder::new().set_cache_size(CACHE_BYTES).open(&path) {
        Ok(database) => Ok(database),
        Err(DatabaseError::DatabaseAlreadyOpen) => Err(StoreError::Locked(path.display().to_string())),
        Err(error) => Err(store_error(&what, &error.into())),
    })
}

fn store_error(what: &str, error: &Error) -> StoreError {
    match error {
        Error::Io(error) => io_error(what, error),
        Error::Corrupted(_)
        | Error::UpgradeRequired(_)
        | Error::RepairAborted
        | Error::TableTypeMismatch { .. }
        | Error::TableIsMultimap(_)
        | Error::TypeDefinitionChanged { .. }
        | Error::TableDoesNotExist(_) => StoreError::Damaged(format!("{what}: {error}")),
        // `Error` may grow: whatever else there is, is a failure to read or write.
        error => StoreError::Io(format!("{what}: {error}")),
    }
}

impl Kv for Redb {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|database| Ok(database.begin_read()?.open_table(TABLE)?.get(key)?.map(|value| value.value().to_vec())))
    }

    fn range(&self, from: &[u8], to: &[u8], order: Order, visit: Visit<'_>) -> Result<(), StoreError> {
        if to <= from {
            return Ok(());
        }
        self.with(|database| {
            let table = database.begin_read()?.open_table(TABLE)?;
            let mut range = table.range(from..to)?;
            while let Some(item) = match order {
                Order::Ascending => range.next(),
                Order::Descending => range.next_back(),
            } {
                let (key, value) = item?;
                if visit(key.value(), value.value()).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        self.with(|database| {
            let mut write = database.begin_write()?;
            write.set_durability(Durability::Immediate)?;
            {
                let mut table = write.open_table(TABLE)?;
                for (key, value) in batch.changes() {
                    match value {
                        Some(value) => drop(table.insert(key, value)?),
                        None => drop(table.remove(key)?),
                    }
                }
            }
            Ok(write.commit()?)
        })
    }

    fn snapshot(&self) -> Result<Option<Box<dyn Snapshot>>, StoreError> {
        self.with(|database| Ok(Some(Box::new(Moment(database.begin_read()?.open_table(TABLE)?)) as Box<dyn Snapshot>)))
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        self.files.disk_bytes()
    }

    fn begin_copy(&self) -> Result<Option<Box<dyn Kv>>, StoreError> {
        let path = self.files.file(COPY_FILE);
        let what = format!("make {}", path.display());
        remove_if_there(&path).map_err(|error| io_error(&what, &error))?;
        let database = no_panic(&what, || {
            let database = Builder::new().set_cache_size(CACHE_BYTES).create(&path).map_err(|error| store_error(&what, &error.into()))?;
            make_table(&database).map_err(|error| store_error(&what, &error))?;
            Ok(database)
        })?;
        Ok(Some(Box::new(Self { database: Slot::new("redb", database), files: Arc::clone(&self.files), name: COPY_FILE })))
    }

    fn take_copy(&self) -> Result<(), StoreError> {
        let (copy, own) = (self.files.file(COPY_FILE), self.files.file(self.name));
        let exchange = || {
            fs::rename(&copy, &own).map_err(|error| io_error(&format!("put {} in place", copy.display()), &error))?;
            self.files.sync()
        };
        self.database.exchange(exchange, || open_database(&self.files, self.name))
    }

    fn drop_copy(&self) -> Result<(), StoreError> {
        remove_copy(&self.files)
    }
}

/// A read transaction. Pages that change meanwhile are kept until it is gone.
struct Moment(redb::ReadOnlyTable<&'static [u8], &'static [u8]>);

impl Snapshot for Moment {
    fn range(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        let failed = |error: redb::StorageError| store_error("redb", &error.into());
        if to <= from {
            return Ok(());
        }
        no_panic("redb", || {
            for item in self.0.range(from..to).map_err(failed)? {
                let (key, value) = item.map_err(failed)?;
                if visit(key.value(), value.value()).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}

fn remove_copy(folder: &Folder) -> Result<(), StoreError> {
    let path = folder.file(COPY_FILE);
    remove_if_there(&path).map_err(|error| io_error(&format!("remove {}", path.display()), &error))
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_the_next_call_opens_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let kv = Redb::open(folder.path()).unwrap();
        let mut batch = Batch::default();
        batch.put(b"a".to_vec(), b"1".to_vec());
        kv.apply(&batch).unwrap();
        kv.database.close();
        assert_eq!(kv.get(b"a"), Ok(Some(b"1".to_vec())));
        kv.database.close();
        assert_eq!(kv.apply(&batch), Ok(()));
        let panicked: Result<(), StoreError> = kv.with(|_| panic!("on purpose"));
        assert!(matches!(panicked, Err(StoreError::Damaged(text)) if text.contains("on purpose")));
        assert_eq!(kv.get(b"a"), Ok(Some(b"1".to_vec())));
    }
}
