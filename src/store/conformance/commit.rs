//! Facts committed, and wishes to end a run.

use super::super::{Commit, CommitError, Epoch, RunError, Store, Write, Written};
use super::accept::SIZES;
use super::{accept, accept_new, commit, commit_ok, evaluated, finished, new, open_ids, open_run, run_id, time, waiting, write};
use crate::domain::journal::Address;
use crate::domain::run::Status;

pub(super) async fn facts_are_kept_in_order(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    let run = run_id(10, 0);
    accept_new(store, [accept(10, &["a", "b"])]).await;
    let facts: Vec<_> = (0..300).map(|n| evaluated(20 + n, &format!("s{n}"), "x")).collect();
    let (first, rest) = facts.split_at(2);
    commit_ok(store, [commit(run, epoch, 0, first.to_vec(), Status::Running)]).await;
    assert_eq!(store.run(run).await.unwrap().map(|run| (run.status, run.updated)), Some((Status::Running, time(21))));
    commit_ok(store, (2u32..).zip(rest).map(|(from, fact)| commit(run, epoch, from, vec![fact.clone()], Status::Running))).await;
    assert_eq!(store.facts(run).await.unwrap(), facts);
    // A commit may change where the run stands and add nothing.
    let nothing = Commit { wake: Some(time(900)), ..commit(run, epoch, 300, Vec::new(), Status::Waiting) };
    commit_ok(store, [nothing]).await;
    let head = store.run(run).await.unwrap().unwrap();
    assert_eq!((head.status, head.wake, head.updated, head.accepted), (Status::Waiting, Some(time(900)), time(319), time(10)));
    commit_ok(store, [commit(run, epoch, 300, vec![finished(400)], Status::Succeeded)]).await;
    let head = store.run(run).await.unwrap().unwrap();
    assert_eq!((head.status, head.wake, head.updated), (Status::Succeeded, None, time(400)));
    assert_eq!(store.facts(run).await.unwrap().last(), Some(&finished(400)));
    assert_eq!(open_ids(store).await, [run_id(10, 1)]);
}

pub(super) async fn a_refused_commit_leaves_nothing_and_stops_no_other(store: &dyn Store) {
    let old = store.acquire().await.unwrap();
    let epoch = store.acquire().await.unwrap();
    accept_new(store, [accept(10, &["a", "b", "c"])]).await;
    let [a, b, c] = [0, 1, 2].map(|nth| run_id(10, nth));
    let one = |text| vec![evaluated(11, "s", text)];
    let written = write(
        store,
        [
            Write::from(commit(a, epoch, 0, one("kept"), Status::Running)),
            Write::from(commit(a, epoch, 0, one("late"), Status::Failed)),
            Write::from(commit(b, old, 0, one("fenced"), Status::Running)),
            Write::from(commit(b, Epoch(epoch.0 + 1), 0, one("unborn"), Status::Running)),
            Write::from(commit(run_id(9, 0), epoch, 0, one("nobody"), Status::Running)),
            Write::from(commit(b, epoch, 1, one("ahead"), Status::Running)),
            Write::Accept(accept(12, &["d"])),
            Write::from(commit(c, epoch, 0, one("kept"), Status::Running)),
        ],
    )
    .await;
    let conflict = |run, len, expected| Written::Refused(CommitError::Conflict { run, len, expected });
    let expected = [
        Written::Committed(Vec::new()),
        conflict(a, 1, 0),
        Written::Refused(CommitError::Fenced(b)),
        Written::Refused(CommitError::Fenced(b)),
        Written::Refused(CommitError::Unknown(run_id(9, 0))),
        conflict(b, 0, 1),
        new(&accept(12, &["d"])),
        Written::Committed(Vec::new()),
    ];
    assert_eq!(written, expected);
    assert_eq!(store.facts(a).await.unwrap(), one("kept"));
    assert_eq!(store.facts(b).await.unwrap(), []);
    assert_eq!(store.facts(c).await.unwrap(), one("kept"));
    assert_eq!(store.run(b).await.unwrap().map(|run| run.status), Some(Status::Queued));
    assert_eq!(store.run(run_id(9, 0)).await.unwrap(), None);
    assert_eq!(open_ids(store).await, [a, b, c, run_id(12, 0)]);
}

pub(super) async fn later_writes_of_a_batch_see_earlier_ones(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    let run = run_id(10, 0);
    let written = write(
        store,
        [
            Write::Accept(accept(10, &["a"])),
            Write::from(waiting(run, epoch, 50)),
            Write::Cancel(run),
            Write::from(commit(run, epoch, 1, vec![finished(12)], Status::Canceled)),
            Write::Cancel(run),
        ],
    )
    .await;
    assert_eq!(
        written,
        [
            new(&accept(10, &["a"])),
            Written::Committed(Vec::new()),
            Written::Canceling(true),
            Written::Committed(Vec::new()),
            Written::Canceling(false)
        ]
    );
    assert_eq!(store.load().await.unwrap(), []);
    assert_eq!(store.facts(run).await.unwrap().len(), 2);
}

pub(super) async fn a_cancel_is_kept_until_the_run_has_ended(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    let run = run_id(10, 0);
    let cancel = async |run| write(store, [Write::Cancel(run)]).await.remove(0);
    assert_eq!(cancel(run).await, Written::Refused(CommitError::Unknown(run)));
    accept_new(store, [accept(10, &["a"])]).await;
    assert_eq!(cancel(run).await, Written::Canceling(true));
    assert_eq!(cancel(run).await, Written::Canceling(true));
    commit_ok(store, [waiting(run, epoch, 70)]).await;
    assert_eq!(store.load().await.unwrap(), [open_run(run, Some(time(70)), true, true)]);
    commit_ok(store, [commit(run, epoch, 1, vec![finished(71)], Status::Canceled)]).await;
    assert_eq!(store.load().await.unwrap(), []);
    assert_eq!(cancel(run).await, Written::Canceling(false));
    assert_eq!(store.load().await.unwrap(), []);
}

pub(super) async fn outputs_of_every_size_come_back(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    let run = run_id(10, 0);
    accept_new(store, [accept(10, &["a"]), accept(11, &["a"])]).await;
    let facts = SIZES.map(|size| evaluated(20, "s", &"ü".repeat(size)));
    commit_ok(store, (0u32..).zip(&facts).map(|(from, fact)| commit(run, epoch, from, vec![fact.clone()], Status::Running))).await;
    assert!(store.facts(run).await.unwrap() == facts);
    assert_eq!(store.facts(run_id(11, 0)).await.unwrap(), []);
}

pub(super) async fn a_failure_is_shown_in_lists(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    let run = run_id(10, 0);
    accept_new(store, [accept(10, &["a"])]).await;
    let error = RunError { step: Some(Address::new("contact")), message: "503".to_owned() };
    let failed = Commit { error: Some(error.clone()), ..commit(run, epoch, 0, vec![finished(11)], Status::Failed) };
    commit_ok(store, [failed]).await;
    let head = store.run(run).await.unwrap().unwrap();
    assert_eq!((head.status, head.error.as_ref()), (Status::Failed, Some(&error)));
    assert_eq!(store.runs(super::super::RunFilter::default(), 1).await.unwrap().items, [head]);
}
