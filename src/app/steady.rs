//! Whether the machine's clock may be believed. One that leaps forward may leap back, and what was forgotten
//! meanwhile for its age would be gone: so nothing is, until the clock has stood for a while.

use std::time::Duration;

use crate::clock::Clock;

/// So long after a leap nothing is forgotten for its age.
const DOUBT: Duration = Duration::from_secs(3_600);
/// A pause may end so late on a machine that has much to do.
const LATE: Duration = Duration::from_secs(30);

/// Compares the clock with the pauses of a task that is about to forget something.
#[derive(Debug)]
pub(super) struct Steady {
    what: &'static str,
    doubt: Duration,
}

impl Steady {
    /// For a task that forgets this.
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, doubt: Duration::ZERO }
    }

    /// Pauses; says whether the clock may be believed then.
    pub(super) async fn pause(&mut self, clock: &dyn Clock, span: Duration) -> bool {
        let begun = clock.now();
        clock.pause(span).await;
        self.after(span, clock.now().since(begun))
    }

    /// A pause of `span` is over, and by the clock it took `took`.
    fn after(&mut self, span: Duration, took: Duration) -> bool {
        if span.saturating_add(LATE) < took {
            let by = took.saturating_sub(span);
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
        assert!(steady.after(MINUTE, MINUTE) && steady.after(MINUTE, MINUTE + LATE));
        assert!(!steady.after(MINUTE, 2 * MINUTE));
        // Back again: it may have been right before, or is now.
        assert!(!steady.after(MINUTE, Duration::ZERO));
        assert!((0..58).all(|_| !steady.after(MINUTE, MINUTE)));
        assert!(steady.after(MINUTE, MINUTE) && steady.after(MINUTE, MINUTE));
    }
}
