//! A store that answers before it has written.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use hence::clock::{Clock, ManualClock, SystemClock};
use hence::store::StoreError;
use hence::store::kv::memory::Memory;
use hence::store::kv::redb::Redb;
use hence::store::kv::{Batch, Kv, Order, Visit};
use serde_json::json;
use tokio::sync::Semaphore;

use super::{found, project};
use crate::disk::{Disk, can_run};
use crate::life::{Known, data};
use crate::process::{Engine, Seen};
use crate::support::{self, Recorder, TestApp, ok};

/// Answers from memory, and writes to the disk so many batches later: an acknowledgement before the commit.
struct Early {
    memory: Memory,
    disk: Redb,
    late: usize,
    waiting: Mutex<VecDeque<Batch>>,
}

impl Kv for Early {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.get(key)
    }

    fn range(&self, from: &[u8], to: &[u8], order: Order, visit: Visit<'_>) -> Result<(), StoreError> {
        self.memory.range(from, to, order, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut waiting = self.waiting.lock().unwrap();
        waiting.push_back(batch.clone());
        while self.late < waiting.len() {
            self.disk.apply(&waiting.pop_front().unwrap())?;
        }
        self.memory.apply(batch)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_before_the_commit_is_caught() {
    const EVENTS: u64 = 10;
    if !can_run("an_answer_before_the_commit_is_caught") {
        return;
    }
    // One batch late is enough: that is the last event, since its first call is not answered.
    for (late, guilty) in [(0, false), (1, true), (EVENTS, true)] {
        let mounted = Disk::new().mount();
        let disk = Redb::open(&data(&mounted)).unwrap();
        let kv = Early { memory: Memory::default(), disk, late: usize::try_from(late).unwrap(), waiting: Mutex::default() };
        let project = project();
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let (answers, recorder) = holding(EVENTS - 1);
        let life = support::Life { kv: Arc::new(kv), clock, recorder };
        let app = TestApp::resume(&project, life).await.unwrap();
        let mut known = Known::default();
        for number in 0..EVENTS {
            let answer = app.post("work", &json!({"number": number, "pad": ""})).await;
            let run = answer.runs()[0];
            known.told.insert(number, (answer.body["event"].as_str().unwrap().to_owned(), run.to_string()));
            if number + 1 < EVENTS {
                app.ended(run).await;
                all_ended(&app, 2 * (number + 1)).await;
            }
        }
        // What arrived shows what had to be durable by then.
        let seen = |call: &hence::connector::Request| Seen {
            method: "POST".to_owned(),
            path: call.with["url"].as_str().unwrap().to_owned(),
            key: call.idempotency_key.clone(),
            body: call.with["json"].clone(),
        };
        known.learn(&app.recorder.calls().iter().map(seen).collect::<Vec<_>>());
        let disk = mounted.cut();
        answers.close();
        app.app.stop().await;
        drop(mounted);
        let found = found(disk, Engine::Redb, known).await;
        assert_eq!(found.is_some(), guilty, "{late} late: {found:?}");
    }
}

async fn all_ended(app: &TestApp, count: u64) {
    app.until(async |app| {
        let runs = app.all_runs().await;
        (runs.len() as u64 == count && runs.iter().all(|run| run.status.is_final())).then_some(())
    })
    .await;
}

/// Answers everything but the calls for one number, until the semaphore is closed.
fn holding(number: u64) -> (Arc<Semaphore>, Arc<Recorder>) {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let recorder = Recorder::with(Box::new(move |request, _| {
        let (gate, answer) = (Arc::clone(&held), ok(request));
        let hold = request.with["json"]["number"] == number;
        Box::pin(async move {
            if hold {
                gate.acquire().await.unwrap_err();
            }
            Ok(answer)
        })
    }));
    (gate, recorder)
}
