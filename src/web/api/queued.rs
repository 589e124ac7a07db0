//! Why a run has not begun.

use serde_json::json;

use crate::domain::Value;
use crate::domain::run::Status;
use crate::domain::time::Timestamp;
use crate::store::{Gathers, RunHead};

/// What a queued run waits for; nothing if it only waits for a free hand.
pub(super) fn waits(head: &RunHead, now: Timestamp) -> Option<Value> {
    if head.status != Status::Queued {
        return None;
    }
    if let Some(until) = head.wake.filter(|wake| now < *wake) {
        let until = until.to_string();
        return Some(match head.gathers {
            Some(Gathers::All) => json!({"for": "batch", "until": until, "events": head.events}),
            Some(Gathers::Last) => json!({"for": "debounce", "until": until, "events": head.events}),
            None => json!({"for": "throttle", "until": until}),
        });
    }
    head.lane.map(|lane| json!({"for": "concurrency", "limit": lane.limit}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::admission::{Key, Lane};
    use crate::domain::id::{EventId, Revision, RunId};
    use crate::domain::workflow::Mode;

    #[test]
    fn a_queued_run_says_what_it_waits_for() {
        let lane = Lane { key: Key([1; 16]), limit: 2, mode: Mode::Queue };
        let head = |wake: Option<i64>, gathers, lane| RunHead {
            id: RunId::from_bytes([1; 16]),
            workflow: "w".into(),
            revision: Revision([1; 32]),
            event: EventId::from_bytes([1; 16]),
            events: 3,
            status: Status::Queued,
            parent: None,
            lane,
            gathers,
            accepted: Timestamp(0),
            updated: Timestamp(0),
            wake: wake.map(Timestamp),
            error: None,
            replay_of: None,
        };
        let check = |head: &RunHead, expected: Option<Value>| assert_eq!(waits(head, Timestamp(1_000)), expected);
        let until = "1970-01-01T00:00:01.001Z";
        check(&head(None, None, None), None);
        check(&head(None, None, Some(lane)), Some(json!({"for": "concurrency", "limit": 2})));
        check(&head(Some(1_001), None, Some(lane)), Some(json!({"for": "throttle", "until": until})));
        check(&head(Some(1_000), None, Some(lane)), Some(json!({"for": "concurrency", "limit": 2})));
        check(&head(Some(1_001), Some(Gathers::All), None), Some(json!({"for": "batch", "until": until, "events": 3})));
        check(&head(Some(1_001), Some(Gathers::Last), None), Some(json!({"for": "debounce", "until": until, "events": 3})));
        let running = RunHead { status: Status::Running, ..head(None, None, Some(lane)) };
        check(&running, None);
    }
}
