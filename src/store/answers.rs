//! Who waits for the answer of a run. Whoever waits is told what it said once that is durable; nothing is
//! kept here that could be lost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::domain::id::RunId;
use crate::domain::journal::{Entry, Fact, Outcome};
use crate::domain::response::Response;

/// What a run has said, durably.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// Its step `respond`.
    Response(Arc<Response>),
    /// How it ended.
    Ended(Outcome),
}

impl Said {
    /// What a fact says to those who wait.
    #[must_use]
    pub fn of(fact: &Fact) -> Option<Self> {
        match fact {
            Fact::Responded { response, .. } => Some(Self::Response(Arc::clone(response))),
            Fact::RunFinished { outcome } => Some(Self::Ended(outcome.clone())),
            _ => None,
        }
    }
}

/// A run says at most this: a response, and how it ended.
const SAID_PER_RUN: usize = 2;

type To = mpsc::Sender<(RunId, Said)>;

/// The callers that wait; none at first.
pub struct Answers {
    callers: Mutex<HashMap<RunId, Vec<To>>>,
    waiting: AtomicUsize,
    limit: usize,
}

/// A caller that waits. Dropped, it waits no more.
pub struct Caller {
    answers: Arc<Answers>,
    runs: Vec<RunId>,
    to: To,
    said: mpsc::Receiver<(RunId, Said)>,
}

impl Answers {
    /// For as many callers at a time.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { callers: Mutex::default(), waiting: AtomicUsize::new(0), limit }
    }

    /// Begins to wait for any of these runs, which may not be stored yet; nothing when too many wait already.
    #[must_use]
    pub fn wait(self: &Arc<Self>, runs: Vec<RunId>) -> Option<Caller> {
        if self.limit <= self.waiting.fetch_add(1, Ordering::Relaxed) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let (to, said) = mpsc::channel(SAID_PER_RUN * runs.len().max(1));
        let mut callers = self.lock();
        for run in &runs {
            callers.entry(*run).or_default().push(to.clone());
        }
        drop(callers);
        Some(Caller { answers: Arc::clone(self), runs, to, said })
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// These facts of a run are durable.
    pub fn tell(&self, run: RunId, entries: &[Entry]) {
        if self.waiting() == 0 {
            return;
        }
        for said in entries.iter().filter_map(|entry| Said::of(&entry.fact)) {
            for to in self.lock().get(&run).into_iter().flatten() {
                if to.try_send((run, said.clone())).is_err() {
                    tracing::debug!(run.id = %run, "a caller went away while it was answered");
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, Vec<To>>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller {
    /// The runs it waits for.
    #[must_use]
    pub fn runs(&self) -> &[RunId] {
        &self.runs
    }

    /// The next thing that one of the runs says.
    pub async fn said(&mut self) -> (RunId, Said) {
        match self.said.recv().await {
            Some(said) => said,
            // It holds a sender itself, so the channel is never closed.
            None => std::future::pending().await,
        }
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("runs", &self.runs).finish_non_exhaustive()
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut callers = self.answers.lock();
        for run in &self.runs {
            if let Some(told) = callers.get_mut(run) {
                told.retain(|to| !to.same_channel(&self.to));
                if told.is_empty() {
                    callers.remove(run);
                }
            }
        }
        drop(callers);
        self.answers.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn run(n: u8) -> RunId {
        RunId::from_bytes([n; 16])
    }

    fn ended() -> [Entry; 1] {
        [Entry { at: Timestamp(0), fact: Fact::RunFinished { outcome: Outcome::Canceled } }]
    }

    #[tokio::test]
    async fn a_caller_is_told_of_its_own_runs() {
        let answers = Arc::new(Answers::new(2));
        let (mut one, mut other) = (answers.wait(vec![run(1), run(2)]).unwrap(), answers.wait(vec![run(3)]).unwrap());
        answers.tell(run(2), &ended());
        assert_eq!(one.said().await, (run(2), Said::Ended(Outcome::Canceled)));
        assert!(futures_util::FutureExt::now_or_never(other.said()).is_none(), "nothing of its own came");
        answers.tell(run(3), &[Entry { at: Timestamp(0), fact: Fact::CancelRequested }]);
        assert!(futures_util::FutureExt::now_or_never(other.said()).is_none(), "this is no answer");
    }

    #[test]
    fn as_many_wait_as_may_and_those_who_went_are_forgotten() {
        let answers = Arc::new(Answers::new(1));
        let first = answers.wait(vec![run(1)]);
        assert!(first.is_some() && answers.wait(vec![run(1)]).is_none());
        drop(first);
        assert!(answers.waiting() == 0 && answers.lock().is_empty());
        assert!(answers.wait(vec![run(1)]).is_some());
    }
}
