//! Why the store refused, for the caller and for a person.

use crate::domain::id::{EventId, RunId};

/// Why the store could not do something. Every variant says what a person can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("the store {0} is in use by another process; stop that one, or serve with another --data folder")]
    Locked(String),
    /// Made by a newer version.
    #[error("the store has data format {found}, and this version reads up to {known}; use the newer hence that wrote it")]
    NewerFormat {
        /// In the store.
        found: u32,
        /// The newest this program reads.
        known: u32,
    },
    /// It cannot be read; what was tried is in the text.
    #[error("the store is damaged: {0}; restore a backup, or move the folder away to start empty")]
    Damaged(String),
    /// No space, or the watermark was reached.
    #[error("the disk is full: {0}; free some space, new events are refused until then")]
    Full(String),
    /// The disk failed.
    #[error("the store could not read or write: {0}")]
    Io(String),
    /// More waits than the bound allows.
    #[error("{waiting} accepted runs are waiting already (limit {limit}); new events are refused until some are done")]
    Overloaded {
        /// How many wait.
        waiting: usize,
        /// The setting `limits.backlog`.
        limit: usize,
    },
    /// The committer has stopped: the process is shutting down.
    #[error("hence is shutting down")]
    Closed,
    /// What is to be restored is no whole backup.
    #[error("this is not a whole backup: {0}; take another one, nothing was restored")]
    BadBackup(String),
    /// There is nothing to look at.
    #[error("there is no store at {0}; name its project with --project, or its data folder with --data")]
    Missing(String),
    /// A backup is restored only where there is nothing.
    #[error(
        "there is a store already, and a backup is restored only where there is none; name another --data folder, or move this one away"
    )]
    NotEmpty,
    /// The store's URL cannot be used.
    #[error("`{0}` is not a store: expected redb://PATH, sled://PATH or memory:")]
    BadUrl(String),
}

/// Why one commit was refused. The others of its batch are not touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Another node has taken the shard.
    #[error("the shard of {0} has a newer owner")]
    Fenced(RunId),
    /// The journal has moved on: a step of the batch was completed already.
    #[error("{run} has {len} facts, not {expected}: another writer was here")]
    Conflict {
        /// Which run.
        run: RunId,
        /// Facts in the store.
        len: u32,
        /// Facts the writer knew of.
        expected: u32,
    },
    /// There is no such run.
    #[error("there is no {0}")]
    Unknown(RunId),
    /// The event of a replay is not in the store any more.
    #[error("{0} is not in the store any more")]
    NoEvent(EventId),
    /// The store itself failed; nothing of the batch was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
