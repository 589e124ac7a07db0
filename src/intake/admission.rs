//! Before a request to a hook is an event: may it come in, who sent it, and is there room for it in the hook's rate? The rate is
//! asked once the sender is known, so that nobody without the secret uses it up.

use std::net::IpAddr;

use http::HeaderMap;

use super::limits::Left;
use super::verify::{Denied, Sent, Verified};
use super::webhook::{Hook, unverified};
use super::{Intake, Refusal};
use crate::domain::event::EventHead;
use crate::domain::time::Timestamp;
use crate::domain::workflow::Verify;

/// What headers and query of a batch may take together in its events, where a body of the hook may not take more.
const BATCH_HEADS_BYTES: usize = 1 << 20;

/// A request that may be read: its body is not there yet.
#[derive(Debug)]
pub struct Admitted {
    pub(super) hook: Hook,
    pub(super) known: Known,
    sender: IpAddr,
}

/// What is known of a request's sender before the body is there.
#[derive(Debug)]
pub(super) enum Known {
    /// All of it: the request counts already.
    Yes(Counted),
    /// Nothing: the body is signed.
    NotYet,
}

/// A sender that was believed, and what its hook still takes.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub(super) verified: Verified,
    pub(super) left: Option<Left>,
}

impl Admitted {
    /// The largest body that the hook takes, in bytes.
    #[must_use]
    pub fn body_limit_bytes(&self) -> usize {
        self.hook.body_limit_bytes
    }
}

impl Intake {
    /// Lets a request in by its head. What the head proves is proven here, and then it is counted.
    ///
    /// # Errors
    /// When it comes from elsewhere, too many came before it, or its sender is not believed.
    pub fn admit(&self, hook: Hook, sender: IpAddr, headers: &HeaderMap) -> Result<Admitted, Refusal> {
        let now = self.clock.now();
        self.door.admit(Some(&hook), sender, now)?;
        if can_be_guessed(hook.verify()) {
            self.door.admit_guess(sender, now)?;
        }
        let known = match self.verifier.verify_head(hook.verify(), headers) {
            Some(found) => Known::Yes(self.counted(&hook, sender, found, now)?),
            None => {
                // Where there is no room for a verified one, none has to be read.
                self.door.ask(&hook, now)?;
                Known::NotYet
            }
        };
        Ok(Admitted { hook, known, sender })
    }

    /// Verifies a request by its body if its head was not enough, and counts it.
    pub(super) async fn verified(&self, Admitted { hook, known, sender }: Admitted, sent: &Sent<'_>) -> Result<(Hook, Counted), Refusal> {
        let counted = match known {
            Known::Yes(counted) => counted,
            Known::NotYet => {
                let found = self.verifier.verify(hook.verify(), sent).await;
                self.counted(&hook, sender, found, sent.now)?
            }
        };
        Ok((hook, counted))
    }

    fn counted(&self, hook: &Hook, sender: IpAddr, found: Result<Verified, Denied>, now: Timestamp) -> Result<Counted, Refusal> {
        let verified = found.map_err(|denied| {
            // That this server has no secret is not the sender's fault.
            if can_be_guessed(hook.verify()) && denied != Denied::NoSecret {
                self.door.strangers.failed(sender, now);
            }
            unverified(hook.verify(), denied)
        })?;
        if can_be_guessed(hook.verify()) {
            self.door.strangers.verified(sender, now);
        }
        Ok(Counted { verified, left: self.door.take(hook, now)? })
    }

    /// Lets a batch in: each of its events counts, and each is stored with what came beside them.
    pub(super) fn admit_batch(&self, hook: &Hook, events: usize, common: &EventHead) -> Result<Option<Left>, Refusal> {
        let limit_bytes = hook.body_limit_bytes.max(BATCH_HEADS_BYTES);
        let each_bytes = beside_bytes(common);
        if limit_bytes < each_bytes.saturating_mul(events) {
            return Err(Refusal::LargeBatch(format!(
                "a batch of {events} events: headers and query are stored with each of them, {each_bytes} bytes every time, and may take \
                 {limit_bytes} together (`limits.body`, at least 1 MiB); send smaller batches, or fewer headers"
            )));
        }
        self.door.take_others(hook, events, common.received)
    }
}

/// Whether the head alone says who one is. A signature over the body cannot be guessed, and whoever counted wrong ones would let
/// strangers keep out a service that sends for many from one address.
fn can_be_guessed(verify: &Verify) -> bool {
    match verify {
        Verify::Bearer { .. } | Verify::Basic { .. } | Verify::Header { .. } => true,
        Verify::None | Verify::Signed(_) | Verify::Hmac(_) => false,
    }
}

/// What each event of a batch has of its request, in bytes.
fn beside_bytes(head: &EventHead) -> usize {
    let pairs = head.headers.iter().chain(&head.query).chain(&head.params);
    pairs.map(|(name, value)| name.len() + value.len()).sum::<usize>() + head.path.len()
}
