//! Files that came with events: written before their event, in pieces of several values each.

use std::ops::ControlFlow;

use bytes::{Bytes, BytesMut};

use super::super::kv::{Batch, Order, VALUE_MAX_BYTES};
use super::super::{PIECE_BYTES, Piece, StoreError, Written};
use super::record::damaged;
use super::write::admit;
use super::{Core, Writer, key};
use crate::domain::file::FileId;
use crate::domain::id::EventId;

/// How many values a whole piece takes.
const CHUNKS: usize = PIECE_BYTES.div_ceil(VALUE_MAX_BYTES);
/// How many keys are removed at once.
const REMOVED_KEYS: usize = 1_000;

/// The first value of a piece.
fn first_chunk(index: u32) -> Result<u32, StoreError> {
    let chunk = u32::try_from(CHUNKS).ok().and_then(|chunks| chunks.checked_mul(index));
    chunk.ok_or_else(|| StoreError::Io("a file is larger than the store takes".to_owned()))
}

/// Puts pieces of files, or none of them.
pub(super) fn put_files(writer: &mut Writer, batch: &mut Batch, pieces: &[Piece]) -> Written {
    // Everything that can fail comes before the first put.
    let mut placed = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match admit(writer).and_then(|()| first_chunk(piece.index)) {
            Ok(first) => placed.push((first, piece)),
            Err(error) => return Written::Refused(error.into()),
        }
    }
    for (first, Piece { file, index: _, bytes }) in placed {
        let prefix = key::file(*file);
        for (chunk, bytes) in (first..).zip(bytes.chunks(VALUE_MAX_BYTES).take(CHUNKS)) {
            batch.put(key::chunk(&prefix, chunk), bytes.to_vec());
        }
    }
    Written::Committed(Vec::new())
}

impl Core {
    pub(super) fn file(&self, file: FileId, index: u32) -> Result<Option<Bytes>, StoreError> {
        let (first, prefix) = (first_chunk(index)?, key::file(file));
        let (from, to) = (key::chunk(&prefix, first), key::chunk(&prefix, first_chunk(index.saturating_add(1))?));
        let mut bytes = BytesMut::new();
        self.kv.range(&from, &to, Order::Ascending, &mut |_, value| {
            bytes.extend_from_slice(value);
            ControlFlow::Continue(())
        })?;
        if PIECE_BYTES < bytes.len() {
            return Err(damaged("a file"));
        }
        Ok((!bytes.is_empty()).then(|| bytes.freeze()))
    }

    pub(super) fn drop_files(&self, event: EventId) -> Result<(), StoreError> {
        let from = key::files(event);
        let to = key::end_of(&from);
        loop {
            // Anew each time: between two of them others write.
            let mut writer = self.writer();
            if self.kv.get(&key::event(event))?.is_some() {
                return Ok(());
            }
            let (mut batch, mut keys) = (Batch::default(), 0);
            self.kv.range(&from, &to, Order::Ascending, &mut |key, _| {
                batch.delete(key.to_vec());
                keys += 1;
                if keys < REMOVED_KEYS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            if batch.is_empty() {
                return Ok(());
            }
            self.apply(&mut writer, &batch)?;
        }
    }

    /// How large a file is.
    pub(super) fn file_bytes(&self, file: FileId) -> Result<u64, StoreError> {
        let from = key::file(file);
        let mut bytes = 0u64;
        self.kv.range(&from, &key::end_of(&from), Order::Ascending, &mut |_, value| {
            bytes = bytes.saturating_add(u64::try_from(value.len()).unwrap_or(u64::MAX));
            ControlFlow::Continue(())
        })?;
        Ok(bytes)
    }
}
