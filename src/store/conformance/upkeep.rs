//! What is forgotten, what never is, and what comes back of the disk.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::{
    Accept, Accepted, Ages, Commit, Keep, Listening, Pass, Pruned, RevisionFiles, Stage, Store, TopicKey, Write, Written, seq_at,
};
use super::{
    Place, REVISION, accept, accept_body, accept_new, commit, commit_ok, deduped, evaluated, event_id, finished, new, open_ids, run_id,
    time, waiting, write,
};
use crate::domain::admission::{Gather, Key};
use crate::domain::id::Revision;
use crate::domain::run::Status;

pub(super) const DAY_MS: u64 = 24 * 3_600_000;

fn days(days: u64) -> Duration {
    Duration::from_millis(days * DAY_MS)
}

/// Everything older than a month goes.
pub(super) fn month() -> Keep {
    Keep { runs: Ages::all(Some(days(30))), events: Some(days(30)), ..Keep::default() }
}

pub(super) async fn pass(store: &dyn Store, keep: Keep, now_ms: u64, over_ms: Option<u64>) -> Pruned {
    let mut pass = Pass::new(keep, time(now_ms), over_ms.map(time));
    while pass.stage != Stage::Done {
        pass = store.prune(pass).await.unwrap();
    }
    pass.pruned
}

/// Nothing refers to anything that is gone.
pub(super) async fn is_whole(store: &dyn Store) {
    assert_eq!(store.check().await.unwrap().problems, Vec::<String>::new());
}

pub(super) async fn put_revision(store: &dyn Store) {
    let files = RevisionFiles { files: vec![("a.yaml".to_owned(), "name: a".to_owned())] };
    store.put_revision(REVISION, files).await.unwrap();
}

pub(super) fn done(epoch: super::Epoch, at_ms: u64, nth: u32, status: Status) -> Commit {
    commit(run_id(at_ms, nth), epoch, 0, vec![finished(at_ms)], status)
}

pub(super) async fn old_runs_go_with_all_that_is_theirs(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    put_revision(store).await;
    let ages = [1, 2, 40, 41];
    for day in ages {
        let at = day * DAY_MS;
        // Larger than one value, so that there are pieces.
        accept_new(store, [accept_body(at, &["a", "b"], vec![7; 30_000], Vec::new())]).await;
        let facts = vec![evaluated(at, "s", &"x".repeat(30_000)), finished(at)];
        commit_ok(store, [commit(run_id(at, 0), epoch, 0, facts, Status::Succeeded), done(epoch, at, 1, Status::Failed)]).await;
    }
    accept_new(store, [accept(3 * DAY_MS, &[])]).await;
    let before = store.stats().await.unwrap();
    let pruned = pass(store, month(), 42 * DAY_MS, None).await;
    assert_eq!((pruned.runs, pruned.events, pruned.revisions), (4, 3, 0));
    let after = store.stats().await.unwrap();
    assert_eq!(after.live_bytes + pruned.bytes, before.live_bytes);
    for day in ages {
        let (at, stays) = (day * DAY_MS, 40 <= day);
        assert_eq!(store.event(event_id(at)).await.unwrap().is_some(), stays, "the event of day {day}");
        for nth in [0, 1] {
            assert_eq!(store.run(run_id(at, nth)).await.unwrap().is_some(), stays, "a run of day {day}");
            assert_eq!(store.facts(run_id(at, nth)).await.unwrap().is_empty(), !stays);
        }
    }
    is_whole(store).await;
    assert_eq!(pass(store, month(), 42 * DAY_MS, None).await, Pruned::default());
}

pub(super) async fn a_workflow_may_keep_its_runs_longer_or_shorter(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    put_revision(store).await;
    let at = DAY_MS;
    accept_new(store, [accept(at, &["a", "short", "short", "short", "long"])]).await;
    let status = [Status::Succeeded, Status::Succeeded, Status::Failed, Status::Canceled, Status::Succeeded];
    commit_ok(store, (0u32..).zip(status).map(|(nth, status)| done(epoch, at, nth, status))).await;
    let short = Ages { succeeded: Some(days(1)), failed: Some(days(60)), canceled: None };
    let workflows = HashMap::from([(Arc::from("short"), short), (Arc::from("long"), Ages::all(Some(days(90))))]);
    let keep = Keep { workflows, ..month() };
    let left = async |now_ms| {
        pass(store, keep.clone(), now_ms, None).await;
        let mut left = Vec::new();
        for nth in 0..5 {
            if store.run(run_id(at, nth)).await.unwrap().is_some() {
                left.push(nth);
            }
        }
        is_whole(store).await;
        left
    };
    // To the millisecond.
    assert_eq!(left(at + DAY_MS - 1).await, [0, 1, 2, 3, 4]);
    assert_eq!(left(at + DAY_MS).await, [0, 2, 3, 4]);
    assert_eq!(left(at + 30 * DAY_MS).await, [2, 3, 4]);
    assert_eq!(left(at + 60 * DAY_MS).await, [3, 4]);
    assert!(store.event(event_id(at)).await.unwrap().is_some(), "a run that stays keeps its event");
    assert_eq!(left(at + 1_000 * DAY_MS).await, [3]);
}

pub(super) async fn what_open_runs_need_stays(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    put_revision(store).await;
    let at = |day: u64| day * DAY_MS;
    let key = Key([9; 16]);
    let gathering = |day| {
        let mut sent = accept(at(day), &["batch"]);
        sent.runs[0].gather = Some(Gather::Batch { key, size: 9, within: days(400) });
        Write::Accept(sent)
    };
    // A run that waits, one that gathers two events, and a finished part of a run that goes on.
    accept_new(store, [accept(at(2), &["waits"])]).await;
    let topic = TopicKey::of("paid");
    let listens = Commit { listens: vec![Listening { topic, seen: seq_at(time(at(2))) }], ..waiting(run_id(at(2), 0), epoch, at(900)) };
    commit_ok(store, [listens]).await;
    write(store, [gathering(3), gathering(4)]).await;
    let mut child = accept(at(5), &["child"]);
    child.runs[0].parent = Some(run_id(at(2), 0));
    accept_new(store, [child]).await;
    commit_ok(store, [done(epoch, at(5), 0, Status::Succeeded)]).await;
    // Events that may be waited for: one before any open run, one after.
    for day in [1, 6] {
        accept_new(store, [Accept { topic: Some(Arc::from("paid")), ..accept(at(day), &[]) }]).await;
    }
    let open = open_ids(store).await;
    let pruned = pass(store, month(), at(100), Some(at(99))).await;
    assert_eq!((pruned.runs, pruned.events), (0, 1));
    assert_eq!(open_ids(store).await, open);
    assert_eq!(store.gathered(run_id(at(3), 0)).await.unwrap().len(), 2);
    assert!(store.run(run_id(at(5), 0)).await.unwrap().is_some());
    let posted = store.posted(topic, 0, 9).await.unwrap();
    assert_eq!(posted.iter().map(|posted| posted.event).collect::<Vec<_>>(), [event_id(at(6))]);
    is_whole(store).await;
    let end = commit(run_id(at(2), 0), epoch, 1, vec![finished(at(101))], Status::Succeeded);
    commit_ok(store, [end, done(epoch, at(101), 0, Status::Canceled)].into_iter().take(1)).await;
    // The one that gathers is open still: what came after it may be waited for.
    assert_eq!(pass(store, month(), at(200), None).await.runs, 2);
    assert_eq!(store.posted(topic, 0, 9).await.unwrap().len(), 1);
    is_whole(store).await;
}

pub(super) async fn a_repeat_is_known_when_its_event_is_gone(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    put_revision(store).await;
    let first = deduped(accept(DAY_MS, &["a"]), 1, 200 * DAY_MS);
    accept_new(store, [first.clone()]).await;
    commit_ok(store, [done(epoch, DAY_MS, 0, Status::Succeeded)]).await;
    let pruned = pass(store, month(), 100 * DAY_MS, None).await;
    assert_eq!((pruned.runs, pruned.events), (1, 1));
    is_whole(store).await;
    for day in [100, 199] {
        let repeat = write(store, [Write::Accept(deduped(accept(day * DAY_MS, &["a"]), 1, 300 * DAY_MS))]).await;
        let Accept { event, .. } = &first;
        assert_eq!(repeat, [Written::Accepted(Accepted::Duplicate { event: event.head.id, matches: event.head.matches.clone() })]);
    }
    assert_eq!(store.forget_keys(time(200 * DAY_MS), 9).await, Ok(1));
    let again = deduped(accept(200 * DAY_MS, &["a"]), 1, 300 * DAY_MS);
    assert_eq!(write(store, [Write::Accept(again.clone())]).await, [new(&again)]);
    is_whole(store).await;
}

pub(super) async fn the_oldest_go_when_there_is_too_much(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    put_revision(store).await;
    let hour = |n: u64| n * 3_600_000;
    for n in 1..=10 {
        accept_new(store, [accept_body(hour(n), &["a"], vec![7; 10_000], Vec::new())]).await;
        // The first one goes on.
        if 1 < n {
            commit_ok(store, [done(epoch, hour(n), 0, Status::Succeeded)]).await;
        }
    }
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.workflows["a"].runs, stats.workflows["a"].open), (10, 1));
    assert_eq!((stats.oldest, stats.newest), (Some(time(hour(1))), Some(time(hour(10)))));
    assert_eq!(stats.time_of_excess(0), None);
    let over = stats.time_of_excess(35_000).unwrap();
    let pruned = pass(store, Keep::default(), hour(11), u64::try_from(over.0).ok()).await;
    assert_eq!((pruned.runs, pruned.events), (3, 3));
    let runs = store.runs(super::super::RunFilter::default(), 99).await.unwrap().items;
    let left: Vec<_> = runs.into_iter().map(|run| run.id).collect();
    assert_eq!(left, [10, 9, 8, 7, 6, 5, 1].map(|n| run_id(hour(n), 0)));
    // What ended a moment ago stays, however much there is.
    pass(store, Keep::default(), hour(10) + 1_000, Some(u64::MAX >> 2)).await;
    assert_eq!(store.runs(super::super::RunFilter::default(), 99).await.unwrap().items.len(), 2);
    is_whole(store).await;
}

pub(super) async fn revisions_that_nothing_refers_to_go(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    let files = |size| RevisionFiles { files: vec![("a.yaml".to_owned(), "x".repeat(size))] };
    let [used, served, gone] = [REVISION, Revision([8; 32]), Revision([9; 32])];
    for revision in [used, served, gone] {
        store.put_revision(revision, files(30_000)).await.unwrap();
    }
    accept_new(store, [accept(DAY_MS, &["a"])]).await;
    let keep = Keep { revisions: [served].into(), ..month() };
    // One that was stored just now may belong to workflows that are being loaded.
    assert_eq!(pass(store, keep.clone(), 2 * DAY_MS, None).await.revisions, 0);
    assert_eq!(pass(store, keep.clone(), 2 * DAY_MS, None).await.revisions, 1);
    let there = async |revision| store.revision(revision).await.unwrap().is_some();
    assert_eq!((there(used).await, there(served).await, there(gone).await), (true, true, false));
    commit_ok(store, [done(epoch, DAY_MS, 0, Status::Succeeded)]).await;
    for _ in 0..2 {
        pass(store, keep.clone(), 90 * DAY_MS, None).await;
    }
    assert_eq!((there(used).await, there(served).await), (false, true));
    is_whole(store).await;
}

pub(super) async fn what_comes_during_a_pass_stays(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    put_revision(store).await;
    accept_new(store, [accept(DAY_MS, &["a"])]).await;
    commit_ok(store, [done(epoch, DAY_MS, 0, Status::Succeeded)]).await;
    for stop in [Stage::Runs, Stage::Gathered, Stage::Keys, Stage::Posted, Stage::Events] {
        let mut pass = Pass::new(month(), time(90 * DAY_MS), None);
        while pass.stage != stop {
            pass = store.prune(pass).await.unwrap();
        }
        let at = match stop {
            Stage::Runs => 91,
            Stage::Gathered => 92,
            Stage::Keys => 93,
            Stage::Posted => 94,
            Stage::Events | Stage::Files | Stage::Begin | Stage::Revisions | Stage::Done => 95,
        } * DAY_MS;
        accept_new(store, [accept(at, &["a"])]).await;
        while pass.stage != Stage::Done {
            pass = store.prune(pass).await.unwrap();
        }
        assert!(store.event(event_id(at)).await.unwrap().is_some() && store.run(run_id(at, 0)).await.unwrap().is_some());
        is_whole(store).await;
    }
    // A pass that is given up is followed by one that ends.
    let begun = store.prune(Pass::new(month(), time(90 * DAY_MS), None)).await.unwrap();
    drop(store.prune(begun).await.unwrap());
    pass(store, month(), 90 * DAY_MS, None).await;
    is_whole(store).await;
}

pub(super) async fn a_compacted_store_holds_the_same(place: &Place) {
    let store = place().unwrap();
    let epoch = store.acquire().await.unwrap();
    put_revision(&*store).await;
    for n in 1..=300 {
        accept_new(&*store, [accept_body(n * DAY_MS, &["a"], vec![7; 30_000], Vec::new())]).await;
        commit_ok(&*store, [done(epoch, n * DAY_MS, 0, Status::Succeeded)]).await;
    }
    pass(&*store, month(), 301 * DAY_MS, None).await;
    let before = store.stats().await.unwrap();
    assert_eq!(before.workflows["a"].runs, 29);
    let compacted = store.compact().await.unwrap();
    let after = store.stats().await.unwrap();
    assert_eq!((&after.kinds, &after.workflows), (&before.kinds, &before.workflows));
    // A store without files has nothing to give back.
    let halved = compacted.after_bytes <= compacted.before_bytes / 2;
    assert!(halved || compacted.before_bytes == 0, "{compacted:?}");
    assert_eq!(store.disk_bytes().await.unwrap(), compacted.after_bytes);
    accept_new(&*store, [accept(400 * DAY_MS, &["a"])]).await;
    drop(store);
    let store = place().unwrap();
    assert_eq!(store.stats().await.unwrap().workflows["a"].runs, 30);
    is_whole(&*store).await;
}
