//! How records are written: JSON for what grows over the years, after a fixed binary prefix for what
//! is read on every write. All numbers are big-endian.

use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::{Gathers, NewRun, ReplayOf, RunError, RunHead, StoreError};
use crate::domain::admission::{Gather, Key, Lane};
use crate::domain::event::{EventHead, Match};
use crate::domain::id::{EventId, Revision, RunId};
use crate::domain::run::Status;
use crate::domain::time::Timestamp;
use crate::domain::workflow::Mode;

/// A run's failure is one line in lists; the whole message is among its facts.
pub(super) const ERROR_MESSAGE_MAX_BYTES: usize = 1024;

/// Stands for "no time": a wake at that point would be the same as none.
const NEVER: i64 = i64::MIN;

pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(format!("{what} cannot be read"))
}

pub(super) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| StoreError::Io(format!("a record could not be written as JSON: {error}")))
}

pub(super) fn from_json<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::Damaged(format!("{what} cannot be read: {error}")))
}

/// Takes numbers off the front of a record.
pub(super) struct Reader<'r>(pub(super) &'r [u8]);

impl<'r> Reader<'r> {
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take().map(|[byte]| byte)
    }

    fn len(&mut self) -> Option<usize> {
        usize::try_from(u32::from_be_bytes(self.take()?)).ok()
    }

    pub(super) fn time(&mut self) -> Option<Timestamp> {
        Some(Timestamp(i64::from_be_bytes(self.take()?)))
    }

    pub(super) fn wake(&mut self) -> Option<Option<Timestamp>> {
        Some(self.time()?).map(|time| (time.0 != NEVER).then_some(time))
    }

    fn split(&mut self, len: usize) -> Option<&'r [u8]> {
        let (first, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(first)
    }
}

pub(super) fn wake_bytes(wake: Option<Timestamp>) -> [u8; 8] {
    wake.map_or(NEVER, |time| time.0).to_be_bytes()
}

fn len_bytes(len: usize) -> Result<[u8; 4], StoreError> {
    let len = u32::try_from(len).ok().ok_or_else(|| StoreError::Io(format!("a record of {len} bytes is larger than the store takes")))?;
    Ok(len.to_be_bytes())
}

/// An event: the lengths of its head and its body, then both. Only the beginning may be at hand.
pub(super) struct EventRecord;

impl EventRecord {
    pub(super) const PREFIX_BYTES: usize = 8;

    /// Whether it can be written at all.
    pub(super) fn check(head: &EventHead, body: &[u8]) -> Result<(), StoreError> {
        // A head is bounded by the bounds of a request.
        len_bytes(head.headers.len())?;
        len_bytes(body.len()).map(drop)
    }

    pub(super) fn write(head: &EventHead, body: &[u8]) -> Result<Vec<u8>, StoreError> {
        let head = to_json(head)?;
        Ok([&len_bytes(head.len())?[..], &len_bytes(body.len())?, &head, body].concat())
    }

    /// How long the whole record is, from its beginning.
    pub(super) fn total_bytes(first: &[u8]) -> Option<usize> {
        let mut reader = Reader(first);
        Some(Self::PREFIX_BYTES + reader.len()? + reader.len()?)
    }

    /// How much of it is needed to read the head.
    pub(super) fn head_bytes(first: &[u8]) -> Option<usize> {
        Some(Self::PREFIX_BYTES + Reader(first).len()?)
    }

    pub(super) fn read_head(record: &[u8]) -> Result<EventHead, StoreError> {
        let mut reader = Reader(record);
        let head = reader.len().zip(reader.len()).and_then(|(head_len, _)| reader.split(head_len));
        from_json("an event", head.ok_or_else(|| damaged("an event"))?)
    }

    pub(super) fn read_body(record: Vec<u8>) -> Result<Bytes, StoreError> {
        let head_bytes = Self::head_bytes(&record).filter(|len| *len <= record.len()).ok_or_else(|| damaged("an event"))?;
        Ok(Bytes::from(record).slice(head_bytes..))
    }
}

/// A dedupe key's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Remembered {
    pub(super) until: Timestamp,
    pub(super) event: EventId,
    /// What came of the event, once it is gone itself.
    pub(super) matches: Option<Vec<Match>>,
}

impl Remembered {
    pub(super) fn write(&self) -> Result<Vec<u8>, StoreError> {
        let matches = self.matches.as_ref().map(to_json).transpose()?.unwrap_or_default();
        Ok([&self.until.0.to_be_bytes()[..], &self.event.to_bytes(), &matches].concat())
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut reader = Reader(bytes);
        let read = reader.time().zip(reader.take());
        let (until, event) = read.ok_or_else(|| damaged("a dedupe key"))?;
        let matches = if reader.0.is_empty() { None } else { Some(from_json("a dedupe key", reader.0)?) };
        Ok(Self { until, event: EventId::from_bytes(event), matches })
    }
}

/// A run's head as stored. A commit changes it without reading any JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RunRecord {
    pub(super) len: u32,
    pub(super) status: Status,
    pub(super) cancel: bool,
    /// Its key among the open ones says what it listens to.
    pub(super) listening: bool,
    pub(super) accepted: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) wake: Option<Timestamp>,
    pub(super) event: EventId,
    /// How many events it has gathered; 1 if it gathers none.
    pub(super) events: u32,
    pub(super) revision: Revision,
    /// What never changes, as JSON.
    fixed: Vec<u8>,
    /// A [`RunError`] as JSON, or nothing.
    error: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Fixed {
    workflow: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lane: Option<FixedLane>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gathers: Option<FixedGathers>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replay_of: Option<ReplayOf>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FixedLane {
    key: [u8; 16],
    limit: u32,
    mode: u8,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FixedGathers {
    Last,
    All,
}

impl RunRecord {
    pub(super) fn new(new: &NewRun, event: EventId, accepted: Timestamp, replay_of: Option<&ReplayOf>) -> Result<Self, StoreError> {
        let lane = new.lane.map(|lane| FixedLane { key: lane.key.0, limit: lane.limit, mode: mode_code(lane.mode) });
        let gathers = new.gather.map(|gather| match gather {
            Gather::Debounce { .. } => FixedGathers::Last,
            Gather::Batch { .. } => FixedGathers::All,
        });
        let (workflow, replay_of) = (Arc::clone(&new.workflow), replay_of.cloned());
        let fixed = to_json(&Fixed { workflow, parent: new.parent, lane, gathers, replay_of })?;
        let (status, error, revision) = (Status::Queued, Vec::new(), new.revision);
        let (len, events, cancel, listening, wake) = (0, 1, false, false, None);
        Ok(Self { len, status, cancel, listening, accepted, updated: accepted, wake, event, events, revision, fixed, error })
    }

    pub(super) fn set_error(&mut self, error: Option<&RunError>) -> Result<(), StoreError> {
        self.error = match error {
            None => Vec::new(),
            Some(RunError { step, message }) => {
                let message = message.get(..message.floor_char_boundary(ERROR_MESSAGE_MAX_BYTES)).unwrap_or_default().to_owned();
                to_json(&RunError { step: step.clone(), message })?
            }
        };
        Ok(())
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, StoreError> {
        let events = self.events.to_be_bytes();
        Ok([
            &self.len.to_be_bytes()[..],
            &[status_code(self.status), u8::from(self.cancel) | (u8::from(self.listening) << 1) | (u8::from(1 < self.events) << 2)],
            if 1 < self.events { &events } else { &[][..] },
            &self.accepted.0.to_be_bytes(),
            &self.updated.0.to_be_bytes(),
            &wake_bytes(self.wake),
            &self.event.to_bytes(),
            &self.revision.0,
            &len_bytes(self.fixed.len())?,
            &self.fixed,
            &self.error,
        ]
        .concat())
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, StoreError> {
        Self::try_read(bytes).ok_or_else(|| damaged("a run"))
    }

    fn try_read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (len, status, flags) = (u32::from_be_bytes(reader.take()?), status_of(reader.byte()?)?, reader.byte()?);
        Some(Self {
            len,
            status,
            cancel: flags & 1 != 0,
            listening: flags & 2 != 0,
            events: if flags & 4 == 0 { 1 } else { u32::from_be_bytes(reader.take()?) },
            accepted: reader.time()?,
            updated: reader.time()?,
            wake: reader.wake()?,
            event: EventId::from_bytes(reader.take()?),
            revision: Revision(reader.take()?),
            fixed: {
                let len = reader.len()?;
                reader.split(len)?.to_vec()
            },
            error: reader.0.to_vec(),
        })
    }

    /// How many of its kind go on at once, and whether it gathers all its events.
    pub(super) fn lane(&self) -> Result<Option<Lane>, StoreError> {
        // Most runs have none, and this is asked for at every write.
        if !self.fixed.windows(LANE.len()).any(|window| window == LANE) {
            return Ok(None);
        }
        let Fixed { lane, .. } = from_json("a run", &self.fixed)?;
        Ok(lane.map(|lane| Lane { key: Key(lane.key), limit: lane.limit, mode: mode_of(lane.mode) }))
    }

    pub(super) fn head(&self, id: RunId) -> Result<RunHead, StoreError> {
        let Fixed { workflow, parent, lane, gathers, replay_of } = from_json("a run", &self.fixed)?;
        let lane = lane.map(|lane| Lane { key: Key(lane.key), limit: lane.limit, mode: mode_of(lane.mode) });
        let gathers = gathers.filter(|_| self.len == 0).map(|gathers| match gathers {
            FixedGathers::Last => Gathers::Last,
            FixedGathers::All => Gathers::All,
        });
        let error = if self.error.is_empty() { None } else { Some(from_json("a run's error", &self.error)?) };
        let Self { revision, event, events, status, accepted, updated, wake, .. } = *self;
        Ok(RunHead { id, workflow, revision, event, events, parent, lane, gathers, status, accepted, updated, wake, error, replay_of })
    }
}

/// How a lane begins in a run's fixed part.
const LANE: &[u8] = br#""lane":{"#;

/// The numbers are in every store: they do not change.
pub(super) fn mode_code(mode: Mode) -> u8 {
    match mode {
        Mode::Queue => 0,
        Mode::Skip => 1,
        Mode::Restart => 2,
    }
}

pub(super) fn mode_of(code: u8) -> Mode {
    match code {
        1 => Mode::Skip,
        2 => Mode::Restart,
        _ => Mode::Queue,
    }
}

/// The numbers are in every store: they do not change.
fn status_code(status: Status) -> u8 {
    match status {
        Status::Queued => 0,
        Status::Running => 1,
        Status::Waiting => 2,
        Status::Succeeded => 3,
        Status::Failed => 4,
        Status::Canceled => 5,
    }
}

fn status_of(code: u8) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status_code(*status) == code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> RunRecord {
        let new = NewRun::new(RunId::from_bytes([2; 16]), Arc::from("lead"), Revision([9; 32]));
        RunRecord::new(&new, EventId::from_bytes([1; 16]), Timestamp(5), None).unwrap()
    }

    #[test]
    fn a_run_of_an_earlier_version_is_read() {
        let run = RunRecord { fixed: br#"{"workflow":"lead"}"#.to_vec(), ..record() };
        assert_eq!(run.write(), record().write(), "a run that replays nothing is written as ever");
        let head = RunRecord::read(&run.write().unwrap()).unwrap().head(RunId::from_bytes([2; 16])).unwrap();
        assert_eq!((&*head.workflow, head.replay_of), ("lead", None));
    }

    #[test]
    fn a_run_is_read_as_written() {
        let mut run = record();
        (run.wake, run.events) = (Some(Timestamp(77)), 3);
        for status in Status::ALL {
            run.status = status;
            assert_eq!(RunRecord::read(&run.write().unwrap()), Ok(run.clone()));
        }
    }

    #[test]
    fn a_long_error_is_cut_between_characters() {
        let mut run = record();
        run.set_error(Some(&RunError { step: None, message: "ü".repeat(ERROR_MESSAGE_MAX_BYTES) + "x" })).unwrap();
        let head = run.head(RunId::from_bytes([2; 16])).unwrap();
        assert_eq!(head.error.unwrap().message, "ü".repeat(ERROR_MESSAGE_MAX_BYTES / 2));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, cut in 0usize..100) {
            let written = record().write().unwrap();
            for bytes in [&bytes[..], written.get(..cut).unwrap_or(&written)] {
                let _read = (RunRecord::read(bytes), Remembered::read(bytes), EventRecord::read_head(bytes));
                let _body = EventRecord::read_body(bytes.to_vec());
                let _total = EventRecord::total_bytes(bytes);
            }
        }
    }
}
