//! The group committer: one task takes everything queued while the last sync ran, writes it as one batch, and answers
//! all of it. There is no fixed delay: an idle committer writes at once, a busy one writes more at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::Job;
use super::doubt::Doubtful;
use super::feed::{Feed, Waiting, admitted};
use crate::store::outage::Outage;
use crate::store::{Accepted, Store, StoreError, Written};

/// The most writes that go into one batch.
const BATCH_LIMIT: usize = 1024;

/// While it is not known what became of a write, and nobody writes, the store is tried again after this time.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The committer: run it as a task. It ends once every [`Journal`] is dropped and the queue is empty.
pub struct Committer {
    pub(super) store: Arc<dyn Store>,
    pub(super) queue: mpsc::Receiver<Job>,
    pub(super) feed: mpsc::Sender<Feed>,
}

impl Committer {
    /// Writes until the last [`Journal`] is gone.
    pub async fn run(mut self) {
        let mut jobs = Vec::with_capacity(BATCH_LIMIT);
        let mut doubtful = Doubtful::default();
        let mut outage = Outage::default();
        while self.wait(&mut jobs, &mut doubtful).await {
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
                        if !matches!(written, Written::Refused(_)) {
                            doubtful.settle(&feed);
                        }
                        self.tell(&written, feed, waiting).await;
                        answer(done, Ok(written));
                    }
                    self.resolve(&mut doubtful).await;
                }
                Err(error) => {
                    outage.failed(&error, waiting.len());
                    for (feed, waiting, done) in waiting {
                        self.tell_posted(&feed).await;
                        doubtful.add(feed, &waiting);
                        answer(done, Err(error.clone()));
                    }
                }
            }
        }
    }

    /// Waits for something to write; nothing comes once the last [`Journal`] is gone.
    async fn wait(&mut self, jobs: &mut Vec<Job>, doubtful: &mut Doubtful) -> bool {
        while !doubtful.is_empty() {
            if let Ok(count) = timeout(TRY_AGAIN_AFTER, self.queue.recv_many(jobs, BATCH_LIMIT)).await {
                return 0 < count;
            }
            if self.store.writable().await.is_ok() {
                self.resolve(doubtful).await;
            }
        }
        0 < self.queue.recv_many(jobs, BATCH_LIMIT).await
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

    /// What reached the disk all the same may be waited for, and nobody may write again for long: to look costs little.
    async fn tell_posted(&self, feed: &[Feed]) {
        for item in feed {
            if let Feed::Posted(topic) = item
                && self.feed.send(Feed::Posted(*topic)).await.is_err()
            {
                return;
            }
        }
    }

    async fn resolve(&self, doubtful: &mut Doubtful) {
        for (item, waiting) in doubtful.resolve(&*self.store).await {
            waiting.keep(usize::from(matches!(item, Feed::Run(_))));
            if self.feed.send(item).await.is_err() {
                return;
            }
        }
    }
}

/// A writer that has gone away needs no answer: what it wrote is stored all the same.
fn answer(done: oneshot::Sender<Result<Written, StoreError>>, result: Result<Written, StoreError>) {
    drop(done.send(result));
}
