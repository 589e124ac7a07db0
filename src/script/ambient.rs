//! What surrounds an evaluation: the moment that `now()` tells, the seed of chance, and the watch
//! over operations and time. Evaluation is synchronous, so this lives in the thread for its duration.

use std::cell::Cell;
use std::time::Duration;

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
    /// The thread's own time at the first look.
    started: Option<Duration>,
    /// As the limits say; for functions, which do not see those.
    duration: Option<Duration>,
    operations: u64,
    measured_at: u64,
    over: Option<Over>,
}

/// A bound that was passed.
#[derive(Clone, Copy)]
enum Over {
    Operations,
    Duration,
}

thread_local! {
    static AMBIENT: Cell<Ambient> = const {
        Cell::new(Ambient { moment: Moment { now: Timestamp(0), seed: 0 }, drawn: 0, started: None, duration: None, operations: 0, measured_at: 0, over: None })
    };
}

/// Ends the evaluation's surroundings when dropped.
pub(super) struct Guard(Ambient);

/// Begins an evaluation at `moment`.
pub(super) fn enter(moment: Moment) -> Guard {
    Guard(AMBIENT.replace(Ambient { moment, ..Ambient::default() }))
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

/// Whether the evaluation has used chance: done again in parts it would draw others.
pub(super) fn has_drawn() -> bool {
    AMBIENT.get().drawn != 0
}

/// Operations between two looks at the clock. Short evaluations never look.
const OPERATIONS_PER_LOOK: u64 = 64;
/// Operations between two measurements of the variables, so at most a few dozen texts are made meanwhile.
const OPERATIONS_PER_MEASURE: u64 = 128;

/// Counts one operation, and says why the evaluation has to stop if it has to. Rhai's own count
/// begins anew in every call of a closure out of a built-in (`map`, `sort`), so it bounds nothing there.
pub(super) fn operation(limits: &Limits) -> Option<String> {
    let mut ambient = AMBIENT.get();
    if ambient.over.is_none() {
        ambient.operations += 1;
        ambient.duration = Some(limits.duration);
        ambient.over = look(&mut ambient, limits);
        AMBIENT.set(ambient);
    }
    ambient.over.map(|over| over.words(limits))
}

/// Whether a function that works long has to stop, and why.
pub(super) fn check_time() -> Option<String> {
    let mut ambient = AMBIENT.get();
    let started = *ambient.started.get_or_insert_with(worked);
    let allowed = ambient.duration.unwrap_or(Limits::default().duration);
    AMBIENT.set(ambient);
    (allowed < worked().saturating_sub(started)).then(|| too_long(allowed))
}

/// Whether enough has happened since variables were last measured. True once for each such time.
pub(super) fn is_time_to_measure() -> bool {
    let mut ambient = AMBIENT.get();
    let is_time = OPERATIONS_PER_MEASURE <= ambient.operations.saturating_sub(ambient.measured_at);
    if is_time {
        ambient.measured_at = ambient.operations;
        AMBIENT.set(ambient);
    }
    is_time
}

/// Why the evaluation should have stopped, if it should. `sort` swallows what its closure says.
pub(super) fn overrun(limits: &Limits) -> Option<String> {
    AMBIENT.get().over.map(|over| over.words(limits))
}

fn look(ambient: &mut Ambient, limits: &Limits) -> Option<Over> {
    if limits.operations < ambient.operations {
        return Some(Over::Operations);
    }
    if !ambient.operations.is_multiple_of(OPERATIONS_PER_LOOK) {
        return None;
    }
    let started = *ambient.started.get_or_insert_with(worked);
    if limits.duration < worked().saturating_sub(started) {
        return Some(Over::Duration);
    }
    None
}

impl Over {
    fn words(self, limits: &Limits) -> String {
        match self {
            Self::Operations => format!("it took more than {} operations, the limit; do less work in one evaluation", limits.operations),
            Self::Duration => too_long(limits.duration),
        }
    }
}

fn too_long(allowed: Duration) -> String {
    format!("it took longer than {} ms, the limit; do less work in one evaluation", allowed.as_millis())
}

/// The time that this thread has worked: a machine that is busy with others does not end a script early.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let (secs, nanos) = (u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0));
    Duration::new(secs, nanos)
}
