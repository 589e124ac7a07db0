//! Where things lie: one prefix byte per kind, then ids and numbers, big-endian, so that keys sort by time.
//!
//! | key | value |
//! |---|---|
//! | `m` name | meta: the data format, the epoch |
//! | `e` event | the event's head, and its body if both fit in one value |
//! | `b` event, chunk | what did not fit |
//! | `c` until, hash | a dedupe key that is known in memory: until when, and the first event |
//! | `d` hash | a dedupe key that is not: the same |
//! | `x` until, hash | those by expiry; empty |
//! | `r` run | the run's head |
//! | `o` run | open runs: wake and cancel wish |
//! | `f` run, position \[, chunk\] | facts of one commit, a JSON array |
//! | `v` revision \[, chunk\] | a revision's files |
//! | `u` name | a schedule's cursor |
//! | `t` topic, place | an event that runs may wait for: its id |
//! | `g` run, number | an event that a run gathered: its id |
//! | `a` event, number, chunk | files that came with an event |

use super::super::TopicKey;
use crate::domain::file::FileId;
use crate::domain::id::{EventId, Revision, RunId};
use crate::domain::time::Timestamp;

const META: u8 = b'm';
const EVENT: u8 = b'e';
const EVENT_REST: u8 = b'b';
const BY_END: u8 = b'c';
const DEDUPE: u8 = b'd';
const EXPIRY: u8 = b'x';
const RUN: u8 = b'r';
const OPEN: u8 = b'o';
const FACTS: u8 = b'f';
const REVISION: u8 = b'v';
const CURSOR: u8 = b'u';
const TOPIC: u8 = b't';
const GATHERED: u8 = b'g';
const FILE: u8 = b'a';

/// A key below `prefix`.
fn key(prefix: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(prefix);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

pub(super) fn format() -> Vec<u8> {
    key(META, &[b"format"])
}

pub(super) fn epoch() -> Vec<u8> {
    key(META, &[b"epoch"])
}

pub(super) fn event(id: EventId) -> Vec<u8> {
    key(EVENT, &[&id.to_bytes()])
}

pub(super) fn event_rest(id: EventId) -> Vec<u8> {
    key(EVENT_REST, &[&id.to_bytes()])
}

pub(super) fn dedupe(hash: &[u8; 32]) -> Vec<u8> {
    key(DEDUPE, &[hash])
}

pub(super) fn expiry(until: Timestamp, hash: &[u8; 32]) -> Vec<u8> {
    key(EXPIRY, &[&sortable(until), hash])
}

/// The first key whose window has not ended at `now`.
pub(super) fn expiry_after(now: Timestamp) -> Vec<u8> {
    match now.0.checked_add(1) {
        Some(next_ms) => key(EXPIRY, &[&sortable(Timestamp(next_ms))]),
        None => vec![EXPIRY + 1],
    }
}

/// A dedupe key that is known in memory.
pub(super) fn by_end(until: Timestamp, hash: &[u8; 32]) -> Vec<u8> {
    key(BY_END, &[&sortable(until), hash])
}

/// The first of them whose window has not ended at `now`.
pub(super) fn by_end_after(now: Timestamp) -> Vec<u8> {
    match now.0.checked_add(1) {
        Some(next_ms) => key(BY_END, &[&sortable(Timestamp(next_ms))]),
        None => vec![BY_END + 1],
    }
}

/// When it ends, and its hash.
pub(super) fn by_end_parts(key: &[u8]) -> Option<(Timestamp, [u8; 32])> {
    let (until, hash) = key.strip_prefix(&[BY_END])?.split_first_chunk()?;
    Some((Timestamp(i64::from_be_bytes(*until) ^ i64::MIN), hash.try_into().ok()?))
}

pub(super) fn all_by_end() -> (Vec<u8>, Vec<u8>) {
    (vec![BY_END], vec![BY_END + 1])
}

/// The dedupe hash in an expiry key.
pub(super) fn expiry_hash(key: &[u8]) -> Option<[u8; 32]> {
    key.last_chunk().copied()
}

pub(super) fn run(id: RunId) -> Vec<u8> {
    key(RUN, &[&id.to_bytes()])
}

pub(super) fn open(id: RunId) -> Vec<u8> {
    key(OPEN, &[&id.to_bytes()])
}

pub(super) fn run_facts(id: RunId) -> Vec<u8> {
    key(FACTS, &[&id.to_bytes()])
}

pub(super) fn facts(id: RunId, position: u32) -> Vec<u8> {
    key(FACTS, &[&id.to_bytes(), &position.to_be_bytes()])
}

pub(super) fn revision(revision: Revision) -> Vec<u8> {
    key(REVISION, &[&revision.0])
}

pub(super) fn cursor(name: &str) -> Vec<u8> {
    key(CURSOR, &[name.as_bytes()])
}

/// The place of the last event that was stored with a topic.
pub(super) fn last_posted() -> Vec<u8> {
    key(META, &[b"posted"])
}

pub(super) fn posted(topic: TopicKey, seq: u64) -> Vec<u8> {
    key(TOPIC, &[&topic.0, &seq.to_be_bytes()])
}

/// The place in a [`posted`] key.
pub(super) fn posted_seq(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// All files of an event.
pub(super) fn files(event: EventId) -> Vec<u8> {
    key(FILE, &[&event.to_bytes()])
}

pub(super) fn file(id: FileId) -> Vec<u8> {
    key(FILE, &[&id.event.to_bytes(), &id.number.to_be_bytes()])
}

pub(super) fn all_files() -> (Vec<u8>, Vec<u8>) {
    (vec![FILE], vec![FILE + 1])
}

pub(super) fn gathered(run: RunId, number: u32) -> Vec<u8> {
    key(GATHERED, &[&run.to_bytes(), &number.to_be_bytes()])
}

/// The `index`th piece of what begins at `first`; it sorts after the ones before it.
pub(super) fn chunk(first: &[u8], index: u32) -> Vec<u8> {
    [first, &index.to_be_bytes()].concat()
}

/// Everything of a kind: from, and the end that is excluded.
pub(super) fn all_events() -> (Vec<u8>, Vec<u8>) {
    (vec![EVENT], vec![EVENT + 1])
}

pub(super) fn all_runs() -> (Vec<u8>, Vec<u8>) {
    (vec![RUN], vec![RUN + 1])
}

pub(super) fn all_open() -> (Vec<u8>, Vec<u8>) {
    (vec![OPEN], vec![OPEN + 1])
}

pub(super) fn all_gathered() -> (Vec<u8>, Vec<u8>) {
    (vec![GATHERED], vec![GATHERED + 1])
}

/// All dedupe keys, known in memory or not, and what else is remembered by key.
pub(super) fn all_keys() -> (Vec<u8>, Vec<u8>) {
    (vec![BY_END], vec![DEDUPE + 1])
}

pub(super) fn all_posted() -> (Vec<u8>, Vec<u8>) {
    (vec![TOPIC], vec![TOPIC + 1])
}

pub(super) fn all_revisions() -> (Vec<u8>, Vec<u8>) {
    (vec![REVISION], vec![REVISION + 1])
}

pub(super) fn all_gathered_of(run: RunId) -> (Vec<u8>, Vec<u8>) {
    let prefix = key(GATHERED, &[&run.to_bytes()]);
    let end = end_of(&prefix);
    (prefix, end)
}

/// What a record is, as a person would say it; nothing for a key of no known kind.
pub(super) fn kind(key: &[u8]) -> Option<&'static str> {
    Some(match *key.first()? {
        META => "meta",
        EVENT => "events",
        EVENT_REST => "bodies",
        BY_END | DEDUPE => "keys",
        EXPIRY => "expiries",
        RUN => "runs",
        OPEN => "open runs",
        FACTS => "facts",
        REVISION => "revisions",
        CURSOR => "schedules",
        TOPIC => "waited-for events",
        GATHERED => "gathered events",
        FILE => "files",
        _ => return None,
    })
}

/// The id right behind the first byte of a key.
pub(super) fn leading_id(key: &[u8]) -> Option<[u8; 16]> {
    key.get(1..)?.first_chunk().copied()
}

/// The hash in a dedupe key, known in memory or not.
pub(super) fn dedupe_hash(key: &[u8]) -> Option<[u8; 32]> {
    match by_end_parts(key) {
        Some((_, hash)) => Some(hash),
        None => key.strip_prefix(&[DEDUPE])?.try_into().ok(),
    }
}

/// The revision in its key, and whether this is its first value.
pub(super) fn revision_of(key: &[u8]) -> Option<(Revision, bool)> {
    let rest = key.get(1..)?;
    Some((Revision(*rest.first_chunk()?), rest.len() == 32))
}

pub(super) fn all_expiries() -> (Vec<u8>, Vec<u8>) {
    (vec![EXPIRY], vec![EXPIRY + 1])
}

/// The id at the end of an event's, a run's or an open run's key.
pub(super) fn id(key: &[u8]) -> Option<[u8; 16]> {
    key.get(1..)?.try_into().ok()
}

/// The first key that does not begin with `prefix`.
pub(super) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    // Only a prefix of nothing but 0xff has no end, and every prefix here begins with a letter.
    vec![0xff; prefix.len() + 1]
}

/// Times before 1970 sort before the others.
fn sortable(time: Timestamp) -> [u8; 8] {
    (time.0 ^ i64::MIN).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn expiry_keys_sort_by_time(a: i64, b: i64) {
            let key = |ms| expiry(Timestamp(ms), &[7; 32]);
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            prop_assert_eq!(key(a) < expiry_after(Timestamp(b)), a <= b);
            prop_assert_eq!(expiry_hash(&key(a)), Some([7; 32]));
            prop_assert_eq!(by_end_parts(&by_end(Timestamp(a), &[7; 32])), Some((Timestamp(a), [7; 32])));
            prop_assert_eq!(by_end(Timestamp(a), &[7; 32]) < by_end_after(Timestamp(b)), a <= b);
        }

        #[test]
        fn what_begins_with_a_prefix_lies_before_its_end(prefix in prop::collection::vec(any::<u8>(), 1..4), rest: Vec<u8>) {
            prop_assume!(prefix.iter().any(|byte| *byte != 0xff));
            let end = end_of(&prefix);
            prop_assert!([&*prefix, &*rest].concat() < end && !end.starts_with(&prefix));
        }
    }
}
