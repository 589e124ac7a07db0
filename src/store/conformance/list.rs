//! Lists, and what is kept beside events and runs.

use super::super::{Accepted, RevisionFiles, RunFilter, Store, Write, Written};
use super::accept::SIZES;
use super::{accept, accept_new, commit, commit_ok, deduped, event_id, finished, run_id, time, waiting, write};
use crate::domain::id::{Revision, RunId};
use crate::domain::run::Status;

/// Documented at [`Store::runs`].
const SCAN_MAX_RUNS: u32 = 10_000;

async fn page(store: &dyn Store, filter: &RunFilter, limit: usize) -> (Vec<RunId>, Option<RunId>) {
    let page = store.runs(filter.clone(), limit).await.unwrap();
    (page.items.into_iter().map(|run| run.id).collect(), page.next)
}

pub(super) async fn runs_are_paged_newest_first(store: &dyn Store) {
    let all = RunFilter::default();
    assert_eq!(page(store, &all, 2).await, (vec![], None));
    accept_new(store, [30, 10, 50, 20, 40].map(|ms| accept(ms, &["a"]))).await;
    let run = |ms| run_id(ms, 0);
    let before = |ms| RunFilter { before: Some(run(ms)), ..RunFilter::default() };
    assert_eq!(page(store, &all, 2).await, (vec![run(50), run(40)], Some(run(40))));
    assert_eq!(page(store, &before(40), 2).await, (vec![run(30), run(20)], Some(run(20))));
    assert_eq!(page(store, &before(20), 2).await, (vec![run(10)], None));
    assert_eq!(page(store, &before(10), 2).await, (vec![], None));
    assert_eq!(page(store, &all, 5).await.1, None);
}

pub(super) async fn runs_are_filtered(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    accept_new(store, [10, 20, 30].map(|ms| accept(ms, &["a", "b"]))).await;
    let done = |ms, nth, status| commit(run_id(ms, nth), epoch, 0, vec![finished(ms)], status);
    commit_ok(store, [done(10, 0, Status::Failed), done(20, 0, Status::Succeeded), done(20, 1, Status::Failed)]).await;
    let check = async |filter: RunFilter, limit, expected: &[(u64, u32)], more: bool| {
        let (ids, next) = page(store, &filter, limit).await;
        assert_eq!(ids, expected.iter().map(|(ms, nth)| run_id(*ms, *nth)).collect::<Vec<_>>(), "{filter:?}");
        assert_eq!(next.is_some(), more, "{filter:?}");
    };
    let status = |status: &[Status]| RunFilter { status: status.to_vec(), ..RunFilter::default() };
    check(status(&[Status::Failed]), 9, &[(20, 1), (10, 0)], false).await;
    check(status(&[Status::Failed, Status::Succeeded]), 9, &[(20, 1), (20, 0), (10, 0)], false).await;
    check(status(&[Status::Failed]), 1, &[(20, 1)], true).await;
    let workflow = RunFilter { workflow: Some("a".to_owned()), ..RunFilter::default() };
    check(workflow.clone(), 9, &[(30, 0), (20, 0), (10, 0)], false).await;
    check(RunFilter { status: vec![Status::Queued], ..workflow }, 9, &[(30, 0)], false).await;
    check(RunFilter { since: Some(time(20)), ..RunFilter::default() }, 9, &[(30, 1), (30, 0), (20, 1), (20, 0)], false).await;
}

pub(super) async fn a_rare_filter_is_bounded(store: &dyn Store) {
    accept_new(store, [accept(10, &["rare"])]).await;
    let many: Vec<&str> = (0..SCAN_MAX_RUNS).map(|_| "often").collect();
    accept_new(store, [accept(20, &many)]).await;
    let rare = RunFilter { workflow: Some("rare".to_owned()), ..RunFilter::default() };
    let (ids, next) = page(store, &rare, 5).await;
    assert_eq!((ids, next), (vec![], Some(run_id(20, 0))));
    assert_eq!(page(store, &RunFilter { before: next, ..rare }, 5).await, (vec![run_id(10, 0)], None));
}

pub(super) async fn open_runs_are_listed_oldest_first(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    accept_new(store, [30, 10, 20].map(|ms| accept(ms, &["a", "b"]))).await;
    commit_ok(
        store,
        [(10, Status::Succeeded), (20, Status::Failed), (30, Status::Canceled)]
            .map(|(ms, status)| commit(run_id(ms, 0), epoch, 0, vec![finished(ms)], status)),
    )
    .await;
    commit_ok(store, [waiting(run_id(20, 1), epoch, 900)]).await;
    let page = async |limit| {
        let page = store.open_runs(limit).await.unwrap();
        let runs: Vec<_> = page.items.into_iter().map(|run| (run.id, run.workflow.to_string(), run.status)).collect();
        (runs, page.next)
    };
    let run = |ms, status| (run_id(ms, 1), "b".to_owned(), status);
    let all = vec![run(10, Status::Queued), run(20, Status::Waiting), run(30, Status::Queued)];
    assert_eq!(page(3).await, (all.clone(), None));
    assert_eq!(page(2).await, (all[..2].to_vec(), Some(run_id(30, 1))));
    assert_eq!(page(0).await, (vec![], Some(run_id(10, 1))));
}

pub(super) async fn events_are_paged_newest_first(store: &dyn Store) {
    accept_new(store, [30, 10, 20].map(|ms| accept(ms, &[]))).await;
    let page = async |before| {
        let page = store.events(before, 2).await.unwrap();
        (page.items.into_iter().map(|head| head.id).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(page(None).await, (vec![event_id(30), event_id(20)], Some(event_id(20))));
    assert_eq!(page(Some(event_id(20))).await, (vec![event_id(10)], None));
    assert_eq!(page(Some(event_id(10))).await, (vec![], None));
}

pub(super) async fn revisions_are_kept_by_hash(store: &dyn Store) {
    let files = |text: &str| RevisionFiles { files: vec![("workflows/a.yaml".to_owned(), text.to_owned())] };
    for (nth, size) in (0u8..).zip(SIZES) {
        let revision = Revision([nth; 32]);
        assert_eq!(store.revision(revision).await, Ok(None));
        let sent = files(&"y".repeat(size));
        assert_eq!(store.put_revision(revision, sent.clone()).await, Ok(()));
        assert_eq!(store.put_revision(revision, files("other")).await, Ok(()));
        assert!(store.revision(revision).await == Ok(Some(sent)), "{size} bytes");
    }
}

pub(super) async fn keys_are_forgotten_when_their_window_has_ended(store: &dyn Store) {
    let sent = |at_ms, key, until_ms| deduped(accept(at_ms, &[]), key, until_ms);
    accept_new(store, [sent(1, 1, 100), sent(2, 2, 101), sent(3, 3, 99), sent(4, 4, 500)]).await;
    assert_eq!(store.forget_keys(time(98), 10).await, Ok(0));
    assert_eq!(store.forget_keys(time(101), 2).await, Ok(2));
    assert_eq!(store.forget_keys(time(101), 2).await, Ok(1));
    assert_eq!(store.forget_keys(time(101), 2).await, Ok(0));
    // The times of these are inside the windows: only a key that is still known makes a repeat.
    accept_new(store, [sent(50, 1, 100), sent(51, 3, 99)]).await;
    let repeat = write(store, [Write::Accept(sent(52, 4, 500))]).await;
    assert!(matches!(repeat[0], Written::Accepted(Accepted::Duplicate { event, .. }) if event == event_id(4)));
}

pub(super) async fn the_newest_id_is_known(store: &dyn Store) {
    assert_eq!(store.newest().await, Ok(time(0)));
    accept_new(store, [accept(30, &[]), accept(10, &["a"])]).await;
    assert_eq!(store.newest().await, Ok(time(30)));
    let mut replay = accept(20, &["a"]);
    replay.runs[0].id = run_id(70, 0);
    accept_new(store, [replay]).await;
    assert_eq!(store.newest().await, Ok(time(70)));
}
