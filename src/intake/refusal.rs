//! Why something was not taken in, in the words that its sender is told.

use super::{limits, verify};
use crate::domain::id::{EventId, RunId};
use crate::domain::time::format_duration;
use crate::script::BadBody;
use crate::store::StoreError;
use crate::workflow::body_schema::Mismatch;

/// Why something was not taken in. Nothing was stored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No enabled workflow has such a hook.
    #[error("no workflow has a hook at /hooks/{0}")]
    NoHook(String),
    /// No enabled workflow has such a form.
    #[error("no workflow has a form at /forms/{0}")]
    NoForm(String),
    /// What was sent is no form.
    #[error("a form is sent as application/x-www-form-urlencoded or multipart/form-data, not as {}", if _0.is_empty() { "something without a type" } else { _0 })]
    NoFormBody(String),
    /// No workflow of this name.
    #[error("there is no workflow `{0}` here; one whose file has an error is not served, see `hence check`")]
    NoWorkflow(String),
    /// The workflow has no `manual` trigger.
    #[error("workflow `{0}` cannot be started by hand: add `- manual:` to its `when`")]
    NotManual(String),
    /// The hook is there, the method is not.
    #[error("this hook does not take {method}; it takes {}", allowed.join(", "))]
    Method {
        /// As sent.
        method: String,
        /// What it takes.
        allowed: Vec<String>,
    },
    /// The sender could not be verified.
    #[error("{denied}")]
    Unverified {
        /// Why.
        denied: verify::Denied,
        /// How to say who one is, for `WWW-Authenticate`.
        challenge: Option<&'static str>,
    },
    /// What the sender is verified with, or what confirms its subscription, could not be fetched now.
    #[error("{0}")]
    Unfetched(&'static str),
    /// The hook takes nothing from there.
    #[error("this hook takes nothing from {0}: `allow_from` names the networks that it takes requests from")]
    Elsewhere(std::net::IpAddr),
    /// More requests than the rate allows.
    #[error("{of}: {} in {}; send it again in {} s", spent.rate.limit, format_duration(spent.rate.per), limits::whole_seconds(spent.retry_after))]
    TooOften {
        /// Whose rate it is.
        of: limits::RateOf,
        /// The rate, and when there is room again.
        spent: limits::Spent,
    },
    /// Too much of other bodies is in memory.
    #[error("the server has as many bodies in hand as it may: nothing was stored, send it again")]
    Crowded,
    /// The body came too slowly.
    #[error("the body was not complete after {} and a second for each {} KiB of it: send it at once", format_duration(*.0), limits::BYTES_A_SECOND >> 10)]
    SlowBody(std::time::Duration),
    /// The body is larger than the hook allows.
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// In bytes.
        limit_bytes: usize,
    },
    /// Too many events at once, or too much beside them.
    #[error("{0}")]
    LargeBatch(String),
    /// The body ended early or could not be received.
    #[error("the body could not be received: {0}")]
    BrokenBody(String),
    /// The body is not what its content type says.
    #[error("the body cannot be read: {0}")]
    Unreadable(String),
    /// The body does not fit the schema of a workflow that it would concern.
    #[error("the body does not fit the schema: {}", first_of(_0, Mismatch::to_string))]
    DoesNotFit(Vec<Mismatch>),
    /// The request says that it holds CloudEvents, and one of them is none.
    #[error("this is not a CloudEvent: {0}")]
    BadCloudEvent(String),
    /// The body is written in a way that is not known here.
    #[error("{0}")]
    Unsupported(String),
    /// There is no such run.
    #[error("there is no {0}")]
    NoRun(RunId),
    /// The run to replay has not ended.
    #[error("{0} has not ended: wait for its end, or cancel it first")]
    RunOpen(RunId),
    /// The event of the run to replay.
    #[error("{0} is not in the store any more, so {1} cannot be replayed")]
    NoEvent(EventId, RunId),
    /// The workflow's file is bad, and its last good revision is what new events get.
    #[error("the file of workflow `{0}` has an error now: mend it first (see `hence check`), so that the replay follows what it says")]
    BadWorkflow(String),
    /// The workflow's `if` says that the event does not concern it.
    #[error("the `if` of workflow `{0}` is false for this event now: nothing to do")]
    NotMatched(String),
    /// The replay cannot begin with that step.
    #[error("{0}")]
    NoStep(String),
    /// What was done cannot be reused.
    #[error("{0}")]
    NotReusable(String),
    /// No question has this link.
    #[error("there is no question at this address: the link is not complete, or not one that this server made")]
    NoQuestion,
    /// The store would not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The first places of a body that does not fit, in one line.
pub(super) fn first_of(mismatches: &[Mismatch], told: impl Fn(&Mismatch) -> String) -> String {
    /// The rest is in a list of its own.
    const SHOWN: usize = 3;
    let shown: Vec<String> = mismatches.iter().take(SHOWN).map(told).collect();
    let more = mismatches.len().saturating_sub(SHOWN);
    let more = if more == 0 { String::new() } else { format!("; and {more} more") };
    format!("{}{more}", shown.join("; "))
}

impl From<BadBody> for Refusal {
    fn from(bad: BadBody) -> Self {
        match bad {
            BadBody::Unreadable(why) => Self::Unreadable(why),
            BadBody::Unsupported(why) => Self::Unsupported(why),
        }
    }
}
