//! Readers wait until what is being written is on the disk, and not for ever. sled shows what it has not synced yet, and
//! what was read of that, a power cut could take back.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::StoreError;

/// Patience is counted in pieces: to a process that stood still only one of them is over at once.
const PIECES: u32 = 10;

/// Keeps readers and the writer apart.
#[derive(Debug)]
pub(super) struct Settling {
    /// So long a reader waits for a write.
    patience: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    readers: usize,
    writing: bool,
    /// A reader has lost its patience with this write: the others need not wait as long again.
    late: bool,
}

/// What is read is on the disk while this lives.
pub(super) struct Reading<'s>(&'s Settling);

/// Nobody reads while this lives.
pub(super) struct Writing<'s>(&'s Settling);

impl Settling {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, state: Mutex::default(), changed: Condvar::new() }
    }

    pub(super) fn read(&self) -> Result<Reading<'_>, StoreError> {
        let mut state = self.state();
        for _ in 0..PIECES {
            let waited = self.changed.wait_timeout_while(state, self.patience / PIECES, |state| state.writing && !state.late);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.writing {
            state.late = true;
            self.changed.notify_all();
            let seconds = self.patience.as_secs();
            let text = format!(
                "a write has not come to its end for more than {seconds} s, and until then sled cannot be read; restart hence if this lasts"
            );
            return Err(StoreError::Io(text));
        }
        state.readers += 1;
        Ok(Reading(self))
    }

    pub(super) fn write(&self) -> Writing<'_> {
        let mut state = self.changed.wait_while(self.state(), |state| state.writing).unwrap_or_else(PoisonError::into_inner);
        // New readers wait from now on, so that those there are come to an end.
        state.writing = true;
        drop(self.changed.wait_while(state, |state| 0 < state.readers).unwrap_or_else(PoisonError::into_inner));
        Writing(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.readers = state.readers.saturating_sub(1);
        if state.readers == 0 && state.writing {
            self.0.changed.notify_all();
        }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        (state.writing, state.late) = (false, false);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn readers_of_a_write_that_never_ends_are_told_and_later_ones_at_once() {
        let settling = Settling::new(Duration::from_millis(20));
        let writing = settling.write();
        assert!(matches!(settling.read(), Err(StoreError::Io(text)) if text.contains("restart hence")));
        assert!(settling.state().late && settling.read().is_err());
        drop(writing);
        assert!(settling.read().is_ok() && !settling.state().late);
    }

    #[test]
    fn a_writer_waits_for_the_readers_there_are_and_new_ones_for_the_writer() {
        let settling = &Settling::new(Duration::from_secs(600));
        let (told, tells) = channel();
        std::thread::scope(|scope| {
            let reading = settling.read().unwrap();
            let (of_writer, of_reader) = (told.clone(), told.clone());
            scope.spawn(move || {
                let _writing = settling.write();
                of_writer.send("writes").unwrap();
            });
            while !settling.state().writing {
                std::thread::yield_now();
            }
            scope.spawn(move || {
                let _reading = settling.read().unwrap();
                of_reader.send("reads").unwrap();
            });
            told.send("the first reader ends").unwrap();
            drop(reading);
        });
        drop(told);
        assert_eq!(tells.iter().collect::<Vec<_>>(), ["the first reader ends", "writes", "reads"]);
    }
}
