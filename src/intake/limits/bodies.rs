//! How much of bodies is in memory, over all requests that are read now.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A sender that is at least so fast is never cut off.
pub const BYTES_A_SECOND: usize = 64 << 10;

/// Counts bytes of bodies from their arrival until their event is stored.
#[derive(Debug, Clone)]
pub struct Bodies {
    held: Arc<AtomicUsize>,
    limit_bytes: usize,
    patience: Duration,
}

/// What one request holds; given back when dropped.
#[derive(Debug)]
pub struct Held {
    bodies: Bodies,
    bytes: usize,
}

impl Bodies {
    /// None is there yet. All together may take so many bytes; one may take so long to begin with.
    #[must_use]
    pub fn new(limit_bytes: usize, patience: Duration) -> Self {
        Self { held: Arc::default(), limit_bytes, patience }
    }

    /// How long a body may take of which so much has come: a large one may take longer, a slow one not for ever.
    #[must_use]
    pub fn patience(&self, received_bytes: usize) -> Duration {
        let seconds = u64::try_from(received_bytes / BYTES_A_SECOND).unwrap_or(u64::MAX);
        self.patience.saturating_add(Duration::from_secs(seconds))
    }

    /// For one request, which holds nothing yet.
    #[must_use]
    pub fn hold(&self) -> Held {
        Held { bodies: self.clone(), bytes: 0 }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

impl Held {
    /// Takes room for so many bytes more; says whether there was any.
    #[must_use]
    pub fn more(&mut self, bytes: usize) -> bool {
        let before = self.bodies.held.fetch_add(bytes, Ordering::Relaxed);
        self.bytes = self.bytes.saturating_add(bytes);
        before.saturating_add(bytes) <= self.bodies.limit_bytes
    }

    /// Gives all of it back: it is stored, or thrown away.
    pub fn give_back(&mut self) {
        self.bodies.held.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_body_may_take_longer() {
        let bodies = Bodies::new(100, Duration::from_secs(30));
        assert_eq!(bodies.patience(0), Duration::from_secs(30));
        assert_eq!(bodies.patience(10 << 20), Duration::from_secs(190));
    }

    #[test]
    fn what_is_held_is_given_back() {
        let bodies = Bodies::new(100, Duration::from_secs(30));
        let (mut one, mut two) = (bodies.hold(), bodies.hold());
        assert!(one.more(60) && one.more(40));
        assert!(!two.more(1), "there is no room");
        assert_eq!(bodies.held_bytes(), 101);
        two.give_back();
        assert_eq!(bodies.held_bytes(), 100);
        drop(two);
        drop(one);
        assert_eq!(bodies.held_bytes(), 0);
        assert!(bodies.hold().more(100));
    }
}
