//! How events are found that runs wait for.

use crate::domain::id::EventId;
use crate::domain::time::Timestamp;

/// What events are found by that runs wait for: a hash of the topic's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicKey(pub [u8; 8]);

impl TopicKey {
    /// The key of a topic. Two topics may share one: the event itself says what it is.
    #[must_use]
    pub fn of(topic: &str) -> Self {
        let mut key = [0; 8];
        let hash = ring::digest::digest(&ring::digest::SHA256, topic.as_bytes());
        key.iter_mut().zip(hash.as_ref()).for_each(|(slot, byte)| *slot = *byte);
        Self(key)
    }
}

/// A topic that a run listens to, and how far it has looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    /// Which.
    pub topic: TopicKey,
    /// The last event of it that the run has seen, by its place among all events with a topic.
    pub seen: u64,
}

/// An event with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    /// Its place among all events with a topic, in the order in which they were stored. It begins with
    /// the time of storing: `time_ms << 20`.
    pub seq: u64,
    /// The event.
    pub event: EventId,
}

/// The first place of events that were stored at this time or later.
#[must_use]
pub fn seq_at(time: Timestamp) -> u64 {
    u64::try_from(time.0).unwrap_or(0) << 20
}
