//! What surrounds an evaluation: the moment that `now()` tells, the seed of chance, and the watch
//! over time and memory. Evaluation is synchronous, so this lives in the thread for its duration.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::limits::Limits;
use crate::domain::time::Timestamp;

/// What `now()`, `uuid()` and `random()` derive from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    pub(super) seed: u64,
}

#[derive(Clone, Copy, Default)]
struct Ambient {
    moment: Moment,
    drawn: u64,
    watch: Option<Watch>,
}

#[derive(Clone, Copy)]
struct Watch {
    started: Instant,
    resident_bytes: u64,
}

thread_local! {
    static AMBIENT: Cell<Ambient> = const { Cell::new(Ambient { moment: Moment { now: Timestamp(0), seed: 0 }, drawn: 0, watch: None }) };
}

/// Ends the evaluation's surroundings when dropped.
pub(super) struct Guard(Ambient);

/// Begins an evaluation at `moment`.
pub(super) fn enter(moment: Moment) -> Guard {
    Guard(AMBIENT.replace(Ambient { moment, drawn: 0, watch: None }))
}

impl Drop for Guard {
    fn drop(&mut self) {
        AMBIENT.set(self.0);
    }
}

/// The moment of the evaluation.
pub(super) fn now() -> Timestamp {
    AMBIENT.get().moment.now
}

/// The next number of the evaluation's own sequence (SplitMix64, Steele, Lea and Flood 2014).
pub(super) fn chance() -> u64 {
    let mut ambient = AMBIENT.get();
    ambient.drawn = ambient.drawn.wrapping_add(1);
    AMBIENT.set(ambient);
    let mut x = ambient.moment.seed.wrapping_add(ambient.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Operations between two looks at the clock. Short evaluations never look.
const OPERATIONS_PER_LOOK: u64 = 64;
/// Looks at the clock between two at the memory, which costs a system call.
const LOOKS_PER_MEMORY_LOOK: u64 = 4;

/// Says why the evaluation has to stop, if it has to.
pub(super) fn overrun(operations: u64, limits: &Limits) -> Option<String> {
    if !operations.is_multiple_of(OPERATIONS_PER_LOOK) {
        return None;
    }
    let mut ambient = AMBIENT.get();
    let Some(watch) = ambient.watch else {
        ambient.watch = Some(Watch { started: instant(), resident_bytes: resident_bytes() });
        AMBIENT.set(ambient);
        return None;
    };
    if limits.duration < instant().saturating_duration_since(watch.started) {
        return Some(too_long(limits.duration));
    }
    if operations.is_multiple_of(OPERATIONS_PER_LOOK * LOOKS_PER_MEMORY_LOOK)
        && limits.growth_bytes < resident_bytes().saturating_sub(watch.resident_bytes)
    {
        return Some(format!("it used more than {} MiB of memory, the limit; keep less data at once", limits.growth_bytes >> 20));
    }
    None
}

fn too_long(limit: Duration) -> String {
    format!("it took longer than {} ms, the limit; do less work in one evaluation", limit.as_millis())
}

#[expect(clippy::disallowed_methods, reason = "a watchdog over this thread's own work; no result depends on what time it is")]
fn instant() -> Instant {
    Instant::now()
}

/// The process's resident memory; 0 where it cannot be read, which turns this bound off.
fn resident_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let pages = std::fs::read_to_string("/proc/self/statm").ok().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(PAGE_BYTES)
}
