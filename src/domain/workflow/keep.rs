//! How long a workflow's finished runs are kept.

use std::time::Duration;

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// So long.
    For(Duration),
    /// Until a person takes it away.
    Forever,
}

/// By how a run ended; what is not said is the server's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// Runs that succeeded.
    pub succeeded: Option<Kept>,
    /// Runs that failed.
    pub failed: Option<Kept>,
    /// Runs that were canceled.
    pub canceled: Option<Kept>,
}

impl Keep {
    /// The same for all.
    #[must_use]
    pub fn all(kept: Kept) -> Self {
        Self { succeeded: Some(kept), failed: Some(kept), canceled: Some(kept) }
    }
}
