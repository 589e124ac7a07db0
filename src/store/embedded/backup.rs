//! A store as one file that any engine can be filled from.
//!
//! | part | content |
//! |---|---|
//! | header | `hence-backup 1` and a line feed, the data format as four bytes |
//! | record | length of the key and of the value, four bytes each, then both |
//! | end | four bytes `0xff`, the number of records in eight bytes, a SHA-256 over everything before it |
//!
//! All numbers are big-endian. A file without its end, or with another sum, is not a backup.

use std::io::{ErrorKind, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use ring::digest::{Context, SHA256};

use super::super::kv::{Batch, Order, VALUE_MAX_BYTES};
use super::super::{BackupStream, StoreError};
use super::snapshot::{END, PIECE_BYTES, Record, Snapshot};
use super::{Core, Embedded, FORMAT, key};

const HEADER: &[u8] = b"hence-backup 1\n";
const END_MARK: [u8; 4] = [u8::MAX; 4];
const SUM_BYTES: usize = 32;
/// The longest key that a backup may hold; the longest one of ours is a schedule's name.
const KEY_MAX_BYTES: usize = 64 * 1024;

/// A backup that is being written.
struct Export {
    core: Arc<Core>,
    snapshot: Snapshot,
    sum: Context,
    records: u64,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    Records,
    Done,
}

impl Export {
    fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let mut out = Vec::new();
        match self.stage {
            Stage::Done => return Ok(None),
            Stage::Header => {
                out.extend(HEADER);
                out.extend(FORMAT.to_be_bytes());
                self.stage = Stage::Records;
            }
            Stage::Records => match self.core.next_piece(&mut self.snapshot)? {
                Some(piece) => {
                    for (key, value) in piece {
                        for len in [key.len(), value.len()] {
                            let len = u32::try_from(len).ok().ok_or_else(|| StoreError::Io("a record is too large".to_owned()))?;
                            out.extend(len.to_be_bytes());
                        }
                        out.extend(key);
                        out.extend(value);
                        self.records += 1;
                    }
                }
                None => {
                    out.extend(END_MARK);
                    out.extend(self.records.to_be_bytes());
                    self.sum.update(&out);
                    out.extend(self.sum.clone().finish().as_ref());
                    self.stage = Stage::Done;
                    return Ok(Some(out.into()));
                }
            },
        }
        self.sum.update(&out);
        Ok(Some(out.into()))
    }
}

impl Embedded {
    pub(super) fn begin_backup(&self) -> BoxFuture<'_, Result<BackupStream, StoreError>> {
        let core = Arc::clone(&self.0);
        let begun = self.blocking(move |of| {
            let snapshot = of.begin_snapshot(&mut of.writer())?;
            Ok(Export { core, snapshot, sum: Context::new(&SHA256), records: 0, stage: Stage::Header })
        });
        Box::pin(async move { Ok(stream::unfold(Some(begun.await?), next_piece).boxed()) })
    }
}

/// One step of the stream. After an error there is nothing more.
async fn next_piece(export: Option<Export>) -> Option<(Result<Bytes, StoreError>, Option<Export>)> {
    let mut export = export?;
    let work = move || {
        let piece = export.next();
        (piece, export)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok((Ok(Some(piece)), export)) => Some((Ok(piece), Some(export))),
        Ok((Ok(None), _)) => None,
        Ok((Err(error), _)) => Some((Err(error), None)),
        Err(error) => Some((Err(StoreError::Io(format!("a store thread stopped: {error}"))), None)),
    }
}

/// Reads a backup through, piece by piece.
struct Import<R> {
    from: R,
    sum: Context,
}

impl<R: Read> Import<R> {
    fn begin(from: R) -> Result<Self, StoreError> {
        let mut import = Self { from, sum: Context::new(&SHA256) };
        let mut header = [0; HEADER.len()];
        import.fill(&mut header)?;
        if header != HEADER {
            return Err(no_backup("it does not begin like one"));
        }
        let found = u32::from_be_bytes(import.take()?);
        if FORMAT < found {
            return Err(StoreError::NewerFormat { found, known: FORMAT });
        }
        Ok(import)
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<(), StoreError> {
        self.from.read_exact(into).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => no_backup("it is cut short"),
            _ => StoreError::Io(format!("the backup cannot be read: {error}")),
        })?;
        self.sum.update(into);
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn bytes(&mut self, len: [u8; 4], max: usize) -> Result<Vec<u8>, StoreError> {
        let len = usize::try_from(u32::from_be_bytes(len)).ok().filter(|len| *len <= max);
        let mut bytes = vec![0; len.ok_or_else(|| no_backup("a record is larger than a store takes"))?];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The next record; nothing at an end that fits what came before.
    fn next(&mut self, records: u64) -> Result<Option<Record>, StoreError> {
        let key_len: [u8; 4] = self.take()?;
        if key_len != END_MARK {
            let value_len = self.take()?;
            return Ok(Some((self.bytes(key_len, KEY_MAX_BYTES)?, self.bytes(value_len, VALUE_MAX_BYTES)?)));
        }
        if u64::from_be_bytes(self.take()?) != records {
            return Err(no_backup("records are missing"));
        }
        let sum = self.sum.clone().finish();
        let found: [u8; SUM_BYTES] = self.take()?;
        if sum.as_ref() != found {
            return Err(no_backup("its checksum is another one: some of its bytes have changed"));
        }
        match self.from.read(&mut [0]) {
            Ok(0) => Ok(None),
            Ok(_) => Err(no_backup("it goes on behind its end")),
            Err(error) => Err(StoreError::Io(format!("the backup cannot be read: {error}"))),
        }
    }
}

fn no_backup(why: &str) -> StoreError {
    StoreError::BadBackup(why.to_owned())
}

/// Reads a backup to its end without storing anything; says how many records it holds.
///
/// # Errors
/// When it is not a whole backup, or newer than this program.
pub fn verify(from: impl Read) -> Result<u64, StoreError> {
    let mut import = Import::begin(from)?;
    let mut records = 0;
    while import.next(records)?.is_some() {
        records += 1;
    }
    Ok(records)
}

impl Core {
    /// The number of the data format goes first and comes back last: a restore that was cut short is no store.
    pub(super) fn restore(&self, from: impl Read) -> Result<u64, StoreError> {
        let mut writer = self.writer();
        let mut found = 0;
        self.kv.range(&[], END, Order::Ascending, &mut |_, _| {
            found += 1;
            if found < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        if found != 1 {
            return Err(StoreError::NotEmpty);
        }
        let mut import = Import::begin(from)?;
        writer.known = None;
        let (mut batch, mut bytes, mut records, mut format) = (Batch::default(), 0, 0, None);
        batch.delete(key::format());
        while let Some((key, value)) = import.next(records)? {
            records += 1;
            if key == key::format() {
                format = Some(value);
                continue;
            }
            bytes += key.len() + value.len();
            batch.put(key, value);
            if PIECE_BYTES * 4 <= bytes {
                self.apply(&mut writer, &std::mem::take(&mut batch))?;
                bytes = 0;
            }
        }
        format.ok_or_else(|| no_backup("it does not say its data format"))?;
        self.apply(&mut writer, &batch)?;
        let mut last = Batch::default();
        last.put(key::format(), FORMAT.to_be_bytes().to_vec());
        self.apply(&mut writer, &last)?;
        Ok(records)
    }
}
