//! Files that something else has changed. Whatever was done to them, the answer is an error and never a panic.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// Opens and reads everything; the first error is the answer.
fn read_all(engine: &str, folder: &Path) -> Result<usize, StoreError> {
    let open: Arc<dyn Kv> = match engine {
        "redb" => Arc::new(Redb::open(folder)?),
        _ => Arc::new(Sled::open(folder)?),
    };
    drop(over(Arc::clone(&open), None)?);
    let mut seen = 0;
    open.range(&[], &[u8::MAX], Order::Ascending, &mut |_, _| {
        seen += 1;
        ControlFlow::Continue(())
    })?;
    Ok(seen)
}

/// A closed store with some content, and its data file.
fn store(engine: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let kv: Arc<dyn Kv> = match engine {
        "redb" => Arc::new(Redb::open(folder.path()).unwrap()),
        _ => Arc::new(Sled::open(folder.path()).unwrap()),
    };
    drop(over(Arc::clone(&kv), None).unwrap());
    for tens in 0u8..20 {
        let mut batch = Batch::default();
        for ones in 0u8..10 {
            batch.put(vec![b'e', tens, ones], vec![7; 2_000]);
        }
        kv.apply(&batch).unwrap();
    }
    drop(kv);
    let file = folder.path().join(if engine == "redb" { "hence.redb" } else { "db" });
    assert_eq!(read_all(engine, folder.path()), Ok(201));
    (folder, file)
}

fn check_damaged(engine: &str, how: &str, change: impl Fn(&mut Vec<u8>)) {
    let (folder, file) = store(engine);
    let mut bytes = fs::read(&file).unwrap();
    change(&mut bytes);
    fs::write(&file, &bytes).unwrap();
    for _ in 0..2 {
        let answer = read_all(engine, folder.path());
        assert!(matches!(answer, Err(StoreError::Damaged(_))), "{engine}, {how}: {answer:?}");
    }
    assert!(fs::read(&file).unwrap() == bytes, "{engine}, {how}: what was left of it is gone");
}

#[test]
fn a_file_of_garbage_is_damaged() {
    for engine in ["redb", "sled"] {
        check_damaged(engine, "garbage", |bytes| bytes.iter_mut().zip((0u8..251).cycle()).for_each(|(byte, noise)| *byte = noise));
    }
}

#[test]
fn a_file_that_was_cut_short_is_damaged() {
    for engine in ["redb", "sled"] {
        check_damaged(engine, "cut to nothing", Vec::clear);
    }
    check_damaged("redb", "cut to half", |bytes| bytes.truncate(bytes.len() / 2));
    check_damaged("redb", "cut to the header", |bytes| bytes.truncate(100));
}

#[test]
fn a_changed_page_gives_no_panic() {
    for engine in ["redb", "sled"] {
        let (_folder, file) = store(engine);
        let len = fs::read(&file).unwrap().len();
        for nth in 0..24 {
            let (folder, file) = store(engine);
            let mut bytes = fs::read(&file).unwrap();
            let at = len / 24 * nth;
            bytes.iter_mut().skip(at).take(64).for_each(|byte| *byte ^= 0x5a);
            fs::write(&file, bytes).unwrap();
            // What lies in unused space does no harm; the rest is an error, and the test runs on.
            let _answer = read_all(engine, folder.path());
        }
    }
}
