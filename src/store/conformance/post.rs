//! Events that runs wait for, and what a commit brings about beside its facts.

use std::sync::Arc;

use super::super::{Accept, Accepted, Commit, CommitError, Listening, OpenRun, Store, TopicKey, Write, Written, seq_at};
use super::{Place, accept, accept_new, commit, evaluated, event_id, finished, open_ids, open_run, run_id, time, write};
use crate::domain::id::EventId;
use crate::domain::run::Status;
use crate::domain::time::Timestamp;

fn posting(at_ms: u64, topic: &str) -> Accept {
    Accept { topic: Some(Arc::from(topic)), ..accept(at_ms, &[]) }
}

async fn posted(store: &dyn Store, topic: &str, after: u64, limit: usize) -> Vec<(u64, EventId)> {
    let posted = store.posted(TopicKey::of(topic), after, limit).await.unwrap();
    posted.into_iter().map(|posted| (posted.seq, posted.event)).collect()
}

pub(super) async fn events_of_a_topic_are_found_in_order(place: &Place) {
    let store = place().unwrap();
    let at = |ms| seq_at(time(ms));
    assert_eq!(posted(&*store, "paid", 0, 9).await, []);
    accept_new(&*store, [posting(10, "paid"), accept(11, &[]), posting(12, "sent"), posting(13, "paid")]).await;
    drop(store);

    let store = place().unwrap();
    // The clock has stepped back, and one more has the same time as the last.
    accept_new(&*store, [posting(5, "paid"), posting(20, "paid"), posting(6, "sent")]).await;
    let paid = [(at(10), event_id(10)), (at(13), event_id(13)), (at(13) + 1, event_id(5)), (at(20), event_id(20))];
    assert_eq!(posted(&*store, "paid", 0, 9).await, paid);
    assert_eq!(posted(&*store, "sent", 0, 9).await, [(at(12), event_id(12)), (at(20) + 1, event_id(6))]);
    assert_eq!(posted(&*store, "paid", at(13), 1).await, paid[2..3]);
    assert_eq!(posted(&*store, "paid", at(13) - 1, 9).await, paid[1..]);
    assert_eq!(posted(&*store, "paid", at(20), 9).await, []);
    assert_eq!(posted(&*store, "paid", u64::MAX, 9).await, []);
    assert_eq!(posted(&*store, "pai", 0, 9).await, []);
}

pub(super) async fn a_run_that_listens_is_found_with_what_it_listens_to(place: &Place) {
    let store = place().unwrap();
    let epoch = store.acquire().await.unwrap();
    accept_new(&*store, [accept(10, &["a", "b", "c"]), posting(11, "paid")]).await;
    let listens = |topic: &str, seen| Listening { topic: TopicKey::of(topic), seen };
    let [a, b, c] = [0, 1, 2].map(|nth| run_id(10, nth));
    let running = |run| commit(run, epoch, 0, vec![evaluated(12, "s", "")], Status::Running);
    let waiting = |run, from, wake: Option<u64>, listens: Vec<Listening>| Commit {
        wake: wake.map(time),
        listens,
        ..commit(run, epoch, from, vec![evaluated(13, &format!("t{from}"), "")], Status::Waiting)
    };
    let (seen, behind) = (listens("paid", seq_at(time(11))), listens("sent", 0));
    let commits = [
        running(a),
        // One that ran before, with no time of its own: only what it listens to is new.
        waiting(a, 1, None, vec![seen, behind]),
        waiting(b, 0, Some(900), vec![behind]),
        waiting(c, 0, Some(800), vec![seen]),
        // What is listened to may end while the time stays.
        waiting(c, 1, Some(800), Vec::new()),
    ];
    for written in write(&*store, commits.map(Write::from)).await {
        assert_eq!(written, Written::Committed(Vec::new()));
    }
    let open =
        |id, wake: Option<u64>, listens: Vec<Listening>| OpenRun { listens: listens.into(), ..open_run(id, wake.map(time), false, true) };
    let quiet = [open(a, None, vec![seen, behind]), open(b, Some(900), vec![behind]), open(c, Some(800), Vec::new())];
    assert_eq!(store.load().await.unwrap(), quiet);
    write(&*store, [Write::Cancel(b)]).await;
    accept_new(&*store, [posting(20, "sent")]).await;
    drop(store);

    let store = place().unwrap();
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded[0], OpenRun { wake: Some(Timestamp(0)), ..quiet[0].clone() }, "what came meanwhile wakes it");
    assert_eq!(loaded[1], OpenRun { wake: Some(Timestamp(0)), cancel: true, ..quiet[1].clone() });
    assert_eq!(loaded[2], quiet[2]);
}

pub(super) async fn what_a_commit_brings_about_is_stored_with_it_or_not_at_all(store: &dyn Store) {
    let old = store.acquire().await.unwrap();
    let epoch = store.acquire().await.unwrap();
    accept_new(store, [accept(10, &["parent", "child"])]).await;
    let [parent, child] = [0, 1].map(|nth| run_id(10, nth));
    let emits = |at_ms: u64| vec![Accept { topic: Some(Arc::from("done")), ..accept(at_ms, &["next"]) }];
    let ending = |epoch, from| Commit {
        emits: emits(20),
        cancels: vec![child],
        ..commit(parent, epoch, from, vec![finished(20)], Status::Succeeded)
    };
    let refused = write(store, [Write::from(ending(old, 0)), Write::from(ending(epoch, 1))]).await;
    assert!(
        matches!(&refused[..], [Written::Refused(CommitError::Fenced(_)), Written::Refused(CommitError::Conflict { .. })]),
        "{refused:?}"
    );
    assert_eq!(store.event(event_id(20)).await.unwrap().map(|event| event.head.id), None);
    assert_eq!((open_ids(store).await, posted(store, "done", 0, 9).await), (vec![parent, child], vec![]));
    assert!(!store.load().await.unwrap()[1].cancel);

    let written = write(store, [Write::from(ending(epoch, 0))]).await;
    let matches = emits(20)[0].event.head.matches.clone();
    assert_eq!(written, [Written::Committed(vec![Accepted::New { matches, delayed: Vec::new() }])]);
    assert_eq!(store.load().await.unwrap(), [open_run(child, None, true, false), open_run(run_id(20, 0), None, false, false)]);
    assert_eq!(posted(store, "done", 0, 9).await, [(seq_at(time(20)), event_id(20))]);
    // A run that has ended, or is not there, is no reason to refuse.
    let again = Commit { cancels: vec![parent, run_id(99, 0)], ..commit(child, epoch, 0, vec![finished(30)], Status::Canceled) };
    assert_eq!(write(store, [Write::from(again)]).await, [Written::Committed(Vec::new())]);
}
