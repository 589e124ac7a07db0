//! What a restart keeps.

use super::super::{CommitError, Epoch, RevisionFiles, Write, Written};
use super::{
    Place, REVISION, accept, accept_body, accept_new, commit, commit_ok, deduped, evaluated, event_id, finished, open_run, run_id,
    scheduled, time, waiting, write,
};
use crate::domain::run::Status;
use crate::store::Accepted;

pub(super) async fn everything_is_there_after_a_restart(place: &Place) {
    let store = place().unwrap();
    let epoch = store.acquire().await.unwrap();
    let large = accept_body(30, &["a"], vec![9; 20_000], Vec::new());
    accept_new(&*store, [deduped(scheduled(accept(20, &["a", "b", "c"]), 7), 1, 100), accept(10, &["a"]), large]).await;
    let [queued, parked, done] = [0, 1, 2].map(|nth| run_id(20, nth));
    commit_ok(&*store, [waiting(parked, epoch, 5_000), commit(done, epoch, 0, vec![finished(21)], Status::Succeeded)]).await;
    write(&*store, [Write::Cancel(parked)]).await;
    let files = RevisionFiles { files: vec![("a.yaml".to_owned(), "name: a".repeat(3_000))] };
    store.put_revision(REVISION, files.clone()).await.unwrap();
    drop(store);

    let store = place().unwrap();
    let open = |id| open_run(id, None, false, false);
    let parked_open = open_run(parked, Some(time(5_000)), true, true);
    assert_eq!(store.load().await.unwrap(), [open(run_id(10, 0)), open(queued), parked_open, open(run_id(30, 0))]);
    assert_eq!(store.facts(parked).await.unwrap(), [evaluated(5_000, "wait", "")]);
    assert_eq!(store.run(done).await.unwrap().map(|run| run.status), Some(Status::Succeeded));
    assert!(store.event(event_id(30)).await.unwrap().is_some_and(|event| event.body == vec![9; 20_000]));
    assert!(store.revision(REVISION).await == Ok(Some(files)));
    assert_eq!(store.cursor("daily/0").await, Ok(Some(time(7))));
    assert_eq!(store.newest().await, Ok(time(30)));
    let repeat = write(&*store, [Write::Accept(deduped(accept(90, &["a"]), 1, 500))]).await;
    assert!(matches!(repeat[0], Written::Accepted(Accepted::Duplicate { event, .. }) if event == event_id(20)));
}

pub(super) async fn an_older_owner_is_fenced(place: &Place) {
    let store = place().unwrap();
    let first = store.acquire().await.unwrap();
    accept_new(&*store, [accept(10, &["a"])]).await;
    drop(store);

    let store = place().unwrap();
    let second = store.acquire().await.unwrap();
    assert_eq!(second, Epoch(first.0 + 1));
    let run = run_id(10, 0);
    let late = write(&*store, [Write::from(commit(run, first, 0, vec![finished(11)], Status::Succeeded))]).await;
    assert_eq!(late, [Written::Refused(CommitError::Fenced(run))]);
    commit_ok(&*store, [commit(run, second, 0, vec![finished(11)], Status::Succeeded)]).await;
}
