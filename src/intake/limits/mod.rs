//! The bounds of the front door: how often, from where, how much at once; and what was refused.

mod bodies;
mod by_address;
mod proxies;
mod rate;
mod refusals;
mod senders;
mod strangers;

pub use bodies::{BYTES_A_SECOND, Bodies, Held};
pub use proxies::sender;
pub use rate::{Left, Spent, ask, take};
pub use refusals::{Counted, Refusals, Refused, RefusedRequest};
pub use senders::Senders;
pub use strangers::Strangers;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Refusal;
use super::form;
use super::webhook::Hook;
use crate::domain::door::TrustedProxies;
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
    /// That of a sender whose requests could not be verified.
    Unverified,
}

impl RateOf {
    /// As the policy is called in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Form => "form",
            Self::Sender => "sender",
            Self::Unverified => "unverified",
        }
    }
}

impl fmt::Display for RateOf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Hook => "more requests than this hook takes",
            Self::Form => "more requests than this form takes",
            Self::Sender => "more requests than one sender may send",
            Self::Unverified => "more requests that could not be verified than one sender may send",
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
    /// What those have used that could not be verified.
    pub strangers: Strangers,
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

    /// Lets a request to a hook in, or a question about one, before anything of it is read: from where it may come, and not too often.
    ///
    /// # Errors
    /// When it comes from elsewhere, or too many came before it.
    pub fn admit(&self, hook: Option<&Hook>, sender: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        if let Some(door) = hook.and_then(Hook::door) {
            admit_from(&door.allow_from, sender)?;
        }
        self.admit_sender(sender, now)
    }

    /// Lets somebody in who says a word that can be guessed: not again and again.
    ///
    /// # Errors
    /// When too many from there were wrong.
    pub fn admit_guess(&self, sender: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        self.strangers.ask(sender, now).map_err(|spent| Refusal::TooOften { of: RateOf::Unverified, spent })
    }

    /// Lets a form in that somebody sends, before anything of it is read.
    ///
    /// # Errors
    /// When too many came before it.
    pub fn admit_form(&self, door: &form::Door, sender: IpAddr, now: Timestamp) -> Result<Option<Left>, Refusal> {
        self.admit_sender(sender, now)?;
        let Some(rate) = door.form().and_then(|form| form.door.rate) else { return Ok(None) };
        take(door.used(), &rate, 1, now).map(Some).map_err(|spent| Refusal::TooOften { of: RateOf::Form, spent })
    }

    /// Counts one more of a hook's rate; nothing where it has none.
    ///
    /// # Errors
    /// When too many came before it.
    pub fn take(&self, hook: &Hook, now: Timestamp) -> Result<Option<Left>, Refusal> {
        let Some((rate, used)) = hook.rate() else { return Ok(None) };
        take(used, rate, 1, now).map(Some).map_err(|spent| Refusal::TooOften { of: RateOf::Hook, spent })
    }

    /// Whether a hook's rate has room for one more, which is not counted.
    ///
    /// # Errors
    /// When it has none.
    pub fn ask(&self, hook: &Hook, now: Timestamp) -> Result<(), Refusal> {
        let Some((rate, used)) = hook.rate() else { return Ok(()) };
        ask(used, rate, now).map_err(|spent| Refusal::TooOften { of: RateOf::Hook, spent })
    }

    /// Counts the other events of a batch, after its request was counted; nothing where the hook has no rate.
    ///
    /// # Errors
    /// When they are too many now, or more than the hook ever takes at once. None of them is counted then.
    pub fn take_others(&self, hook: &Hook, events: usize, now: Timestamp) -> Result<Option<Left>, Refusal> {
        let Some((rate, used)) = hook.rate() else { return Ok(None) };
        let count = u32::try_from(events).unwrap_or(u32::MAX);
        if rate.burst.max(1) < count {
            return Err(Refusal::LargeBatch(format!(
                "a batch of {events} events, each of which counts: this hook takes {} at once (`limits` of the hook: `rate` and `burst`); send \
                 smaller batches",
                rate.burst
            )));
        }
        take(used, rate, count.saturating_sub(1), now).map(Some).map_err(|spent| {
            // The request counts when it comes again.
            let retry_after = spent.retry_after.saturating_add(rate::each(rate));
            Refusal::TooOften { of: RateOf::Hook, spent: Spent { retry_after, ..spent } }
        })
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
