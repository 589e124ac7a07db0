//! The [`Store`] port over [`Core`], whose work blocks: which thread does it, and how long it is waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::task::{JoinError, spawn_blocking};

use super::super::{
    BackupStream, Checked, Compacted, Epoch, OpenRun, Page, Pass, Posted, RevisionFiles, RunFilter, RunHead, Stats, Store, StoreError,
    TopicKey, Write, Written,
};
use super::{Core, read};
use crate::domain::event::{Event, EventHead};
use crate::domain::file::FileId;
use crate::domain::id::{EventId, Revision, RunId};
use crate::domain::journal::Entry;
use crate::domain::time::Timestamp;

/// Everything that writes waits for the disk, and lists may read a lot of it, so both run on tokio's
/// blocking threads. A lookup of one small value runs where it is: handing it over costs more.
pub(super) struct Embedded(pub(super) Arc<Core>);

impl Embedded {
    pub(super) fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Core) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let core = Arc::clone(&self.0);
        Box::pin(async move { ended(spawn_blocking(move || work(&core)).await) })
    }

    /// The same for what somebody waits for until it is written: a disk that says nothing is given up after a while. The
    /// work goes on all the same, and whether it is done is then not known until the next write that is.
    fn in_time<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Core) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        Box::pin(async move {
            self.0.patience.check()?;
            let core = Arc::clone(&self.0);
            ended(self.0.patience.wait(spawn_blocking(move || work(&core))).await?)
        })
    }
}

fn ended<T>(joined: Result<Result<T, StoreError>, JoinError>) -> Result<T, StoreError> {
    match joined {
        Ok(result) => result,
        Err(error) if error.is_cancelled() => Err(StoreError::Closed),
        Err(error) => Err(StoreError::Io(format!("a store thread stopped: {error}"))),
    }
}

/// Whether somebody still waits for a long piece of work.
pub(super) struct Wanted(Arc<AtomicBool>);

impl Wanted {
    pub(super) fn still(&self) -> Result<(), StoreError> {
        if self.0.load(Relaxed) { Ok(()) } else { Err(StoreError::Closed) }
    }
}

/// Says that nobody does any more.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

impl Embedded {
    /// The same for work that may take minutes: it ends soon after its future was dropped, so that a shutdown is not held up.
    fn while_wanted<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Core, &Wanted) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        Box::pin(async move {
            let waiting = Waiting(Arc::new(AtomicBool::new(true)));
            let wanted = Wanted(Arc::clone(&waiting.0));
            self.blocking(move |core| work(core, &wanted)).await
        })
    }
}

impl Store for Embedded {
    fn acquire(&self) -> BoxFuture<'_, Result<Epoch, StoreError>> {
        self.blocking(Core::acquire)
    }

    fn write(&self, batch: Vec<Write>) -> BoxFuture<'_, Result<Vec<Written>, StoreError>> {
        self.in_time(move |core| core.write(&batch))
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<OpenRun>, StoreError>> {
        self.blocking(Core::load)
    }

    fn put_revision(&self, revision: Revision, files: RevisionFiles) -> BoxFuture<'_, Result<(), StoreError>> {
        self.in_time(move |core| core.put_revision(revision, &files))
    }

    fn revision(&self, revision: Revision) -> BoxFuture<'_, Result<Option<RevisionFiles>, StoreError>> {
        self.blocking(move |core| core.revision(revision))
    }

    fn file(&self, file: FileId, index: u32) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        self.blocking(move |core| core.file(file, index))
    }

    fn drop_files(&self, event: EventId) -> BoxFuture<'_, Result<(), StoreError>> {
        self.in_time(move |core| core.drop_files(event))
    }

    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunHead>, StoreError>> {
        Box::pin(async move { self.0.run(run) })
    }

    fn facts(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Entry>, StoreError>> {
        self.blocking(move |core| core.facts(run))
    }

    fn gathered(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Event>, StoreError>> {
        self.blocking(move |core| core.gathered(run))
    }

    fn posted(&self, topic: TopicKey, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Posted>, StoreError>> {
        self.blocking(move |core| core.posted(topic, after, limit))
    }

    fn event(&self, event: EventId) -> BoxFuture<'_, Result<Option<Event>, StoreError>> {
        self.blocking(move |core| core.event(event))
    }

    fn runs(&self, filter: RunFilter, limit: usize) -> BoxFuture<'_, Result<Page<RunHead, RunId>, StoreError>> {
        self.blocking(move |core| core.runs(&filter, limit))
    }

    fn open_runs(&self, limit: usize) -> BoxFuture<'_, Result<Page<RunHead, RunId>, StoreError>> {
        self.blocking(move |core| core.open_runs(limit))
    }

    fn events(&self, before: Option<EventId>, limit: usize) -> BoxFuture<'_, Result<Page<EventHead, EventId>, StoreError>> {
        self.blocking(move |core| core.events(before, limit))
    }

    fn writable(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.in_time(Core::writable)
    }

    fn cursor(&self, name: &str) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        let cursor = read::cursor(self.0.view(), name);
        Box::pin(async move { cursor })
    }

    fn newest(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>> {
        self.blocking(Core::newest)
    }

    fn prune(&self, pass: Pass) -> BoxFuture<'_, Result<Pass, StoreError>> {
        self.blocking(move |core| core.prune(pass))
    }

    fn stats(&self) -> BoxFuture<'_, Result<Stats, StoreError>> {
        self.while_wanted(Core::stats)
    }

    fn disk_bytes(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.blocking(|core| core.kv.disk_bytes())
    }

    fn written_bytes(&self) -> u64 {
        self.0.written_bytes.load(Relaxed)
    }

    fn check(&self) -> BoxFuture<'_, Result<Checked, StoreError>> {
        self.while_wanted(Core::check)
    }

    fn compact(&self) -> BoxFuture<'_, Result<Compacted, StoreError>> {
        self.while_wanted(Core::compact)
    }

    fn backup(&self) -> BoxFuture<'_, Result<BackupStream, StoreError>> {
        self.begin_backup()
    }

    fn restore(&self, from: Box<dyn std::io::Read + Send>) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.blocking(move |core| core.restore(from))
    }

    fn forget_keys(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        self.blocking(move |core| core.forget_keys(now, limit))
    }
}
