//! What intake and executor write through. `committer.rs` is the task that does it, `feed.rs` what the executor
//! is told, `doubt.rs` what becomes of writes that failed.

mod committer;
mod doubt;
mod feed;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::answers::Answers;
use super::{Accept, Accepted, Commit, CommitError, Piece, Replay, Store, StoreError, Write, Written};
use crate::domain::event::Event;
use crate::domain::id::{EventId, RunId};
use feed::{Waiting, feed_of};

pub use committer::Committer;
pub use feed::{Feed, FreshRun};

/// How many writes may wait for the committer before writers wait themselves.
const QUEUE_LIMIT: usize = 8192;

/// The store, its committer and what is known about runs beyond it.
pub struct Journal {
    store: Arc<dyn Store>,
    queue: mpsc::Sender<Job>,
    waiting: Arc<AtomicUsize>,
    limits: Limits,
    driven: Mutex<HashSet<RunId>>,
    answers: Arc<Answers>,
}

/// Bounds of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// New events are refused while so many accepted runs have not been begun.
    pub backlog: usize,
    /// So many callers wait for the answer of a run.
    pub callers: usize,
}

struct Job {
    write: Write,
    feed: Vec<Feed>,
    waiting: Waiting,
    done: oneshot::Sender<Result<Written, StoreError>>,
}

impl Journal {
    /// A journal over `store`, the committer to run, and what the executor listens to.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, limits: Limits) -> (Arc<Self>, Committer, mpsc::Receiver<Feed>) {
        let (queue, jobs) = mpsc::channel(QUEUE_LIMIT);
        let (feed, fed) = mpsc::channel(QUEUE_LIMIT);
        let committer = Committer { store: Arc::clone(&store), queue: jobs, feed };
        let answers = Arc::new(Answers::new(limits.callers));
        let journal = Self { store, queue, waiting: Arc::default(), limits, driven: Mutex::default(), answers };
        (Arc::new(journal), committer, fed)
    }

    /// For reading.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Stores an event with its runs. Durable on return, also when the caller goes away meanwhile.
    ///
    /// # Errors
    /// When the store cannot, or too many runs wait already; nothing is stored then.
    pub async fn accept(&self, accept: Accept) -> Result<Accepted, StoreError> {
        if !accept.runs.is_empty() {
            self.check_backlog()?;
        }
        let feed = feed_of(&accept);
        match self.write(Write::Accept(accept), feed).await? {
            Written::Accepted(accepted) => Ok(accepted),
            Written::Refused(CommitError::Store(error)) => Err(error),
            other => Err(out_of_step(&other)),
        }
    }

    /// Stores several events with their runs, all or none. Durable on return, also when the caller goes away meanwhile.
    ///
    /// # Errors
    /// When the store cannot, or too many runs wait already; nothing is stored then.
    pub async fn accept_all(&self, accepts: Vec<Accept>) -> Result<Vec<Accepted>, StoreError> {
        if accepts.iter().any(|accept| !accept.runs.is_empty()) {
            self.check_backlog()?;
        }
        let feed = accepts.iter().flat_map(feed_of).collect();
        match self.write(Write::AcceptAll(accepts), feed).await? {
            Written::Committed(accepted) => Ok(accepted),
            Written::Refused(CommitError::Store(error)) => Err(error),
            other => Err(out_of_step(&other)),
        }
    }

    /// Starts a further run for events that are stored: `event` where it is one. Durable on return, also when the caller
    /// goes away meanwhile.
    ///
    /// # Errors
    /// When an event is gone, the store cannot, or too many runs wait already; nothing is stored then.
    pub async fn replay(&self, replay: Replay, event: Option<Arc<Event>>) -> Result<(), CommitError> {
        self.check_backlog()?;
        let (run, accepted) = (replay.run.clone(), replay.accepted);
        let feed = match event {
            Some(event) => Feed::Run(Box::new(FreshRun { run, event, accepted })),
            // It is read from the store with all its events.
            None => Feed::Later(run.id, run.lane, accepted),
        };
        match self.write(Write::Replay(replay), vec![feed]).await? {
            Written::Accepted(_) => Ok(()),
            Written::Refused(error) => Err(error),
            other => Err(out_of_step(&other).into()),
        }
    }

    fn check_backlog(&self) -> Result<(), StoreError> {
        let waiting = self.waiting.load(Ordering::Relaxed);
        if self.limits.backlog <= waiting {
            return Err(StoreError::Overloaded { waiting, limit: self.limits.backlog });
        }
        Ok(())
    }

    /// Adds facts to a run. Durable on return.
    ///
    /// # Errors
    /// When the commit is refused, or the store cannot.
    pub async fn commit(&self, commit: impl Into<Arc<Commit>>) -> Result<(), CommitError> {
        let commit = commit.into();
        let cancels = commit.cancels.iter().map(|run| Feed::Cancel(*run));
        let feed = commit.emits.iter().flat_map(feed_of).chain(cancels).collect();
        match self.write(Write::Commit(commit), feed).await? {
            Written::Committed(_) => Ok(()),
            Written::Refused(error) => Err(error),
            other => Err(out_of_step(&other).into()),
        }
    }

    /// Records that a run is to end, and tells its owner. Says whether it was still open. Durable on return.
    ///
    /// # Errors
    /// When there is no such run, or the store cannot.
    pub async fn cancel(&self, run: RunId) -> Result<bool, CommitError> {
        match self.write(Write::Cancel(run), vec![Feed::Cancel(run)]).await? {
            Written::Canceling(open) => Ok(open),
            Written::Refused(error) => Err(error),
            other => Err(out_of_step(&other).into()),
        }
    }

    /// Remembers where a schedule begins. Durable on return.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn begin_schedule(&self, cursor: super::Cursor) -> Result<(), StoreError> {
        self.write(Write::Cursor(cursor), Vec::new()).await.map(drop)
    }

    /// Stores pieces of files whose event is accepted later: only then, so that an event that is there has its files. Durable on
    /// return, also when the caller goes away meanwhile.
    ///
    /// # Errors
    /// When the store cannot; none of them is stored then.
    pub async fn put_files(&self, pieces: Vec<Piece>) -> Result<(), StoreError> {
        match self.write(Write::Files(pieces), Vec::new()).await? {
            Written::Committed(_) => Ok(()),
            Written::Refused(CommitError::Store(error)) => Err(error),
            other => Err(out_of_step(&other)),
        }
    }

    /// Forgets the files of an event that was not accepted, and of which nothing more is put.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn drop_files(&self, event: EventId) -> Result<(), StoreError> {
        // Who put them has gone away, and what that one put may still be in the queue.
        self.put_files(Vec::new()).await?;
        self.store.drop_files(event).await
    }

    async fn write(&self, write: Write, feed: Vec<Feed>) -> Result<Written, StoreError> {
        let (done, answer) = oneshot::channel();
        let runs = feed.iter().filter(|item| matches!(item, Feed::Run(_))).count();
        let waiting = Waiting::new(&self.waiting, runs);
        self.queue.send(Job { write, feed, waiting, done }).await.ok().ok_or(StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// The executor has begun with a run that waited.
    pub fn begun(&self, run: RunId) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.driven().insert(run);
    }

    /// This many more runs wait for the executor: found at start, or woken.
    pub fn found_waiting(&self, runs: usize) {
        self.waiting.fetch_add(runs, Ordering::Relaxed);
    }

    /// The executor has put a run down: ended, parked or released.
    pub fn put_down(&self, run: RunId) {
        self.driven().remove(&run);
    }

    /// Whether a step of the run is being done at this moment.
    #[must_use]
    pub fn is_driven(&self, run: RunId) -> bool {
        self.driven().contains(&run)
    }

    /// How many accepted runs have not been begun.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The setting `limits.backlog`.
    #[must_use]
    pub fn backlog_limit(&self) -> usize {
        self.limits.backlog
    }

    /// Who waits for the answer of a run.
    #[must_use]
    pub fn answers(&self) -> &Arc<Answers> {
        &self.answers
    }

    fn driven(&self) -> std::sync::MutexGuard<'_, HashSet<RunId>> {
        self.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn out_of_step(written: &Written) -> StoreError {
    StoreError::Io(format!("the store answered another write than the one it was given ({written:?})"))
}
