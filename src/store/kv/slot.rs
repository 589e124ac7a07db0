//! An engine that is open, or was closed after an error. Both engines refuse everything after some
//! errors until they are opened again; so the next use opens them, and the store recovers by itself.

use std::sync::{PoisonError, RwLock};

use super::super::StoreError;
use super::no_panic;

/// An error of an engine, and whether it can go on.
pub(super) enum Trouble {
    /// It has to be opened again.
    Broken(StoreError),
    /// It is as good as before.
    Refused(StoreError),
}

/// Holds an engine.
#[derive(Debug)]
pub(super) struct Slot<T> {
    engine: &'static str,
    open: RwLock<Option<T>>,
}

impl<T> Slot<T> {
    pub(super) fn new(engine: &'static str, open: T) -> Self {
        Self { engine, open: RwLock::new(Some(open)) }
    }

    /// Runs with the engine, opened again first if it was closed. Closes it when it is broken or panics.
    pub(super) fn with<R>(
        &self,
        reopen: impl FnOnce() -> Result<T, StoreError>,
        run: impl FnOnce(&T) -> Result<R, Trouble>,
    ) -> Result<R, StoreError> {
        self.reopen_if_closed(reopen)?;
        let result = {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            let Some(open) = open.as_ref() else {
                let message = format!("{} was closed after an error and is being opened again; try again", self.engine);
                return Err(StoreError::Io(message));
            };
            no_panic(self.engine, || Ok(run(open)))
        };
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Trouble::Refused(error))) => Err(error),
            Ok(Err(Trouble::Broken(error))) | Err(error) => {
                self.close();
                Err(error)
            }
        }
    }

    /// Lets go of the engine; the next use opens it again.
    pub(super) fn close(&self) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        // What the engine may say while it lets go of a broken file was said by the error before.
        drop(no_panic(self.engine, || {
            drop(open.take());
            Ok(())
        }));
    }

    /// Lets go of the engine, does this while nobody has it, and opens it again.
    pub(super) fn exchange(
        &self,
        change: impl FnOnce() -> Result<(), StoreError>,
        reopen: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<(), StoreError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        no_panic(self.engine, || {
            drop(open.take());
            Ok(())
        })?;
        change()?;
        *open = Some(reopen()?);
        Ok(())
    }

    fn reopen_if_closed(&self, reopen: impl FnOnce() -> Result<T, StoreError>) -> Result<(), StoreError> {
        if self.open.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            *open = Some(reopen()?);
        }
        Ok(())
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        // An engine may panic when it cannot write what it still has.
        self.close();
    }
}
