//! A compaction that fails at one of its files, with a server and without. Either the old files or the new ones are the
//! store then, and what is acknowledged afterwards is in them.

use std::path::Path;

use http::StatusCode;

use super::sender::{Sender, project};
use super::strace::{Failing, can_trace};
use crate::process::{Engine, Project, Receiver, Serve, hence, hence_under, must};

/// A file of the data folder (or the folder itself) that something cannot be done to.
struct Trouble {
    calls: &'static str,
    error: &'static str,
    file: &'static str,
    /// No event can be taken meanwhile: the files are being exchanged. Else it is the copy alone that is in trouble.
    blocks: bool,
}

const fn copying(calls: &'static str, error: &'static str, file: &'static str) -> Trouble {
    Trouble { calls, error, file, blocks: false }
}

const fn exchanging(calls: &'static str, error: &'static str, file: &'static str) -> Trouble {
    Trouble { calls, error, file, blocks: true }
}

const RENAMES: &str = "rename,renameat,renameat2";
const REMOVALS: &str = "unlink,unlinkat";

const REDB: [Trouble; 11] = [
    copying(REMOVALS, "EIO", "hence.redb.copy"),
    copying("openat", "EIO", "hence.redb.copy"),
    copying("openat", "EMFILE", "hence.redb.copy"),
    copying("pwrite64", "EIO", "hence.redb.copy"),
    copying("pwrite64", "ENOSPC", "hence.redb.copy"),
    copying("ftruncate", "ENOSPC", "hence.redb.copy"),
    copying("fsync,fdatasync", "EIO", "hence.redb.copy"),
    copying(RENAMES, "EIO", "hence.redb.copy"),
    exchanging("fsync", "EIO", ""),
    exchanging("openat", "EIO", "hence.redb"),
    exchanging("openat", "EMFILE", "hence.redb"),
];

/// Not its writes to the copy: sled may wait for ever after one that failed.
const SLED: [Trouble; 10] = [
    copying("mkdir,mkdirat", "EIO", "copy"),
    copying("openat", "EIO", "copy/db"),
    copying("openat", "EMFILE", "copy/db"),
    copying("fsync,fdatasync", "EIO", "copy/db"),
    copying("fsync", "EIO", ""),
    copying("openat", "EIO", "copy.whole"),
    copying("fsync", "EIO", "copy.whole"),
    exchanging(RENAMES, "EIO", "copy/conf"),
    exchanging(RENAMES, "EIO", "copy/db"),
    exchanging(REMOVALS, "EIO", "copy.whole"),
];

/// What a compaction leaves behind only when it fails.
const LEFT: [&str; 3] = ["hence.redb.copy", "copy", "copy.whole"];

impl Trouble {
    fn in_folder(&self, data: &Path) -> Failing {
        let place = if self.file.is_empty() { data.to_owned() } else { data.join(self.file) };
        Failing::new(self.calls, self.error).on(place)
    }

    fn at(&self, engine: Engine) -> String {
        format!("{engine:?}, {} {} of `{}`", self.calls, self.error, self.file)
    }
}

fn left(data: &Path) -> Vec<&'static str> {
    LEFT.into_iter().filter(|name| data.join(name).exists()).collect()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Arguments that name the store of a project itself, so that no server is asked.
fn store(engine: Engine, project: &Project) -> [String; 4] {
    let url = format!("{}://{}", engine.name(), project.data().display());
    ["--project".to_owned(), text(&project.dir()), "--store".to_owned(), url]
}

async fn with_a_server(engine: Engine, troubles: &[Trouble]) {
    let receiver = Receiver::start().await;
    let project = project(&receiver);
    let data = project.data();
    let serve = Serve::new(&project, engine);
    let mut sender = Sender::default();
    let mut served = serve.start().await;
    for trouble in troubles {
        let at = trouble.at(engine);
        let api = served.api();
        sender.insist(&api, 3).await;
        let fault = trouble.in_folder(&data).begin(&served);
        let before = served.log().len();
        assert_eq!(api.post("store/compact").await, StatusCode::SERVICE_UNAVAILABLE, "{at}");
        let says_where = || served.log().iter().skip(before).any(|line| line.contains(&text(&data)));
        must(&at, async {
            while !says_where() {
                tokio::task::yield_now().await
            }
        })
        .await;
        for _ in 0..3 {
            assert_eq!(sender.send(&api).await, !trouble.blocks, "{at}: {:#?}", served.log());
        }
        let ready = if trouble.blocks { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        must(&at, async { while api.status("/readyz").await != ready {} }).await;
        drop(fault);
        sender.insist(&api, 3).await;
        must(&at, async { while api.status("/readyz").await != StatusCode::OK {} }).await;
        served.kill();
        served = serve.start().await;
        sender.check(&served.api(), &receiver).await;
        assert_eq!(served.api().post("store/compact").await, StatusCode::OK, "{at}: {:#?}", served.log());
        assert_eq!(left(&data), Vec::<&str>::new(), "{at}");
    }
    sender.insist(&served.api(), 3).await;
    sender.check(&served.api(), &receiver).await;
    assert_eq!(served.stop().await, Some(0));
}

async fn without_a_server(engine: Engine, troubles: &[Trouble]) {
    let receiver = Receiver::start().await;
    let project = project(&receiver);
    let data = project.data();
    let serve = Serve::new(&project, engine);
    let mut sender = Sender::default();
    let served = serve.start().await;
    sender.insist(&served.api(), 5).await;
    sender.check(&served.api(), &receiver).await;
    assert_eq!(served.stop().await, Some(0));
    let place = store(engine, &project);
    let words = |word: &'static str| -> Vec<&str> { ["store", word].into_iter().chain(place.iter().map(String::as_str)).collect() };
    for trouble in troubles {
        let at = trouble.at(engine);
        let ran = hence_under(&trouble.in_folder(&data).program(), &words("compact")).await;
        assert_eq!(ran.code, Some(1), "{at}: {ran:?}");
        assert!(ran.err.contains(&text(&data)) && !ran.err.contains("damaged"), "{at}: {ran:?}");
        for word in ["check", "compact"] {
            let ran = hence(&words(word)).await;
            assert_eq!(ran.code, Some(0), "{at}, then {word}: {ran:?}");
        }
        assert_eq!(left(&data), Vec::<&str>::new(), "{at}");
    }
    let served = serve.start().await;
    sender.insist(&served.api(), 1).await;
    sender.check(&served.api(), &receiver).await;
    assert_eq!(served.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_of_redb_that_fails_loses_nothing() {
    if can_trace("a_compaction_of_redb_that_fails_loses_nothing") {
        with_a_server(Engine::Redb, &REDB).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_of_sled_that_fails_loses_nothing() {
    if can_trace("a_compaction_of_sled_that_fails_loses_nothing") {
        with_a_server(Engine::Sled, &SLED).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_by_hand_that_fails_says_where_and_can_be_done_again() {
    if can_trace("a_compaction_by_hand_that_fails_says_where_and_can_be_done_again") {
        without_a_server(Engine::Redb, &REDB).await;
        without_a_server(Engine::Sled, &SLED).await;
    }
}
