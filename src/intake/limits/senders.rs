//! What each sender has used of the rate for senders.

use std::net::IpAddr;
use std::time::Duration;

use super::by_address::{ByAddress, Worth};
use super::rate::{Left, Spent, nanoseconds, step};
use crate::domain::door::Rate;
use crate::domain::time::Timestamp;

/// What every sender has used.
#[derive(Debug)]
pub struct Senders {
    rate: Rate,
    used: ByAddress<u64>,
}

impl Senders {
    /// Nobody has used anything.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, used: ByAddress::new() }
    }

    /// How often one sender may send.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Counts one more of a sender.
    ///
    /// # Errors
    /// When it is too many; it is not counted then.
    pub fn take(&self, sender: IpAddr, now: Timestamp) -> Result<Left, Spent> {
        let full = Left { rate: self.rate, left: self.rate.burst, full_after: Duration::ZERO };
        let Some(place) = self.used.of(sender) else { return Ok(full) };
        let (next, left) = step(place.get().copied().unwrap_or(0), &self.rate, 1, now)?;
        // Who has all of the rate again is like one who was never here.
        place.put(next, |used| if nanoseconds(now) < *used { Worth::Little } else { Worth::Nothing });
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { limit: 1, per: Duration::from_secs(1), burst: 2 };

    fn takes(senders: &Senders, sender: &str) -> bool {
        senders.take(sender.parse().unwrap(), Timestamp(1_000)).is_ok()
    }

    #[test]
    fn each_sender_has_a_rate_of_its_own() {
        let senders = Senders::new(RATE);
        assert!(takes(&senders, "192.0.2.1") && takes(&senders, "192.0.2.1") && !takes(&senders, "192.0.2.1"));
        assert!(!takes(&senders, "::ffff:192.0.2.1"), "the same one over a socket for both families");
        assert!(takes(&senders, "192.0.2.2"));
        assert!(takes(&senders, "2001:db8::1") && takes(&senders, "2001:db8::2:1") && !takes(&senders, "2001:db8::ffff:3"));
        assert!(takes(&senders, "2001:db8:0:1::1"));
    }
}
