//! What the log hears of a store that takes no writes: once that it is so and once that it is over,
//! however many writes are refused meanwhile.

use super::{Accepted, CommitError, StoreError, Written};

/// Follows what comes of writes.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// Writes refused since it began; 0 while there is none.
    refused: usize,
    /// Facts were still taken: below the free-space watermark only new events are refused.
    events_only: bool,
}

impl Outage {
    /// A batch of so many writes failed.
    pub(super) fn failed(&mut self, error: &StoreError, writes: usize) {
        if self.refused == 0 {
            tracing::error!(error = %error, "the store takes no writes: new events are answered 503, facts of runs wait in memory");
        }
        self.refused += writes;
        self.events_only = false;
    }

    /// A batch was written, or most of it.
    pub(super) fn written(&mut self, written: &[Written]) {
        let full = |written: &Written| match written {
            Written::Refused(CommitError::Store(error @ StoreError::Full(_))) => Some(error.clone()),
            Written::Refused(_) | Written::Accepted(_) | Written::Committed(_) | Written::Canceling(_) => None,
        };
        if let Some(error) = written.iter().find_map(full) {
            if self.refused == 0 {
                tracing::error!(error = %error, "the store takes no new events: they are answered 503, runs go on");
            }
            self.refused += written.iter().filter_map(full).count();
            self.events_only = true;
            return;
        }
        let takes_events = written.iter().any(|written| matches!(written, Written::Accepted(Accepted::New { .. })));
        if 0 < self.refused && (takes_events || !self.events_only) {
            tracing::info!(refused = self.refused, "the store takes writes again");
            self.refused = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new() -> Written {
        Written::Accepted(Accepted::New { matches: Vec::new(), delayed: Vec::new() })
    }

    fn full() -> StoreError {
        StoreError::Full("on command".to_owned())
    }

    #[test]
    fn an_outage_lasts_until_a_write_is_taken() {
        let mut outage = Outage::default();
        outage.failed(&full(), 3);
        outage.failed(&full(), 2);
        assert_eq!(outage.refused, 5);
        outage.written(&[Written::Committed(Vec::new())]);
        assert_eq!(outage.refused, 0);
    }

    #[test]
    fn below_the_watermark_it_lasts_until_an_event_is_taken() {
        let mut outage = Outage::default();
        outage.written(&[Written::Refused(full().into()), Written::Committed(Vec::new()), Written::Refused(full().into())]);
        assert_eq!(outage.refused, 2);
        outage.written(&[Written::Committed(Vec::new())]);
        assert_eq!(outage.refused, 2, "runs go on all the time");
        outage.written(&[new()]);
        assert_eq!(outage.refused, 0);
    }
}
