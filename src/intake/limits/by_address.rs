//! What is remembered of each sender's address, bounded. An IPv6 sender is its /64: one has as many addresses as it likes.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Parts with a lock of their own.
const SHARDS: usize = 64;
/// Senders that one part remembers. One that is forgotten begins anew: the bound is on memory, and flooding from so many
/// addresses is not held by a rate per address anyway.
const SHARD_SENDERS: usize = 2_048;

/// What is worth to be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// It says no more than nothing would.
    Nothing,
    /// It may be forgotten when there is no room.
    Little,
    /// It is forgotten last.
    Much,
}

/// Something for each address.
#[derive(Debug)]
pub(super) struct ByAddress<V> {
    shards: Vec<Mutex<HashMap<IpAddr, V>>>,
    hasher: RandomState,
}

/// The place of one address.
pub(super) struct Place<'a, V> {
    shard: MutexGuard<'a, HashMap<IpAddr, V>>,
    sender: IpAddr,
}

impl<V> ByAddress<V> {
    /// Nothing is known of anybody.
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }

    /// The place of a sender.
    pub(super) fn of(&self, sender: IpAddr) -> Option<Place<'_, V>> {
        let sender = counted_as(sender);
        let place = usize::try_from(self.hasher.hash_one(sender)).unwrap_or(0) % SHARDS;
        let shard = self.shards.get(place)?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Place { shard, sender })
    }
}

impl<V> Place<'_, V> {
    /// What is there.
    pub(super) fn get(&self) -> Option<&V> {
        self.shard.get(&self.sender)
    }

    /// Puts something there, in the place of what is worth least if need be.
    pub(super) fn put(mut self, value: V, worth: impl Fn(&V) -> Worth) {
        if SHARD_SENDERS <= self.shard.len() && !self.shard.contains_key(&self.sender) {
            self.shard.retain(|_, other| worth(other) != Worth::Nothing);
            if SHARD_SENDERS <= self.shard.len()
                && let Some(least) = self.shard.iter().min_by_key(|(_, other)| worth(other)).map(|(sender, _)| *sender)
            {
                self.shard.remove(&least);
            }
        }
        self.shard.insert(self.sender, value);
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
    use super::*;

    fn held<V>(all: &ByAddress<V>) -> usize {
        all.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }

    #[test]
    fn so_many_senders_take_no_more_than_their_room_and_the_least_go_first() {
        let all = ByAddress::new();
        let worth = |value: &Worth| *value;
        let address = |number: u32| IpAddr::V4(number.into());
        all.of(address(0)).unwrap().put(Worth::Much, worth);
        for number in 1..150_000 {
            all.of(address(number)).unwrap().put(Worth::Little, worth);
        }
        assert_eq!(held(&all), SHARDS * SHARD_SENDERS);
        assert_eq!(all.of(address(0)).unwrap().get(), Some(&Worth::Much));
    }

    #[test]
    fn what_says_nothing_makes_room_all_at_once() {
        let all = ByAddress::new();
        for number in 0..150_000_u32 {
            all.of(IpAddr::V4(number.into())).unwrap().put(number, |other| if *other < 140_000 { Worth::Nothing } else { Worth::Much });
        }
        assert!(held(&all) < SHARDS * SHARD_SENDERS, "{}", held(&all));
        assert_eq!(all.of(IpAddr::V4(140_000.into())).unwrap().get(), Some(&140_000));
    }
}
