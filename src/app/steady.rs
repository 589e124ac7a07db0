//! Whether the machine's clock may be believed. One that leaps forward may leap back, and what was forgotten
//! meanwhile for its age would be gone: so nothing is, until the clock has stood for a while.

use std::time::Duration;

use crate::clock::Clock;
use crate::domain::time::Timestamp;

/// So long after a leap nothing is forgotten for its age.
const DOUBT: Duration = Duration::from_secs(3_600);
/// What a clock is put right by is no leap.
const SMALL: Duration = Duration::from_secs(30);

/// Compares the clock with the time that passes between two looks of a task that is about to forget something.
#[derive(Debug)]
pub(super) struct Steady {
    what: &'static str,
    doubt: Duration,
    /// The clock and its uptime at the last look: what happened while something was being forgotten counts as well.
    looked: Option<(Timestamp, Duration)>,
}

impl Steady {
    /// For a task that forgets this.
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, doubt: Duration::ZERO, looked: None }
    }

    /// Pauses; says whether the clock may be believed then.
    pub(super) async fn pause(&mut self, clock: &dyn Clock, span: Duration) -> bool {
        let (then, begun) = self.looked.unwrap_or_else(|| (clock.now(), clock.uptime()));
        clock.pause(span).await;
        let (now, uptime) = (clock.now(), clock.uptime());
        self.looked = Some((now, uptime));
        self.after(uptime.saturating_sub(begun), now.since(then))
    }

    /// Since the last look it is `span`, and `by_clock` by the clock.
    fn after(&mut self, span: Duration, by_clock: Duration) -> bool {
        let by = by_clock.saturating_sub(span);
        if SMALL < by {
            tracing::warn!(?by, "the clock went forward: for an hour no {} are forgotten for their age", self.what);
            self.doubt = DOUBT;
        } else {
            self.doubt = self.doubt.saturating_sub(span);
        }
        self.doubt.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_leap_it_is_not_believed_for_an_hour() {
        const MINUTE: Duration = Duration::from_secs(60);
        let mut steady = Steady::new("runs");
        assert!(steady.after(MINUTE, MINUTE) && steady.after(MINUTE, MINUTE + SMALL));
        assert!(!steady.after(MINUTE, 2 * MINUTE));
        // Back again: it may have been right before, or is now.
        assert!(!steady.after(MINUTE, Duration::ZERO));
        assert!((0..58).all(|_| !steady.after(MINUTE, MINUTE)));
        assert!(steady.after(MINUTE, MINUTE) && steady.after(MINUTE, MINUTE));
    }
}
