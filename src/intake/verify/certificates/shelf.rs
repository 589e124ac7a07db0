//! Which certificates are remembered, for how long, and which of them give way to others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::time::Timestamp;

/// How long a certificate is used before it is fetched again.
const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// How long one that could not be had is not asked for again.
const MISSING_KEPT: Duration = Duration::from_secs(30);
/// How many are remembered of each standing.
const REMEMBERED: usize = 64;

/// What an address has to show for itself. Those of one standing make room for one another alone: anybody can name addresses at
/// which there is nothing, or the certificate of somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nothing was there.
    Missing,
    /// A certificate was there.
    Fetched,
    /// A message was signed with what was there.
    Proven,
}

#[derive(Debug)]
struct Place {
    standing: Standing,
    /// Nothing where there was none the last time.
    key: Option<Arc<[u8]>>,
    until: Timestamp,
}

/// The keys of certificates, by address.
#[derive(Debug, Default)]
pub(super) struct Shelf(BTreeMap<String, Place>);

impl Shelf {
    /// The key of the certificate at an address, or that there was none; nothing where somebody has to look again.
    pub(super) fn find(&self, url: &str, now: Timestamp) -> Option<Option<Arc<[u8]>>> {
        self.0.get(url).filter(|place| now < place.until).map(|place| place.key.clone())
    }

    /// Whether a message was ever signed with what is at an address.
    pub(super) fn is_proven(&self, url: &str) -> bool {
        self.0.get(url).is_some_and(|place| place.standing == Standing::Proven)
    }

    /// Remembers what is at an address now.
    pub(super) fn put(&mut self, url: &str, key: Option<Arc<[u8]>>, now: Timestamp) {
        self.0.retain(|_, place| now < place.until || place.standing == Standing::Proven);
        let standing = match key {
            _ if self.is_proven(url) => Standing::Proven,
            Some(_) => Standing::Fetched,
            None => Standing::Missing,
        };
        let until = now.after(if key.is_some() { KEPT } else { MISSING_KEPT });
        self.0.remove(url);
        self.make_room(standing);
        self.0.insert(url.to_owned(), Place { standing, key, until });
    }

    /// Remembers that a message was signed with what is at an address.
    pub(super) fn prove(&mut self, url: &str) {
        let Some(place) = self.0.get(url) else { return };
        if place.standing == Standing::Proven {
            return;
        }
        self.make_room(Standing::Proven);
        if let Some(place) = self.0.get_mut(url) {
            place.standing = Standing::Proven;
        }
    }

    /// Forgets those of a standing that would be fetched again first, until there is room for one.
    fn make_room(&mut self, standing: Standing) {
        while REMEMBERED <= self.0.values().filter(|place| place.standing == standing).count() {
            let same = self.0.iter().filter(|(_, place)| place.standing == standing);
            let Some(first) = same.min_by_key(|(_, place)| place.until).map(|(url, _)| url.clone()) else { return };
            self.0.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Option<Arc<[u8]>> {
        Some([1_u8].into())
    }

    #[test]
    fn what_has_proven_a_message_outlasts_a_flood_of_addresses() {
        let mut shelf = Shelf::default();
        shelf.put("real", key(), Timestamp(0));
        shelf.prove("real");
        for number in 0..1_000 {
            shelf.put(&format!("missing {number}"), None, Timestamp(number));
            shelf.put(&format!("fetched {number}"), key(), Timestamp(number));
        }
        assert_eq!(shelf.find("real", Timestamp(1_000)), Some(key()));
        assert_eq!(shelf.0.len(), 2 * REMEMBERED + 1);
        assert_eq!((shelf.find("fetched 0", Timestamp(1_000)), shelf.find("fetched 999", Timestamp(1_000))), (None, Some(key())));
        assert_eq!(shelf.find("missing 999", Timestamp(1_000)), Some(None));
    }

    #[test]
    fn one_that_could_not_be_had_gives_way_to_none_that_could() {
        let mut shelf = Shelf::default();
        shelf.put("not proven yet", key(), Timestamp(0));
        for number in 0..1_000 {
            shelf.put(&number.to_string(), None, Timestamp(0));
        }
        assert_eq!(shelf.find("not proven yet", Timestamp(0)), Some(key()));
    }

    #[test]
    fn what_was_proven_stays_so_while_it_is_looked_for_again() {
        let mut shelf = Shelf::default();
        shelf.put("real", key(), Timestamp(0));
        shelf.prove("real");
        let later = Timestamp(0).after(KEPT);
        assert_eq!(shelf.find("real", later), None);
        shelf.put("other", key(), later);
        assert!(shelf.is_proven("real"));
        shelf.put("real", None, later);
        assert!(shelf.is_proven("real"));
        assert_eq!((shelf.find("real", later), shelf.find("real", later.after(MISSING_KEPT))), (Some(None), None));
    }

    #[test]
    fn proven_ones_are_bounded_too() {
        let mut shelf = Shelf::default();
        for number in 0..1_000 {
            let url = number.to_string();
            shelf.put(&url, key(), Timestamp(number));
            shelf.prove(&url);
        }
        assert_eq!(shelf.0.len(), REMEMBERED);
        assert!(shelf.is_proven("999") && !shelf.is_proven("0"));
        shelf.prove("never heard of");
        assert!(!shelf.is_proven("never heard of"));
    }
}
