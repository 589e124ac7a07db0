//! A backup that cannot be written: no file is left that might be taken for one.

use std::path::Path;

use super::sender::{Sender, project};
use super::strace::{Failing, can_trace};
use crate::process::{Engine, Project, Receiver, Serve, hence, hence_under};

/// What cannot be done to the file in the making, and what is said of it.
const TROUBLES: [(&str, &str, &str); 7] = [
    ("openat", "EIO", "all.backup.part cannot be written"),
    ("openat", "EMFILE", "all.backup.part cannot be written"),
    ("write", "EIO", "the backup cannot be written"),
    ("write", "ENOSPC", "the backup cannot be written"),
    ("fsync", "EIO", "all.backup.part cannot be written"),
    ("read", "EIO", "the backup cannot be read"),
    ("link,linkat", "EIO", "all.backup cannot be written"),
];

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `place` says whose backup it is.
async fn check(project: &Project, place: &[&str]) {
    let (file, part) = (project.dir().join("all.backup"), project.dir().join("all.backup.part"));
    let make = [&["backup", text(&file)], place].concat();
    for (calls, error, words) in TROUBLES {
        let ran = hence_under(&Failing::new(calls, error).on(&part).program(), &make).await;
        assert!(ran.code == Some(1) && ran.err.contains(words), "{calls} {error}: {ran:?}");
        assert!(!file.exists() && !part.exists(), "{calls} {error}");
    }
    // It is whole, and has one name too many.
    let ran = hence_under(&Failing::new("unlink,unlinkat", "EIO").on(&part).program(), &make).await;
    assert!(ran.code == Some(1) && ran.err.contains("all.backup is whole") && ran.err.contains("all.backup.part"), "{ran:?}");
    let whole = std::fs::read(&file).unwrap();
    assert_eq!(std::fs::read(&part).unwrap(), whole);
    // One that is there stays as it is until another one is whole.
    let force = [&make[..], &["--force"]].concat();
    for (calls, error) in [("write", "ENOSPC"), ("rename,renameat,renameat2", "EIO")] {
        let ran = hence_under(&Failing::new(calls, error).on(&part).program(), &force).await;
        assert!(ran.code == Some(1) && ran.err.contains("cannot be written"), "{calls} {error}: {ran:?}");
        assert_eq!(std::fs::read(&file).unwrap(), whole, "{calls} {error}");
        assert!(!part.exists(), "{calls} {error}");
    }
    let ran = hence(&force).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_cannot_be_written_leaves_nothing_that_looks_like_one() {
    if !can_trace("a_backup_that_cannot_be_written_leaves_nothing_that_looks_like_one") {
        return;
    }
    for engine in [Engine::Redb, Engine::Sled] {
        let receiver = Receiver::start().await;
        let project = project(&receiver);
        let (dir, data) = (project.dir(), project.data());
        let served = Serve::new(&project, engine).start().await;
        let mut sender = Sender::default();
        sender.insist(&served.api(), 5).await;
        sender.check(&served.api(), &receiver).await;
        check(&project, &["--project", text(&dir), "--data", text(&data)]).await;
        sender.insist(&served.api(), 1).await;
        sender.check(&served.api(), &receiver).await;
        assert_eq!(served.stop().await, Some(0));
        let store = format!("{}://{}", engine.name(), text(&data));
        check(&project, &["--project", text(&dir), "--store", &store]).await;
    }
}
