//! Every engine keeps the contract of [`Kv`].

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::faulty::{Death, Faulty};
use super::memory::Memory;
use super::redb::Redb;
use super::sled::Sled;
use super::*;

type Content = BTreeMap<Vec<u8>, Vec<u8>>;

fn batch(changes: &[(&str, Option<&str>)]) -> Batch {
    let mut batch = Batch::default();
    for (key, value) in changes {
        match value {
            Some(value) => batch.put(key.as_bytes().to_vec(), value.as_bytes().to_vec()),
            None => batch.delete(key.as_bytes().to_vec()),
        }
    }
    batch
}

fn keys(kv: &dyn Kv, from: &str, to: &str, order: Order, limit: usize) -> Vec<String> {
    let mut keys = Vec::new();
    let walked = kv.range(from.as_bytes(), to.as_bytes(), order, &mut |key, _| {
        keys.push(String::from_utf8_lossy(key).into_owned());
        if keys.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert_eq!(walked, Ok(()));
    keys
}

fn check_engine(open: impl Fn() -> Box<dyn Kv>) {
    let kv = open();
    assert_eq!(kv.get(b"a"), Ok(None));
    kv.apply(&batch(&[("a", Some("1")), ("b", Some("")), ("c", Some("3")), ("d", Some("4"))])).unwrap();
    kv.apply(&batch(&[("c", None), ("d", Some("5")), ("missing", None)])).unwrap();
    drop(kv);
    let kv = open();
    assert_eq!(kv.get(b"a"), Ok(Some(b"1".to_vec())));
    assert_eq!(kv.get(b"b"), Ok(Some(Vec::new())));
    assert_eq!(kv.get(b"c"), Ok(None));
    assert_eq!(kv.get(b"d"), Ok(Some(b"5".to_vec())));
    assert_eq!(keys(&*kv, "a", "d", Order::Ascending, 9), ["a", "b"]);
    assert_eq!(keys(&*kv, "a", "z", Order::Descending, 9), ["d", "b", "a"]);
    assert_eq!(keys(&*kv, "a", "z", Order::Descending, 2), ["d", "b"]);
    assert_eq!(keys(&*kv, "b", "b", Order::Ascending, 9), [""; 0]);
    assert_eq!(keys(&*kv, "z", "a", Order::Ascending, 9), [""; 0]);
}

#[test]
fn every_engine_keeps_what_was_applied() {
    let memory = Memory::default();
    check_engine(|| Box::new(memory.clone()));
    let folder = tempfile::tempdir().unwrap();
    check_engine(|| Box::new(Redb::open(&folder.path().join("redb")).unwrap()));
    check_engine(|| Box::new(Sled::open(&folder.path().join("sled")).unwrap()));
}

#[test]
fn a_value_that_sled_would_not_sync_is_refused_and_the_store_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let kv = Sled::open(folder.path()).unwrap();
    let mut large = Batch::default();
    large.put(b"k".to_vec(), vec![0; VALUE_MAX_BYTES + 1]);
    assert!(matches!(kv.apply(&large), Err(StoreError::Io(_))));
    assert_eq!(kv.get(b"k"), Ok(None));
    assert_eq!(kv.apply(&batch(&[("k", Some("1"))])), Ok(()));
}

#[test]
fn sled_forgets_a_half_made_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    drop(Sled::open(folder.path()).unwrap());
    let half = folder.path().join("snap.0000000000000001.generating");
    std::fs::write(&half, b"half").unwrap();
    drop(Sled::open(folder.path()).unwrap());
    assert!(!half.exists());
}

#[test]
fn a_death_before_a_write_loses_it_and_one_after_keeps_it() {
    for (death, kept) in [(Death::BeforeWrite, None), (Death::AfterWrite, Some(b"2".to_vec()))] {
        let memory = Memory::default();
        let kv = Faulty::dying(memory.clone(), 2, death);
        assert_eq!(kv.apply(&batch(&[("a", Some("1"))])), Ok(()));
        assert!(kv.apply(&batch(&[("b", Some("2"))])).is_err());
        assert!(kv.is_dead() && kv.get(b"a").is_err() && kv.apply(&batch(&[])).is_err());
        assert_eq!(memory.get(b"b"), Ok(kept), "{death:?}");
    }
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_space() {
    let kv = Faulty::new(Memory::default());
    kv.set_full(true);
    assert!(matches!(kv.apply(&batch(&[("a", Some("1"))])), Err(StoreError::Full(_))));
    assert_eq!(kv.get(b"a"), Ok(None));
    kv.set_full(false);
    assert_eq!(kv.apply(&batch(&[("a", Some("1"))])), Ok(()));
}

#[test]
fn a_full_disk_is_told_apart_from_a_broken_one() {
    let kind = |kind| io_error("write", &io::Error::from(kind));
    assert!(matches!(kind(io::ErrorKind::StorageFull), StoreError::Full(_)));
    assert!(matches!(kind(io::ErrorKind::InvalidData), StoreError::Damaged(_)));
    assert!(matches!(kind(io::ErrorKind::Other), StoreError::Io(_)));
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

/// What a `kill -9` leaves: the files as they are, without anything that closing would do.
#[test]
fn files_of_a_killed_process_hold_every_acknowledged_write() {
    let open = |engine: &str, folder: &Path| -> Box<dyn Kv> {
        if engine == "redb" { Box::new(Redb::open(folder).unwrap()) } else { Box::new(Sled::open(folder).unwrap()) }
    };
    for engine in ["redb", "sled"] {
        let folder = tempfile::tempdir().unwrap();
        let kv = open(engine, &folder.path().join("live"));
        for n in 0u8..12 {
            let mut batch = Batch::default();
            batch.put(vec![n], vec![n; 3_000]);
            batch.put(vec![n, 1], vec![n; VALUE_MAX_BYTES]);
            batch.delete(vec![n.wrapping_sub(2)]);
            kv.apply(&batch).unwrap();
            let killed = folder.path().join(format!("killed{n}"));
            copy_folder(&folder.path().join("live"), &killed);
            assert!(content(&*open(engine, &killed)) == content(&*kv), "{engine}, write {n}");
        }
    }
}

/// A database with `old` in it, and beside it a copy with `new` in it that nobody holds open.
fn with_copy(kv: Box<dyn Kv>) {
    kv.apply(&batch(&[("old", Some("1"))])).unwrap();
    let copy = kv.begin_copy().unwrap().unwrap();
    copy.apply(&batch(&[("new", Some("2"))])).unwrap();
}

#[test]
fn a_crash_while_a_copy_is_made_leaves_the_old_one_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (redb, sled) = (folder.path().join("redb"), folder.path().join("sled"));
    with_copy(Box::new(Redb::open(&redb).unwrap()));
    with_copy(Box::new(Sled::open(&sled).unwrap()));
    assert_eq!(keys(&Redb::open(&redb).unwrap(), "a", "z", Order::Ascending, 9), ["old"]);
    assert_eq!(keys(&Sled::open(&sled).unwrap(), "a", "z", Order::Ascending, 9), ["old"]);
    assert!(!redb.join("hence.redb.copy").exists() && !sled.join("copy").exists());
}

#[test]
fn a_crash_while_sled_takes_a_copy_leaves_the_copy() {
    // Before the first file is moved, between the two, and behind them.
    for moved in [&[][..], &["conf"], &["conf", "db"]] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        with_copy(Box::new(Sled::open(path).unwrap()));
        sled_copy::declare_whole(path).unwrap();
        for name in moved {
            fs::rename(path.join("copy").join(name), path.join(name)).unwrap();
        }
        let kv = Sled::open(path).unwrap();
        assert_eq!(keys(&kv, "a", "z", Order::Ascending, 9), ["new"], "{moved:?}");
        drop(kv);
        assert!(!path.join("copy").exists() && !path.join("copy.whole").exists());
        assert_eq!(keys(&Sled::open(path).unwrap(), "a", "z", Order::Ascending, 9), ["new"], "{moved:?}");
    }
}

/// An exchange whose files were in the way is ended before anything more is written: what went into the old files would go with them.
#[test]
fn what_is_written_after_an_exchange_of_sled_that_failed_stays() {
    let folder = tempfile::tempdir().unwrap();
    let kv = Sled::open(folder.path()).unwrap();
    kv.apply(&batch(&[("old", Some("1"))])).unwrap();
    let copy = kv.begin_copy().unwrap().unwrap();
    copy.apply(&batch(&[("old", Some("1"))])).unwrap();
    drop(copy);
    let (log, aside) = (folder.path().join("copy/db"), folder.path().join("copy/aside"));
    fs::rename(&log, &aside).unwrap();
    fs::create_dir(&log).unwrap();
    assert!(kv.take_copy().is_err());
    let written = kv.apply(&batch(&[("new", Some("2"))]));
    fs::remove_dir(&log).unwrap();
    fs::rename(&aside, &log).unwrap();
    assert_eq!(kv.drop_copy(), Ok(()));
    drop(kv);
    let kv = Sled::open(folder.path()).unwrap();
    assert_eq!(kv.get(b"new").unwrap().is_some(), written.is_ok(), "{written:?}");
    assert_eq!(kv.get(b"old"), Ok(Some(b"1".to_vec())));
}

fn content(kv: &dyn Kv) -> Content {
    let mut content = Content::new();
    kv.range(&[], &[0xff; 8], Order::Ascending, &mut |key, value| {
        content.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    })
    .unwrap();
    content
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn engines_agree_with_a_map(
        batches in prop::collection::vec(prop::collection::vec((prop::collection::vec(0u8..4, 1..3), prop::option::of(any::<u8>())), 0..8), 1..8)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let engines: [Box<dyn Kv>; 2] = [
            Box::new(Redb::open(&folder.path().join("redb")).unwrap()),
            Box::new(Sled::open(&folder.path().join("sled")).unwrap()),
        ];
        let mut map = Content::new();
        for changes in batches {
            let mut batch = Batch::default();
            for (key, value) in changes {
                match value {
                    Some(value) => {
                        batch.put(key.clone(), vec![value]);
                        map.insert(key, vec![value]);
                    }
                    None => {
                        batch.delete(key.clone());
                        map.remove(&key);
                    }
                }
            }
            for engine in &engines {
                prop_assert_eq!(engine.apply(&batch), Ok(()));
                prop_assert_eq!(&content(&**engine), &map);
            }
        }
    }
}
