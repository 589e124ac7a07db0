//! A store that fails on command, for tests of what happens then.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::super::StoreError;
use super::{Batch, Kv, Order, Visit};

/// When the process dies, seen from a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// The write is lost.
    BeforeWrite,
    /// The write is stored, and nobody was told.
    AfterWrite,
}

/// Writes that fail although the process lives.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The first of them, counted from 1.
    pub nth: u64,
    /// How many.
    pub writes: u64,
    /// How.
    pub error: StoreError,
    /// What was written is there all the same: a disk that fails a sync does not say what it kept.
    pub kept: bool,
}

/// Passes everything on to another store, until it is told to fail.
#[derive(Debug)]
pub struct Faulty<K> {
    inner: K,
    death: Death,
    deadly_write: u64,
    writes: AtomicU64,
    doomed: AtomicBool,
    dead: AtomicBool,
    full: AtomicBool,
    fault: Option<Fault>,
}

impl<K: Kv> Faulty<K> {
    /// Fails only while [`Faulty::set_full`] says so.
    #[must_use]
    pub fn new(inner: K) -> Self {
        Self::dying(inner, u64::MAX, Death::BeforeWrite)
    }

    /// Dies at the `deadly_write`th write, counted from 1; from then on every call fails.
    #[must_use]
    pub fn dying(inner: K, deadly_write: u64, death: Death) -> Self {
        Self {
            inner,
            death,
            deadly_write,
            writes: AtomicU64::new(0),
            doomed: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            full: AtomicBool::new(false),
            fault: None,
        }
    }

    /// Fails some writes and goes on.
    #[must_use]
    pub fn failing(inner: K, fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::new(inner) }
    }

    /// While set, every write fails with [`StoreError::Full`] and changes nothing; reads go on.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// Dies at the next write that begins.
    pub fn doom(&self) {
        self.doomed.store(true, Ordering::SeqCst);
    }

    /// Writes so far, failed ones included.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// Whether it has died.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    fn alive(&self) -> Result<(), StoreError> {
        if self.is_dead() { Err(died()) } else { Ok(()) }
    }
}

fn died() -> StoreError {
    StoreError::Io("the process died here, on command".to_owned())
}

impl<K: Kv> Kv for Faulty<K> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.alive()?;
        self.inner.get(key)
    }

    fn range(&self, from: &[u8], to: &[u8], order: Order, visit: Visit<'_>) -> Result<(), StoreError> {
        self.alive()?;
        self.inner.range(from, to, order, visit)
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        self.alive()?;
        self.inner.disk_bytes()
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        self.alive()?;
        let nth = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if self.full.load(Ordering::SeqCst) {
            return Err(StoreError::Full("on command".to_owned()));
        }
        if let Some(fault) = self.fault.as_ref().filter(|fault| (fault.nth..fault.nth + fault.writes).contains(&nth)) {
            if fault.kept {
                self.inner.apply(batch)?;
            }
            return Err(fault.error.clone());
        }
        if nth != self.deadly_write && !self.doomed.load(Ordering::SeqCst) {
            return self.inner.apply(batch);
        }
        self.dead.store(true, Ordering::SeqCst);
        match self.death {
            Death::BeforeWrite => {}
            Death::AfterWrite => self.inner.apply(batch)?,
        }
        Err(died())
    }
}
