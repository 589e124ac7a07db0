//! The group committer: one task takes everything queued while the last sync ran, writes it as one batch, and answers
//! all of it. There is no fixed delay: an idle committer writes at once, a busy one writes more at a time.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::Job;
use super::feed::{Feed, Waiting, admitted};
use crate::store::outage::Outage;
use crate::store::{Accepted, Store, StoreError, Written};

/// The most writes that go into one batch.
const BATCH_LIMIT: usize = 1024;
/// The committer: run it as a task. It ends once every [`Journal`] is dropped and the queue is empty.
pub struct Committer {
    pub(super) store: Arc<dyn Store>,
    pub(super) queue: mpsc::Receiver<Job>,
    pub(super) feed: mpsc::Sender<Feed>,
}

/// The most runs that are looked for after writes that failed.
const DOUBTFUL_LIMIT: usize = 100_000;

impl Committer {
    /// Writes until the last [`Journal`] is gone.
    pub async fn run(mut self) {
        let mut jobs = Vec::with_capacity(BATCH_LIMIT);
        let mut doubtful: Vec<(Feed, Waiting)> = Vec::new();
        let mut outage = Outage::default();
        while 0 < self.queue.recv_many(&mut jobs, BATCH_LIMIT).await {
            let mut writes = Vec::with_capacity(jobs.len());
            let mut waiting = Vec::with_capacity(jobs.len());
            for job in jobs.drain(..) {
                writes.push(job.write);
                waiting.push((job.feed, job.waiting, job.done));
            }
            match self.store.write(writes).await {
                Ok(written) => {
                    outage.written(&written);
                    for (written, (feed, waiting, done)) in written.into_iter().zip(waiting) {
                        self.tell(&written, feed, waiting).await;
                        answer(done, Ok(written));
                    }
                    self.resolve(&mut doubtful).await;
                }
                Err(error) => {
                    outage.failed(&error, waiting.len());
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
                Feed::Cancel(run) | Feed::Later(run, ..) | Feed::Moved(run, _) => *run,
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
