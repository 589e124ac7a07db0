//! Which runs listen to which events. A run says so before it looks for events, so that none is missed
//! between the look and the wait.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::id::RunId;
use crate::store::{Listening, TopicKey};

/// The runs that listen; none at first.
#[derive(Default)]
pub struct Listeners(Mutex<Table>);

#[derive(Default)]
struct Table {
    by_topic: BTreeSet<(TopicKey, RunId)>,
    by_run: HashMap<RunId, Box<[Listening]>>,
}

impl Listeners {
    /// From now on the run listens to these, and to nothing else.
    pub(super) fn arm(&self, run: RunId, listens: Box<[Listening]>) {
        let mut table = self.lock();
        table.forget(run);
        if listens.is_empty() {
            return;
        }
        table.by_topic.extend(listens.iter().map(|listening| (listening.topic, run)));
        table.by_run.insert(run, listens);
    }

    /// How far the run has looked at what it listens to: it does not look at the same events again each time it is woken.
    pub(super) fn looked(&self, run: RunId, listens: &[Listening]) {
        if let Some(known) = self.lock().by_run.get_mut(&run) {
            *known = listens.into();
        }
    }

    /// What the run listens to, and how far it has looked.
    pub(super) fn listens(&self, run: RunId) -> Box<[Listening]> {
        self.lock().by_run.get(&run).cloned().unwrap_or_default()
    }

    /// The run listens no more.
    pub(super) fn disarm(&self, run: RunId) {
        self.lock().forget(run);
    }

    /// Who listens to it.
    pub(super) fn of(&self, topic: TopicKey) -> Vec<RunId> {
        let (first, last) = (RunId::from_bytes([0; 16]), RunId::from_bytes([u8::MAX; 16]));
        self.lock().by_topic.range((topic, first)..=(topic, last)).map(|(_, run)| *run).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn forget(&mut self, run: RunId) {
        for listening in self.by_run.remove(&run).unwrap_or_default() {
            self.by_topic.remove(&(listening.topic, run));
        }
    }
}
