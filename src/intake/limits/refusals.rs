//! What was refused: counted by reason and hook, the last ones remembered, and told to the log at most once a second each.
//! Never a body, a header or a query.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::secret::Secrets;
use crate::domain::time::Timestamp;

/// Parts of the counts with a lock of their own; all of one reason and hook are in one.
const SHARDS: usize = 16;
/// Refused requests that are remembered.
const REMEMBERED: usize = 1_000;
/// How many of one reason and hook are remembered within `LOG_EVERY`: a flood of one kind leaves the others there to be seen.
const REMEMBERED_AT_ONCE: u64 = 10;
/// How often the log is told of one reason and hook.
const LOG_EVERY: Duration = Duration::from_secs(1);
/// How much of a path or a detail is kept.
const TEXT_BYTES: usize = 200;

/// What was refused, why, and who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRequest {
    /// When.
    pub at: Timestamp,
    /// The code of the answer.
    pub reason: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// The path of the hook as its workflow writes it, where there was one.
    pub hook: Option<Arc<str>>,
    /// As sent; nothing when the request could not be read that far.
    pub method: String,
    /// Without the query; nothing for links that are credentials.
    pub path: String,
    /// Who sent it.
    pub sender: Option<IpAddr>,
    /// What the sender was told, without a word of what was sent.
    pub detail: String,
}

/// What the door knows of a request that it refuses.
#[derive(Debug, Clone, Default)]
pub struct Refused<'r> {
    /// The code of the answer.
    pub reason: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// The hook, where there was one.
    pub hook: Option<Arc<str>>,
    /// As sent.
    pub method: &'r str,
    /// Without the query.
    pub path: &'r str,
    /// Who sent it.
    pub sender: Option<IpAddr>,
    /// What the sender is told, without a word of what was sent.
    pub detail: &'r str,
}

/// How many of one reason and hook there were.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// The code of the answer.
    pub reason: &'static str,
    /// The hook, where there was one.
    pub hook: Option<Arc<str>>,
    /// So many since the start.
    pub count: u64,
}

#[derive(Debug, Default)]
struct Count {
    all: u64,
    told: u64,
    told_at: Option<Timestamp>,
}

type Counts = HashMap<(&'static str, Option<Arc<str>>), Count>;

/// Everything that was refused since the start.
#[derive(Debug, Default)]
pub struct Refusals {
    counts: [Mutex<Counts>; SHARDS],
    hasher: RandomState,
    last: Mutex<VecDeque<RefusedRequest>>,
}

impl Refusals {
    /// Counts one, and remembers it. Reasons and hooks are those that the server has, so their number is bounded.
    pub fn note(&self, refused: Refused<'_>, secrets: &Secrets, now: Timestamp) {
        let key = (refused.reason, refused.hook.clone());
        let Some(since_told) = self.count(key, now) else { return };
        let kept = |text: &str| {
            let mut text = text.to_owned();
            secrets.mask_text(&mut text);
            text.truncate(text.floor_char_boundary(TEXT_BYTES));
            text
        };
        let request = RefusedRequest {
            at: now,
            reason: refused.reason,
            status: refused.status,
            hook: refused.hook,
            method: kept(refused.method),
            path: kept(refused.path),
            sender: refused.sender,
            detail: kept(refused.detail),
        };
        if let Told::Now(requests) = since_told {
            log(&request, requests);
        }
        let mut last = lock(&self.last);
        if REMEMBERED <= last.len() {
            last.pop_front();
        }
        last.push_back(request);
    }

    /// Counts one more; nothing when there were enough of the kind just now, so that it is only counted.
    fn count(&self, key: (&'static str, Option<Arc<str>>), now: Timestamp) -> Option<Told> {
        let place = usize::try_from(self.hasher.hash_one(&key)).unwrap_or(0) % SHARDS;
        let mut counts = lock(self.counts.get(place)?);
        let count = counts.entry(key).or_default();
        count.all += 1;
        let since = count.all - count.told;
        if count.told_at.is_none_or(|at| LOG_EVERY <= now.since(at) || now < at) {
            (count.told, count.told_at) = (count.all, Some(now));
            return Some(Told::Now(since));
        }
        (since < REMEMBERED_AT_ONCE).then_some(Told::Before)
    }

    /// The last ones, newest first.
    #[must_use]
    pub fn last(&self, limit: usize) -> Vec<RefusedRequest> {
        lock(&self.last).iter().rev().take(limit).cloned().collect()
    }

    /// How many there were, by reason and hook.
    #[must_use]
    pub fn counts(&self) -> Vec<Counted> {
        let counted = |counts: &Mutex<Counts>| -> Vec<Counted> {
            let counts = lock(counts);
            counts.iter().map(|((reason, hook), count)| Counted { reason, hook: hook.clone(), count: count.all }).collect()
        };
        let mut all: Vec<Counted> = self.counts.iter().flat_map(counted).collect();
        all.sort_unstable();
        all
    }
}

/// Whether the log is told of a refusal.
enum Told {
    /// It is, of so many at once.
    Now(u64),
    /// It was, less than a second ago.
    Before,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn log(refused: &RefusedRequest, requests: u64) {
    let RefusedRequest { reason, status, hook, sender, detail, .. } = refused;
    let hook = hook.as_deref().unwrap_or_default();
    let sender = sender.map(|sender| sender.to_string()).unwrap_or_default();
    tracing::warn!(reason, status, hook, sender, requests, detail, "requests were refused");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_and_masked() {
        let (refusals, secrets) = (Refusals::default(), Secrets::of("hunter22"));
        for second in 0..1_500 {
            let path = format!("/hooks/hunter22/{second}/{}", "ü".repeat(500));
            let refused = Refused { reason: "no-hook", status: 404, path: &path, detail: "of hunter22", ..Refused::default() };
            refusals.note(refused, &secrets, Timestamp(second * 1_000));
        }
        let last = refusals.last(10_000);
        assert_eq!((last.len(), last[0].at), (REMEMBERED, Timestamp(1_499_000)));
        assert!(last.iter().all(|refused| refused.path.len() <= TEXT_BYTES && !format!("{refused:?}").contains("hunter22")));
        assert_eq!(refusals.counts(), [Counted { reason: "no-hook", hook: None, count: 1_500 }]);
    }
}
