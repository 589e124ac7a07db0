//! Dedupe keys in memory and beyond it: what is known is the same wherever it lies.

use super::super::super::conformance::check_all;
use super::super::super::kv::faulty::{Call, Fault, Faulty};
use super::super::super::{Accepted, CommitError};
use super::*;
use crate::domain::admission::{Gather, Key};

fn store(memory: &Memory, keys_in_memory: usize) -> Arc<dyn Store> {
    knowing(Arc::new(memory.clone()), None, keys_in_memory).unwrap()
}

fn is_repeat(written: &Written) -> bool {
    matches!(written, Written::Accepted(Accepted::Duplicate { .. }))
}

async fn check_repeat(store: &Arc<dyn Store>, n: u64, expected: bool) {
    let written = store.write(vec![faults::accept(n)]).await.unwrap();
    assert_eq!(is_repeat(&written[0]), expected, "event {n}: {written:?}");
}

async fn check_whole(store: &Arc<dyn Store>) {
    store.put_revision(Revision([1; 32]), RevisionFiles { files: vec![("a.yaml".to_owned(), "name: a".to_owned())] }).await.unwrap();
    assert_eq!(store.check().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn however_many_fit_into_memory_it_is_a_store() {
    for keys_in_memory in [0, 1, 2] {
        check_all(&|| {
            let memory = Memory::default();
            Box::new(move || knowing(Arc::new(memory.clone()), None, keys_in_memory))
        })
        .await;
    }
}

#[tokio::test]
async fn keys_are_known_however_many_fit_when_it_is_opened_again() {
    for [before, after] in [[0, 9], [9, 0], [2, 1], [2, 2]] {
        let memory = Memory::default();
        let first = store(&memory, before);
        for n in 1..=4 {
            check_repeat(&first, n, false).await;
        }
        let second = store(&memory, after);
        for n in 1..=4 {
            check_repeat(&second, n, true).await;
        }
        check_repeat(&second, 5, false).await;
        check_repeat(&second, 5, true).await;
        check_whole(&second).await;
        assert_eq!(second.forget_keys(Timestamp(1_000), 3).await, Ok(3));
        assert_eq!(second.forget_keys(Timestamp(1_000), 3).await, Ok(2));
        assert_eq!(second.forget_keys(Timestamp(1_000), 3).await, Ok(0));
        check_whole(&second).await;
        let kinds = second.stats().await.unwrap().kinds;
        assert!(!kinds.contains_key("keys") && !kinds.contains_key("expiries"), "{kinds:?}");
    }
}

/// Two hashes that begin alike are two keys.
#[tokio::test]
async fn keys_that_begin_alike_are_told_apart() {
    let memory = Memory::default();
    let store = store(&memory, 9);
    let like = |n: u64, end: u8| match faults::accept(n) {
        Write::Accept(mut accept) => {
            accept.dedupe[0].hash = [7; 32];
            accept.dedupe[0].hash[31] = end;
            Write::Accept(accept)
        }
        other => unreachable!("{other:?}"),
    };
    for (n, end, repeat) in [(1, 1, false), (2, 2, false), (3, 3, false), (4, 1, true), (5, 2, true), (6, 3, true)] {
        let written = store.write(vec![like(n, end)]).await.unwrap();
        assert_eq!(is_repeat(&written[0]), repeat, "{n}");
    }
    check_whole(&store).await;
    assert_eq!(store.forget_keys(Timestamp(1_000), 9).await, Ok(3));
    assert!(!is_repeat(&store.write(vec![like(7, 2)]).await.unwrap()[0]));
    check_whole(&store).await;
}

/// A disk that fails a sync does not say what it kept, and the sender tries again.
#[tokio::test]
async fn a_write_that_failed_and_was_kept_makes_the_next_one_a_repeat() {
    for kept in [true, false] {
        let error = StoreError::Io("on command".to_owned());
        // The first write is the format's.
        let disk = Faulty::failing(Memory::default(), Fault { of: Call::Write, nth: 3, times: 1, error: error.clone(), kept });
        let store = over(Arc::new(disk), None).unwrap();
        check_repeat(&store, 1, false).await;
        assert_eq!(store.write(vec![faults::accept(2)]).await, Err(error));
        check_repeat(&store, 2, kept).await;
        check_repeat(&store, 1, true).await;
        check_whole(&store).await;
    }
}

#[tokio::test]
async fn keys_that_could_not_be_forgotten_are_still_known() {
    for kept in [true, false] {
        let error = StoreError::Io("on command".to_owned());
        let disk = Faulty::failing(Memory::default(), Fault { of: Call::Write, nth: 3, times: 1, error: error.clone(), kept });
        let store = over(Arc::new(disk), None).unwrap();
        check_repeat(&store, 1, false).await;
        assert_eq!(store.forget_keys(Timestamp(1_000), 9).await, Err(error));
        check_repeat(&store, 1, !kept).await;
        check_whole(&store).await;
    }
}

/// A repeat whose key could not be looked up is no new event: neither where keys are read anew, nor where they are known.
#[tokio::test]
async fn a_key_that_cannot_be_read_is_not_taken_for_a_new_one() {
    for keys_in_memory in [0, 1, 9] {
        let memory = Memory::default();
        for n in 1..=3 {
            check_repeat(&store(&memory, keys_in_memory), n, false).await;
        }
        let before = content(&memory);
        for of in [Call::Read, Call::Record] {
            for error in [StoreError::Io("on command".to_owned()), StoreError::Damaged("on command".to_owned())] {
                check_unread_key(&memory, keys_in_memory, of, &error).await;
            }
        }
        assert_eq!(content(&memory), before);
    }
}

async fn check_unread_key(memory: &Memory, keys_in_memory: usize, of: Call, error: &StoreError) {
    for nth in 1.. {
        let disk = Arc::new(Faulty::new(memory.clone()));
        let store = knowing(Arc::clone(&disk) as Arc<dyn Kv>, None, keys_in_memory).unwrap();
        disk.fail(Fault { of, nth, times: 1, error: error.clone(), kept: false });
        let first = store.write(vec![faults::accept(2)]).await;
        if disk.mend() == 0 {
            assert!(is_repeat(&first.unwrap()[0]));
            assert!(1 < nth, "{keys_in_memory}: no {of:?} was met");
            return;
        }
        // What is damaged is the trouble of this write alone.
        let refused = Ok(vec![Written::Refused(CommitError::Store(error.clone()))]);
        assert!(first == Err(error.clone()) || first == refused, "{keys_in_memory}, {of:?} {nth}: {first:?}");
        check_repeat(&store, 2, true).await;
    }
}

#[tokio::test]
async fn what_the_first_format_holds_is_known() {
    let memory = Memory::default();
    let first = store(&memory, 0);
    check_repeat(&first, 1, false).await;
    let mut batch = Batch::default();
    batch.put(key::format(), 1u32.to_be_bytes().to_vec());
    memory.apply(&batch).unwrap();
    let second = store(&memory, 9);
    assert_eq!(memory.get(&key::format()), Ok(Some(FORMAT.to_be_bytes().to_vec())));
    check_repeat(&second, 1, true).await;
    check_repeat(&second, 2, false).await;
    check_whole(&second).await;
}

/// A record that cannot be read is found after something of its write was put; the others of its batch are stored.
#[tokio::test]
async fn a_write_that_meets_damage_half_way_leaves_nothing() {
    let memory = Memory::default();
    let store = store(&memory, 9);
    let gathering = |n: u64| match faults::accept(n) {
        Write::Accept(mut accept) => {
            let key = Key([9; 16]);
            accept.runs[0].gather = Some(Gather::Debounce { key, quiet: std::time::Duration::from_secs(1) });
            accept
        }
        other => unreachable!("{other:?}"),
    };
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(&[9; 16]);
    let mut batch = Batch::default();
    batch.put(key::dedupe(&hash), vec![1]);
    memory.apply(&batch).unwrap();
    let all = Write::AcceptAll(vec![
        match faults::accept(3) {
            Write::Accept(accept) => accept,
            other => unreachable!("{other:?}"),
        },
        gathering(4),
    ]);
    let written = store.write(vec![faults::accept(1), Write::Accept(gathering(2)), all, faults::accept(5)]).await.unwrap();
    let refused = |written: &Written| matches!(written, Written::Refused(CommitError::Store(StoreError::Damaged(_))));
    assert_eq!(written.iter().map(refused).collect::<Vec<_>>(), [false, true, true, false], "{written:?}");
    let mut batch = Batch::default();
    batch.delete(key::dedupe(&hash));
    memory.apply(&batch).unwrap();
    for (n, repeat) in [(1, true), (2, false), (3, false), (4, false), (5, true)] {
        check_repeat(&store, n, repeat).await;
    }
    check_whole(&store).await;
}
