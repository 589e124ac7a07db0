//! A store as a file, and back.

use std::io::Cursor;
use std::sync::Arc;

use futures_util::StreamExt;

use super::super::{RevisionFiles, Store, StoreError, Write};
use super::{
    Place, REVISION, accept, accept_body, accept_new, commit, commit_ok, deduped, event_id, finished, open_ids, run_id, time, waiting,
    write,
};
use crate::domain::run::Status;
use crate::store::embedded::verify;

pub(super) async fn whole(store: &dyn Store) -> Vec<u8> {
    let mut backup = store.backup().await.unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = backup.next().await {
        bytes.extend(piece.unwrap());
    }
    bytes
}

pub(super) async fn a_backup_is_of_one_moment_and_comes_back(place: &Place, other: &Place) {
    let store = place().unwrap();
    let epoch = store.acquire().await.unwrap();
    store.put_revision(REVISION, RevisionFiles { files: vec![("a.yaml".to_owned(), "name: a".to_owned())] }).await.unwrap();
    for n in 1..=100u64 {
        let sent = accept_body(n, &["a"], vec![u8::try_from(n).unwrap(); 30_000], Vec::new());
        accept_new(&*store, [deduped(sent, u8::try_from(n).unwrap(), 1_000_000)]).await;
    }
    commit_ok(&*store, (1..=50).map(|n| waiting(run_id(n, 0), epoch, 5_000))).await;
    let before = store.stats().await.unwrap();
    let mut backup = store.backup().await.unwrap();
    let mut bytes = Vec::new();
    let mut n = 100;
    while let Some(piece) = backup.next().await {
        bytes.extend(piece.unwrap());
        // Everything that can change does, behind the place that was read and before it.
        n += 1;
        accept_new(&*store, [accept(n, &["a"])]).await;
        let end = n - 100;
        let from = u32::from(end <= 50);
        if end <= 100 {
            commit_ok(&*store, [commit(run_id(end, 0), epoch, from, vec![finished(n)], Status::Succeeded)]).await;
            write(&*store, [Write::Cancel(run_id(n, 0))]).await;
        }
        store.forget_keys(time(0), 1).await.unwrap();
    }
    assert!(101 < n, "there was more than one piece");
    let records: u64 = before.kinds.values().map(|tally| tally.count).sum();
    assert_eq!(verify(&*bytes), Ok(records));
    drop(store);

    let restored = other().unwrap();
    assert_eq!(restored.restore(Box::new(Cursor::new(bytes))).await, Ok(records));
    let after = restored.stats().await.unwrap();
    assert_eq!((&after.kinds, &after.workflows), (&before.kinds, &before.workflows));
    assert_eq!(restored.check().await.unwrap().problems, Vec::<String>::new());
    drop(restored);
    let restored = other().unwrap();
    assert_eq!(restored.acquire().await.unwrap().0, epoch.0 + 1);
    assert_eq!(open_ids(&*restored).await, (1..=100).map(|n| run_id(n, 0)).collect::<Vec<_>>());
    assert!(restored.event(event_id(77)).await.unwrap().is_some_and(|event| event.body == vec![77; 30_000]));
}

pub(super) async fn a_torn_or_changed_backup_is_refused(store: &dyn Store, fresh: &dyn Fn() -> Arc<dyn Store>) {
    accept_new(store, [accept_body(1, &["a"], vec![1; 3_000], Vec::new())]).await;
    let bytes = whole(store).await;
    assert!(verify(&*bytes).is_ok());
    let mut wrong: Vec<Vec<u8>> = (0..bytes.len()).step_by(97).map(|len| bytes[..len].to_vec()).collect();
    wrong.push(bytes[..bytes.len() - 1].to_vec());
    wrong.push([&*bytes, b"x"].concat());
    wrong.extend((0..bytes.len()).step_by(89).map(|at| {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        changed
    }));
    for wrong in &wrong {
        let refused = verify(&**wrong);
        // One of the bytes is that of the data format.
        assert!(matches!(refused, Err(StoreError::BadBackup(_) | StoreError::NewerFormat { .. })), "{refused:?}");
    }
    let cut = bytes[..bytes.len() - 40].to_vec();
    assert!(matches!(fresh().restore(Box::new(Cursor::new(cut))).await, Err(StoreError::BadBackup(_))));
}

pub(super) async fn a_store_that_holds_something_is_not_overwritten(store: &dyn Store) {
    let empty = whole(store).await;
    store.acquire().await.unwrap();
    assert_eq!(store.restore(Box::new(Cursor::new(empty))).await, Err(StoreError::NotEmpty));
    assert!(!open_ids(store).await.contains(&run_id(1, 0)));
}
