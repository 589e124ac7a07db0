//! Which connections are open, what each is doing, and which must go: those that take too long, and the ones idle longest when there
//! are too many. What a request costs here is a few stores to numbers of its own connection; there is no timer for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::config::FrontLimits;

/// How often connections are looked at. Time is counted in these ticks, so that no clock is read for a request.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// Parts with a lock of their own.
const SHARDS: usize = 16;
/// How many are sent away at once when there are too many.
const SENT_AWAY: usize = 64;

/// How many more there may be while those that were sent away take their answers.
pub(super) fn overshoot(limit: usize) -> usize {
    limit / 8 + 8
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing; or it still takes an answer.
    Idle,
    /// A request has begun to come.
    Head,
    /// A request is being read and answered.
    Busy,
}

/// Why a connection must go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// As soon as it has its answer.
    Drained,
    /// Its request did not come in time.
    Slow,
    /// Now.
    Dropped,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    number: u64,
    phase: AtomicU8,
    /// The tick at which the phase began.
    since: AtomicU32,
    /// One more than the tick at which it stopped taking bytes; 0 while it takes them.
    stalled: AtomicU32,
    leave: AtomicU8,
    told: Notify,
    all: Arc<Connections>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Connections {
    limits: FrontLimits,
    tick: AtomicU32,
    next: std::sync::atomic::AtomicU64,
    count: Arc<AtomicUsize>,
    shards: [Mutex<HashMap<u64, Arc<Connection>>>; SHARDS],
    /// The tick at which nobody could be sent away.
    full_at: AtomicU32,
    freed: Notify,
}

impl Connections {
    pub(super) fn new(limits: FrontLimits, count: Arc<AtomicUsize>) -> Arc<Self> {
        Arc::new(Self {
            limits,
            tick: AtomicU32::new(1),
            next: std::sync::atomic::AtomicU64::default(),
            count,
            shards: Default::default(),
            full_at: AtomicU32::new(0),
            freed: Notify::new(),
        })
    }

    /// Room for one more: idle ones are sent away for it. Nothing when there is none.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Place> {
        let open = self.count.load(Ordering::Relaxed);
        let limit = self.limits.connections;
        if limit <= open {
            // Those sent away may need a moment, but not more of them than this at a time.
            let over = open.saturating_sub(limit);
            if overshoot(limit) <= over || !self.send_idle_away() {
                return None;
            }
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection {
            number: self.next.fetch_add(1, Ordering::Relaxed),
            phase: AtomicU8::new(Phase::Idle as u8),
            since: AtomicU32::new(self.now()),
            stalled: AtomicU32::new(0),
            leave: AtomicU8::new(0),
            told: Notify::new(),
            all: Arc::clone(self),
        });
        self.shard(connection.number).insert(connection.number, Arc::clone(&connection));
        Some(Place(connection))
    }

    /// Sends those away that have been idle longest; says whether there was one.
    pub(super) fn send_idle_away(&self) -> bool {
        let now = self.now();
        if self.full_at.load(Ordering::Relaxed) == now {
            return false;
        }
        let mut idle: Vec<(u32, Arc<Connection>)> = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            // One that has only just come may be about to speak.
            let of_shard = shard.values().filter(|c| c.is(Phase::Idle) && c.since() < now && c.leaves().is_none());
            idle.extend(of_shard.map(|connection| (connection.since(), Arc::clone(connection))));
        }
        if idle.is_empty() {
            self.full_at.store(now, Ordering::Relaxed);
            return false;
        }
        if SENT_AWAY < idle.len() {
            idle.select_nth_unstable_by_key(SENT_AWAY, |(since, _)| *since);
            idle.truncate(SENT_AWAY);
        }
        for (_, connection) in idle {
            connection.send_away(Leave::Drained);
        }
        true
    }

    /// Time goes on: whoever takes too long must go.
    pub(super) fn tick(&self) {
        let now = self.tick.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let FrontLimits { head_timeout, idle_timeout, write_timeout, .. } = self.limits;
        let (head, idle, write) = (ticks(head_timeout), ticks(idle_timeout), ticks(write_timeout));
        for shard in &self.shards {
            for connection in lock(shard).values() {
                let spent = now.saturating_sub(connection.since());
                let stalled = connection.stalled.load(Ordering::Relaxed);
                if stalled != 0 && write < now.saturating_sub(stalled - 1) {
                    connection.send_away(Leave::Dropped);
                } else if connection.is(Phase::Head) && head < spent {
                    connection.send_away(Leave::Slow);
                } else if connection.is(Phase::Idle) && idle < spent {
                    connection.send_away(Leave::Drained);
                }
            }
        }
    }

    /// All must go.
    pub(super) fn send_all_away(&self, how: Leave) {
        for shard in &self.shards {
            for connection in lock(shard).values() {
                connection.send_away(how);
            }
        }
    }

    /// Returns when one has gone.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    fn now(&self) -> u32 {
        self.tick.load(Ordering::Relaxed)
    }

    fn shard(&self, number: u64) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        let [first, ..] = &self.shards;
        let place = usize::try_from(number).unwrap_or(0) % SHARDS;
        lock(self.shards.get(place).unwrap_or(first))
    }
}

/// A connection's place among all; free again when dropped.
#[derive(Debug)]
pub(super) struct Place(pub(super) Arc<Connection>);

impl Drop for Place {
    fn drop(&mut self) {
        let all = &self.0.all;
        all.shard(self.0.number).remove(&self.0.number);
        all.count.fetch_sub(1, Ordering::Relaxed);
        all.freed.notify_one();
    }
}

impl Connection {
    /// Bytes have come.
    pub(super) fn heard(&self) {
        if self.is(Phase::Idle) {
            self.begin(Phase::Head);
        }
    }

    /// A handshake has begun, or another one follows it.
    pub(super) fn greets(&self) {
        self.begin(Phase::Head);
    }

    /// A whole head is there.
    pub(super) fn asked(&self) {
        self.begin(Phase::Busy);
    }

    /// The answer is there, or the handshake is over.
    pub(super) fn rests(&self) {
        self.begin(Phase::Idle);
    }

    /// Whether it takes bytes now.
    pub(super) fn takes(&self, bytes: bool) {
        if bytes {
            if self.stalled.load(Ordering::Relaxed) != 0 {
                self.stalled.store(0, Ordering::Relaxed);
            }
        } else if self.stalled.load(Ordering::Relaxed) == 0 {
            self.stalled.store(self.all.now().saturating_add(1), Ordering::Relaxed);
        }
    }

    /// Returns when it must go, in another way than it has been told before.
    pub(super) async fn must_leave(&self, told: Option<Leave>) -> Leave {
        loop {
            match self.leaves() {
                // A request that was too slow is not any more, once it is there.
                Some(Leave::Slow) if !self.is(Phase::Head) && told.is_none() => return Leave::Drained,
                Some(leave) if told != Some(leave) => return leave,
                Some(_) | None => self.told.notified().await,
            }
        }
    }

    fn send_away(&self, how: Leave) {
        // The harder word stays.
        if self.leave.fetch_max(how as u8 + 1, Ordering::Relaxed) <= how as u8 {
            self.told.notify_one();
        }
    }

    fn leaves(&self) -> Option<Leave> {
        match self.leave.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Leave::Drained),
            2 => Some(Leave::Slow),
            _ => Some(Leave::Dropped),
        }
    }

    fn is(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) == phase as u8
    }

    fn since(&self) -> u32 {
        self.since.load(Ordering::Relaxed)
    }

    fn begin(&self, phase: Phase) {
        self.since.store(self.all.now(), Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ticks(span: Duration) -> u32 {
    u32::try_from(span.as_secs().div_ceil(TICK.as_secs())).unwrap_or(u32::MAX)
}
