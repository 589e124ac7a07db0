//! What must not leave a run behind: an answer that comes too late, a store that cannot be read for a while.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hence::domain::failure::{Failure, FailureKind};
use hence::domain::journal::Fact;
use hence::domain::run::Status;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::{Project, Recorder, TestApp, ok};

const RACE: &str = "
when: [{manual: }]
steps:
  - id: each
    foreach: '[0, 1]'
    steps:
      - parallel:
          fast: [{call: http.get, with: {url: 'http://crm.test/fast'}}]
          slow: [{id: slow, call: http.get, retry: {attempts: 3, first: 1ms}, with: {url: 'http://crm.test/slow'}}]
        any: true
";

#[tokio::test]
async fn a_second_try_that_fails_after_its_iteration_is_over_does_no_harm() {
    let (fast, slow) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let gates = (Arc::clone(&fast), Arc::clone(&slow));
    let recorder = Recorder::with(Box::new(move |request, nth| {
        let is_slow = request.with["url"] == json!("http://crm.test/slow");
        let gate = Arc::clone(if is_slow { &gates.1 } else { &gates.0 });
        let answer = ok(request);
        Box::pin(async move {
            if is_slow && nth == 1 {
                return Err(Failure::new(FailureKind::Status, "busy").with_status(503));
            }
            gate.acquire().await.unwrap().forget();
            if is_slow { Err(Failure::new(FailureKind::Status, "busy").with_status(503)) } else { Ok(answer) }
        })
    }));
    let project = Project::of(RACE);
    let app = TestApp::start(&project, recorder).await;
    let run = app.begin("main", json!({})).await;
    app.until(async |app| app.facts(run).await.iter().any(|entry| matches!(entry.fact, Fact::CallRetried { .. })).then_some(())).await;
    app.clock.advance(Duration::from_secs(1));
    app.recorder.reached(3).await;
    // The first iteration is decided while the second try of its slow branch is under way.
    fast.add_permits(1);
    app.recorder.reached(5).await;
    slow.add_permits(1);
    fast.add_permits(1);
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
}

#[tokio::test]
async fn a_run_that_cannot_be_read_when_it_is_due_goes_on_once_it_can() {
    let project = Project::of("when: [{manual: }]\nsteps:\n  - wait: 1h\n  - stop: 1\n");
    let app = TestApp::start(&project, Recorder::fine()).await;
    let run = app.begin("main", json!({})).await;
    app.stands(run, Status::Waiting).await;
    let before = *app.store.writes.borrow();
    app.store.unreadable.store(true, Ordering::SeqCst);
    app.clock.advance(Duration::from_secs(7_200));
    app.until(async |app| (before < *app.store.writes.borrow()).then_some(())).await;
    app.store.unreadable.store(false, Ordering::SeqCst);
    let time_passes = async {
        loop {
            app.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    let ended = crate::process::must("the run goes on", async {
        tokio::select! {
            head = app.stands(run, Status::Succeeded) => head,
            never = time_passes => never,
        }
    });
    assert_eq!(ended.await.status, Status::Succeeded);
}
