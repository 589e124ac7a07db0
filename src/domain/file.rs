//! A file that came with an event. Its content lies in the store, beside the event, in pieces.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::id::EventId;

/// How much of a file is stored and read at once, in bytes; the last piece may be shorter.
pub const PIECE_BYTES: usize = 256 * 1024;

/// The name of a file: its event, and its place among the event's files, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// The event it came with.
    pub event: EventId,
    /// From 1.
    pub number: u16,
}

/// `evt_…/1`, where it is also found below `/api/events`.
impl fmt::Display for FileId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.event, self.number)
    }
}

/// Why a text is not the id of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of a file: expected the id of an event, `/` and a number from 1")]
pub struct BadFileId(String);

impl FromStr for FileId {
    type Err = BadFileId;

    fn from_str(text: &str) -> Result<Self, BadFileId> {
        let read = || {
            let (event, number) = text.split_once('/')?;
            let id = Self { event: event.parse().ok()?, number: number.parse().ok().filter(|number| *number != 0)? };
            // `+1` and `01` name nothing.
            (id.to_string() == text).then_some(id)
        };
        read().ok_or_else(|| BadFileId(text.to_owned()))
    }
}

/// What an event tells of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFile {
    /// From 1; with the event's id it is the file's own.
    pub number: u16,
    /// The form's field.
    pub field: String,
    /// As its sender calls it; without folders.
    pub name: String,
    /// The content type, as its sender says: nobody has looked whether it is so.
    #[serde(rename = "type")]
    pub kind: String,
    /// In bytes.
    pub size: u64,
    /// Of the content, in hexadecimal.
    pub sha256: String,
}

impl EventFile {
    /// Its name in the store.
    #[must_use]
    pub fn id(&self, event: EventId) -> FileId {
        FileId { event, number: self.number }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_in_no_other_way() {
        let event: EventId = "evt_01h00000000000000000000000".parse().unwrap();
        let id = FileId { event, number: 12 };
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "evt_01h00000000000000000000000", "evt_01h00000000000000000000000/0", "evt_01h00000000000000000000000/+1"] {
            assert!(bad.parse::<FileId>().is_err(), "{bad}");
        }
        for bad in ["/1", "evt_01h00000000000000000000000/01", "evt_01h00000000000000000000000/1/1", "evt_01h00000000000000000000000/65536"]
        {
            assert!(bad.parse::<FileId>().is_err(), "{bad}");
        }
    }
}
