//! Whatever happened, and whatever is kept: after a pass nothing dangles, and every open run is as it was.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::super::super::{Accept, Ages, Commit, DedupeKey, Keep, Listening, NewRun, Pass, Stage, seq_at};
use super::*;
use crate::domain::admission::{Gather, Key};
use crate::domain::event::{Match, MatchResult, Source};
use crate::domain::id::Parts;
use crate::domain::journal::{Address, Fact, Outcome};
use crate::domain::run::Status;

const DAY_MS: u64 = 24 * 3_600_000;
const NAMES: [&str; 3] = ["a", "b", "c"];

/// One event and what becomes of its run.
#[derive(Debug, Clone)]
struct Happening {
    day: u64,
    workflow: Option<usize>,
    /// Which one of those before it goes on around it.
    parent: Option<usize>,
    batch: bool,
    topic: bool,
    dedupe_days: Option<u64>,
    end: Option<Status>,
    body: usize,
}

fn happening() -> impl Strategy<Value = Happening> {
    let end = prop::option::of(prop::sample::select(vec![Status::Succeeded, Status::Failed, Status::Canceled]));
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    let of = (prop::option::weighted(0.8, 0..NAMES.len()), prop::option::weighted(0.2, 0usize..20), prop::option::weighted(0.4, 1u64..200));
    (1u64..100, of, flags, end, prop::sample::select(vec![3, 20_000])).prop_map(
        |(day, (workflow, parent, dedupe_days), (batch, topic), end, body)| Happening {
            day,
            workflow,
            parent,
            batch,
            topic,
            dedupe_days,
            end,
            body,
        },
    )
}

fn keep() -> impl Strategy<Value = Keep> {
    let age = || prop::option::of((1u64..120).prop_map(|days| Duration::from_millis(days * DAY_MS)));
    let ages = || (age(), age(), age()).prop_map(|(succeeded, failed, canceled)| Ages { succeeded, failed, canceled });
    (ages(), prop::option::of(ages()), age()).prop_map(|(runs, own, events)| Keep {
        runs,
        workflows: own.map(|own| HashMap::from([(Arc::from("b"), own)])).unwrap_or_default(),
        events,
        ..Keep::default()
    })
}

fn parts(n: usize, day: u64) -> Parts {
    Parts { time_ms: day * DAY_MS, counter: u32::try_from(n).unwrap(), chance: 1, shard: 1 }
}

async fn happen(store: &dyn Store, epoch: Epoch, all: &[Happening]) {
    for (n, it) in all.iter().enumerate() {
        let received = Timestamp(i64::try_from(it.day * DAY_MS).unwrap());
        let (event, run) = (EventId::new(parts(n, it.day)), RunId::new(parts(n, it.day)));
        let mut head = EventHead::new(event, Source::Workflow, "paid", received);
        let mut runs = Vec::new();
        if let Some(workflow) = it.workflow {
            let mut new = NewRun::new(run, Arc::from(NAMES[workflow]), Revision([1; 32]));
            new.parent = it.parent.filter(|parent| *parent < n).map(|parent| RunId::new(parts(parent, all[parent].day)));
            let key = Key([u8::try_from(workflow).unwrap() + 1; 16]);
            new.gather = it.batch.then_some(Gather::Batch { key, size: 3, within: Duration::from_secs(9) });
            head.matches = vec![Match { workflow: Arc::from(NAMES[workflow]), result: MatchResult::Run(run) }];
            runs.push(new);
        }
        let dedupe = it.dedupe_days.map(|days| {
            let until = Timestamp(i64::try_from((it.day + days) * DAY_MS).unwrap());
            DedupeKey { hash: [u8::try_from(n % 7).unwrap() + 1; 32], until }
        });
        let dedupe = dedupe.into_iter().collect();
        let topic = it.topic.then(|| Arc::from("paid"));
        let event = Arc::new(Event::new(head, Bytes::from(vec![1; it.body])));
        store.write(vec![Write::Accept(Accept { event, dedupe, runs, cursor: None, topic })]).await.unwrap();
        let stored = store.run(run).await.unwrap();
        let (fact, status) = match it.end {
            None => (Fact::StepEvaluated { step: Address::new("s"), output: Arc::new(1.into()) }, Status::Waiting),
            Some(Status::Succeeded) => {
                (Fact::RunFinished { outcome: Outcome::Succeeded { output: Arc::new(1.into()) } }, Status::Succeeded)
            }
            Some(status) => (Fact::RunFinished { outcome: Outcome::Canceled }, status),
        };
        if stored.is_some() {
            let entry = Entry { at: received, fact };
            let mut commit = Commit::new(run, epoch, 0, vec![entry], status);
            if it.end.is_none() {
                commit.listens = vec![Listening { topic: TopicKey::of("paid"), seen: seq_at(received) }];
            }
            store.write(vec![Write::from(commit)]).await.unwrap();
        }
    }
}

/// Everything that an open run can see of the store.
async fn open_state(store: &dyn Store) -> Vec<String> {
    let mut seen = Vec::new();
    for open in store.load().await.unwrap() {
        let head = store.run(open.id).await.unwrap().unwrap();
        let accepted = seq_at(head.accepted).saturating_sub(1);
        let posted = store.posted(TopicKey::of("paid"), accepted, 1_000).await.unwrap();
        for posted in &posted {
            assert!(store.event(posted.event).await.unwrap().is_some());
        }
        let gathered = store.gathered(open.id).await.unwrap();
        let (facts, event) = (store.facts(open.id).await.unwrap(), store.event(head.event).await.unwrap());
        assert!(event.is_some());
        seen.push(format!("{open:?} {head:?} {facts:?} {posted:?} {gathered:?}"));
    }
    seen
}

/// What a repeat of each event would be told.
async fn repeats(store: &dyn Store, now: Timestamp) -> Vec<String> {
    let mut told = Vec::new();
    for hash in 1..=7u8 {
        // Only looked at: a key that is known writes nothing, and for one that is not there is a store of its own.
        let head = EventHead::new(EventId::from_bytes([255; 16]), Source::Webhook, "x", now);
        let event = Arc::new(Event::new(head, Bytes::new()));
        let dedupe = vec![DedupeKey { hash: [hash; 32], until: now }];
        let accept = Accept { event, dedupe, runs: Vec::new(), cursor: None, topic: None };
        told.push(format!("{:?}", store.write(vec![Write::Accept(accept)]).await.unwrap()));
    }
    told
}

async fn check(all: Vec<Happening>, keep: Keep, over_day: Option<u64>) {
    let memory = Memory::default();
    let store = over(Arc::new(memory.clone()), None).unwrap();
    let epoch = store.acquire().await.unwrap();
    store.put_revision(Revision([1; 32]), RevisionFiles { files: vec![("a".to_owned(), "b".to_owned())] }).await.unwrap();
    happen(&*store, epoch, &all).await;
    let now = Timestamp(i64::try_from(101 * DAY_MS).unwrap());
    let copy = || {
        let copy = Memory::default();
        let mut batch = Batch::default();
        content(&memory).into_iter().for_each(|(key, value)| batch.put(key, value));
        copy.apply(&batch).unwrap();
        over(Arc::new(copy), None).unwrap()
    };
    assert_eq!(store.check().await.unwrap().problems, Vec::<String>::new(), "before");
    let (open, known, bytes) = (open_state(&*store).await, repeats(&*copy(), now).await, store.stats().await.unwrap().live_bytes);
    let over = over_day.map(|day| Timestamp(i64::try_from(day * DAY_MS).unwrap()));
    let mut pruned = 0;
    for _ in 0..2 {
        let mut pass = Pass::new(keep.clone(), now, over);
        while pass.stage != Stage::Done {
            pass = store.prune(pass).await.unwrap();
        }
        pruned += pass.pruned.bytes;
    }
    assert_eq!(store.check().await.unwrap().problems, Vec::<String>::new(), "after");
    assert_eq!(open_state(&*store).await, open);
    assert_eq!(repeats(&*copy(), now).await, known);
    assert!(store.stats().await.unwrap().live_bytes <= bytes && pruned <= bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_pass_leaves_nothing_dangling_and_open_runs_as_they_were(
        mut all in prop::collection::vec(happening(), 0..40),
        keep in keep(),
        over_day in prop::option::of(1u64..101),
    ) {
        all.sort_by_key(|it| it.day);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(check(all, keep, over_day));
    }
}
