//! Files whose event never came: the sender went away, was no person, or has to mend something. They are forgotten soon;
//! what a crash leaves is forgotten by a retention pass.

use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::domain::id::EventId;
use crate::intake::Intake;

/// How many wait to be forgotten; what is more is left to a retention pass.
const QUEUE_LIMIT: usize = 1_024;

/// Where files are given up.
pub(super) type GivenUp = mpsc::Sender<EventId>;

/// The two ends of the queue.
pub(super) fn queue() -> (GivenUp, mpsc::Receiver<EventId>) {
    mpsc::channel(QUEUE_LIMIT)
}

/// Files that are stored and have no event. Unless they are kept they are given up, also when the request is dropped.
pub(super) struct Pending {
    event: EventId,
    given_up: GivenUp,
    stored: bool,
}

impl Pending {
    pub(super) fn new(event: EventId, given_up: GivenUp) -> Self {
        Self { event, given_up, stored: false }
    }

    /// The event that they wait for.
    pub(super) fn event(&self) -> EventId {
        self.event
    }

    /// Something of them is about to be stored.
    pub(super) fn begin(&mut self) {
        self.stored = true;
    }

    /// They have their event.
    pub(super) fn keep(&mut self) {
        self.stored = false;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.stored && self.given_up.try_send(self.event).is_err() {
            tracing::debug!(event.id = %self.event, "files without an event are left to retention");
        }
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Pending({}, {})", self.event, self.stored)
    }
}

impl Intake {
    /// Forgets files that are given up, until `stopping`.
    pub async fn forget_given_up(self: Arc<Self>, mut queue: mpsc::Receiver<EventId>, stopping: CancellationToken) {
        loop {
            let event = tokio::select! {
                () = stopping.cancelled() => return,
                event = queue.recv() => event,
            };
            let Some(event) = event else { return };
            if let Err(error) = self.journal.drop_files(event).await {
                tracing::warn!(error = %error, "files without an event could not be forgotten now; retention does it later");
            }
        }
    }
}
