//! A store that tells of every write, so that a test can wait for what it expects without sleeping.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hence::domain::event::{Event, EventHead};
use hence::domain::file::FileId;
use hence::domain::id::{EventId, Revision, RunId};
use hence::domain::journal::Entry;
use hence::domain::time::Timestamp;
use hence::store::{
    BackupStream, Checked, Compacted, Epoch, OpenRun, Page, Pass, Posted, RevisionFiles, RunFilter, RunHead, Stats, Store, StoreError,
    TopicKey, Write, Written,
};
use tokio::sync::watch;

/// Passes everything on and counts writes, failed ones included.
pub struct Watched {
    pub inner: Arc<dyn Store>,
    pub writes: watch::Sender<u64>,
    /// While set, no journal can be read; each refused try counts as a write.
    pub unreadable: AtomicBool,
    /// How many pieces of files came with each write that had some.
    pub pieces: Mutex<Vec<usize>>,
}

impl Watched {
    pub fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { inner, writes: watch::Sender::new(0), unreadable: AtomicBool::new(false), pieces: Mutex::default() })
    }
}

type Answer<'s, T> = BoxFuture<'s, Result<T, StoreError>>;

impl Store for Watched {
    fn acquire(&self) -> Answer<'_, Epoch> {
        self.inner.acquire()
    }

    fn write(&self, batch: Vec<Write>) -> Answer<'_, Vec<Written>> {
        let pieces = batch.iter().filter_map(|write| if let Write::Files(pieces) = write { Some(pieces.len()) } else { None });
        self.pieces.lock().unwrap().extend(pieces.filter(|pieces| *pieces != 0));
        Box::pin(async move {
            let written = self.inner.write(batch).await;
            self.writes.send_modify(|count| *count += 1);
            written
        })
    }

    fn load(&self) -> Answer<'_, Vec<OpenRun>> {
        self.inner.load()
    }

    fn put_revision(&self, revision: Revision, files: RevisionFiles) -> Answer<'_, ()> {
        self.inner.put_revision(revision, files)
    }

    fn revision(&self, revision: Revision) -> Answer<'_, Option<RevisionFiles>> {
        self.inner.revision(revision)
    }

    fn file(&self, file: FileId, index: u32) -> Answer<'_, Option<Bytes>> {
        self.inner.file(file, index)
    }

    fn drop_files(&self, event: EventId) -> Answer<'_, ()> {
        Box::pin(async move {
            let dropped = self.inner.drop_files(event).await;
            self.writes.send_modify(|count| *count += 1);
            dropped
        })
    }

    fn run(&self, run: RunId) -> Answer<'_, Option<RunHead>> {
        self.inner.run(run)
    }

    fn facts(&self, run: RunId) -> Answer<'_, Vec<Entry>> {
        if self.unreadable.load(Ordering::SeqCst) {
            self.writes.send_modify(|count| *count += 1);
            return Box::pin(async { Err(StoreError::Io("unreadable on command".to_owned())) });
        }
        self.inner.facts(run)
    }

    fn gathered(&self, run: RunId) -> Answer<'_, Vec<Event>> {
        self.inner.gathered(run)
    }

    fn posted(&self, topic: TopicKey, after: u64, limit: usize) -> Answer<'_, Vec<Posted>> {
        self.inner.posted(topic, after, limit)
    }

    fn event(&self, event: EventId) -> Answer<'_, Option<Event>> {
        self.inner.event(event)
    }

    fn runs(&self, filter: RunFilter, limit: usize) -> Answer<'_, Page<RunHead, RunId>> {
        self.inner.runs(filter, limit)
    }

    fn open_runs(&self, limit: usize) -> Answer<'_, Page<RunHead, RunId>> {
        self.inner.open_runs(limit)
    }

    fn events(&self, before: Option<EventId>, limit: usize) -> Answer<'_, Page<EventHead, EventId>> {
        self.inner.events(before, limit)
    }

    fn writable(&self) -> Answer<'_, ()> {
        self.inner.writable()
    }

    fn cursor(&self, name: &str) -> Answer<'_, Option<Timestamp>> {
        self.inner.cursor(name)
    }

    fn newest(&self) -> Answer<'_, Timestamp> {
        self.inner.newest()
    }

    fn prune(&self, pass: Pass) -> Answer<'_, Pass> {
        Box::pin(async move {
            let pass = self.inner.prune(pass).await;
            self.writes.send_modify(|count| *count += 1);
            pass
        })
    }

    fn stats(&self) -> Answer<'_, Stats> {
        self.inner.stats()
    }

    fn disk_bytes(&self) -> Answer<'_, u64> {
        self.inner.disk_bytes()
    }

    fn written_bytes(&self) -> u64 {
        self.inner.written_bytes()
    }

    fn check(&self) -> Answer<'_, Checked> {
        self.inner.check()
    }

    fn compact(&self) -> Answer<'_, Compacted> {
        self.inner.compact()
    }

    fn backup(&self) -> Answer<'_, BackupStream> {
        self.inner.backup()
    }

    fn restore(&self, from: Box<dyn std::io::Read + Send>) -> Answer<'_, u64> {
        self.inner.restore(from)
    }

    fn forget_keys(&self, now: Timestamp, limit: usize) -> Answer<'_, usize> {
        Box::pin(async move {
            let forgotten = self.inner.forget_keys(now, limit).await;
            // It writes, and may be the write that a test lets the process die at.
            self.writes.send_modify(|count| *count += 1);
            forgotten
        })
    }
}
