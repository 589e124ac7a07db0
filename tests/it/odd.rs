//! Odd moments: writes that report an error and are there all the same, reads that fail once,
//! senders that leave, branches that end each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hence::domain::run::Status;
use hence::store::StoreError;
use hence::store::kv::memory::Memory;
use hence::store::kv::{Batch, Kv, Order, Visit};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::{Life, Project, Recorder, TestApp, ok};

/// A disk that says once that it failed although it did not, or that cannot be read for a while.
#[derive(Default)]
struct OddDisk {
    inner: Memory,
    lies_once: AtomicBool,
    is_blind: AtomicBool,
    seen_nothing: AtomicUsize,
}

impl OddDisk {
    fn see(&self) -> Result<(), StoreError> {
        if self.is_blind.load(Ordering::SeqCst) {
            self.seen_nothing.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Io("cannot be read".into()));
        }
        Ok(())
    }
}

impl Kv for OddDisk {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.see()?;
        self.inner.get(key)
    }

    fn range(&self, from: &[u8], to: &[u8], order: Order, visit: Visit<'_>) -> Result<(), StoreError> {
        self.see()?;
        self.inner.range(from, to, order, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        self.inner.apply(batch)?;
        if self.lies_once.swap(false, Ordering::SeqCst) { Err(StoreError::Io("sync failed".into())) } else { Ok(()) }
    }
}

async fn on(disk: &Arc<OddDisk>, project: &Project) -> TestApp {
    let kv = Arc::clone(disk) as Arc<dyn Kv>;
    TestApp::resume(project, Life { kv, ..Life::new(Recorder::fine()) }).await.unwrap()
}

fn by_hand(steps: &str) -> Project {
    Project::of(&format!("when: [{{manual: }}]\nsteps:\n{steps}"))
}

const DEDUPED: &str = "when: [{webhook: {path: w, verify: none, dedupe: {key: event.body.id, within: 24h}}}]\nsteps: [{script: 1}]\n";

/// Runs these steps to their end; gives the URLs that were called.
async fn called(steps: &str, event: Value) -> Vec<String> {
    let app = TestApp::start(&by_hand(steps), Recorder::fine()).await;
    let run = app.begin("main", event).await;
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
    app.recorder.calls().iter().map(|call| call.with["url"].as_str().unwrap().replace("http://crm.test/", "")).collect()
}

#[tokio::test]
async fn an_accept_that_reported_an_error_and_is_stored_is_run_all_the_same() {
    let (project, disk) = (Project::of(DEDUPED), Arc::new(OddDisk::default()));
    let app = on(&disk, &project).await;
    disk.lies_once.store(true, Ordering::SeqCst);
    assert_eq!(app.post("w", &json!({"id": 1})).await.status, 503);
    let again = app.post("w", &json!({"id": 1})).await;
    assert_eq!((again.status, again.body["duplicate"].as_bool()), (200, Some(true)));
    assert_eq!(app.ended(again.runs()[0]).await.status, Status::Succeeded);
    assert_eq!(app.app.intake.journal.waiting(), 0);
}

#[tokio::test]
async fn a_commit_that_reported_an_error_and_is_stored_is_not_made_twice() {
    let project =
        by_hand("  - {call: http.get, with: {url: 'http://crm.test/a'}}\n  - {call: http.get, with: {url: 'http://crm.test/b'}}\n");
    let disk = Arc::new(OddDisk::default());
    let lying = Arc::clone(&disk);
    let recorder = Recorder::answering(move |request, _| {
        lying.lies_once.store(request.with["url"] == "http://crm.test/a", Ordering::SeqCst);
        Ok(ok(request))
    });
    let app = TestApp::resume(&project, Life { kv: Arc::clone(&disk) as Arc<dyn Kv>, ..Life::new(recorder) }).await.unwrap();
    let run = app.begin("main", json!({})).await;
    app.recorder.reached(1).await;
    while app.recorder.calls().len() < 2 {
        app.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
    assert_eq!(app.facts(run).await.len(), 3);
}

#[tokio::test]
async fn a_run_that_could_not_be_read_is_tried_again_and_can_be_canceled() {
    let (project, disk) = (by_hand("  - wait: 1h\n  - script: 1\n"), Arc::new(OddDisk::default()));
    let app = on(&disk, &project).await;
    let (first, second) = (app.begin("main", json!({})).await, app.begin("main", json!({})).await);
    app.stands(first, Status::Waiting).await;
    app.stands(second, Status::Waiting).await;
    disk.is_blind.store(true, Ordering::SeqCst);
    app.clock.advance(Duration::from_secs(3600));
    // Both are woken, fail to be read, and are put down again.
    while disk.seen_nothing.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    disk.is_blind.store(false, Ordering::SeqCst);
    let cancel = app.api(reqwest::Method::POST, &format!("/runs/{second}/cancel"), None).await;
    assert_eq!(cancel.status, 202);
    app.stands(second, Status::Canceled).await;
    let ended = async {
        app.stands(first, Status::Succeeded).await;
    };
    let time = async {
        loop {
            app.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { () = ended => {}, () = time => {} }
}

#[tokio::test]
async fn senders_that_leave_do_not_fill_the_backlog() {
    let app = TestApp::start(&Project::of(DEDUPED), Recorder::fine()).await;
    app.post("w", &json!({"id": 1})).await;
    for _ in 0..50 {
        let hook = app.app.intake.hook("POST", "w").unwrap();
        let headers = http::HeaderMap::from_iter([(http::header::CONTENT_TYPE, "application/json".parse().unwrap())]);
        let admitted = app.app.intake.admit(hook, "127.0.0.1".parse().unwrap(), &headers).unwrap();
        let receiving = app.app.intake.receive(admitted, "", &headers, bytes::Bytes::from_static(b"{\"id\":1}"));
        tokio::pin!(receiving);
        // It is polled once, so that it is on its way, and dropped.
        assert!(futures_util::poll!(&mut receiving).is_pending());
    }
    let last = app.post("w", &json!({"id": 2})).await;
    app.ended(last.runs()[0]).await;
    assert_eq!(app.app.intake.journal.waiting(), 0);
}

#[tokio::test]
async fn a_call_that_may_happen_once_is_not_given_up_while_it_is_made() {
    let steps = "
  - parallel:
      a: [{id: once, at_most_once: true, call: http.post, with: {url: 'http://crm.test/slow'}}]
      b: [{call: http.get, with: {url: 'http://crm.test/fast'}}, {call: http.get, with: {url: 'http://crm.test/faster'}}]
";
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let recorder = Recorder::with(Box::new(move |request, _| {
        let (answer, held, slow) = (ok(request), Arc::clone(&held), request.with["url"] == "http://crm.test/slow");
        Box::pin(async move {
            if slow {
                held.acquire().await.unwrap().forget();
            }
            Ok(answer)
        })
    }));
    let app = TestApp::start(&by_hand(steps), recorder).await;
    let run = app.begin("main", json!({})).await;
    app.recorder.reached(3).await;
    // The branch beside it has ended, and its facts are stored.
    app.until(async |app| (3 <= app.facts(run).await.len()).then_some(())).await;
    gate.add_permits(1);
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
    assert_eq!(app.recorder.calls().len(), 3);
}

#[tokio::test]
async fn the_first_of_two_stops_counts() {
    let app = TestApp::start(&by_hand("  - parallel: {a: [{stop: 1}], b: [{stop: 2}]}\n"), Recorder::fine()).await;
    let run = app.begin("main", json!({})).await;
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
    assert_eq!(app.get(&format!("/runs/{run}")).await.body["output"], 1);
}

#[tokio::test]
async fn a_handler_may_stop_the_run_whatever_failed() {
    let project = Project::of("when: [{manual: }]\nif: event.body.a.b.c > 1\nsteps: [{script: 1}]\non_error: [{stop: 7}]\n");
    let app = TestApp::start(&project, Recorder::fine()).await;
    let run = app.begin("main", json!({})).await;
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
    assert_eq!(app.get(&format!("/runs/{run}")).await.body["output"], 7);
}

#[tokio::test]
async fn a_loop_that_was_left_begins_nothing_more() {
    let steps = "
  - foreach: event.body
    parallel: 2
    on_error: continue
    steps:
      - {if: 'item == 1', fail: 'no'}
      - {call: http.post, with: {url: 'http://crm.test/a${item}'}}
      - {call: http.post, with: {url: 'http://crm.test/b${item}'}}
  - {call: http.post, with: {url: 'http://crm.test/after'}}
  - {call: http.post, with: {url: 'http://crm.test/last'}}
";
    let called = called(steps, json!([0, 1])).await;
    assert!(!called.contains(&"b0".to_owned()) && called.ends_with(&["after".to_owned(), "last".to_owned()]), "{called:?}");
}

#[tokio::test]
async fn a_step_that_failed_has_set_nothing() {
    let steps = "
  - set: {a: '1', b: 'event.body.x.y.z + 1'}
    on_error: continue
  - {call: http.post, with: {url: 'http://crm.test/${vars.a ?? \"none\"}'}}
  - wait: 1h
  - {call: http.post, with: {url: 'http://crm.test/${vars.a ?? \"none\"}'}}
";
    assert_eq!(called(steps, json!({})).await, ["none", "none"]);
}

#[tokio::test]
async fn what_a_failed_loop_left_is_not_seen_after_it() {
    let steps = "
  - foreach: event.body
    on_error: continue
    steps:
      - {id: got, script: item}
      - {fail: 'no'}
  - {call: http.post, with: {url: 'http://crm.test/${steps.got ?? \"none\"}'}}
  - wait: 1h
  - {call: http.post, with: {url: 'http://crm.test/${steps.got ?? \"none\"}'}}
";
    assert_eq!(called(steps, json!([5])).await, ["none", "none"]);
}
