//! What each sender has used of the rate for senders. An IPv6 sender is its /64: one has as many addresses as it likes.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use super::rate::{Left, Spent, step};
use crate::domain::door::Rate;
use crate::domain::time::Timestamp;

/// Parts with a lock of their own.
const SHARDS: usize = 64;
/// Senders that one part remembers. One that is forgotten begins anew: the bound is on memory, and flooding from so many
/// addresses is not held by a rate per address anyway.
const SHARD_SENDERS: usize = 2_048;

/// What every sender has used.
#[derive(Debug)]
pub struct Senders {
    rate: Rate,
    shards: Vec<Mutex<HashMap<IpAddr, u64>>>,
    hasher: RandomState,
}

impl Senders {
    /// Nobody has used anything.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }

    /// Counts one more of a sender.
    ///
    /// # Errors
    /// When it is too many; it is not counted then.
    pub fn take(&self, sender: IpAddr, now: Timestamp) -> Result<Left, Spent> {
        let sender = counted_as(sender);
        let place = usize::try_from(self.hasher.hash_one(sender)).unwrap_or(0) % SHARDS;
        let full = Left { rate: self.rate, left: self.rate.burst, full_after: std::time::Duration::ZERO };
        let Some(shard) = self.shards.get(place) else { return Ok(full) };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = shard.get(&sender).copied().unwrap_or(0);
        let (next, left) = step(seen, &self.rate, now)?;
        if SHARD_SENDERS <= shard.len() && !shard.contains_key(&sender) {
            make_room(&mut shard, now);
        }
        shard.insert(sender, next);
        Ok(left)
    }
}

/// Forgets those who have all of their rate again, or one of the others.
fn make_room(shard: &mut HashMap<IpAddr, u64>, now: Timestamp) {
    let now = u64::try_from(now.0).unwrap_or(0).saturating_mul(1_000_000);
    shard.retain(|_, used| now < *used);
    if SHARD_SENDERS <= shard.len()
        && let Some(any) = shard.keys().next().copied()
    {
        shard.remove(&any);
    }
}

fn counted_as(sender: IpAddr) -> IpAddr {
    match sender {
        IpAddr::V4(_) => sender,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

    #[test]
    fn so_many_senders_take_no_more_than_their_room() {
        let senders = Senders::new(RATE);
        for number in 0..200_000_u32 {
            let sender = IpAddr::V4(number.into());
            senders.take(sender, Timestamp(1_000)).unwrap();
        }
        let held: usize = senders.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(SHARDS < held && held <= SHARDS * SHARD_SENDERS, "{held}");
    }
}
