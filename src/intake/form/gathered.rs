//! Files of a form on their way into the store: gathered up to a bound, then written many pieces at a time. A form whose files are
//! small is looked at as a whole before anything of it is written; of one that was given up nothing more is written.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::given_up::Pending;
use crate::domain::file::FileId;
use crate::intake::Refusal;
use crate::intake::limits::Held;
use crate::store::{Journal, PIECE_BYTES, Piece};

/// So much of a form's files is held in memory; then it is written.
const GATHERED_BYTES: usize = 4 * PIECE_BYTES;

/// The files of one form. Unless they are kept they are forgotten again, also when the request is dropped.
pub(super) struct Gathered {
    journal: Arc<Journal>,
    held: Held,
    pending: Pending,
    /// The file that comes now; none when it is of no use, since the form was given up.
    file: Option<FileId>,
    index: u32,
    piece: BytesMut,
    pieces: Vec<Piece>,
    bytes: usize,
    given_up: bool,
}

impl Gathered {
    /// None is there yet. What is in memory of them is counted in `held`.
    pub(super) fn new(journal: Arc<Journal>, held: Held, pending: Pending) -> Self {
        Self { journal, held, pending, file: None, index: 0, piece: BytesMut::new(), pieces: Vec::new(), bytes: 0, given_up: false }
    }

    /// A file begins: the event's `number`th.
    pub(super) fn begin(&mut self, number: u16) {
        self.file = (!self.given_up).then(|| FileId { event: self.pending.event(), number });
        self.index = 0;
    }

    /// Some more of the file that has begun. A large file is written as it comes.
    pub(super) async fn add(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        if self.file.is_none() {
            return Ok(());
        }
        if !self.held.more(bytes.len()) {
            return Err(Refusal::Crowded);
        }
        self.bytes = self.bytes.saturating_add(bytes.len());
        self.piece.extend_from_slice(bytes);
        while PIECE_BYTES <= self.piece.len() {
            let piece = self.piece.split_to(PIECE_BYTES).freeze();
            self.cut(piece);
        }
        if self.bytes < GATHERED_BYTES {
            return Ok(());
        }
        self.write().await?;
        // What is not a whole piece stays.
        self.bytes = self.piece.len();
        if self.held.more(self.bytes) { Ok(()) } else { Err(Refusal::Crowded) }
    }

    /// The file that has begun is at its end.
    pub(super) fn end(&mut self) {
        if !self.piece.is_empty() {
            let piece = std::mem::take(&mut self.piece).freeze();
            self.cut(piece);
        }
        self.file = None;
    }

    fn cut(&mut self, bytes: Bytes) {
        self.pieces.extend(self.file.map(|file| Piece { file, index: self.index, bytes }));
        self.index = self.index.saturating_add(1);
    }

    /// Nothing of the form is stored any more, whatever still comes.
    pub(super) fn give_up(&mut self) {
        self.given_up = true;
        self.file = None;
        self.piece = BytesMut::new();
        self.pieces = Vec::new();
        self.bytes = 0;
        self.held.give_back();
    }

    /// Writes what is in memory. On return all pieces are durable that were whole.
    pub(super) async fn write(&mut self) -> Result<(), Refusal> {
        let pieces = std::mem::take(&mut self.pieces);
        if !pieces.is_empty() {
            self.pending.begin();
            self.journal.put_files(pieces).await?;
        }
        self.held.give_back();
        Ok(())
    }

    /// The event has them now, or may have them.
    pub(super) fn keep(&mut self) {
        self.pending.keep();
    }
}

impl std::fmt::Debug for Gathered {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Gathered({:?}, {} bytes)", self.pending, self.bytes)
    }
}
