//! The group committer: what intake and executor write through.
//!
//! One task takes everything queued while the last sync ran, writes it as one batch, and answers
//! all of it. There is no fixed delay: an idle committer writes at once, a busy one writes more at a time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::answers::Answers;
use super::{Accept, Accepted, Commit, CommitError, NewRun, Replay, Store, StoreError, TopicKey, Write, Written};
use crate::domain::admission::Lane;
use crate::domain::event::Event;
use crate::domain::id::RunId;
use crate::domain::time::Timestamp;

/// The most writes that go into one batch.
const BATCH_LIMIT: usize = 1024;
/// How many writes may wait for the committer before writers wait themselves.
const QUEUE_LIMIT: usize = 8192;

/// What the executor is told, after it is durable.
#[derive(Debug)]
pub enum Feed {
    /// A run was accepted.
    Run(Box<FreshRun>),
    /// A run was accepted that begins at a time, or one that has not begun has another time now.
    Later(RunId, Option<Lane>, Timestamp),
    /// An event that runs may wait for.
    Posted(TopicKey),
    /// A person wants this run to end.
    Cancel(RunId),
}

/// A run that was accepted just now, with its event still in memory.
#[derive(Debug)]
pub struct FreshRun {
    /// The run as it was accepted.
    pub run: NewRun,
    /// Its event.
    pub event: Arc<Event>,
    /// When it was accepted: with the event, or later for a replay.
    pub accepted: Timestamp,
}

/// The store, its committer and what is known about runs beyond it.
pub struct Journal {
    store: Arc<dyn Store>,
    queue: mpsc::Sender<Job>,
    waiting: Arc<AtomicUsize>,
    limits: Limits,
    driven: Mutex<HashSet<RunId>>,
    answers: Answers,
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

/// Runs that are counted as waiting. Counted back when dropped, whoever drops it: the sender that
/// went away, or the committer. Kept when the runs were accepted.
struct Waiting {
    count: Arc<AtomicUsize>,
    runs: usize,
}

impl Waiting {
    fn new(count: &Arc<AtomicUsize>, runs: usize) -> Self {
        count.fetch_add(runs, Ordering::Relaxed);
        Self { count: Arc::clone(count), runs }
    }

    /// So many of them do wait now.
    fn keep(mut self, runs: usize) {
        self.runs = self.runs.saturating_sub(runs);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.count.fetch_sub(self.runs, Ordering::Relaxed);
    }
}

/// The committer: run it as a task. It ends once every [`Journal`] is dropped and the queue is empty.
pub struct Committer {
    store: Arc<dyn Store>,
    queue: mpsc::Receiver<Job>,
    feed: mpsc::Sender<Feed>,
}

impl Journal {
    /// A journal over `store`, the committer to run, and what the executor listens to.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, limits: Limits) -> (Arc<Self>, Committer, mpsc::Receiver<Feed>) {
        let (queue, jobs) = mpsc::channel(QUEUE_LIMIT);
        let (feed, fed) = mpsc::channel(QUEUE_LIMIT);
        let committer = Committer { store: Arc::clone(&store), queue: jobs, feed };
        let answers = Answers::new(limits.callers);
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
    pub async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
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
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    fn driven(&self) -> std::sync::MutexGuard<'_, HashSet<RunId>> {
        self.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn out_of_step(written: &Written) -> StoreError {
    StoreError::Io(format!("the store answered another write than the one it was given ({written:?})"))
}

/// What the executor is told about an event once it is stored.
fn feed_of(accept: &Accept) -> Vec<Feed> {
    let fresh = |run: &NewRun| {
        let (event, accepted) = (Arc::clone(&accept.event), accept.event.head.received);
        Feed::Run(Box::new(FreshRun { run: run.clone(), event, accepted }))
    };
    let posted = accept.topic.as_ref().map(|topic| Feed::Posted(TopicKey::of(topic)));
    accept.runs.iter().map(fresh).chain(posted).collect()
}

/// The same, with what the store has said of the runs: some begin later, some events went into runs that were there before.
fn admitted(feed: Vec<Feed>, accepted: &[Accepted]) -> Vec<Feed> {
    let mut delayed: Vec<(RunId, Timestamp)> = Vec::new();
    for accepted in accepted {
        match accepted {
            Accepted::New { delayed: some, .. } => delayed.extend(some),
            Accepted::Duplicate { .. } => {}
        }
    }
    let mut place = |item: Feed| match item {
        Feed::Run(fresh) => match delayed.iter().position(|(run, _)| *run == fresh.run.id) {
            Some(index) => Some(Feed::Later(fresh.run.id, fresh.run.lane, delayed.swap_remove(index).1)),
            None => fresh.run.gather.is_none().then_some(Feed::Run(fresh)),
        },
        other @ (Feed::Later(..) | Feed::Posted(_) | Feed::Cancel(_)) => Some(other),
    };
    let mut items: Vec<Feed> = feed.into_iter().filter_map(&mut place).collect();
    items.extend(delayed.into_iter().map(|(run, wake)| Feed::Later(run, None, wake)));
    items
}

/// The most runs that are looked for after writes that failed.
const DOUBTFUL_LIMIT: usize = 100_000;

impl Committer {
    /// Writes until the last [`Journal`] is gone.
    pub async fn run(mut self) {
        let mut jobs = Vec::with_capacity(BATCH_LIMIT);
        let mut doubtful: Vec<(Feed, Waiting)> = Vec::new();
        while 0 < self.queue.recv_many(&mut jobs, BATCH_LIMIT).await {
            let mut writes = Vec::with_capacity(jobs.len());
            let mut waiting = Vec::with_capacity(jobs.len());
            for job in jobs.drain(..) {
                writes.push(job.write);
                waiting.push((job.feed, job.waiting, job.done));
            }
            match self.store.write(writes).await {
                Ok(written) => {
                    for (written, (feed, waiting, done)) in written.into_iter().zip(waiting) {
                        self.tell(&written, feed, waiting).await;
                        answer(done, Ok(written));
                    }
                    self.resolve(&mut doubtful).await;
                }
                Err(error) => {
                    for (feed, waiting, done) in waiting {
                        doubt(&mut doubtful, feed, &waiting);
                        answer(done, Err(error.clone()));
                    }
                }
            }
        }
    }

    async fn tell(&self, written: &Written, feed: Vec<Feed>, waiting: Waiting) {
        let accepted = match written {
            Written::Accepted(accepted) => std::slice::from_ref(accepted),
            Written::Committed(accepted) => accepted,
            Written::Canceling(true) => &[],
            Written::Canceling(false) | Written::Refused(_) => return,
        };
        if matches!(accepted, [Accepted::Duplicate { .. }]) {
            return;
        }
        let items = admitted(feed, accepted);
        waiting.keep(items.iter().filter(|item| matches!(item, Feed::Run(_))).count());
        for item in items {
            if self.feed.send(item).await.is_err() {
                // The executor has stopped; what is stored goes on at the next start.
                return;
            }
        }
    }

    /// A write that reported an error may have reached the disk all the same, and its sender's retry
    /// is then a repeat that starts nothing: so runs of failed writes are looked for, and begun if they are there.
    async fn resolve(&self, doubtful: &mut Vec<(Feed, Waiting)>) {
        for (item, waiting) in std::mem::take(doubtful) {
            let run = match &item {
                Feed::Run(fresh) => fresh.run.id,
                Feed::Cancel(run) | Feed::Later(run, ..) => *run,
                // To look once more costs little.
                Feed::Posted(_) => {
                    if self.feed.send(item).await.is_err() {
                        return;
                    }
                    continue;
                }
            };
            match self.store.run(run).await {
                Ok(Some(head)) if !head.status.is_final() => {
                    let item = match (item, head.wake) {
                        (Feed::Run(fresh), Some(wake)) => Feed::Later(run, fresh.run.lane, wake),
                        (item, _) => item,
                    };
                    waiting.keep(usize::from(matches!(item, Feed::Run(_))));
                    if self.feed.send(item).await.is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(_still_failing) => doubtful.push((item, waiting)),
            }
        }
    }
}

fn doubt(doubtful: &mut Vec<(Feed, Waiting)>, feed: Vec<Feed>, waiting: &Waiting) {
    for item in feed {
        if DOUBTFUL_LIMIT <= doubtful.len() {
            tracing::error!("too many writes have failed; runs of theirs that reached the disk go on at the next start");
            return;
        }
        let runs = usize::from(matches!(item, Feed::Run(_)));
        doubtful.push((item, Waiting::new(&waiting.count, runs)));
    }
}

/// A writer that has gone away needs no answer: what it wrote is stored all the same.
fn answer(done: oneshot::Sender<Result<Written, StoreError>>, result: Result<Written, StoreError>) {
    drop(done.send(result));
}
