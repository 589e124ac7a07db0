//! A disk that says nothing.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::super::super::Accepted;
use super::super::super::kv::{Kv, Visit};
use super::super::patience::ANSWER_WITHIN;
use super::faults::accept;
use super::*;

/// Writes wait at it while it is shut.
#[derive(Default)]
struct Gate {
    memory: Memory,
    shut: Mutex<bool>,
    changed: Condvar,
    reached: Notify,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.changed.notify_all();
    }
}

impl Kv for Gate {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.get(key)
    }

    fn range(&self, from: &[u8], to: &[u8], order: Order, visit: Visit<'_>) -> Result<(), StoreError> {
        self.memory.range(from, to, order, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let shut = self.shut.lock().unwrap();
        if *shut {
            self.reached.notify_one();
        }
        drop(self.changed.wait_while(shut, |shut| *shut).unwrap());
        self.memory.apply(batch)
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_gets_no_answer_is_an_error_and_the_next_ones_are_at_once() {
    let gate = Arc::new(Gate::default());
    let store = over(Arc::clone(&gate) as Arc<dyn Kv>, None).unwrap();
    store.acquire().await.unwrap();
    gate.set(true);
    let time_passes = async {
        gate.reached.notified().await;
        for _ in 0..ANSWER_WITHIN.as_secs() * 2 {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    };
    let written = tokio::select! {
        biased;
        written = store.write(vec![accept(1)]) => written,
        () = time_passes => panic!("nothing was said in twice the time"),
    };
    let error = written.unwrap_err();
    assert!(error.to_string().contains("see whether the disk is there"), "{error}");
    assert_eq!(store.write(vec![accept(2)]).await, Err(error.clone()));
    assert_eq!(store.writable().await, Err(error));
    assert_eq!(store.events(None, 9).await.unwrap().items.len(), 0, "what is there can be read");
    gate.set(false);
    while store.writable().await.is_err() {
        tokio::task::yield_now().await;
    }
    // It was done in the end.
    let written = store.write(vec![accept(1), accept(2)]).await.unwrap();
    assert!(
        matches!(&written[..], [Written::Accepted(Accepted::Duplicate { .. }), Written::Accepted(Accepted::New { .. })]),
        "{written:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stood_still_waits_for_the_answer_all_the_same() {
    let gate = Arc::new(Gate::default());
    let store = over(Arc::clone(&gate) as Arc<dyn Kv>, None).unwrap();
    store.acquire().await.unwrap();
    gate.set(true);
    let goes_on = async {
        gate.reached.notified().await;
        tokio::time::advance(ANSWER_WITHIN * 4).await;
        tokio::task::yield_now().await;
        gate.set(false);
    };
    let (written, ()) = tokio::join!(store.write(vec![accept(1)]), goes_on);
    assert!(matches!(written.unwrap()[..], [Written::Accepted(Accepted::New { .. })]));
}
