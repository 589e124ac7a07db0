//! What is ready, what is parked, what is being driven. One task owns all three.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::drive::{self, Claim, End};
use super::{Executor, Stop};
use crate::clock::Wait;
use crate::domain::id::RunId;
use crate::domain::time::Timestamp;
use crate::store::{Feed, FreshRun, OpenRun};

/// Beyond this many, a ready run's event is read from the store again instead of kept in memory.
const HANDOFF_LIMIT: usize = 2048;

/// A run that can be driven.
struct Ready {
    run: RunId,
    fresh: Option<Box<FreshRun>>,
    cancel: bool,
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
    timers: BTreeSet<(Timestamp, RunId)>,
    parked: HashMap<RunId, Timestamp>,
    driven: HashMap<RunId, CancellationToken>,
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
            timers: BTreeSet::new(),
            parked: HashMap::new(),
            driven: HashMap::new(),
        };
        for OpenRun { id, wake, cancel } in open {
            match wake {
                Some(due) if !cancel => this.park(id, due),
                _ => this.ready.push_back(Ready { run: id, fresh: None, cancel }),
            }
        }
        this.executor.journal.found_waiting(this.ready.len());
        this
    }

    pub(super) async fn run(mut self) {
        let mut alarm: Option<(Timestamp, Wait)> = None;
        loop {
            self.begin_ready();
            self.set_alarm(&mut alarm);
            tokio::select! {
                biased;
                () = self.stop.soft.cancelled() => break,
                Some((run, end)) = self.ends.recv() => self.take_back(run, end),
                Some(item) = self.feed.recv() => self.take_in(item),
                () = ring(&mut alarm) => {
                    alarm = None;
                    self.wake_due();
                }
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
        let due = self.timers.first().map(|(due, _)| *due);
        if due != alarm.as_ref().map(|(due, _)| *due) {
            *alarm = due.map(|due| (due, self.executor.clock.sleep_until(due)));
        }
    }

    fn take_in(&mut self, item: Feed) {
        match item {
            Feed::Run(fresh) => {
                let keep = self.ready.len() < HANDOFF_LIMIT;
                self.ready.push_back(Ready { run: fresh.run.id, fresh: keep.then_some(fresh), cancel: false });
            }
            Feed::Cancel(run) => {
                if let Some(token) = self.driven.get(&run) {
                    token.cancel();
                } else if let Some(due) = self.parked.remove(&run) {
                    self.timers.remove(&(due, run));
                    self.executor.journal.found_waiting(1);
                    self.ready.push_back(Ready { run, fresh: None, cancel: true });
                } else if let Some(ready) = self.ready.iter_mut().find(|ready| ready.run == run) {
                    ready.cancel = true;
                } else {
                    // Put down before, or ended just now: driving it tells.
                    self.executor.journal.found_waiting(1);
                    self.ready.push_back(Ready { run, fresh: None, cancel: true });
                }
            }
        }
    }

    fn wake_due(&mut self) {
        let now = self.executor.clock.now();
        while let Some((due, run)) = self.timers.first().copied().filter(|(due, _)| *due <= now) {
            self.timers.remove(&(due, run));
            self.parked.remove(&run);
            self.executor.journal.found_waiting(1);
            self.ready.push_back(Ready { run, fresh: None, cancel: false });
        }
    }

    fn park(&mut self, run: RunId, due: Timestamp) {
        self.timers.insert((due, run));
        self.parked.insert(run, due);
    }

    fn begin_ready(&mut self) {
        while self.driven.len() < self.executor.driving_limit {
            let Some(Ready { run, fresh, cancel }) = self.ready.pop_front() else { return };
            let token = CancellationToken::new();
            if cancel {
                token.cancel();
            }
            self.driven.insert(run, token.clone());
            self.executor.journal.begun(run);
            let report = Report { run, end: Some(End::Lost), to: self.ended.clone() };
            let claim = Claim { run, fresh, cancel: token };
            let (executor, stop) = (Arc::clone(&self.executor), self.stop.clone());
            self.tracker.spawn(async move {
                let mut report = report;
                report.end = Some(drive::drive(&executor, claim, &stop).await);
            });
        }
    }

    fn take_back(&mut self, run: RunId, end: End) {
        let canceled = self.driven.remove(&run).is_some_and(|token| token.is_cancelled());
        self.executor.journal.put_down(run);
        match end {
            End::Finished | End::Released => {}
            // It parked just before it was told: drive it again to end it.
            End::Parked(_) if canceled => {
                self.executor.journal.found_waiting(1);
                self.ready.push_back(Ready { run, fresh: None, cancel: true });
            }
            End::Parked(due) => self.park(run, due),
            End::Lost => tracing::error!(run.id = %run, "a run was put down by a fault in hence; it goes on at the next start"),
        }
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

async fn ring(alarm: &mut Option<(Timestamp, Wait)>) {
    match alarm {
        Some((_, wait)) => wait.await,
        None => std::future::pending().await,
    }
}
