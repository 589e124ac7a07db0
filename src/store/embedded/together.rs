//! Many writes, one batch. A write that fails after it has put something is left out, and the batch is put together anew.

use std::collections::HashMap;

use super::super::kv::Batch;
use super::super::{CommitError, Epoch, StoreError, Write, Written};
use super::files::put_files;
use super::keys::Known;
use super::{Core, Writer, read};

impl Core {
    pub(super) fn write(&self, writes: &[Write]) -> Result<Vec<Written>, StoreError> {
        let mut writer = self.writer();
        let written = self.put_together(&mut writer, writes);
        if written.is_err() {
            // Whether it is stored is not known.
            writer.known = None;
        }
        written
    }

    fn put_together(&self, writer: &mut Writer, writes: &[Write]) -> Result<Vec<Written>, StoreError> {
        // Once for all: nothing in a batch changes the epoch.
        let epoch = read::epoch(self.view())?;
        let mut spoilt = HashMap::new();
        loop {
            let mut batch = Batch::default();
            let Some(written) = self.stage(writer, &mut batch, epoch, writes, &mut spoilt)? else {
                writer.known.iter_mut().for_each(Known::unstage);
                continue;
            };
            if !batch.is_empty() {
                self.apply(writer, &batch)?;
            }
            writer.known.iter_mut().for_each(Known::settle);
            return Ok(written);
        }
    }

    /// Puts all writes into one batch. One that met trouble after it had put something is noted, and the batch is to be put
    /// together again without it: that is rare, and costs the others nothing.
    fn stage(
        &self,
        writer: &mut Writer,
        batch: &mut Batch,
        epoch: Epoch,
        writes: &[Write],
        spoilt: &mut HashMap<usize, CommitError>,
    ) -> Result<Option<Vec<Written>>, StoreError> {
        let mut written = Vec::with_capacity(writes.len());
        for (nth, write) in writes.iter().enumerate() {
            if let Some(error) = spoilt.get(&nth) {
                written.push(Written::Refused(error.clone()));
                continue;
            }
            let put = match write {
                Write::Accept(accept) => self.accept(writer, batch, accept).map_err(CommitError::Store),
                Write::AcceptAll(accepts) => match self.accept_all(writer, batch, accepts) {
                    Ok(Written::Refused(error)) => {
                        spoilt.insert(nth, error);
                        return Ok(None);
                    }
                    put => put.map_err(CommitError::Store),
                },
                Write::Replay(replay) => self.replay(writer, batch, replay).map_err(CommitError::Store),
                Write::Commit(commit) => self.commit(epoch, batch, commit).map(Written::Committed),
                Write::Files(pieces) => Ok(put_files(writer, batch, pieces)),
                Write::Cancel(run) => self.cancel(batch, *run).map_err(CommitError::Store),
                Write::Cursor(cursor) => {
                    self.move_cursor(batch, Some(cursor)).map(|()| Written::Committed(Vec::new())).map_err(CommitError::Store)
                }
            };
            match put {
                Ok(done) => written.push(done),
                // A damaged record is the trouble of the write that met it, not of the others in its batch.
                Err(error @ CommitError::Store(StoreError::Damaged(_))) => {
                    spoilt.insert(nth, error);
                    return Ok(None);
                }
                Err(CommitError::Store(error)) => return Err(error),
                Err(refused) => written.push(Written::Refused(refused)),
            }
        }
        Ok(Some(written))
    }
}
