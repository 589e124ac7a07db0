//! A replay × a crash at every write × before and after it: it is there as a whole or not at all, it ends as one that
//! was left alone, and what it took over is never done again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use hence::domain::journal::{Address, Entry};
use hence::store::kv::Kv;
use hence::store::kv::faulty::{Death, Faulty};
use hence::store::kv::memory::Memory;
use hence::store::{RunFilter, RunHead, embedded};

use super::*;
use crate::crash::{Story, all_ended, life, story};

const ORDER: &str = "
when: [{manual: }]
steps:
  - {id: contact, call: http.post, with: {url: 'http://crm.test/contact'}}
  - wait: 1h
  - id: each
    foreach: '[\"a\", \"b\"]'
    steps:
      - {id: reserve, call: http.post, with: {url: 'http://crm.test/reserve/${item}'}}
      - {id: book, call: http.post, with: {url: 'http://crm.test/book/${item}', json: {at: '${now()}'}}}
  - id: both
    parallel:
      sms: [{call: http.post, with: {url: 'http://chat.test/sms'}}]
      pay:
        - {set: {total: steps.each.len()}}
        - {id: pay, call: http.post, with: {url: 'http://crm.test/pay', json: {total: '${vars.total}'}}}
  - wait: 2h
  - {id: thank, call: http.post, with: {url: 'http://chat.test/thanks'}}
";

/// A run that failed at its payment, on a store in memory. The payment works from now on; while `flaky`, every call fails once.
struct Failed {
    project: Project,
    memory: Memory,
    base: Life,
    run: RunId,
}

impl Failed {
    fn new(flaky: bool) -> Self {
        let broken = AtomicBool::new(true);
        let project = Project::of(ORDER);
        let memory = Memory::default();
        let recorder = Recorder::answering(move |request, nth| {
            if url(request).ends_with("/pay") && broken.swap(false, Ordering::SeqCst) {
                return Err(unwanted());
            }
            let down = flaky && nth == 1;
            if down { Err(Failure::new(FailureKind::Status, "503 at first").with_status(503)) } else { Ok(ok(request)) }
        });
        let base = Life { kv: Arc::new(memory.clone()), ..Life::new(recorder) };
        let run = life(async {
            let app = TestApp::resume(&project, base.clone()).await.unwrap();
            let run = app.begin("main", json!({})).await;
            assert_eq!(app.ended(run).await.status, Status::Failed);
            app.app.stop().await;
            run
        });
        Self { project, memory, base, run }
    }

    /// Replays on a store that may die. Whether it was acknowledged.
    fn replay(&self, kv: Arc<dyn Kv>, from: Option<&str>, is_dead: &dyn Fn() -> bool) -> bool {
        life(async {
            let Ok(app) = TestApp::resume(&self.project, Life { kv, ..self.base.clone() }).await else { return false };
            let answer = super::replay(&app, self.run, from).await;
            assert!(matches!(answer.status, 202 | 503), "{answer:?}");
            all_ended(&app, is_dead).await;
            answer.status == 202
        })
    }

    /// The runs in the store, with their facts, read beside any server.
    fn runs(&self, replays: bool) -> Vec<(RunHead, Vec<Entry>)> {
        life(async {
            let store = embedded::over(Arc::new(self.memory.clone()), None).unwrap();
            let mut runs = Vec::new();
            for head in store.runs(RunFilter { replays, ..RunFilter::default() }, 100).await.unwrap().items {
                let facts = store.facts(head.id).await.unwrap();
                runs.push((head, facts));
            }
            runs
        })
    }

    fn replays(&self) -> Vec<(RunHead, Vec<Entry>)> {
        self.runs(true)
    }

    /// The keys of calls that have ended well.
    fn done(&self) -> BTreeSet<String> {
        let runs = self.runs(false);
        let calls = runs.iter().flat_map(|(head, facts)| facts.iter().map(move |entry| (head.id, &entry.fact)));
        calls
            .filter(|(_, fact)| matches!(fact, Fact::CallSucceeded { .. }))
            .map(|(run, fact)| format!("{run}/{}", fact.step().unwrap()))
            .collect()
    }
}

/// A replay that is left alone: its story, the facts it takes over, and how many writes it takes.
fn undisturbed(flaky: bool, from: Option<&str>) -> (Story, Vec<Entry>, u64) {
    let failed = Failed::new(flaky);
    let faulty = Arc::new(Faulty::new(failed.memory.clone()));
    assert!(failed.replay(Arc::clone(&faulty) as Arc<dyn Kv>, from, &|| false));
    let (head, facts) = failed.replays().remove(0);
    let taken_over = usize::try_from(head.replay_of.unwrap().facts).unwrap();
    (story("main", &facts), facts[..taken_over].to_vec(), faulty.writes())
}

/// Facts without their times: those of retries are drawn for each run.
fn names(facts: &[Entry]) -> Vec<(&'static str, Option<&Address>)> {
    facts.iter().map(|entry| (entry.fact.word(), entry.fact.step())).collect()
}

fn disturbed(flaky: bool, from: Option<&str>, (nth, death): (u64, Death), (expected, taken_over): (&Story, &[Entry])) {
    let at = format!("from {from:?}, flaky {flaky}, write {nth}, {death:?}");
    let failed = Failed::new(flaky);
    let first = failed.base.recorder.calls().len();
    let faulty = Arc::new(Faulty::dying(failed.memory.clone(), nth, death));
    let acknowledged = failed.replay(Arc::clone(&faulty) as Arc<dyn Kv>, from, &|| faulty.is_dead());
    let stored = failed.replays();
    assert!(stored.len() <= 1 && (!acknowledged || stored.len() == 1), "{at}: {} replays", stored.len());
    let old = failed.runs(false).into_iter().find(|(head, _)| head.id == failed.run).unwrap().1;
    let check_whole = |facts: &[Entry]| {
        let first = &facts[..taken_over.len()];
        assert_eq!(names(first), names(taken_over), "{at}");
        assert!(first.iter().all(|fact| old.contains(fact)), "{at}: {first:?}");
    };
    stored.iter().for_each(|(_, facts)| check_whole(facts));
    let (done, before) = (failed.done(), failed.base.recorder.calls().len());
    life(async {
        let app = TestApp::resume(&failed.project, failed.base.clone()).await.unwrap();
        if !acknowledged {
            assert_eq!(super::replay(&app, failed.run, from).await.status, 202, "{at}");
        }
        all_ended(&app, || false).await;
    });
    let replays = failed.replays();
    assert_eq!(replays.len(), if acknowledged { 1 } else { 1 + stored.len() }, "{at}");
    for (_, facts) in &replays {
        assert_eq!(&story("main", facts), expected, "{at}");
        check_whole(facts);
    }
    let calls = failed.base.recorder.calls();
    for call in &calls[before..] {
        assert!(!done.contains(&call.idempotency_key), "{at}: {} was finished and called again", call.idempotency_key);
    }
    let mut by_key: BTreeMap<&str, &Request> = BTreeMap::new();
    for call in &calls[first..] {
        let (_, step) = call.idempotency_key.split_once('/').unwrap();
        assert!(taken_over.iter().all(|entry| entry.fact.step().is_none_or(|taken| taken.as_str() != step)), "{at}: {step} was taken over");
        assert_eq!(by_key.entry(&call.idempotency_key).or_insert(call).with, call.with, "{at}: the same key with another input");
    }
}

fn check(flaky: bool) {
    for from in [None, Some("each[1]/book"), Some("pay")] {
        let (expected, taken_over, writes) = undisturbed(flaky, from);
        assert!(expected.1.starts_with("succeeded") && 4 < writes, "{expected:?}");
        assert_eq!(taken_over.is_empty(), from.is_none());
        for nth in 1..=writes {
            for death in [Death::BeforeWrite, Death::AfterWrite] {
                disturbed(flaky, from, (nth, death), (&expected, &taken_over));
            }
        }
    }
}

#[test]
fn a_crash_at_any_write_leaves_a_replay_whole_or_absent() {
    check(false);
}

#[test]
fn nor_does_one_do_more_while_calls_fail() {
    check(true);
}
