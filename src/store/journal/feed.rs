//! What the executor is told once it is durable, and how many runs wait for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::domain::admission::{Lane, NewRun};
use crate::domain::event::{Event, MatchResult};
use crate::domain::id::RunId;
use crate::domain::time::Timestamp;
use crate::store::{Accept, Accepted, TopicKey};

/// What the executor is told, after it is durable.
#[derive(Debug)]
pub enum Feed {
    /// A run was accepted.
    Run(Box<FreshRun>),
    /// A run was accepted that begins at a time.
    Later(RunId, Option<Lane>, Timestamp),
    /// A run that has not begun has another time now.
    Moved(RunId, Timestamp),
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

/// Runs that are counted as waiting. Counted back when dropped, whoever drops it: the sender that
/// went away, or the committer. Kept when the runs were accepted.
pub(super) struct Waiting {
    pub(super) count: Arc<AtomicUsize>,
    runs: usize,
}

impl Waiting {
    pub(super) fn new(count: &Arc<AtomicUsize>, runs: usize) -> Self {
        count.fetch_add(runs, Ordering::Relaxed);
        Self { count: Arc::clone(count), runs }
    }

    /// So many of them do wait now.
    pub(super) fn keep(mut self, runs: usize) {
        self.runs = self.runs.saturating_sub(runs);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.count.fetch_sub(self.runs, Ordering::Relaxed);
    }
}

/// What the executor is told about an event once it is stored.
pub(super) fn feed_of(accept: &Accept) -> Vec<Feed> {
    let (event, accepted) = (&accept.event, accept.event.head.received);
    let fresh = |run: &NewRun| Feed::Run(Box::new(FreshRun { run: run.clone(), event: Arc::clone(event), accepted }));
    let posted = accept.topic.as_ref().map(|topic| Feed::Posted(TopicKey::of(topic)));
    accept.runs.iter().map(fresh).chain(posted).collect()
}

/// The same, with what the store has said of the runs: some begin later, some events went into runs that were there before.
pub(super) fn admitted(mut feed: Vec<Feed>, accepted: &[Accepted]) -> Vec<Feed> {
    let mut delayed: Vec<(RunId, Timestamp)> = Vec::new();
    let (mut new, mut repeats) = (BTreeSet::new(), false);
    for accepted in accepted {
        match accepted {
            Accepted::New { delayed: some, matches } => {
                delayed.extend(some);
                new.extend(matches.iter().filter_map(|found| match found.result {
                    MatchResult::Run(run) => Some(run),
                    MatchResult::NotMatched(_) => None,
                }));
            }
            Accepted::Duplicate { .. } => repeats = true,
        }
    }
    if repeats {
        // The runs of a repeat do not begin. One that gathers may stand under another run's name.
        feed.retain(|item| !matches!(item, Feed::Run(fresh) if fresh.run.gather.is_none() && !new.contains(&fresh.run.id)));
    }
    let mut place = |item: Feed| match item {
        Feed::Run(fresh) => match delayed.iter().position(|(run, _)| *run == fresh.run.id) {
            Some(index) => Some(Feed::Later(fresh.run.id, fresh.run.lane, delayed.remove(index).1)),
            None => fresh.run.gather.is_none().then_some(Feed::Run(fresh)),
        },
        other @ (Feed::Later(..) | Feed::Moved(..) | Feed::Posted(_) | Feed::Cancel(_)) => Some(other),
    };
    let mut items: Vec<Feed> = feed.into_iter().filter_map(&mut place).collect();
    items.extend(delayed.into_iter().map(|(run, wake)| Feed::Moved(run, wake)));
    items
}
