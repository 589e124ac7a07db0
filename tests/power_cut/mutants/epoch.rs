//! A store that does not look at the epoch, while a second owner takes over.

use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex};

use hence::domain::journal::Fact;
use hence::store::kv::memory::Memory;
use hence::store::kv::{Batch, Kv, Order, Visit};
use hence::store::{StoreError, embedded};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};
use tokio_util::task::TaskTracker;

use super::project;
use crate::check::check_call;
use crate::life::Known;
use crate::process::must;
use crate::support::{self, Recorder, TestApp, ok};

/// A door that a reading thread waits at.
#[derive(Default)]
struct Door {
    open: Mutex<bool>,
    opened: Condvar,
    /// A thread has come to it.
    reached: Notify,
}

impl Door {
    fn wait(&self) {
        self.reached.notify_one();
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

/// One owner's view of a store that has two.
struct Owner {
    store: Memory,
    /// The mutant: this one takes the epoch it began with for the present one, for ever.
    epoch: Option<Mutex<Option<Vec<u8>>>>,
    /// Facts that were read are handed on when this opens.
    door: Option<Arc<Door>>,
}

const EPOCH_KEY: &[u8] = b"mepoch";
const FACTS_PREFIX: u8 = b'f';

impl Kv for Owner {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let frozen = self.epoch.as_ref().filter(|_| key == EPOCH_KEY);
        let frozen = frozen.and_then(|epoch| epoch.lock().unwrap().clone());
        frozen.map_or_else(|| self.store.get(key), |epoch| Ok(Some(epoch)))
    }

    fn range(&self, from: &[u8], to: &[u8], order: Order, visit: Visit<'_>) -> Result<(), StoreError> {
        let mut found = Vec::new();
        self.store.range(from, to, order, &mut |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })?;
        if let Some(door) = self.door.as_ref().filter(|_| from.first() == Some(&FACTS_PREFIX)) {
            door.wait();
        }
        let _stopped = found.iter().try_for_each(|(key, value)| visit(key, value));
        Ok(())
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        if let (Some(epoch), Some(Some(value))) = (&self.epoch, batch.change(EPOCH_KEY)) {
            *epoch.lock().unwrap() = Some(value.to_vec());
        }
        self.store.apply(batch)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_that_nobody_checks_is_caught() {
    for guilty in [false, true] {
        let found = two_owners(guilty).await;
        assert_eq!(found.is_some(), guilty, "{found:?}");
    }
}

/// The first owner's answer comes when a second one has taken over and has read what there is.
async fn two_owners(unchecked: bool) -> Option<String> {
    let (memory, project) = (Memory::default(), project());
    let answers = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&answers);
    let recorder = Recorder::with(Box::new(move |request, _| {
        let (gate, answer) = (Arc::clone(&gate), ok(request));
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            Ok(answer)
        })
    }));
    let base = support::Life::new(Arc::clone(&recorder));
    let epoch = unchecked.then(Mutex::default);
    let first = Arc::new(Owner { store: memory.clone(), epoch, door: None });
    let first = TestApp::resume(&project, support::Life { kv: first, ..base.clone() }).await.unwrap();
    let run = first.post("work", &json!({"number": 1, "pad": ""})).await.runs()[0];
    recorder.reached(1).await;

    let door = Arc::new(Door::default());
    let second = Arc::new(Owner { store: memory.clone(), epoch: None, door: Some(Arc::clone(&door)) });
    let second = TestApp::resume(&project, support::Life { kv: second, ..base }).await.unwrap();
    must("the second owner has read what there is", door.reached.notified()).await;
    let mut writes = first.store.writes.subscribe();
    answers.add_permits(1);
    must("the first owner commits, or may not", writes.changed()).await.unwrap();

    let store = embedded::over(Arc::new(memory), None).unwrap();
    let mut known = Known::default();
    for entry in store.facts(run).await.unwrap() {
        if let Fact::CallSucceeded { step, .. } = entry.fact {
            known.done.insert(format!("{run}/{step}"));
        }
    }
    let before = recorder.calls().len();
    door.open();
    let key = format!("{run}/a");
    let again = async {
        loop {
            let calls = recorder.calls();
            if 1 < calls.iter().filter(|call| call.idempotency_key == key).count() {
                return calls;
            }
            recorder.reached(calls.len() + 1).await;
        }
    };
    let calls = must("the second owner goes on", again).await;
    let checked = TaskTracker::new().spawn(async move {
        calls[before..].iter().for_each(|call| check_call(&call.idempotency_key, &known));
    });
    let found = checked.await.err().map(|panic| panic.to_string());
    drop(second);
    found
}
