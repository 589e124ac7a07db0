//! A rate, counted in one atomic number: the generic cell rate algorithm (ITU-T I.371, annex A), in its form of a
//! theoretical arrival time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::door::Rate;
use crate::domain::time::Timestamp;

/// One more was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// What is counted against.
    pub rate: Rate,
    /// So many could come now.
    pub left: u32,
    /// When all of `burst` could come again.
    pub full_after: Duration,
}

/// One too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// What is counted against.
    pub rate: Rate,
    /// When the next one could come.
    pub retry_after: Duration,
}

/// Counts so many more.
///
/// # Errors
/// When it is too many; none is counted then.
pub fn take(used: &AtomicU64, rate: &Rate, count: u32, now: Timestamp) -> Result<Left, Spent> {
    let mut seen = used.load(Ordering::Relaxed);
    loop {
        let (next, left) = step(seen, rate, count, now)?;
        match used.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return Ok(left),
            Err(now_seen) => seen = now_seen,
        }
    }
}

/// Whether one more could come now, which is not counted.
///
/// # Errors
/// When it would be too many.
pub fn ask(used: &AtomicU64, rate: &Rate, now: Timestamp) -> Result<(), Spent> {
    step(used.load(Ordering::Relaxed), rate, 1, now).map(drop)
}

/// After how long there is room for one.
pub(super) fn each(rate: &Rate) -> Duration {
    Duration::from_nanos(each_nanoseconds(rate))
}

fn each_nanoseconds(rate: &Rate) -> u64 {
    let per = u64::try_from(rate.per.as_nanos()).unwrap_or(u64::MAX);
    (per / u64::from(rate.limit.max(1))).max(1)
}

/// As what was used is counted.
pub(super) fn nanoseconds(now: Timestamp) -> u64 {
    u64::try_from(now.0).unwrap_or(0).saturating_mul(1_000_000)
}

/// The arrival time after so many more that come now. Times are nanoseconds.
pub(super) fn step(seen: u64, rate: &Rate, count: u32, now: Timestamp) -> Result<(u64, Left), Spent> {
    let (now, each) = (nanoseconds(now), each_nanoseconds(rate));
    let whole = each.saturating_mul(u64::from(rate.burst.max(1)));
    // Further ahead than a whole burst means that the clock was set back: what was used is forgotten.
    let begun = if now.saturating_add(whole) < seen { now } else { seen.max(now) };
    let next = begun.saturating_add(each.saturating_mul(u64::from(count)));
    let ahead = next.saturating_sub(now);
    if whole < ahead {
        return Err(Spent { rate: *rate, retry_after: Duration::from_nanos(ahead.saturating_sub(whole)) });
    }
    let left = u32::try_from(whole.saturating_sub(ahead) / each).unwrap_or(u32::MAX);
    Ok((next, Left { rate: *rate, left, full_after: Duration::from_nanos(ahead) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { limit: 10, per: Duration::from_secs(1), burst: 3 };

    fn let_through(used: &AtomicU64, at_ms: i64) -> bool {
        take(used, &RATE, 1, Timestamp(at_ms)).is_ok()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let used = AtomicU64::new(0);
        let first = take(&used, &RATE, 1, Timestamp(5_000)).unwrap();
        assert_eq!((first.left, first.full_after), (2, Duration::from_millis(100)));
        assert!(let_through(&used, 5_000) && let_through(&used, 5_000));
        let spent = take(&used, &RATE, 1, Timestamp(5_000)).unwrap_err();
        assert_eq!(spent.retry_after, Duration::from_millis(100));
        assert!(!let_through(&used, 5_099));
        assert!(let_through(&used, 5_100) && !let_through(&used, 5_100));
        assert_eq!((0..10).filter(|_| let_through(&used, 60_000)).count(), 3, "no more than a burst is saved up");
    }

    #[test]
    fn several_at_once_count_each_and_come_together_or_not_at_all() {
        let used = AtomicU64::new(0);
        assert_eq!(take(&used, &RATE, 2, Timestamp(5_000)).unwrap().left, 1);
        assert_eq!(take(&used, &RATE, 2, Timestamp(5_000)).unwrap_err().retry_after, Duration::from_millis(100));
        assert_eq!(ask(&used, &RATE, Timestamp(5_000)), Ok(()));
        assert_eq!(take(&used, &RATE, 1, Timestamp(5_000)).unwrap().left, 0, "what was refused used nothing, and asking neither");
        assert_eq!(ask(&used, &RATE, Timestamp(5_000)).unwrap_err().retry_after, each(&RATE));
        assert_eq!(take(&used, &RATE, 3, Timestamp(5_300)).unwrap().left, 0);
    }

    #[test]
    fn a_clock_that_is_set_back_closes_nothing() {
        let used = AtomicU64::new(0);
        assert!(let_through(&used, 3_600_000));
        assert_eq!((0..10).filter(|_| let_through(&used, 1_000)).count(), 3);
    }

    #[test]
    fn threads_together_get_no_more_than_one_alone() {
        let used = AtomicU64::new(0);
        let rate = Rate { limit: 1_000, per: Duration::from_secs(1), burst: 1_000 };
        let passed: usize = std::thread::scope(|scope| {
            let one = || (0..1_000).filter(|_| take(&used, &rate, 1, Timestamp(1)).is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 1_000);
    }
}
