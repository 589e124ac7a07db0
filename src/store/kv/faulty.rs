//! A store that fails on command, for tests of what happens then.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::StoreError;
use super::{Batch, Kv, Order, Snapshot, Visit};

/// When the process dies, seen from a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// The write is lost.
    BeforeWrite,
    /// The write is stored, and nobody was told.
    AfterWrite,
}

/// What can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A batch is written, also to a copy.
    Write,
    /// A value is asked for, a walk begins, a snapshot is taken.
    Read,
    /// A walk comes to one more record: what lies before it was seen.
    Record,
    /// Files are measured; a copy is begun, put in place or removed.
    Files,
}

/// Calls that fail although the process lives.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Which kind.
    pub of: Call,
    /// The first of them, counted from 1.
    pub nth: u64,
    /// How many.
    pub times: u64,
    /// How.
    pub error: StoreError,
    /// What was to be written, or done with files, is done all the same: a disk that fails a sync does not say what it kept.
    pub kept: bool,
}

/// Passes everything on to another store, until it is told to fail.
pub struct Faulty {
    inner: Box<dyn Kv>,
    commands: Arc<Commands>,
}

/// Shared with copies and snapshots.
#[derive(Debug, Default)]
struct Commands {
    deadly_write: Option<(u64, Death)>,
    doomed: AtomicBool,
    dead: AtomicBool,
    full: AtomicBool,
    writes: AtomicU64,
    reads: AtomicU64,
    records: AtomicU64,
    files: AtomicU64,
    armed: Mutex<Armed>,
}

#[derive(Debug, Default)]
struct Armed {
    /// Its `nth` counts from the very first call.
    fault: Option<Fault>,
    met: u64,
}

impl Faulty {
    /// Fails only as it is told to later.
    #[must_use]
    pub fn new(inner: impl Kv + 'static) -> Self {
        Self { inner: Box::new(inner), commands: Arc::default() }
    }

    /// Dies at the `deadly_write`th write, counted from 1; from then on every call fails.
    #[must_use]
    pub fn dying(inner: impl Kv + 'static, deadly_write: u64, death: Death) -> Self {
        let commands = Commands { deadly_write: Some((deadly_write, death)), ..Commands::default() };
        Self { inner: Box::new(inner), commands: Arc::new(commands) }
    }

    /// Fails some calls and goes on.
    #[must_use]
    pub fn failing(inner: impl Kv + 'static, fault: Fault) -> Self {
        let faulty = Self::new(inner);
        faulty.fail(fault);
        faulty
    }

    /// From now on these calls fail, counted from here, and no others.
    pub fn fail(&self, fault: Fault) {
        let mut armed = self.commands.armed();
        let nth = fault.nth.saturating_add(self.calls(fault.of));
        *armed = Armed { fault: Some(Fault { nth, ..fault }), met: 0 };
    }

    /// Nothing fails any more; says how many calls did.
    pub fn mend(&self) -> u64 {
        std::mem::take(&mut *self.commands.armed()).met
    }

    /// While set, every write fails with [`StoreError::Full`] and changes nothing; reads go on.
    pub fn set_full(&self, full: bool) {
        self.commands.full.store(full, Ordering::SeqCst);
    }

    /// Dies at the next write that begins.
    pub fn doom(&self) {
        self.commands.doomed.store(true, Ordering::SeqCst);
    }

    /// Writes so far, failed ones included.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.calls(Call::Write)
    }

    /// Calls of a kind so far, failed ones included.
    #[must_use]
    pub fn calls(&self, of: Call) -> u64 {
        self.commands.count(of).load(Ordering::SeqCst)
    }

    /// Whether it has died.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.commands.dead.load(Ordering::SeqCst)
    }

    /// What it stands before, which does not fail.
    #[must_use]
    pub fn beneath(&self) -> &dyn Kv {
        &*self.inner
    }
}

impl Commands {
    fn armed(&self) -> MutexGuard<'_, Armed> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, of: Call) -> &AtomicU64 {
        match of {
            Call::Write => &self.writes,
            Call::Read => &self.reads,
            Call::Record => &self.records,
            Call::Files => &self.files,
        }
    }

    fn alive(&self) -> Result<(), StoreError> {
        if self.dead.load(Ordering::SeqCst) { Err(died()) } else { Ok(()) }
    }

    /// Counts a call: which it is, and how it fails if it does.
    fn next(&self, of: Call) -> (u64, Option<Fault>) {
        let mut armed = self.armed();
        let nth = self.count(of).fetch_add(1, Ordering::SeqCst) + 1;
        let hits = |fault: &&Fault| fault.of == of && (fault.nth..fault.nth.saturating_add(fault.times)).contains(&nth);
        let fault = armed.fault.as_ref().filter(hits).cloned();
        armed.met += u64::from(fault.is_some());
        (nth, fault)
    }

    fn read(&self) -> Result<(), StoreError> {
        self.alive()?;
        self.next(Call::Read).1.map_or(Ok(()), |fault| Err(fault.error))
    }

    fn walk(&self, range: impl FnOnce(Visit<'_>) -> Result<(), StoreError>, visit: Visit<'_>) -> Result<(), StoreError> {
        self.read()?;
        let mut failed = None;
        range(&mut |key, value| {
            failed = self.next(Call::Record).1;
            if failed.is_some() { ControlFlow::Break(()) } else { visit(key, value) }
        })?;
        failed.map_or(Ok(()), |fault| Err(fault.error))
    }

    fn files<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.alive()?;
        let Some(fault) = self.next(Call::Files).1 else { return work() };
        if fault.kept {
            drop(work()?);
        }
        Err(fault.error)
    }

    fn write(&self, apply: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.alive()?;
        let (nth, fault) = self.next(Call::Write);
        if self.full.load(Ordering::SeqCst) {
            return Err(StoreError::Full("on command".to_owned()));
        }
        if let Some(fault) = fault {
            if fault.kept {
                apply()?;
            }
            return Err(fault.error);
        }
        let deadly = self.deadly_write.filter(|(deadly, _)| *deadly == nth).map(|(_, death)| death);
        let doomed = self.doomed.load(Ordering::SeqCst).then_some(Death::BeforeWrite);
        match deadly.or(doomed) {
            None => return apply(),
            Some(Death::BeforeWrite) => self.dead.store(true, Ordering::SeqCst),
            Some(Death::AfterWrite) => {
                self.dead.store(true, Ordering::SeqCst);
                apply()?;
            }
        }
        Err(died())
    }
}

fn died() -> StoreError {
    StoreError::Io("the process died here, on command".to_owned())
}

impl Kv for Faulty {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.commands.read()?;
        self.inner.get(key)
    }

    fn range(&self, from: &[u8], to: &[u8], order: Order, visit: Visit<'_>) -> Result<(), StoreError> {
        self.commands.walk(|visit| self.inner.range(from, to, order, visit), visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        self.commands.write(|| self.inner.apply(batch))
    }

    fn snapshot(&self) -> Result<Option<Box<dyn Snapshot>>, StoreError> {
        self.commands.read()?;
        let taken = |inner| Box::new(Taken { inner, commands: Arc::clone(&self.commands) }) as Box<dyn Snapshot>;
        Ok(self.inner.snapshot()?.map(taken))
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        self.commands.files(|| self.inner.disk_bytes())
    }

    fn begin_copy(&self) -> Result<Option<Box<dyn Kv>>, StoreError> {
        let copy = |inner| Box::new(Self { inner, commands: Arc::clone(&self.commands) }) as Box<dyn Kv>;
        self.commands.files(|| Ok(self.inner.begin_copy()?.map(copy)))
    }

    fn take_copy(&self) -> Result<(), StoreError> {
        self.commands.files(|| self.inner.take_copy())
    }

    fn drop_copy(&self) -> Result<(), StoreError> {
        self.commands.files(|| self.inner.drop_copy())
    }
}

/// A snapshot whose reads fail on command as well.
struct Taken {
    inner: Box<dyn Snapshot>,
    commands: Arc<Commands>,
}

impl Snapshot for Taken {
    fn range(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.commands.walk(|visit| self.inner.range(from, to, visit), visit)
    }
}
