//! Patience with a disk that says nothing. An error is answered at once; but a network volume that went away makes a
//! write wait, and so does sled after a write of its own that failed, it may be for ever.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinError, JoinHandle};
use tokio::time::timeout;

use super::super::StoreError;

/// So long an answer is waited for: longer than a disk that works ever takes, and shorter than most senders wait.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Counted in pieces: to a process that stood still for a minute only one of them is over at once, and the disk, which
/// could not tell it anything meanwhile, has the others.
const PIECES: u32 = 15;

/// Remembers what was given up and has not ended.
#[derive(Default)]
pub(super) struct Patience {
    given_up: Mutex<Option<AbortHandle>>,
}

impl Patience {
    /// Nothing more is tried before that one has ended: it would wait as long, and a thread with it.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let mut given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        if given_up.as_ref().is_some_and(|work| !work.is_finished()) {
            return Err(silent());
        }
        *given_up = None;
        Ok(())
    }

    /// What came of it, in time.
    pub(super) async fn wait<T>(&self, mut work: JoinHandle<T>) -> Result<Result<T, JoinError>, StoreError> {
        for _ in 0..PIECES {
            if let Ok(joined) = timeout(ANSWER_WITHIN / PIECES, &mut work).await {
                return Ok(joined);
            }
        }
        *self.given_up.lock().unwrap_or_else(PoisonError::into_inner) = Some(work.abort_handle());
        Err(silent())
    }
}

fn silent() -> StoreError {
    let seconds = ANSWER_WITHIN.as_secs();
    StoreError::Io(format!(
        "a write has waited for the disk for more than {seconds} s; see whether the disk is there, and restart hence if this does not end"
    ))
}
