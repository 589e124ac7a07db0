//! What a server does by itself × calls to its disk that fail: each due time fires once, a lane keeps its order, what is old goes
//! in the end, and changed files are served.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hence::domain::run::Status;
use hence::domain::time::Timestamp;
use hence::store::kv::Kv;
use hence::store::kv::faulty::{Call, Fault, Faulty};
use hence::store::kv::memory::Memory;
use hence::store::{RunFilter, RunHead, Store, embedded};
use serde_json::{Value, json};

use super::calls::while_time_passes;
use super::reads::{failed, started};
use crate::crash::life;
use crate::process::must;
use crate::reload::changed;
use crate::support::{Life, Project, Recorder, TestApp, ok};

/// A server, and its store seen beside the fault.
struct Place {
    app: TestApp,
    beside: Arc<dyn Store>,
    disk: Arc<Faulty>,
}

impl Place {
    /// Starts; the fault may be met at once.
    async fn new(project: &Project, recorder: Arc<Recorder>, fault: Option<Fault>) -> Self {
        let memory = Memory::default();
        let disk = Arc::new(Faulty::new(memory.clone()));
        fault.into_iter().for_each(|fault| disk.fail(fault));
        let app = started(project, &Life { kv: Arc::clone(&disk) as Arc<dyn Kv>, ..Life::new(recorder) }).await;
        Self { app, beside: embedded::over(Arc::new(memory), None).unwrap(), disk }
    }

    async fn runs(&self) -> Vec<RunHead> {
        self.beside.runs(RunFilter::default(), 1_000).await.unwrap().items
    }

    /// Waits until so many runs have ended, and none is open.
    async fn ended(&self, count: usize) -> Vec<RunHead> {
        let ends = self.app.until(async |_| {
            let runs = self.runs().await;
            (count <= runs.len() && runs.iter().all(|run| run.status == Status::Succeeded)).then_some(())
        });
        must("the runs end", while_time_passes(&self.app, ends)).await;
        self.runs().await
    }
}

/// The first call of a kind fails, in another life the second, until there is none. A life says how many did.
fn check(faults: &[(Call, bool)], lived: impl AsyncFn(Fault) -> u64) {
    for (of, kept) in faults {
        let mut nth = 1;
        while 0 < life(lived(Fault { of: *of, nth, times: 1, error: failed(), kept: *kept })) {
            // The beginning wholly; later on the same comes again and again.
            nth += if nth < 48 { 1 } else { nth };
        }
        assert!(1 < nth, "no {of:?} was met");
    }
}

const HOUR_MS: i64 = 3_600_000;

const ALL: [(Call, bool); 4] = [(Call::Read, false), (Call::Record, false), (Call::Write, false), (Call::Write, true)];

async fn begun(place: &Place) -> Option<Timestamp> {
    place.beside.cursor("main every 3600000ms").await.unwrap()
}

#[test]
fn each_due_time_fires_once_whatever_fails() {
    let project = Project::of("when: [{schedule: {every: 1h, catch_up: all}}]\nsteps: [{stop: event.body.due}]\n");
    // Nothing is walked over but by what goes on beside, which comes when it comes.
    check(&[ALL[0], ALL[2], ALL[3]], async |fault| {
        let at = format!("{fault:?}");
        let place = Place::new(&project, Recorder::fine(), Some(fault)).await;
        let begins = async {
            place.app.until(async |_| begun(&place).await).await;
        };
        must("the schedule begins", while_time_passes(&place.app, begins)).await;
        let Timestamp(begun_ms) = begun(&place).await.unwrap();
        for hour in 1..=2 {
            place.app.clock.advance(Duration::from_secs(3_600));
            assert_eq!(place.ended(hour).await.len(), hour, "{at}");
        }
        let mut due = BTreeSet::new();
        for run in place.runs().await {
            let event = place.beside.event(run.event).await.unwrap().unwrap();
            let body: Value = serde_json::from_slice(&event.body).unwrap();
            due.insert(body["due"].as_str().unwrap().to_owned());
        }
        let hours = [1, 2].map(|hour| Timestamp((begun_ms / HOUR_MS + hour) * HOUR_MS).to_string());
        assert_eq!(due, BTreeSet::from(hours), "{at}");
        place.disk.mend()
    });
}

#[test]
fn a_lane_keeps_its_order_and_its_limit_whatever_fails() {
    let step = "{call: http.post, with: {url: 'http://crm.test/${event.body.n}', json: {}}}";
    let project = Project::of(&format!("when: [{{manual: }}]\nconcurrency: {{limit: 1}}\nsteps: [{step}]\n"));
    // A start by hand whose write was kept and refused is made again: it is another one. Nothing is walked over here.
    check(&[ALL[0], ALL[2]], async |fault| {
        let at = format!("{fault:?}");
        let (calling, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (now, order) = (Arc::clone(&calling), Arc::clone(&seen));
        let recorder = Recorder::with(Box::new(move |request, _| {
            let (answer, now) = (ok(request), Arc::clone(&now));
            order.lock().unwrap().push(request.with["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned());
            Box::pin(async move {
                assert_eq!(now.fetch_add(1, Ordering::SeqCst), 0, "two of one lane at once");
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(answer)
            })
        }));
        let place = Place::new(&project, recorder, Some(fault)).await;
        for n in 0..4 {
            let start = json!({"workflow": "main", "event": {"n": n}});
            while place.app.api(reqwest::Method::POST, "/runs", Some(start.clone())).await.status == 503 {}
        }
        assert_eq!(place.ended(4).await.len(), 4, "{at}");
        assert_eq!(*seen.lock().unwrap(), ["0", "1", "2", "3"], "{at}");
        place.disk.mend()
    });
}

#[test]
fn what_is_old_goes_in_the_end_whatever_fails() {
    let project = Project::new(&[
        ("hence.yaml", "retention: {age: 1h, bytes: unlimited}\n"),
        ("workflows/work.yaml", "when:\n  - manual:\nsteps:\n  - stop: '1'\n"),
        ("workflows/long.yaml", "when:\n  - manual:\nsteps:\n  - wait: 9000d\n"),
    ]);
    check(&ALL, async |fault| {
        let at = format!("{fault:?}");
        let place = Place::new(&project, Recorder::fine(), None).await;
        let (work, long) = (place.app.begin("work", json!({"a": 1})).await, place.app.begin("long", json!({"a": 1})).await);
        let (work, long) = (place.app.stands(work, Status::Succeeded).await, place.app.stands(long, Status::Waiting).await);
        place.disk.fail(fault);
        place.app.clock.advance(Duration::from_secs(7_200));
        must("what is old is forgotten", async {
            while place.beside.event(work.event).await.unwrap().is_some() {
                place.app.clock.advance(Duration::from_secs(10));
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(place.beside.run(work.id).await, Ok(None), "{at}");
        assert_eq!(place.beside.run(long.id).await.unwrap().map(|run| run.status), Some(Status::Waiting), "{at}");
        assert!(place.beside.event(long.event).await.unwrap().is_some(), "{at}");
        assert_eq!(place.beside.check().await.unwrap().problems, Vec::<String>::new(), "{at}");
        place.disk.mend()
    });
}

#[test]
fn changed_files_are_served_in_the_end_whatever_fails() {
    let stops = |with: &str| format!("when: [{{manual: }}]\nsteps: [{{stop: '{with}'}}]\n");
    check(&[ALL[0], ALL[2], ALL[3]], async |fault| {
        let at = format!("{fault:?}");
        let project = Project::of(&stops("1"));
        let place = Place::new(&project, Recorder::fine(), None).await;
        let run = place.app.begin("main", json!({})).await;
        let before = place.app.stands(run, Status::Succeeded).await.revision;
        place.disk.fail(fault);
        project.write("workflows/main.yaml", &stops("22"));
        must("the change is served", changed(&place.app)).await;
        let now = place.app.app.intake.current.get().get("main").unwrap().workflow.revision;
        assert_ne!(now, before, "{at}");
        assert!(place.beside.revision(now).await.unwrap().is_some(), "{at}: what is served is not stored");
        place.disk.mend()
    });
}
