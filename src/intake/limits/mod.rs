//! The bounds of the front door: how often, from where, how much at once; and what was refused.

mod bodies;
mod proxies;
mod rate;
mod refusals;
mod senders;

pub use bodies::{BYTES_A_SECOND, Bodies, Held};
pub use proxies::sender;
pub use rate::{Left, Spent, take};
pub use refusals::{Counted, Refusals, Refused, RefusedRequest};
pub use senders::Senders;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Refusal;
use super::form;
use super::webhook::Hook;
use crate::domain::door::{Door, TrustedProxies};
use crate::domain::time::Timestamp;

/// Whose rate was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateOf {
    /// The hook's, which counts all senders together.
    Hook,
    /// The form's, which counts all senders together.
    Form,
    /// The sender's, over all hooks.
    Sender,
}

impl RateOf {
    /// As the policy is called in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Form => "form",
            Self::Sender => "sender",
        }
    }
}

impl fmt::Display for RateOf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Hook => "more requests than this hook takes",
            Self::Form => "more requests than this form takes",
            Self::Sender => "more requests than one sender may send",
        })
    }
}

/// Rounded up, as `Retry-After` has it: whoever waits so long is not too early.
#[must_use]
pub fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(0 < span.subsec_nanos())
}

/// What the front door knows between requests.
#[derive(Debug)]
pub struct FrontDoor {
    /// Bodies that are in memory.
    pub bodies: Bodies,
    /// What each sender has used, if there is a rate for them.
    pub senders: Option<Senders>,
    /// Who is believed about a sender's address.
    pub proxies: TrustedProxies,
    /// What was refused.
    pub refusals: Refusals,
    /// How many connections are open; the listener counts.
    pub connections: Arc<AtomicUsize>,
}

impl FrontDoor {
    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Lets a request to a hook in, before anything of it is read: the cheapest question first.
    ///
    /// # Errors
    /// When it comes from elsewhere, or too many came before it.
    pub fn admit(&self, hook: &Hook, sender: IpAddr, now: Timestamp) -> Result<Option<Left>, Refusal> {
        let none = Door::default();
        let Door { rate, allow_from, cors: _ } = hook.door().unwrap_or(&none);
        admit_from(allow_from, sender)?;
        self.admit_sender(sender, now)?;
        let Some((rate, used)) = rate.as_ref().zip(hook.used()) else { return Ok(None) };
        take(used, rate, now).map(Some).map_err(|spent| Refusal::TooOften { of: RateOf::Hook, spent })
    }

    /// Lets a form in that somebody sends, before anything of it is read.
    ///
    /// # Errors
    /// When too many came before it.
    pub fn admit_form(&self, door: &form::Door, sender: IpAddr, now: Timestamp) -> Result<Option<Left>, Refusal> {
        self.admit_sender(sender, now)?;
        let Some(rate) = door.form().and_then(|form| form.door.rate) else { return Ok(None) };
        take(door.used(), &rate, now).map(Some).map_err(|spent| Refusal::TooOften { of: RateOf::Form, spent })
    }

    /// Lets a question about a hook in, before anything is sent there: from where it may come, and not too often.
    ///
    /// # Errors
    /// When it comes from elsewhere, or too many came before it.
    pub fn admit_question(&self, hook: Option<&Hook>, sender: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        if let Some(door) = hook.and_then(Hook::door) {
            admit_from(&door.allow_from, sender)?;
        }
        self.admit_sender(sender, now)
    }

    /// Lets a request in if its sender has not sent too many.
    ///
    /// # Errors
    /// When there were too many before it.
    pub fn admit_sender(&self, sender: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        let Some(senders) = &self.senders else { return Ok(()) };
        senders.take(sender, now).map(drop).map_err(|spent| Refusal::TooOften { of: RateOf::Sender, spent })
    }
}

fn admit_from(allowed: &[ipnet::IpNet], sender: IpAddr) -> Result<(), Refusal> {
    let is_allowed = allowed.is_empty() || allowed.iter().any(|network| network.contains(&sender));
    if is_allowed { Ok(()) } else { Err(Refusal::Elsewhere(sender)) }
}
