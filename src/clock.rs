//! Time and chance, which come in from outside.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::domain::id::{EventId, Parts, RunId};
use crate::domain::time::Timestamp;

/// A wait that ends when a time has come.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tells the time and waits for it.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
    /// Returns once `now()` is `time` or later.
    fn sleep_until(&self, time: Timestamp) -> Wait;
    /// How long it has run; the difference of two readings is the time between them, also when it is set meanwhile.
    fn uptime(&self) -> Duration;
    /// Returns after `span`, also when the clock is set meanwhile: for pauses that mean no time of day.
    fn pause(&self, span: Duration) -> Wait {
        self.sleep_until(self.now().after(span))
    }
}

/// The machine's clock. A wait looks at it again at least once a second, so a clock that is set
/// forward or a machine that slept does not delay what is due.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

/// The longest a wait goes without looking at the wall clock.
const RECHECK: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
fn wall_clock() -> Timestamp {
    Timestamp::from(jiff::Timestamp::now())
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        wall_clock()
    }

    fn uptime(&self) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
        static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
        BEGUN.elapsed()
    }

    fn sleep_until(&self, time: Timestamp) -> Wait {
        Box::pin(async move {
            loop {
                let rest = time.since(wall_clock());
                if rest.is_zero() {
                    return;
                }
                #[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
                tokio::time::sleep(rest.min(RECHECK)).await;
            }
        })
    }

    fn pause(&self, span: Duration) -> Wait {
        #[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
        Box::pin(async move { tokio::time::sleep(span).await })
    }
}

/// A clock that moves only when told to, for tests and dry runs.
#[derive(Debug)]
pub struct ManualClock(watch::Sender<Timestamp>);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(watch::Sender::new(now))
    }

    /// Moves forward to `time`; never back.
    pub fn advance_to(&self, time: Timestamp) {
        self.0.send_modify(|now| *now = (*now).max(time));
    }

    /// Sets it, also back, as a person or a time service may set a machine's clock.
    pub fn set(&self, time: Timestamp) {
        self.0.send_replace(time);
    }

    /// Moves forward by `span`.
    pub fn advance(&self, span: Duration) {
        self.0.send_modify(|now| *now = now.after(span));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn uptime(&self) -> Duration {
        self.now().since(Timestamp(0))
    }

    fn sleep_until(&self, time: Timestamp) -> Wait {
        let mut now = self.0.subscribe();
        Box::pin(async move {
            if now.wait_for(|now| time <= *now).await.is_err() {
                // The clock is gone: the time never comes.
                std::future::pending::<()>().await;
            }
        })
    }
}

/// Makes ids that sort by the order they were made in, even when the wall clock steps back.
#[derive(Debug)]
pub struct Ids {
    last: Mutex<(u64, u32)>,
    chance: AtomicU64,
}

impl Ids {
    /// `seed` is the only chance there is; `not_before` the newest id's time found in the store.
    #[must_use]
    pub fn new(seed: u64, not_before: Timestamp) -> Self {
        Self { last: Mutex::new((u64::try_from(not_before.0).unwrap_or(0), u32::MAX >> 8)), chance: AtomicU64::new(seed) }
    }

    /// A new event's id.
    pub fn event(&self, now: Timestamp) -> EventId {
        EventId::new(self.parts(now))
    }

    /// A new run's id.
    pub fn run(&self, now: Timestamp) -> RunId {
        RunId::new(self.parts(now))
    }

    fn parts(&self, now: Timestamp) -> Parts {
        let (time_ms, counter) = {
            let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let now_ms = u64::try_from(now.0).unwrap_or(0);
            *last = match *last {
                (ms, _) if ms < now_ms => (now_ms, 0),
                (ms, counter) if counter < 0x00ff_ffff => (ms, counter + 1),
                (ms, _) => (ms + 1, 0),
            };
            *last
        };
        let chance = split_mix(self.chance.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed));
        Parts { time_ms, counter, chance, shard: chance.to_be_bytes()[0] }
    }
}

/// SplitMix64 (Steele, Lea, Flood, 2014): spreads a counter over 64 bits.
fn split_mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_when_the_clock_steps_back() {
        let ids = Ids::new(7, Timestamp(5_000));
        let made: Vec<_> = [4_000, 6_000, 6_000, 1_000, 6_001].map(|ms| ids.event(Timestamp(ms))).into();
        assert!(made.is_sorted() && made.iter().all(|id| 5_000 < id.time_ms()), "{made:?}");
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_who_waits() {
        let clock = ManualClock::new(Timestamp(0));
        let wait = clock.sleep_until(Timestamp(1_000));
        clock.advance(Duration::from_secs(1));
        wait.await;
        clock.sleep_until(Timestamp(10)).await;
    }
}
