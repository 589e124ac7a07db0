//! The disk cannot be read: while a server works, and when it starts.

use http::StatusCode;

use super::sender::{Sender, project};
use super::strace::{Failing, can_trace};
use crate::process::{Api, Engine, Project, Receiver, Serve, Served, must};

/// More than an engine keeps in memory, and 100 kB each.
const EVENTS: u64 = 250;
const EVENT_BYTES: usize = 100_000;

fn file_of(engine: Engine) -> &'static str {
    match engine {
        Engine::Redb => "hence.redb",
        Engine::Sled => "db",
    }
}

fn unreadable(engine: Engine, project: &Project) -> Failing {
    Failing::new("pread64", "EIO").on(project.data().join(file_of(engine)))
}

/// A server that has just opened a store with some events: most of it has not been read yet.
async fn opened(serve: &Serve, receiver: &Receiver) -> (Served, Sender) {
    let mut sender = Sender::of(EVENT_BYTES);
    let served = serve.start().await;
    sender.insist(&served.api(), EVENTS).await;
    sender.check(&served.api(), receiver).await;
    assert_eq!(served.stop().await, Some(0));
    (serve.start().await, sender)
}

/// Each event is shown, or said to be out of reach; none is said not to be there.
async fn look_at_all(api: &Api, sender: &Sender) -> usize {
    let mut out_of_reach = 0;
    for (event, run) in sender.told.values() {
        for page in [format!("events/{event}"), format!("runs/{run}")] {
            let status = api.look(&page).await;
            assert!(matches!(status, StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE), "{page}: {status}");
            out_of_reach += usize::from(status == StatusCode::SERVICE_UNAVAILABLE);
        }
    }
    out_of_reach
}

async fn check(engine: Engine, lasts: bool) {
    let receiver = Receiver::start().await;
    let project = project(&receiver);
    let serve = Serve::new(&project, engine);
    let (served, mut sender) = opened(&serve, &receiver).await;
    let api = served.api();
    let fault = unreadable(engine, &project).begin(&served);
    assert_ne!(look_at_all(&api, &sender).await, 0, "{engine:?}: the fault was never met");
    assert!(!sender.send(&api).await, "{engine:?}: it cannot look whether the event is a repeat");
    for list in ["events", "runs"] {
        assert_eq!(api.look(list).await, StatusCode::SERVICE_UNAVAILABLE, "{engine:?}: an empty list would be a lie");
    }
    must("it says so", async { while api.status("/readyz").await != StatusCode::SERVICE_UNAVAILABLE {} }).await;
    assert_eq!(api.status("/healthz").await, StatusCode::OK);
    if lasts {
        served.kill();
        drop(fault);
    } else {
        drop(fault);
        sender.insist(&api, 3).await;
        must("it is ready again", async { while api.status("/readyz").await != StatusCode::OK {} }).await;
        assert_eq!(look_at_all(&api, &sender).await, 0);
        sender.check(&api, &receiver).await;
        assert_eq!(served.stop().await, Some(0));
    }
    let served = serve.start().await;
    sender.insist(&served.api(), 1).await;
    sender.check(&served.api(), &receiver).await;
    assert_eq!(served.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_cannot_be_read_is_never_taken_for_an_empty_one() {
    if !can_trace("a_disk_that_cannot_be_read_is_never_taken_for_an_empty_one") {
        return;
    }
    for engine in [Engine::Redb, Engine::Sled] {
        check(engine, false).await;
        check(engine, true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_cannot_read_the_store_says_so_and_changes_nothing() {
    if !can_trace("a_start_that_cannot_read_the_store_says_so_and_changes_nothing") {
        return;
    }
    for engine in [Engine::Redb, Engine::Sled] {
        let receiver = Receiver::start().await;
        let project = project(&receiver);
        let serve = Serve::new(&project, engine);
        let (served, mut sender) = opened(&serve, &receiver).await;
        sender.insist(&served.api(), 3).await;
        // Killed, so that there is something to recover.
        served.kill();
        let file = project.data().join(file_of(engine));
        // All of it, and all but its very beginning.
        for spared in [0, 1] {
            let ran = serve.clone().under(&unreadable(engine, &project).sparing(spared).program()).refused().await;
            assert_eq!(ran.code, Some(1), "{engine:?}, {spared}: {ran:?}");
            let said = ran.err.contains(project.data().to_str().unwrap()) && !ran.err.contains("damaged");
            assert!(said, "{engine:?}, {spared}: {ran:?}");
        }
        for (error, words) in [("EIO", "os error 5"), ("EMFILE", "os error 24"), ("EACCES", "os error 13")] {
            let ran = serve.clone().under(&Failing::new("openat", error).on(&file).program()).refused().await;
            assert_eq!(ran.code, Some(1), "{engine:?}: {ran:?}");
            assert!(ran.err.contains(project.data().to_str().unwrap()) && ran.err.contains(words), "{engine:?}: {ran:?}");
        }
        let served = serve.start().await;
        sender.insist(&served.api(), 1).await;
        sender.check(&served.api(), &receiver).await;
        assert_eq!(served.stop().await, Some(0));
    }
}
