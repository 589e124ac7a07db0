//! The watermark: new events are refused while there is still room to finish the runs in flight.

use std::path::Path;
use std::sync::Arc;

use super::super::StoreError;

/// Says how many bytes are free.
pub type FreeBytes = Arc<dyn Fn() -> Result<u64, StoreError> + Send + Sync>;

/// When new events are refused.
#[derive(Clone)]
pub struct Watermark {
    /// Refuse below this many free bytes.
    pub min_bytes: u64,
    /// Ask the file system once for so many accepted events; while it is full, every time.
    pub check_every_events: u32,
    /// Asks the file system.
    pub free: FreeBytes,
}

/// The bytes that an unprivileged process may still use in the file system of `folder`.
#[must_use]
pub fn free_bytes_of(folder: &Path) -> FreeBytes {
    let folder = folder.to_owned();
    Arc::new(move || match rustix::fs::statvfs(&folder) {
        Ok(stat) => Ok(stat.f_bavail.saturating_mul(stat.f_frsize)),
        Err(error) => Err(StoreError::Io(format!("ask for the free space of {}: {error}", folder.display()))),
    })
}

/// A watermark, and when it was last looked at.
pub(super) struct Gauge {
    watermark: Watermark,
    unchecked_events: u32,
    refusing: Option<StoreError>,
}

impl Gauge {
    pub(super) fn new(watermark: Watermark) -> Self {
        Self { unchecked_events: watermark.check_every_events, watermark, refusing: None }
    }

    /// Whether one more event may be stored.
    pub(super) fn admit(&mut self) -> Result<(), StoreError> {
        self.unchecked_events = self.unchecked_events.saturating_add(1);
        if self.refusing.is_some() || self.watermark.check_every_events <= self.unchecked_events {
            self.unchecked_events = 0;
            self.refusing = self.look().err();
        }
        self.refusing.clone().map_or(Ok(()), Err)
    }

    /// Asks the file system at once.
    pub(super) fn look_now(&mut self) -> Result<(), StoreError> {
        self.refusing = self.look().err();
        self.refusing.clone().map_or(Ok(()), Err)
    }

    fn look(&self) -> Result<(), StoreError> {
        let min = self.watermark.min_bytes;
        let free = (self.watermark.free)()?;
        if free < min {
            return Err(StoreError::Full(format!("{free} bytes are free, less than the {min} kept for runs in flight")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn it_refuses_below_the_mark_and_admits_again_at_once() {
        let free = Arc::new(AtomicU64::new(100));
        let asked = Arc::new(AtomicU64::new(0));
        let (seen, counter) = (Arc::clone(&free), Arc::clone(&asked));
        let ask: FreeBytes = Arc::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(seen.load(Ordering::SeqCst))
        });
        let mut gauge = Gauge::new(Watermark { min_bytes: 100, check_every_events: 4, free: ask });
        assert!((0..9).all(|_| gauge.admit().is_ok()));
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        free.store(99, Ordering::SeqCst);
        assert!((0..5).any(|_| matches!(gauge.admit(), Err(StoreError::Full(_)))));
        free.store(100, Ordering::SeqCst);
        assert_eq!(gauge.admit(), Ok(()));
    }

    #[test]
    fn the_file_system_answers() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes_of(folder.path())().is_ok_and(|free| 0 < free));
        assert!(free_bytes_of(&folder.path().join("missing"))().is_err());
    }
}
