//! A copy takes the place of a database, or leaves it alone, wherever it is cut off or cannot go on.

use super::*;

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

/// Something is in the way of the exchange, as its files may be that cannot be moved now.
fn in_the_way(path: &Path) {
    fs::rename(path.join("copy/db"), path.join("copy/aside")).unwrap();
    fs::create_dir(path.join("copy/db")).unwrap();
}

fn out_of_the_way(path: &Path) {
    fs::remove_dir(path.join("copy/db")).unwrap();
    fs::rename(path.join("copy/aside"), path.join("copy/db")).unwrap();
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
    in_the_way(folder.path());
    assert!(kv.take_copy().is_err());
    let written = kv.apply(&batch(&[("new", Some("2"))]));
    out_of_the_way(folder.path());
    assert_eq!(kv.drop_copy(), Ok(()));
    drop(kv);
    let kv = Sled::open(folder.path()).unwrap();
    assert_eq!(kv.get(b"new").unwrap().is_some(), written.is_ok(), "{written:?}");
    assert_eq!(kv.get(b"old"), Ok(Some(b"1".to_vec())));
}

/// Until an exchange has ended, the copy is the database.
#[test]
fn while_an_exchange_has_not_ended_sled_begins_no_other_copy() {
    let folder = tempfile::tempdir().unwrap();
    let kv = Sled::open(folder.path()).unwrap();
    kv.apply(&batch(&[("old", Some("1"))])).unwrap();
    kv.begin_copy().unwrap().unwrap().apply(&batch(&[("new", Some("2"))])).unwrap();
    in_the_way(folder.path());
    assert!(kv.take_copy().is_err());
    assert!(kv.begin_copy().is_err());
    assert_eq!(kv.drop_copy(), Ok(()));
    out_of_the_way(folder.path());
    assert!(kv.begin_copy().unwrap().is_some());
    assert_eq!(keys(&kv, "a", "z", Order::Ascending, 9), ["new"]);
}
