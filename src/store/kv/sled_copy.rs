//! A copy of a sled database in a folder inside its own, and how it takes the other's place.
//!
//! sled keeps several files, so no single rename does it. A mark says that the copy is whole; from then on
//! each opening goes on with the exchange until it is done, and the mark is what goes last.

use std::fs::{self, File};
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

use super::sled::{CONF_FILE, LOG_FILE, wait_for_last_handle};

const COPY_FOLDER: &str = "copy";
const WHOLE_MARK: &str = "copy.whole";

/// Where the copy of the database in `path` lies.
pub(super) fn folder(path: &Path) -> PathBuf {
    path.join(COPY_FOLDER)
}

/// Removes a copy, whole or not.
pub(super) fn remove(path: &Path) -> Result<()> {
    missing_is_fine(fs::remove_dir_all(folder(path)))
}

/// From now on the copy is the database.
pub(super) fn declare_whole(path: &Path) -> Result<()> {
    sync_folder(&folder(path))?;
    File::create(path.join(WHOLE_MARK))?.sync_all()?;
    sync_folder(path)
}

/// Ends an exchange that was begun, and leaves a half-made copy to whoever makes it. To be called before sled opens its
/// files again: what it wrote to the old ones after the mark would be lost with them.
pub(super) fn finish(path: &Path) -> Result<()> {
    if path.join(WHOLE_MARK).try_exists()? { settle(path) } else { Ok(()) }
}

/// Ends an exchange that was begun. Without the mark a copy is half-made, and goes.
pub(super) fn settle(path: &Path) -> Result<()> {
    let mark = path.join(WHOLE_MARK);
    if !mark.try_exists()? {
        return remove(path);
    }
    let copy = folder(path);
    wait_for_last_handle(&copy.join(LOG_FILE))?;
    // What sled noted beside its old log does not fit the new one. It does without.
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            missing_is_fine(fs::remove_file(entry.path()))?;
        }
    }
    missing_is_fine(fs::remove_dir_all(path.join("blobs")))?;
    for name in [CONF_FILE, LOG_FILE] {
        // One that is missing was moved before a crash.
        missing_is_fine(fs::rename(copy.join(name), path.join(name)))?;
    }
    sync_folder(path)?;
    remove(path)?;
    fs::remove_file(mark)?;
    sync_folder(path)
}

/// Removes a copy that is not whole. One that is, is the database: the next opening puts it in place.
pub(super) fn give_up(path: &Path) -> Result<()> {
    if path.join(WHOLE_MARK).try_exists()? { Ok(()) } else { remove(path) }
}

fn missing_is_fine(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync_folder(path: &Path) -> Result<()> {
    File::open(path)?.sync_all()
}
