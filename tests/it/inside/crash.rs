//! Workflows that bring about each other × a crash at every write: an event and the fact that it was emitted
//! are one write, as are a child and the fact that it began.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hence::store::Store;
use hence::store::kv::Kv;
use hence::store::kv::faulty::{Death, Faulty};
use hence::store::kv::memory::Memory;
use serde_json::json;

use super::{gated, project};
use crate::support::{Life, Project, Recorder, TestApp};

const FIRST: &str = "
when: [{webhook: {path: first, verify: none, dedupe: {key: event.body.id, within: 7d}}}]
steps:
  - id: before
    call: http.get
    with: {url: http://crm.test/before}
  - {emit: asked, with: {id: '${event.body.id}'}}
  - id: child
    run: child
    with: {x: 2}
  - id: answer
    wait: {event: answered, if: event.body.id == run.event.body.id, for: 1h}
  - {respond: {text: '${steps.answer.body.id}'}}
  - stop: '[steps.child, steps.answer.body.n]'
";
const SECOND: &str = "
when: [{event: {type: asked}}]
steps:
  - {id: ask, call: http.get, with: {url: http://crm.test/ask}}
  - {emit: answered, with: {id: '${event.body.id}', n: 5}}
  - stop: now()
";
const CHILD: &str = "when: [manual]\nsteps: [{id: inner, call: http.get, with: {url: http://crm.test/inner}}, {stop: event.body.x * 2}]\n";
const LAST: &str =
    "when: [{run: {workflow: first}}]\nsteps: [{id: last, call: http.get, with: {url: http://crm.test/last}}, {stop: event.body.output}]\n";

fn four() -> Project {
    project(&[("first", FIRST), ("second", SECOND), ("child", CHILD), ("last", LAST)])
}

/// A runtime of its own that is thrown away at the end, tasks and all: a crash.
fn life<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

/// By workflow: how its run ended. And how many events of each type there are.
type Story = (BTreeMap<String, String>, BTreeMap<String, usize>);

async fn story(app: &TestApp) -> Story {
    let mut runs = BTreeMap::new();
    for head in app.all_runs().await {
        let shown = app.get(&format!("/runs/{}", head.id)).await.body;
        let before = runs.insert(head.workflow.to_string(), format!("{:?} {}", head.status, shown["output"]));
        assert_eq!(before, None, "a second run of {}", head.workflow);
    }
    let mut events = BTreeMap::new();
    for event in app.get("/events").await.body["events"].as_array().unwrap() {
        *events.entry(event["type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    (runs, events)
}

/// Until the last run has ended, or the store is dead. Waits for time that is over are none here.
async fn through(app: &TestApp, is_dead: impl Fn() -> bool) {
    app.until(async |app| {
        if is_dead() {
            return Some(());
        }
        let runs = app.store.runs(hence::store::RunFilter::default(), 100).await;
        let Ok(page) = runs else { return Some(()) };
        (page.items.len() == 4 && page.items.iter().all(|run| run.status.is_final())).then_some(())
    })
    .await;
}

async fn send(app: &TestApp) -> bool {
    matches!(app.post("first", &json!({"id": "o1"})).await.status, 200 | 202)
}

#[test]
fn a_crash_at_any_write_neither_loses_nor_repeats_what_is_emitted() {
    let project = four();
    let (expected, writes) = life(async {
        let faulty = Arc::new(Faulty::new(Memory::default()));
        let base = Life::new(Recorder::fine());
        let app = TestApp::resume(&project, Life { kv: Arc::clone(&faulty) as Arc<dyn Kv>, ..base }).await.unwrap();
        assert!(send(&app).await);
        through(&app, || false).await;
        (story(&app).await, faulty.writes())
    });
    assert_eq!(expected.0["first"], "Succeeded [4,5]");
    assert_eq!(expected.0["last"], "Succeeded [4,5]");
    assert_eq!((expected.1["asked"], expected.1["answered"], expected.1["run.ended"]), (1, 1, 2));
    for nth in 1..=writes {
        for death in [Death::BeforeWrite, Death::AfterWrite] {
            let at = format!("write {nth} of {writes}, {death:?}");
            let (memory, base) = (Memory::default(), Life::new(Recorder::fine()));
            let acknowledged = life(async {
                let faulty = Arc::new(Faulty::dying(memory.clone(), nth, death));
                let first = Life { kv: Arc::clone(&faulty) as Arc<dyn Kv>, ..base.clone() };
                let Ok(app) = TestApp::resume(&project, first).await else { return false };
                let acknowledged = send(&app).await;
                through(&app, || faulty.is_dead()).await;
                acknowledged
            });
            let found = life(async {
                let second = Life { kv: Arc::new(memory.clone()), ..base.clone() };
                let app = TestApp::resume(&project, second).await.unwrap();
                assert!(acknowledged || send(&app).await, "{at}");
                through(&app, || false).await;
                story(&app).await
            });
            assert_eq!(found, expected, "{at}");
            let mut inputs = BTreeMap::new();
            for call in base.recorder.calls() {
                let first = inputs.entry(call.idempotency_key.clone()).or_insert(call.with.clone());
                assert_eq!(*first, call.with, "{at}");
            }
            assert_eq!(inputs.len(), 4, "{at}: {inputs:?}");
        }
    }
}

#[tokio::test]
async fn what_could_not_be_written_at_first_begins_once() {
    let emitter = "when: [manual]\nsteps:\n  - {call: http.get, with: {url: http://crm.test/held}}\n  - {emit: order.paid}\n";
    let told = "when: [{event: {type: order.paid}}]\nsteps: [{call: http.get, with: {url: http://crm.test/told}}]\n";
    let project = project(&[("emitter", emitter), ("told", told)]);
    let (recorder, gate) = gated();
    let faulty = Arc::new(Faulty::new(Memory::default()));
    let life = Life { kv: Arc::clone(&faulty) as Arc<dyn Kv>, ..Life::new(Arc::clone(&recorder)) };
    let app = TestApp::resume(&project, life).await.unwrap();
    app.begin("emitter", json!({})).await;
    recorder.reached(1).await;
    faulty.set_full(true);
    let before = faulty.writes();
    gate.open();
    // The facts are tried again each second.
    while faulty.writes() < before + 4 {
        app.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    faulty.set_full(false);
    while app.all_runs().await.iter().filter(|run| run.status.is_final()).count() < 2 {
        app.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    app.app.stop().await;
    let calls: Vec<_> = recorder.calls().into_iter().map(|call| call.with["url"].clone()).collect();
    assert_eq!(calls, ["http://crm.test/held", "http://crm.test/told"]);
}
