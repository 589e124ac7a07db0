//! The suite on each engine, and what only a store on this machine can meet.

mod damage;
mod faults;
mod keys;
mod retention;
mod silence;
mod size;
mod upkeep;

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::super::conformance::{Place, check_all};
use super::super::kv::Order;
use super::super::kv::memory::Memory;
use super::super::{Epoch, RevisionFiles, RunFilter, TopicKey, Write, Written};
use super::*;
use crate::domain::event::{Event, EventHead};
use crate::domain::id::{EventId, RunId};
use crate::domain::journal::Entry;
use crate::domain::time::Timestamp;

async fn check_engine(engine: &'static str) {
    let folder = tempfile::tempdir().unwrap();
    let places = Cell::new(0);
    check_all(&|| {
        places.set(places.get() + 1);
        let url = url(engine, &folder.path().join(places.get().to_string()));
        let place: Place = Box::new(move || open(&url, Settings::default()));
        place
    })
    .await;
}

fn url(engine: &str, folder: &Path) -> String {
    format!("{engine}://{}", folder.display())
}

#[tokio::test]
async fn redb_is_a_store() {
    check_engine("redb").await;
}

#[tokio::test]
async fn sled_is_a_store() {
    check_engine("sled").await;
}

#[tokio::test]
async fn memory_is_a_store() {
    check_all(&|| {
        let memory = Memory::default();
        Box::new(move || over(Arc::new(memory.clone()), None))
    })
    .await;
}

#[test]
fn another_handle_on_the_same_folder_is_locked_out() {
    for engine in ["redb", "sled"] {
        let folder = tempfile::tempdir().unwrap();
        let url = url(engine, folder.path());
        let first = open(&url, Settings::default()).unwrap();
        let second = open(&url, Settings::default()).err();
        assert_eq!(second, Some(StoreError::Locked(folder.path().display().to_string())), "{engine}");
        drop(first);
        assert!(open(&url, Settings::default()).is_ok(), "{engine}");
    }
}

#[test]
fn what_is_no_store_is_named() {
    for url in ["", "redb", "redb://", "sled:", "memory", "postgres://localhost/x", "/var/lib/hence"] {
        assert_eq!(open(url, Settings::default()).err(), Some(StoreError::BadUrl(url.to_owned())));
    }
    assert!(open("memory:", Settings::default()).is_ok());
}

fn content(kv: &dyn Kv) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut content = Vec::new();
    kv.range(&[], &[u8::MAX], Order::Ascending, &mut |key, value| {
        content.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })
    .unwrap();
    content
}

#[test]
fn a_newer_format_is_refused_and_left_as_it_is() {
    let memory = Memory::default();
    let mut batch = Batch::default();
    batch.put(key::format(), (FORMAT + 1).to_be_bytes().to_vec());
    batch.put(b"z".to_vec(), b"of a kind unknown here".to_vec());
    memory.apply(&batch).unwrap();
    let before = content(&memory);
    let refused = over(Arc::new(memory.clone()), None).err();
    assert_eq!(refused, Some(StoreError::NewerFormat { found: FORMAT + 1, known: FORMAT }));
    assert_eq!(content(&memory), before);
}

#[test]
fn data_without_a_format_is_damaged() {
    for (key, value) in [(b"e1".to_vec(), vec![1]), (key::format(), vec![1, 2, 3])] {
        let memory = Memory::default();
        let mut batch = Batch::default();
        batch.put(key, value);
        memory.apply(&batch).unwrap();
        assert!(matches!(over(Arc::new(memory), None).err(), Some(StoreError::Damaged(_))));
    }
}

/// Two ways to write at once must not both see the same length.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_commits_at_once_one_is_in_conflict() {
    let store = over(Arc::new(Memory::default()), None).unwrap();
    let epoch = store.acquire().await.unwrap();
    for n in 0..50 {
        store.write(vec![faults::accept(n)]).await.unwrap();
        let commit = || store.write(vec![faults::finish(n, epoch)]);
        let (one, other) = tokio::join!(commit(), commit());
        let mut answers = [one.unwrap().remove(0), other.unwrap().remove(0)];
        answers.sort_by_key(|answer| *answer != Written::Committed(Vec::new()));
        assert_eq!(answers[0], Written::Committed(Vec::new()));
        assert!(matches!(answers[1], Written::Refused(super::super::CommitError::Conflict { len: 1, expected: 0, .. })));
    }
}

#[tokio::test]
async fn numbers_come_back_as_they_went() {
    let store = over(Arc::new(Memory::default()), None).unwrap();
    let epoch = store.acquire().await.unwrap();
    for (n, number) in (0..).zip([0.1 + 0.2, 2.638_344_616_030_823e-256, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1e23, -0.0]) {
        store.write(vec![faults::accept(n)]).await.unwrap();
        let commit = faults::evaluate(n, epoch, number.into());
        store.write(vec![commit.clone()]).await.unwrap();
        let Write::Commit(commit) = commit else { panic!("a commit") };
        assert_eq!(store.facts(commit.run).await.unwrap(), commit.entries);
    }
}
