//! What the key of an open run holds: when it has more to do, what it listens to, what it shares with others.

use super::super::{Listening, OpenRun, TopicKey};
use super::record::{Reader, mode_code, mode_of, wake_bytes};
use crate::domain::admission::{Key, Lane};
use crate::domain::id::RunId;
use crate::domain::time::Timestamp;

const CANCEL: u8 = 1;
const BEGUN: u8 = 2;
const LANE: u8 = 4;

/// What an open run's key holds: flags, wake, the lane if there is one, what is listened to.
pub(super) fn write(wake: Option<Timestamp>, cancel: bool, begun: bool, lane: Option<Lane>, listens: &[Listening]) -> Vec<u8> {
    let flag = |flag: u8, set: bool| if set { flag } else { 0 };
    let mut bytes = vec![flag(CANCEL, cancel) | flag(BEGUN, begun) | flag(LANE, lane.is_some())];
    bytes.extend(wake_bytes(wake));
    if let Some(Lane { key, limit, mode }) = lane {
        bytes.extend(key.0);
        bytes.extend(limit.to_be_bytes());
        bytes.push(mode_code(mode));
    }
    for Listening { topic, seen } in listens {
        bytes.extend(topic.0);
        bytes.extend(seen.to_be_bytes());
    }
    bytes
}

pub(super) fn read(id: [u8; 16], bytes: &[u8]) -> Option<OpenRun> {
    let mut reader = Reader(bytes);
    let flags = reader.byte()?;
    let wake = reader.wake()?;
    let lane = if flags & LANE == 0 {
        None
    } else {
        let (key, limit, mode) = (Key(reader.take()?), u32::from_be_bytes(reader.take()?), mode_of(reader.byte()?));
        Some(Lane { key, limit, mode })
    };
    let mut listens = Vec::new();
    while !reader.0.is_empty() {
        listens.push(Listening { topic: TopicKey(reader.take()?), seen: u64::from_be_bytes(reader.take()?) });
    }
    let (cancel, begun) = (flags & CANCEL != 0, flags & BEGUN != 0);
    Some(OpenRun { id: RunId::from_bytes(id), wake, cancel, begun, lane, listens: listens.into() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::workflow::Mode;

    proptest! {
        #[test]
        fn an_open_run_is_read_as_written(wake: Option<i32>, cancel: bool, begun: bool, lane: Option<([u8; 16], u32)>, seen: Vec<u64>) {
            let wake = wake.map(|ms| Timestamp(ms.into()));
            let lane = lane.map(|(key, limit)| Lane { key: Key(key), limit, mode: Mode::Restart });
            let listens: Vec<_> = seen.into_iter().map(|seen| Listening { topic: TopicKey(seen.to_be_bytes()), seen }).collect();
            let open = read([7; 16], &write(wake, cancel, begun, lane, &listens));
            prop_assert_eq!(open, Some(OpenRun { id: RunId::from_bytes([7; 16]), wake, cancel, begun, lane, listens: listens.into() }));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _read = read([0; 16], &bytes);
        }
    }
}
