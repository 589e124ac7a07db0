//! Who waits for the answer of a run. Whoever waits is told when there may be one, and then looks into the
//! store: what is answered is durable, and nothing is kept here that could be lost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::id::RunId;
use crate::domain::journal::{Entry, Fact};

/// The callers that wait; none at first.
pub struct Answers {
    callers: Mutex<HashMap<RunId, Vec<Arc<Notify>>>>,
    waiting: AtomicUsize,
    limit: usize,
}

/// A caller that waits. Dropped, it waits no more.
pub struct Caller<'a> {
    answers: &'a Answers,
    runs: Vec<RunId>,
    told: Arc<Notify>,
}

impl Answers {
    /// For as many callers at a time.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { callers: Mutex::default(), waiting: AtomicUsize::new(0), limit }
    }

    /// Begins to wait for any of these runs; nothing when too many wait already.
    #[must_use]
    pub fn wait(&self, runs: Vec<RunId>) -> Option<Caller<'_>> {
        if self.limit <= self.waiting.fetch_add(1, Ordering::Relaxed) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let told = Arc::new(Notify::new());
        let mut callers = self.lock();
        for run in &runs {
            callers.entry(*run).or_default().push(Arc::clone(&told));
        }
        drop(callers);
        Some(Caller { answers: self, runs, told })
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// These facts of a run are durable.
    pub fn tell(&self, run: RunId, entries: &[Entry]) {
        let answers = |entry: &Entry| matches!(entry.fact, Fact::Responded { .. } | Fact::RunFinished { .. });
        if self.waiting() != 0 && entries.iter().any(answers) {
            self.lock().get(&run).into_iter().flatten().for_each(|told| told.notify_one());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, Vec<Arc<Notify>>>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller<'_> {
    /// Returns when one of the runs may have answered. What was told before the call counts.
    pub async fn told(&self) {
        self.told.notified().await;
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        let mut callers = self.answers.lock();
        for run in &self.runs {
            if let Some(told) = callers.get_mut(run) {
                told.retain(|told| !Arc::ptr_eq(told, &self.told));
                if told.is_empty() {
                    callers.remove(run);
                }
            }
        }
        self.answers.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::journal::Outcome;
    use crate::domain::time::Timestamp;

    fn run(n: u8) -> RunId {
        RunId::from_bytes([n; 16])
    }

    fn ended() -> [Entry; 1] {
        [Entry { at: Timestamp(0), fact: Fact::RunFinished { outcome: Outcome::Canceled } }]
    }

    #[tokio::test]
    async fn a_caller_is_told_of_its_own_runs() {
        let answers = Answers::new(2);
        let (one, other) = (answers.wait(vec![run(1), run(2)]).unwrap(), answers.wait(vec![run(3)]).unwrap());
        answers.tell(run(2), &ended());
        one.told().await;
        assert!(futures_util::FutureExt::now_or_never(other.told()).is_none(), "nothing of its own came");
        answers.tell(run(3), &[Entry { at: Timestamp(0), fact: Fact::CancelRequested }]);
        assert!(futures_util::FutureExt::now_or_never(other.told()).is_none(), "this is no answer");
    }

    #[test]
    fn as_many_wait_as_may_and_those_who_went_are_forgotten() {
        let answers = Answers::new(1);
        let first = answers.wait(vec![run(1)]);
        assert!(first.is_some() && answers.wait(vec![run(1)]).is_none());
        drop(first);
        assert!(answers.waiting() == 0 && answers.lock().is_empty());
        assert!(answers.wait(vec![run(1)]).is_some());
    }
}
