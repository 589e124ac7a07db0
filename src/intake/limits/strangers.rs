//! Senders that could not be verified: how often one of them may try. What they send uses up no hook's rate, so that nobody without the
//! secret keeps out those who have it; and what has been verified lately is no stranger, so that a real sender behind the same
//! address, that of a proxy say, is not kept out either.

use std::net::IpAddr;
use std::time::Duration;

use super::by_address::{ByAddress, Worth};
use super::rate::{Spent, nanoseconds, step};
use crate::domain::door::Rate;
use crate::domain::time::Timestamp;

/// How long an address is known after a request from it was verified.
const KNOWN_FOR: Duration = Duration::from_secs(3_600);
/// After so long it is written down anew.
const RENEWED_AFTER: Duration = Duration::from_secs(600);

/// What is known of an address.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// What it has used of the rate.
    used: u64,
    /// Until when it is no stranger.
    known_until: Option<Timestamp>,
}

impl Seen {
    fn is_known(&self, now: Timestamp) -> bool {
        // Further ahead than it is ever written down means that the clock was set back.
        self.known_until.is_some_and(|until| now < until && until <= now.after(KNOWN_FOR))
    }

    fn worth(&self, now: Timestamp) -> Worth {
        if self.is_known(now) {
            Worth::Much
        } else if nanoseconds(now) < self.used {
            Worth::Little
        } else {
            Worth::Nothing
        }
    }
}

/// What every sender that was not verified has used.
#[derive(Debug)]
pub struct Strangers {
    rate: Rate,
    seen: ByAddress<Seen>,
}

impl Strangers {
    /// Nobody has tried anything.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, seen: ByAddress::new() }
    }

    /// Whether a sender may try.
    ///
    /// # Errors
    /// When it has tried too often, and nothing from there was verified lately.
    pub fn ask(&self, sender: IpAddr, now: Timestamp) -> Result<(), Spent> {
        let seen = self.seen.of(sender).and_then(|place| place.get().copied()).unwrap_or_default();
        if seen.is_known(now) { Ok(()) } else { step(seen.used, &self.rate, 1, now).map(drop) }
    }

    /// Counts a request that was not verified.
    pub fn failed(&self, sender: IpAddr, now: Timestamp) {
        let Some(place) = self.seen.of(sender) else { return };
        let seen = place.get().copied().unwrap_or_default();
        // Those that came at the same time may be more than there was room for.
        let Ok((used, _)) = step(seen.used, &self.rate, 1, now) else { return };
        place.put(Seen { used, ..seen }, |other| other.worth(now));
    }

    /// Notes that a request was verified.
    pub fn verified(&self, sender: IpAddr, now: Timestamp) {
        let Some(place) = self.seen.of(sender) else { return };
        let seen = place.get().copied().unwrap_or_default();
        let until = now.after(KNOWN_FOR);
        if !seen.is_known(now) || seen.known_until.is_none_or(|known| RENEWED_AFTER <= until.since(known)) {
            place.put(Seen { known_until: Some(until), ..seen }, |other| other.worth(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { limit: 1, per: Duration::from_secs(10), burst: 3 };
    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn at(seconds: u64) -> Timestamp {
        Timestamp(1_000_000).after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_stranger_tries_a_few_times_and_then_now_and_then() {
        let strangers = Strangers::new(RATE);
        for _ in 0..3 {
            assert_eq!(strangers.ask(A, at(0)), Ok(()));
            strangers.failed(A, at(0));
        }
        assert_eq!(strangers.ask(A, at(0)).unwrap_err().retry_after, Duration::from_secs(10));
        assert_eq!(strangers.ask(B, at(0)), Ok(()), "another one");
        assert_eq!(strangers.ask(A, at(10)), Ok(()), "asking alone uses nothing");
        strangers.failed(A, at(10));
        assert!(strangers.ask(A, at(10)).is_err());
    }

    #[test]
    fn who_was_verified_is_no_stranger_for_an_hour() {
        let strangers = Strangers::new(RATE);
        strangers.verified(A, at(0));
        let spend = |now| (0..3).for_each(|_| strangers.failed(A, now));
        spend(at(0));
        assert_eq!(strangers.ask(A, at(0)), Ok(()));
        spend(at(3_599));
        assert_eq!(strangers.ask(A, at(3_599)), Ok(()));
        assert!(strangers.ask(A, at(3_600)).is_err());
        strangers.verified(A, at(3_600));
        spend(at(3_600));
        assert_eq!(strangers.ask(A, at(3_600)), Ok(()));
        // Noted again while it lasts.
        strangers.verified(A, at(5_000));
        spend(at(8_000));
        assert_eq!(strangers.ask(A, at(8_000)), Ok(()));
        spend(at(8_600));
        assert!(strangers.ask(A, at(8_600)).is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nobody_known_for_longer() {
        let seen = Seen { used: 0, known_until: Some(at(9_000)) };
        assert!(seen.is_known(at(8_999)) && seen.is_known(at(5_400)) && !seen.is_known(at(9_000)) && !seen.is_known(at(5_399)));
    }
}
