//! The checks must be able to fail: an engine whose syncs do nothing, a store that answers before it
//! has written, and one that does not look at the epoch are all caught by them.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};

use hence::clock::{Clock, ManualClock, SystemClock};
use hence::domain::journal::Fact;
use hence::store::kv::memory::Memory;
use hence::store::kv::redb::Redb;
use hence::store::kv::{Batch, Kv, Order, Visit};
use hence::store::{StoreError, embedded};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};
use tokio_util::task::TaskTracker;

use crate::chance::Chance;
use crate::check::{check, check_call};
use crate::disk::{Disk, can_run};
use crate::life::{Known, Life, TALLY, WORK, data};
use crate::process::{Engine, Seen, must, skip};
use crate::support::{self, Project, Recorder, TestApp, ok};

/// The calls that make a write durable, all of them turned into nothing. `-D`: the tracer is not the parent.
pub(crate) const NO_SYNC: &[&str] = &[
    "strace",
    "-D",
    "-f",
    "--seccomp-bpf",
    "-o",
    "/dev/null",
    "-e",
    "trace=fsync,fdatasync,sync_file_range,msync,syncfs,sync",
    "-e",
    "inject=fsync,fdatasync,sync_file_range,msync,syncfs,sync:retval=0",
];

/// What a server that is started on this disk is found guilty of.
pub(crate) async fn found(disk: Disk, engine: Engine, mut known: Known) -> Option<String> {
    let checked = TaskTracker::new().spawn(async move {
        let life = Life::start(disk.mount(), engine, &[]).await;
        check(&life, &mut known).await;
    });
    let panic = checked.await.err()?.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.unwrap_or_else(|| (*panic.downcast_ref::<&str>().unwrap()).to_owned()))
}

pub(crate) fn can_trace(test: &str) -> bool {
    // The same tracer on a program that does nothing.
    let traced = Command::new("strace").args(&NO_SYNC[1..]).arg("true").output();
    match traced {
        Ok(ran) if ran.status.success() => true,
        Ok(ran) => {
            skip(test, &format!("strace cannot trace here: {}", String::from_utf8_lossy(&ran.stderr)));
            false
        }
        Err(error) => {
            skip(test, &format!("strace: {error}"));
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_whose_syncs_do_nothing_is_caught() {
    let test = "a_store_whose_syncs_do_nothing_is_caught";
    if !can_run(test) || !can_trace(test) {
        return;
    }
    for engine in [Engine::Redb, Engine::Sled] {
        for (under, guilty) in [(&[][..], false), (NO_SYNC, true)] {
            let mut chance = Chance::new(3);
            let mut known = Known::default();
            // Established by an engine that does sync.
            let life = Life::start(Disk::new().mount(), engine, &[]).await;
            must("the first events are answered", life.send(&mut known, 10, &mut chance).wait()).await;
            let disk = life.cut_now();
            known = life.known(&known);
            drop(life);
            let life = Life::start(disk.mount(), engine, under).await;
            check(&life, &mut known).await;
            must("more events are answered", life.send(&mut known, 10, &mut chance).wait()).await;
            let disk = life.cut_now();
            known = life.known(&known);
            drop(life);
            assert_eq!(known.told.len(), 20);
            let found = found(disk, engine, known).await;
            assert_eq!(found.is_some(), guilty, "{engine:?}, {under:?}: {found:?}");
        }
    }
}

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

fn project() -> Project {
    let project = Project::new(&[("workflows/work.yaml", WORK), ("workflows/tally.yaml", TALLY)]);
    project.write("hence.yaml", "connections:\n  there: {connector: http, base_url: \"http://there.test\"}\n");
    project
}

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
