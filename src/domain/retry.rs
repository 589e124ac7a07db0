//! When a failed call is tried again.
//!
//! Exponential backoff with full jitter (Marc Brooker, "Exponential Backoff And Jitter", AWS
//! Architecture Blog, 2015): the wait is drawn between nothing and the exponential bound. The
//! draw is a hash of run, step and attempt, so that deciding needs no chance of its own.

use std::time::Duration;

use super::failure::Failure;
use super::id::RunId;
use super::journal::Address;
use super::time::Timestamp;

/// How often and how far apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Tries in all, the first included; at least 1.
    pub attempts: u32,
    /// The bound of the first wait.
    pub first: Duration,
    /// What the bound grows by each time.
    pub factor: f64,
    /// The largest bound.
    pub max: Duration,
}

/// 5 attempts, 1s × 2 up to 5m.
impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, first: Duration::from_secs(1), factor: 2.0, max: Duration::from_secs(300) }
    }
}

impl Retry {
    /// The longest wait after the given failed attempt (from 1).
    #[must_use]
    pub fn bound(&self, attempt: u32) -> Duration {
        let exponent = f64::from(attempt.saturating_sub(1));
        let bound = self.first.as_secs_f64() * self.factor.max(1.0).powf(exponent);
        if bound.is_finite() && bound < self.max.as_secs_f64() { Duration::from_secs_f64(bound) } else { self.max }
    }

    /// When to try again after `attempt` (from 1) failed at `now`, or nothing when it failed for good.
    /// What the other side asked for (`Retry-After`) is a lower limit and may exceed `max`.
    #[must_use]
    pub fn due(&self, failure: &Failure, run: RunId, step: &Address, attempt: u32, now: Timestamp) -> Option<Timestamp> {
        if attempt >= self.attempts || !failure.is_transient() {
            return None;
        }
        Some(self.due_after(failure, run, step, attempt, now))
    }

    /// When to try again after `attempt` (from 1) failed at `now`, if it is tried again.
    #[must_use]
    pub fn due_after(&self, failure: &Failure, run: RunId, step: &Address, attempt: u32, now: Timestamp) -> Timestamp {
        let bound_ms = u64::try_from(self.bound(attempt).as_millis()).unwrap_or(u64::MAX);
        let draw = hash(run, step, attempt);
        let wait_ms = if bound_ms == u64::MAX { draw } else { draw % (bound_ms + 1) };
        now.after(Duration::from_millis(wait_ms.max(failure.retry_after_ms.unwrap_or(0))))
    }
}

/// A number that belongs to a run, a step and an attempt. FNV-1a, then the finaliser of SplitMix64 to spread the low bits.
#[must_use]
pub fn hash(run: RunId, step: &Address, attempt: u32) -> u64 {
    let bytes = run.to_bytes().into_iter().chain(step.as_str().bytes()).chain(attempt.to_be_bytes());
    let mut x = bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::failure::FailureKind;
    use super::super::id::Parts;
    use super::*;

    fn run(chance: u64) -> RunId {
        RunId::new(Parts { time_ms: 1, counter: 0, chance, shard: 0 })
    }

    fn down() -> Failure {
        Failure::new(FailureKind::Status, "503").with_status(503)
    }

    proptest! {
        #[test]
        fn the_wait_stays_within_its_bound_and_repeats_itself(chance in 0u64..1 << 48, attempt in 1u32..60, attempts in 1u32..80) {
            let retry = Retry { attempts, ..Retry::default() };
            let step = Address::new("charge");
            let now = Timestamp(1_000_000);
            let due = retry.due(&down(), run(chance), &step, attempt, now);
            prop_assert_eq!(due.is_some(), attempt < attempts);
            if let Some(due) = due {
                prop_assert!(due >= now && due <= now.after(retry.bound(attempt)));
            }
            prop_assert_eq!(due, retry.due(&down(), run(chance), &step, attempt, now));
        }

        #[test]
        fn the_bound_never_shrinks_nor_passes_its_maximum(attempt in 1u32..5_000, first_ms in 0u64..100_000, factor in 0.0f64..1e6) {
            let retry = Retry { first: Duration::from_millis(first_ms), factor, max: Duration::from_secs(60), attempts: 9 };
            prop_assert!(retry.bound(attempt) <= retry.bound(attempt + 1));
            prop_assert!(retry.bound(attempt) <= retry.max);
        }
    }

    #[test]
    fn waits_of_many_runs_are_spread_over_the_bound() {
        let retry = Retry::default();
        let waits: Vec<i64> =
            (0..1000).filter_map(|n| retry.due(&down(), run(n), &Address::new("a"), 1, Timestamp(0))).map(|t| t.0).collect();
        let mean = waits.iter().sum::<i64>() / 1000;
        assert!((400..600).contains(&mean), "{mean}");
    }

    #[test]
    fn retry_after_is_a_lower_limit() {
        let asked = down().with_retry_after(Some(Duration::from_secs(7_200)));
        let due = Retry::default().due(&asked, run(1), &Address::new("a"), 1, Timestamp(0));
        assert_eq!(due, Some(Timestamp(7_200_000)));
    }

    #[test]
    fn what_cannot_work_later_is_not_tried_again() {
        for status in [400, 401, 403, 404, 409, 422] {
            let failure = Failure::new(FailureKind::Status, "no").with_status(status);
            assert_eq!(Retry::default().due(&failure, run(1), &Address::new("a"), 1, Timestamp(0)), None, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            let failure = Failure::new(FailureKind::Status, "later").with_status(status);
            assert!(Retry::default().due(&failure, run(1), &Address::new("a"), 1, Timestamp(0)).is_some(), "{status}");
        }
    }
}
