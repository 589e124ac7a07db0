//! What is ready, what is parked, what is being driven. One task owns all three.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::drive::{self, Claim, End};
use super::lanes::{Lanes, Moves};
use super::parked::Parked;
use super::{Executor, Stop};
use crate::clock::Wait;
use crate::domain::admission::Lane;
use crate::domain::id::RunId;
use crate::domain::time::Timestamp;
use crate::domain::workflow::Mode;
use crate::store::{Feed, FreshRun, OpenRun};

/// Beyond this many, a ready run's event is read from the store again instead of kept in memory.
const HANDOFF_LIMIT: usize = 2048;

/// A run that can be driven.
struct Ready {
    run: RunId,
    fresh: Option<Box<FreshRun>>,
    cancel: bool,
    skip: Option<Mode>,
}

impl Ready {
    fn new(run: RunId) -> Self {
        Self { run, fresh: None, cancel: false, skip: None }
    }
}

/// A run in hand.
struct Driven {
    cancel: CancellationToken,
    /// The cancel came while it was in hand: it may have parked just before.
    told: bool,
    skip: Option<Mode>,
    /// Something came that it may wait for.
    knock: Arc<Notify>,
    knocked: bool,
}

/// Owns every open run of this node.
pub(super) struct Dispatcher {
    executor: Arc<Executor>,
    stop: Stop,
    tracker: TaskTracker,
    feed: mpsc::Receiver<Feed>,
    ends: mpsc::Receiver<(RunId, End)>,
    ended: mpsc::Sender<(RunId, End)>,
    ready: VecDeque<Ready>,
    parked: Parked,
    driven: HashMap<RunId, Driven>,
    lanes: Lanes,
    /// The lanes of parked runs that have not begun.
    entering: HashMap<RunId, Lane>,
    /// Parked runs that could not be read, with what they are to be driven for.
    unread: HashMap<RunId, Ready>,
}

impl Dispatcher {
    pub(super) fn new(executor: Arc<Executor>, feed: mpsc::Receiver<Feed>, stop: Stop, tracker: TaskTracker, open: Vec<OpenRun>) -> Self {
        // A driver says how it ended once, and at most `driving_limit` of them live: it never waits for room.
        let (ended, ends) = mpsc::channel(executor.driving_limit.max(1));
        let mut this = Self {
            executor,
            stop,
            tracker,
            feed,
            ends,
            ended,
            ready: VecDeque::new(),
            parked: Parked::default(),
            driven: HashMap::new(),
            lanes: Lanes::default(),
            entering: HashMap::new(),
            unread: HashMap::new(),
        };
        let (begun, mut new): (Vec<_>, Vec<_>) = open.into_iter().partition(|run| run.begun);
        for run in &begun {
            if let Some(lane) = run.lane {
                this.lanes.hold(run.id, lane);
            }
        }
        // The others ask for their places in the order in which they were to begin.
        new.sort_by_key(|run| (run.wake.unwrap_or_else(|| accepted(run.id)), run.id));
        // Those that hold places come first: one that restarts its lane cancels them, so they must be known by then.
        for run in begun.into_iter().chain(new) {
            this.take_up(run);
        }
        this
    }

    /// A run that was open before this start.
    fn take_up(&mut self, open: OpenRun) {
        let OpenRun { id, wake, cancel, begun, lane, listens } = open;
        let is_due = !begun && wake.is_some_and(|wake| wake <= self.executor.clock.now());
        if !cancel && !is_due && (wake.is_some() || !listens.is_empty()) {
            self.executor.listeners.arm(id, listens);
            self.parked.park(id, wake);
            self.entering.extend(lane.filter(|_| !begun).map(|lane| (id, lane)));
            return;
        }
        self.executor.journal.found_waiting(1);
        self.enter(Ready { cancel, ..Ready::new(id) }, lane.filter(|_| !begun));
    }

    pub(super) async fn run(mut self) {
        let mut alarm: Option<(Timestamp, Wait)> = None;
        loop {
            self.begin_ready();
            self.set_alarm(&mut alarm);
            tokio::select! {
                biased;
                () = self.stop.soft.cancelled() => break,
                // Rings once for all that is due: first, or a busy server would wake nobody.
                () = ring(&mut alarm) => {
                    alarm = None;
                    self.wake_due();
                }
                Some((run, end)) = self.ends.recv() => self.take_back(run, end),
                Some(item) = self.feed.recv() => self.take_in(item),
            }
        }
        while !self.driven.is_empty() {
            // Nothing new begins. Cancels still reach the runs in hand.
            tokio::select! {
                Some((run, end)) = self.ends.recv() => {
                    self.driven.remove(&run);
                    self.executor.journal.put_down(run);
                    tracing::debug!(run.id = %run, end = ?end, "put down for shutdown");
                }
                Some(item) = self.feed.recv() => self.take_in(item),
            }
        }
    }

    fn set_alarm(&self, alarm: &mut Option<(Timestamp, Wait)>) {
        let due = self.parked.next_due();
        if due != alarm.as_ref().map(|(due, _)| *due) {
            *alarm = due.map(|due| (due, self.executor.clock.sleep_until(due)));
        }
    }

    fn take_in(&mut self, item: Feed) {
        match item {
            Feed::Run(fresh) => {
                let (run, lane) = (fresh.run.id, fresh.run.lane);
                // One that has to wait for its turn is read again then.
                let keep = lane.is_none() && self.ready.len() < HANDOFF_LIMIT;
                self.enter(Ready { fresh: keep.then_some(fresh), ..Ready::new(run) }, lane);
            }
            Feed::Later(run, lane, due) => self.park_new(run, lane, due),
            Feed::Moved(run, due) => {
                if let Some(driven) = self.driven.get_mut(&run) {
                    driven.knocked = true;
                } else if self.parked.take(run) {
                    self.parked.park(run, Some(due));
                }
                // One that is ready, or has its turn soon, looks at its time then.
            }
            Feed::Posted(topic) => {
                for run in self.executor.listeners.of(topic) {
                    self.knock(run);
                }
            }
            Feed::Cancel(run) => self.cancel(run),
        }
    }

    /// A run that has not begun waits for its time.
    fn park_new(&mut self, run: RunId, lane: Option<Lane>, due: Timestamp) {
        self.parked.park(run, Some(due));
        self.entering.extend(lane.map(|lane| (run, lane)));
    }

    /// Something came that a run may wait for.
    fn knock(&mut self, run: RunId) {
        if let Some(driven) = self.driven.get_mut(&run) {
            driven.knocked = true;
            driven.knock.notify_one();
        } else if self.parked.take(run) {
            self.wake(Ready::new(run));
        }
    }

    fn cancel(&mut self, run: RunId) {
        if let Some(driven) = self.driven.get_mut(&run) {
            driven.told = true;
            driven.cancel.cancel();
        } else if let Some(ready) = self.ready.iter_mut().find(|ready| ready.run == run) {
            ready.cancel = true;
        } else if self.lanes.leave_queue(run) {
            // It was counted as waiting when it came.
            self.ready.push_back(Ready { cancel: true, ..Ready::new(run) });
        } else {
            // Parked, put down before, or ended just now: driving it tells.
            self.parked.take(run);
            self.entering.remove(&run);
            self.wake(Ready { cancel: true, ..Ready::new(run) });
        }
    }

    fn wake_due(&mut self) {
        let now = self.executor.clock.now();
        while let Some(run) = self.parked.pop_due(now) {
            self.wake(Ready::new(run));
        }
    }

    /// A run that was parked has something to do.
    fn wake(&mut self, mut ready: Ready) {
        self.executor.journal.found_waiting(1);
        if let Some(Ready { cancel, skip, .. }) = self.unread.remove(&ready.run) {
            (ready.cancel, ready.skip) = (ready.cancel || cancel, skip);
        }
        let lane = self.entering.remove(&ready.run);
        self.enter(ready, lane);
    }

    /// A run that is counted as waiting goes on, once there is room for it in its lane.
    fn enter(&mut self, ready: Ready, lane: Option<Lane>) {
        let Some(lane) = lane.filter(|_| !ready.cancel) else {
            self.ready.push_back(ready);
            return;
        };
        let Moves { begin, cancel, skip } = self.lanes.enter(ready.run, lane);
        self.ready.extend(begin.into_iter().map(Ready::new));
        self.ready.extend(skip.into_iter().map(|run| Ready { skip: Some(lane.mode), ..Ready::new(run) }));
        for run in cancel {
            self.cancel(run);
        }
    }

    fn begin_ready(&mut self) {
        while self.driven.len() < self.executor.driving_limit {
            let Some(Ready { run, fresh, cancel, skip }) = self.ready.pop_front() else { return };
            let (token, knock) = (CancellationToken::new(), Arc::new(Notify::new()));
            if cancel {
                token.cancel();
            }
            let driven = Driven { cancel: token.clone(), told: false, skip, knock: Arc::clone(&knock), knocked: false };
            self.driven.insert(run, driven);
            self.executor.journal.begun(run);
            let report = Report { run, end: Some(End::Lost), to: self.ended.clone() };
            let claim = Claim { run, fresh, cancel: token, knock, skip };
            let (executor, stop) = (Arc::clone(&self.executor), self.stop.clone());
            self.tracker.spawn(async move {
                let mut report = report;
                report.end = Some(drive::drive(&executor, claim, &stop).await);
            });
        }
    }

    fn take_back(&mut self, run: RunId, end: End) {
        let driven = self.driven.remove(&run);
        let canceled = driven.as_ref().is_some_and(|driven| driven.cancel.is_cancelled());
        // One that was driven because it was canceled has seen that; what it waits for now belongs to its end.
        let told = driven.as_ref().is_some_and(|driven| driven.told);
        let skip = driven.as_ref().and_then(|driven| driven.skip);
        let knocked = driven.is_some_and(|driven| driven.knocked);
        self.executor.journal.put_down(run);
        match end {
            End::Parked(_) if told || knocked => {
                // It parked just before it was told: drive it again.
                self.executor.journal.found_waiting(1);
                self.ready.push_back(Ready { cancel: told, ..Ready::new(run) });
                return;
            }
            End::Unread(again) => {
                self.unread.insert(run, Ready { cancel: canceled, skip, ..Ready::new(run) });
                self.parked.park(run, Some(again));
                return;
            }
            End::Parked(due) => {
                self.parked.park(run, due);
                return;
            }
            End::NotYet(due, lane) => {
                // Nothing has happened in it: meanwhile its place is another one's.
                self.leave_lane(run);
                if canceled || knocked {
                    self.executor.journal.found_waiting(1);
                    self.enter(Ready { cancel: canceled, ..Ready::new(run) }, lane);
                } else {
                    self.park_new(run, lane, due);
                }
                return;
            }
            End::Finished | End::Released => {}
            End::Lost => tracing::error!(run.id = %run, "a run was put down by a fault in hence; it goes on at the next start"),
        }
        self.executor.listeners.disarm(run);
        self.leave_lane(run);
    }

    fn leave_lane(&mut self, run: RunId) {
        self.ready.extend(self.lanes.leave(run).into_iter().map(Ready::new));
    }
}

/// Tells the dispatcher how a driver ended, also when it panicked.
struct Report {
    run: RunId,
    end: Option<End>,
    to: mpsc::Sender<(RunId, End)>,
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(end) = self.end.take()
            && self.to.try_send((self.run, end)).is_err()
        {
            tracing::debug!(run.id = %self.run, "the dispatcher has stopped");
        }
    }
}

/// When a run was accepted, or its id was made.
fn accepted(run: RunId) -> Timestamp {
    Timestamp(i64::try_from(run.time_ms()).unwrap_or(i64::MAX))
}

async fn ring(alarm: &mut Option<(Timestamp, Wait)>) {
    match alarm {
        Some((_, wait)) => wait.await,
        None => std::future::pending().await,
    }
}
