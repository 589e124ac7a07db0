//! What came of writes that failed. A write that reported an error may have reached the disk all the same, and its
//! sender's retry is then a repeat that starts nothing: so what the executor would have been told is kept, looked for
//! once the store writes again, and told then if it is there.

use std::collections::BTreeMap;

use super::feed::{Feed, Waiting};
use crate::domain::id::RunId;
use crate::store::{Store, TopicKey};

/// The most items that are kept.
const ITEMS_LIMIT: usize = 100_000;

/// What an item is about. The executor writes the same facts again until they are durable, and is told of them once.
/// Runs come in the order in which they were accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Begins(RunId),
    Ends(RunId),
    Posted(TopicKey),
}

impl Subject {
    fn of(item: &Feed) -> Self {
        match item {
            Feed::Run(fresh) => Self::Begins(fresh.run.id),
            Feed::Later(run, ..) | Feed::Moved(run, _) => Self::Begins(*run),
            Feed::Cancel(run) => Self::Ends(*run),
            Feed::Posted(topic) => Self::Posted(*topic),
        }
    }
}

/// Items of writes that failed; none at first.
#[derive(Default)]
pub(super) struct Doubtful(BTreeMap<Subject, (Feed, Waiting)>);

impl Doubtful {
    /// Whether all that is known is certain.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A write with these has failed.
    pub(super) fn add(&mut self, feed: Vec<Feed>, waiting: &Waiting) {
        for item in feed {
            let subject = Subject::of(&item);
            if ITEMS_LIMIT <= self.0.len() && !self.0.contains_key(&subject) {
                tracing::error!("too many writes have failed; runs of theirs that reached the disk go on at the next start");
                return;
            }
            let runs = usize::from(matches!(item, Feed::Run(_)));
            self.0.insert(subject, (item, Waiting::new(&waiting.count, runs)));
        }
    }

    /// A write with these has succeeded: its writer tried again, and they are told as they always are.
    pub(super) fn settle(&mut self, feed: &[Feed]) {
        if !self.0.is_empty() {
            feed.iter().for_each(|item| drop(self.0.remove(&Subject::of(item))));
        }
    }

    /// Those that are in the store, in the form in which the executor is to be told now. What cannot be read yet stays.
    pub(super) async fn resolve(&mut self, store: &dyn Store) -> Vec<(Feed, Waiting)> {
        let mut found = Vec::new();
        for (subject, (item, waiting)) in std::mem::take(&mut self.0) {
            let run = match subject {
                Subject::Begins(run) | Subject::Ends(run) => run,
                Subject::Posted(_) => {
                    // To look once more costs little.
                    found.push((item, waiting));
                    continue;
                }
            };
            match store.run(run).await {
                Ok(Some(head)) if !head.status.is_final() => {
                    let item = match (item, head.wake) {
                        (Feed::Run(fresh), Some(wake)) => Feed::Later(run, fresh.run.lane, wake),
                        (item, _) => item,
                    };
                    found.push((item, waiting));
                }
                Ok(_) => {}
                Err(_still_failing) => drop(self.0.insert(subject, (item, waiting))),
            }
        }
        found
    }
}
