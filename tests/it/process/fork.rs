//! A new process has all files of this one, locks included, until it runs its own program. A store that a test
//! opens and closes here would still be locked, so that is never done while a process begins.

use std::process::{Child, Command};
use std::sync::{PoisonError, RwLock};

static BEGINNING: RwLock<()> = RwLock::new(());

/// Starts a process; on return it runs its own program.
pub(crate) fn spawned(command: &mut Command) -> Child {
    let _beginning = BEGINNING.read().unwrap_or_else(PoisonError::into_inner);
    command.spawn().unwrap()
}

/// Does something while no process begins.
pub(crate) fn apart<T>(work: impl FnOnce() -> T) -> T {
    let _alone = BEGINNING.write().unwrap_or_else(PoisonError::into_inner);
    work()
}
