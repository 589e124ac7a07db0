//! `concurrency` under random events, modes, cancels and crashes: never more runs at once than the limit
//! says, and at the end every run has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hence::clock::{Clock, ManualClock};
use hence::connector::Request;
use hence::domain::id::RunId;
use hence::store::kv::Kv;
use hence::store::kv::faulty::{Death, Faulty};
use hence::store::kv::memory::Memory;
use hence::store::{Store, embedded};
use serde_json::json;

use crate::crash::life;
use crate::process::must;
use crate::support::{Life, Project, Recorder, TestApp, ok};

/// Seeds that are tried. More are tried with `HENCE_SEEDS=FROM..TO`.
const SEEDS: std::ops::Range<u64> = 0..40;

/// SplitMix64: all chance in a case comes from its seed.
struct Chance(u64);

impl Chance {
    /// One of `0..below`.
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % below
    }
}

/// Who is between the first and the last call of a run, and what was wrong.
#[derive(Default)]
struct Seen {
    inside: BTreeMap<String, BTreeSet<String>>,
    /// The runs of each key in the order of their first calls.
    order: BTreeMap<String, Vec<String>>,
    wrong: Vec<String>,
}

struct Watch {
    seen: Mutex<Seen>,
    memory: Memory,
    limit: usize,
}

impl Watch {
    /// At a first call: who else is inside and has not ended?
    async fn enter(&self, request: &Request) {
        let (key, run) = (request.with["json"]["key"].as_str().unwrap().to_owned(), run_of(request));
        let others: Vec<String> = {
            let mut seen = self.seen.lock().unwrap();
            let inside = seen.inside.entry(key.clone()).or_default();
            inside.insert(run.clone());
            let others = inside.iter().cloned().collect();
            let order = seen.order.entry(key.clone()).or_default();
            if !order.contains(&run) {
                order.push(run.clone());
            }
            others
        };
        let store = embedded::over(Arc::new(self.memory.clone()), None).unwrap();
        let mut open = Vec::new();
        for other in others {
            // A canceled run makes no last call.
            if !store.run(other.parse().unwrap()).await.unwrap().unwrap().status.is_final() {
                open.push(other);
            }
        }
        if self.limit < open.len() {
            self.seen.lock().unwrap().wrong.push(format!("{open:?} are inside of `{key}` at once, the limit is {}", self.limit));
        }
    }

    fn leave(&self, request: &Request) {
        let (key, run) = (request.with["json"]["key"].as_str().unwrap(), run_of(request));
        self.seen.lock().unwrap().inside.entry(key.to_owned()).or_default().remove(&run);
    }
}

fn run_of(request: &Request) -> String {
    request.idempotency_key.split('/').next().unwrap().to_owned()
}

/// Answers after some virtual time, or when the clock has moved at all.
fn recorder(watch: &Arc<Watch>, clock: &Arc<ManualClock>, seed: u64) -> Arc<Recorder> {
    let (watch, clock, chance) = (Arc::clone(watch), Arc::clone(clock), Mutex::new(Chance(seed ^ 0xca11)));
    Recorder::with(Box::new(move |request, _| {
        let (watch, clock, request) = (Arc::clone(&watch), Arc::clone(&clock), request.clone());
        let takes = Duration::from_millis(chance.lock().unwrap().below(3) * 700);
        Box::pin(async move {
            let is_first = request.with["url"] == "http://crm.test/first";
            if is_first {
                watch.enter(&request).await;
            }
            clock.sleep_until(clock.now().after(takes)).await;
            if !is_first {
                watch.leave(&request);
            }
            Ok(ok(&request))
        })
    }))
}

fn workflow(chance: &mut Chance) -> (String, usize, &'static str) {
    let limit = 1 + chance.below(3);
    let mode = ["queue", "queue", "skip", "restart"][usize::try_from(chance.below(4)).unwrap()];
    let throttle = if chance.below(4) == 0 { "throttle: {limit: 2, per: 3s}\n" } else { "" };
    let text = format!(
        "
when: [{{manual: }}]
concurrency: {{key: event.body.key, limit: {limit}, mode: {mode}}}
{throttle}steps:
  - {{call: http.post, with: {{url: 'http://crm.test/first', json: {{key: '${{event.body.key}}'}}}}}}
  - {{if: event.body.waits, then: [{{wait: 2s}}]}}
  - {{call: http.post, with: {{url: 'http://crm.test/last', json: {{key: '${{event.body.key}}'}}}}}}
"
    );
    (text, usize::try_from(limit).unwrap(), mode)
}

/// Things happen until there are enough, or the server dies.
async fn happen(app: &TestApp, chance: &mut Chance, runs: &mut Vec<RunId>, is_dead: impl Fn() -> bool) {
    for _ in 0..chance.below(30) {
        if is_dead() {
            return;
        }
        match chance.below(10) {
            0..5 => {
                let key = ["a", "b"][usize::try_from(chance.below(2)).unwrap()];
                let event = json!({"key": key, "waits": chance.below(2) == 0});
                let answer = app.api(reqwest::Method::POST, "/runs", Some(json!({"workflow": "main", "event": event}))).await;
                if answer.status == 202 {
                    runs.extend(answer.runs());
                }
            }
            5 if !runs.is_empty() => {
                let nth = usize::try_from(chance.below(u64::try_from(runs.len()).unwrap())).unwrap();
                app.api(reqwest::Method::POST, &format!("/runs/{}/cancel", runs[nth]), None).await;
            }
            _ => app.clock.advance(Duration::from_millis(chance.below(2_000))),
        }
        for _ in 0..chance.below(20) {
            tokio::task::yield_now().await;
        }
    }
}

/// Time goes on until every run has ended.
async fn end(app: &TestApp) {
    let time_passes = async {
        loop {
            app.clock.advance(Duration::from_millis(250));
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        }
    };
    let all_ended = app.until(async |app| app.all_runs().await.iter().all(|run| run.status.is_final()).then_some(()));
    tokio::select! {
        () = all_ended => {}
        never = time_passes => never,
    }
}

fn check(seed: u64) {
    let mut chance = Chance(seed);
    let (text, limit, mode) = workflow(&mut chance);
    let project = Project::of(&text);
    let memory = Memory::default();
    let watch = Arc::new(Watch { seen: Mutex::default(), memory: memory.clone(), limit });
    let mut base = Life::new(Recorder::fine());
    base.recorder = recorder(&watch, &base.clock, seed);
    let mut runs = Vec::new();
    for _ in 0..chance.below(4) {
        let death = if chance.below(2) == 0 { Death::BeforeWrite } else { Death::AfterWrite };
        let faulty = Arc::new(Faulty::dying(memory.clone(), 3 + chance.below(40), death));
        life(async {
            let this = Life { kv: Arc::clone(&faulty) as Arc<dyn Kv>, ..base.clone() };
            let Ok(app) = TestApp::resume(&project, this).await else { return };
            happen(&app, &mut chance, &mut runs, || faulty.is_dead()).await;
        });
    }
    life(async {
        let app = TestApp::resume(&project, Life { kv: Arc::new(memory.clone()), ..base.clone() }).await.unwrap();
        happen(&app, &mut chance, &mut runs, || false).await;
        must(&format!("seed {seed}: every run ends\n{text}"), end(&app)).await;
        assert_eq!(app.app.intake.journal.waiting(), 0, "seed {seed}");
        for run in &runs {
            assert!(app.store.run(*run).await.unwrap().is_some(), "seed {seed}: {run} was accepted and is lost");
        }
    });
    let seen = watch.seen.lock().unwrap();
    assert!(seen.wrong.is_empty(), "seed {seed}: {:?}\n{text}", seen.wrong);
    if limit == 1 && mode == "queue" {
        assert!(seen.order.values().all(|runs| runs.is_sorted()), "seed {seed}: {:?}\n{text}", seen.order);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "more seeds by hand, as in the comment above")]
fn a_limit_holds_and_nothing_sticks_whatever_happens() {
    let seeds = std::env::var_os("HENCE_SEEDS").and_then(|seeds| {
        let (from, to) = seeds.to_str()?.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    seeds.unwrap_or(SEEDS).for_each(check);
}
