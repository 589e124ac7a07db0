//! Claims runs, drives each one step by step, and puts down what waits.
//!
//! `dispatch` owns what is ready, what is parked and what is being driven; `drive` takes one run as
//! far as it goes; `perform` does one step. What comes next is decided by `domain::next` alone.

mod calls;
mod dispatch;
mod drive;
mod emit;
mod files;
mod flush;
mod lanes;
mod leave;
mod listen;
mod listeners;
mod open;
mod parked;
mod perform;
mod revisions;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Ids};
use crate::connector::Registry;
use crate::domain::Map;
use crate::domain::id::RunId;
use crate::domain::secret::Secrets;
use crate::store::{Epoch, Feed, Journal, StoreError};

pub use listeners::Listeners;
pub use revisions::{NoRevision, Rebuild, Revisions};

/// What the executor works with.
pub struct Executor {
    /// Where facts go.
    pub journal: Arc<Journal>,
    /// The workflows, current and earlier.
    pub revisions: Arc<Revisions>,
    /// The way out.
    pub registry: ArcSwap<Registry>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What is masked in outputs and messages.
    pub secrets: Arc<Secrets>,
    /// The same as `secrets.NAME` in `with`.
    pub secret_values: Map,
    /// This owner's epoch.
    pub epoch: Epoch,
    /// How many runs are driven at once, at most.
    pub driving_limit: usize,
    /// Names for the events and runs that runs bring about.
    pub ids: Arc<Ids>,
    /// The address at which a person answers an `approve`.
    pub link: Link,
    /// Which runs wait for which events.
    pub listeners: Listeners,
}

/// Makes the address at which a person answers an `approve`: for a run, and the place of the question among its facts.
pub type Link = Box<dyn Fn(RunId, u32) -> String + Send + Sync>;

/// Ends the executor in two steps: `soft` lets calls in hand finish, `hard` drops them.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Begin nothing more.
    pub soft: CancellationToken,
    /// Drop what is in hand; it is done again at the next start, with the same idempotency key.
    pub hard: CancellationToken,
}

impl Executor {
    /// Loads what is open and starts the dispatcher as a task of `tracker`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn start(self: Arc<Self>, feed: mpsc::Receiver<Feed>, stop: Stop, tracker: &TaskTracker) -> Result<usize, StoreError> {
        let open = self.journal.store().load().await?;
        let count = open.len();
        let dispatcher = dispatch::Dispatcher::new(self, feed, stop, tracker.clone(), open);
        tracker.spawn(dispatcher.run());
        Ok(count)
    }
}
