//! What was refused: counted by reason and hook, the last ones remembered, and told to the log at most once a second each.
//! Never a body, a header or a query.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::secret::Secrets;
use crate::domain::time::Timestamp;

/// Parts with a lock of their own; all of one reason and hook are in one.
const SHARDS: usize = 4;
/// Refused requests that are remembered by one part, so 1,000 in all.
const SHARD_REMEMBERED: usize = 250;
/// How often the log is told of one reason and hook.
const LOG_EVERY: Duration = Duration::from_secs(1);
/// How much of a path or a detail is kept.
const TEXT_BYTES: usize = 200;

/// What was refused, why, and who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRequest {
    /// Its place among all.
    pub number: u64,
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
    /// What the sender was told, where that quotes nothing of the body.
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
    /// What the sender is told.
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

#[derive(Debug, Default)]
struct Shard {
    counts: HashMap<(&'static str, Option<Arc<str>>), Count>,
    last: VecDeque<RefusedRequest>,
}

/// Everything that was refused since the start.
#[derive(Debug, Default)]
pub struct Refusals {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    next: AtomicU64,
}

impl Refusals {
    /// Counts and remembers one. Reasons and hooks are those that the server has, so their number is bounded.
    pub fn note(&self, refused: Refused<'_>, secrets: &Secrets, now: Timestamp) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let key = (refused.reason, refused.hook.clone());
        let place = usize::try_from(self.hasher.hash_one(&key)).unwrap_or(0) % SHARDS;
        let Some(shard) = self.shards.get(place) else { return };
        // What the body holds stays out: these may quote it.
        let detail = if matches!(refused.status, 400 | 409 | 415 | 422) { "" } else { refused.detail };
        let kept = |text: &str| {
            let mut text = text.to_owned();
            secrets.mask_text(&mut text);
            text.truncate(text.floor_char_boundary(TEXT_BYTES));
            text
        };
        let request = RefusedRequest {
            number,
            at: now,
            reason: refused.reason,
            status: refused.status,
            hook: refused.hook,
            method: kept(refused.method),
            path: kept(refused.path),
            sender: refused.sender,
            detail: kept(detail),
        };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let count = shard.counts.entry(key).or_default();
        count.all += 1;
        let due = count.told_at.is_none_or(|at| LOG_EVERY <= now.since(at) || now < at);
        if due {
            let since = count.all - count.told;
            (count.told, count.told_at) = (count.all, Some(now));
            log(&request, since);
        }
        if SHARD_REMEMBERED <= shard.last.len() {
            shard.last.pop_front();
        }
        shard.last.push_back(request);
    }

    /// The last ones, newest first.
    #[must_use]
    pub fn last(&self, limit: usize) -> Vec<RefusedRequest> {
        let mut all: Vec<RefusedRequest> =
            self.shards.iter().flat_map(|shard| lock(shard).last.iter().cloned().collect::<Vec<_>>()).collect();
        all.sort_unstable_by_key(|refused| std::cmp::Reverse(refused.number));
        all.truncate(limit);
        all
    }

    /// How many there were, by reason and hook.
    #[must_use]
    pub fn counts(&self) -> Vec<Counted> {
        let counted = |shard: &Mutex<Shard>| -> Vec<Counted> {
            let shard = lock(shard);
            shard.counts.iter().map(|((reason, hook), count)| Counted { reason, hook: hook.clone(), count: count.all }).collect()
        };
        let mut all: Vec<Counted> = self.shards.iter().flat_map(counted).collect();
        all.sort_unstable();
        all
    }
}

fn lock(shard: &Mutex<Shard>) -> std::sync::MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn log(refused: &RefusedRequest, requests: u64) {
    let RefusedRequest { reason, status, hook, sender, detail, .. } = refused;
    let hook = hook.as_deref().unwrap_or_default();
    let sender = sender.map(|sender| sender.to_string()).unwrap_or_default();
    tracing::warn!(reason, status, hook, sender, requests, detail, "requests were refused");
}
