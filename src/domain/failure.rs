//! Why a step or a run failed, in a form that can be stored, shown and decided upon.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Value;

/// What sort of thing went wrong. The names are stored and shown: they do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// No connection, or it broke.
    Network,
    /// No answer in time.
    Timeout,
    /// An answer with a status that was not expected; `status` holds it.
    Status,
    /// The egress guard refused the address.
    EgressRefused,
    /// The answer was larger than the limit.
    AnswerTooLarge,
    /// The answer could not be read.
    BadAnswer,
    /// What the step was given cannot be used.
    BadInput,
    /// An expression, template or script failed.
    Script,
    /// A `fail` step ended the run.
    Failed,
    /// The step may run at most once and its first attempt was interrupted; a person has to decide.
    Interrupted,
    /// The run took longer than the workflow's `timeout`.
    RunTimeout,
    /// What the step waited for did not come in time.
    Expired,
    /// A person said no.
    Denied,
    /// The run that the step started failed or was canceled.
    ChildFailed,
    /// Something inside hence that a user cannot mend.
    Internal,
}

/// A failure of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What sort.
    pub kind: FailureKind,
    /// What went wrong and what would be right, for a person. Holds no secret.
    pub message: String,
    /// The HTTP status, when there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The other side asked to wait this long, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The answer's body or another detail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

impl Failure {
    /// A failure with a message alone.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), status: None, retry_after_ms: None, detail: None }
    }

    /// The same, with the status of the answer.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The same, with the wait that the other side asked for.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after_ms = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// The same, with a detail.
    #[must_use]
    pub fn with_detail(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Whether a step that is done anew may end otherwise: not after a person's no, nor when only a person can decide.
    #[must_use]
    pub fn may_be_retried(&self) -> bool {
        match self.kind {
            FailureKind::Denied | FailureKind::Interrupted | FailureKind::RunTimeout | FailureKind::Internal => false,
            FailureKind::Network
            | FailureKind::Timeout
            | FailureKind::Status
            | FailureKind::EgressRefused
            | FailureKind::AnswerTooLarge
            | FailureKind::BadAnswer
            | FailureKind::BadInput
            | FailureKind::Script
            | FailureKind::Failed
            | FailureKind::Expired
            | FailureKind::ChildFailed => true,
        }
    }

    /// Whether what was waited for did not come, so that `else` follows.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.kind, FailureKind::Expired | FailureKind::Denied)
    }

    /// Whether the same call may work later: network errors, timeouts, 408, 425, 429 and 5xx.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.kind {
            FailureKind::Network | FailureKind::Timeout => true,
            FailureKind::Status => matches!(self.status, Some(408 | 425 | 429 | 500..=599)),
            FailureKind::EgressRefused
            | FailureKind::AnswerTooLarge
            | FailureKind::BadAnswer
            | FailureKind::BadInput
            | FailureKind::Script
            | FailureKind::Failed
            | FailureKind::Interrupted
            | FailureKind::RunTimeout
            | FailureKind::Expired
            | FailureKind::Denied
            | FailureKind::ChildFailed
            | FailureKind::Internal => false,
        }
    }
}
