//! What the store held at one moment, read piece by piece while others write.
//!
//! An engine that keeps old pages does it by itself. For the others a shadow remembers what writes replace
//! behind the place that was read last; each change then costs one more read while a snapshot is open.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::StoreError;
use super::super::kv::{self, Batch, Kv, Order};
use super::{Core, Wanted, Writer};

/// What is read at a time.
pub(super) const PIECE_BYTES: usize = 256 * 1024;

/// The most that a shadow remembers.
const SHADOW_MAX_BYTES: usize = 64 * 1024 * 1024;

/// What an entry in the shadow's map costs beside its bytes.
const ENTRY_BYTES: usize = 64;

/// No key begins with this byte.
pub(super) const END: &[u8] = &[u8::MAX];

/// A key and its value.
pub(super) type Record = (Vec<u8>, Vec<u8>);

/// Some records, smallest key first.
pub(super) type Piece = Vec<Record>;

/// Sees one record; an error ends the walk.
type Look<'l> = &'l mut dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError>;

/// A snapshot, and how far it was read.
pub(super) struct Snapshot {
    source: Source,
    cursor: Option<Vec<u8>>,
}

enum Source {
    Engine(Box<dyn kv::Snapshot>),
    Shadow(Arc<Mutex<Shadow>>),
}

/// What was there before it was changed.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    /// Everything before this was read.
    cursor: Vec<u8>,
    before: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
    lost: bool,
}

impl Shadow {
    /// Remembers what a batch is about to change.
    pub(super) fn before(&mut self, kv: &dyn Kv, batch: &Batch) -> Result<(), StoreError> {
        for (key, _) in batch.changes() {
            if self.lost || key < &*self.cursor || self.before.contains_key(key) {
                continue;
            }
            let value = kv.get(key)?;
            self.bytes += ENTRY_BYTES + key.len() + value.as_ref().map_or(0, Vec::len);
            self.before.insert(key.to_vec(), value);
            if SHADOW_MAX_BYTES < self.bytes {
                self.lost = true;
                self.before.clear();
            }
        }
        Ok(())
    }

    /// Puts what was there before into a piece that ends at `end`.
    fn restore(&mut self, piece: Piece, end: &[u8]) -> Piece {
        let mut merged: BTreeMap<_, _> = piece.into_iter().collect();
        let later = self.before.split_off(end);
        for (key, value) in std::mem::replace(&mut self.before, later) {
            self.bytes = self.bytes.saturating_sub(ENTRY_BYTES + key.len() + value.as_ref().map_or(0, Vec::len));
            match value {
                Some(value) => merged.insert(key, value),
                None => merged.remove(&key),
            };
        }
        end.clone_into(&mut self.cursor);
        merged.into_iter().collect()
    }
}

impl Core {
    /// What is stored now.
    pub(super) fn begin_snapshot(&self, writer: &mut Writer) -> Result<Snapshot, StoreError> {
        let source = if let Some(snapshot) = self.kv.snapshot()? {
            Source::Engine(snapshot)
        } else {
            let shadow = Arc::default();
            writer.shadows.push(Arc::downgrade(&shadow));
            Source::Shadow(shadow)
        };
        Ok(Snapshot { source, cursor: Some(Vec::new()) })
    }

    /// The next keys and values; nothing at the end.
    pub(super) fn next_piece(&self, snapshot: &mut Snapshot) -> Result<Option<Piece>, StoreError> {
        let Some(from) = snapshot.cursor.take() else { return Ok(None) };
        let (piece, end) = match &snapshot.source {
            Source::Engine(engine) => collect(|visit| engine.range(&from, END, visit))?,
            Source::Shadow(shadow) => {
                // Nobody writes while a piece is read: it is small.
                let _writer = self.writer();
                let (piece, end) = collect(|visit| self.kv.range(&from, END, Order::Ascending, visit))?;
                let mut shadow = shadow.lock().unwrap_or_else(PoisonError::into_inner);
                if shadow.lost {
                    let text = "more was written meanwhile than can be remembered (64 MiB); try again when there is less to do";
                    return Err(StoreError::Io(text.to_owned()));
                }
                (shadow.restore(piece, end.as_deref().unwrap_or(END)), end)
            }
        };
        snapshot.cursor = end;
        Ok(Some(piece))
    }
}

/// A piece, and where the next one begins.
fn collect(range: impl FnOnce(kv::Visit<'_>) -> Result<(), StoreError>) -> Result<(Piece, Option<Vec<u8>>), StoreError> {
    let (mut piece, mut bytes, mut next) = (Piece::new(), 0, None);
    range(&mut |key, value| {
        if PIECE_BYTES <= bytes {
            next = Some(key.to_vec());
            return ControlFlow::Break(());
        }
        bytes += key.len() + value.len();
        piece.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })?;
    Ok((piece, next))
}

/// One piece of a range, and where the next one begins.
pub(super) fn piece(kv: &dyn Kv, from: &[u8], to: &[u8]) -> Result<(Piece, Option<Vec<u8>>), StoreError> {
    collect(|visit| kv.range(from, to, Order::Ascending, visit))
}

/// Walks a kind of records in pieces, so that the engine is not held for long. What changes meanwhile may be seen or not.
pub(super) fn walk(kv: &dyn Kv, (from, to): (Vec<u8>, Vec<u8>), wanted: &Wanted, visit: Look<'_>) -> Result<(), StoreError> {
    let mut cursor = Some(from);
    while let Some(from) = cursor {
        wanted.still()?;
        let (piece, next) = piece(kv, &from, &to)?;
        for (key, value) in &piece {
            visit(key, value)?;
        }
        cursor = next;
    }
    Ok(())
}
