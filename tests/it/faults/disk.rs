//! The system calls of the store fail: for a while, and for good.

use http::StatusCode;

use super::sender::{Sender, project};
use super::strace::{Failing, can_trace};
use crate::process::{Engine, Receiver, Serve, must};

/// System calls by which a store writes, and how they fail.
const SYNCS: [(&str, &str); 2] = [("fsync,fdatasync", "EIO"), ("fsync,fdatasync", "ENOSPC")];
const WRITES: [(&str, &str); 2] = [("pwrite64", "EIO"), ("pwrite64", "ENOSPC")];

/// sled may wait for ever after a write of its own that failed, so there it is another test.
fn faults() -> impl Iterator<Item = (Engine, &'static str, &'static str)> {
    let of = |engine| move |(call, error)| (engine, call, error);
    SYNCS.into_iter().chain(WRITES).map(of(Engine::Redb)).chain(SYNCS.into_iter().map(of(Engine::Sled)))
}

const EVENTS: u64 = 12;
/// Refusals in a row.
const REFUSALS: usize = 20;

/// The disk of a running server fails; then it works again, or the server is started again on one that does.
async fn check(engine: Engine, call: &'static str, error: &'static str, lasts: bool) {
    let at = format!("{engine:?}, {call} {error}");
    let receiver = Receiver::start().await;
    let project = project(&receiver);
    let serve = Serve::new(&project, engine);
    let mut sender = Sender::default();
    let served = serve.start().await;
    let api = served.api();
    sender.insist(&api, EVENTS).await;

    let fault = Failing::new(call, error).begin(&served);
    let mut refusals = 0;
    while refusals < REFUSALS {
        assert!(sender.told.len() < 200, "{at}: the fault was never met");
        refusals = if sender.send(&api).await { 0 } else { refusals + 1 };
    }
    assert_eq!(api.status("/readyz").await, StatusCode::SERVICE_UNAVAILABLE, "{at}");
    assert_eq!(api.status("/healthz").await, StatusCode::OK, "{at}");
    let said = served.log().iter().filter(|line| line.contains("takes no writes")).count();
    assert!((1..=2).contains(&said), "{at}: {:#?}", served.log());
    if lasts {
        served.kill();
        drop(fault);
    } else {
        drop(fault);
        sender.insist(&api, EVENTS).await;
        sender.check(&api, &receiver).await;
        must("it is ready again", async { while api.status("/readyz").await != StatusCode::OK {} }).await;
        assert_eq!(served.stop().await, Some(0), "{at}");
    }
    let served = serve.start().await;
    sender.insist(&served.api(), 1).await;
    sender.check(&served.api(), &receiver).await;
    assert_eq!(served.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_for_a_while_loses_nothing_and_the_server_goes_on() {
    if !can_trace("a_disk_that_fails_for_a_while_loses_nothing_and_the_server_goes_on") {
        return;
    }
    for (engine, call, error) in faults() {
        check(engine, call, error, false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_for_good_loses_nothing_and_the_server_says_so() {
    if !can_trace("a_disk_that_fails_for_good_loses_nothing_and_the_server_says_so") {
        return;
    }
    for (engine, call, error) in faults() {
        check(engine, call, error, true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sled_that_cannot_write_is_refused_in_time_and_has_everything_acknowledged_at_the_next_start() {
    if !can_trace("sled_that_cannot_write_is_refused_in_time_and_has_everything_acknowledged_at_the_next_start") {
        return;
    }
    for (call, error) in WRITES {
        let at = format!("{call} {error}");
        let receiver = Receiver::start().await;
        let project = project(&receiver);
        let serve = Serve::new(&project, Engine::Sled);
        let mut sender = Sender::default();
        let served = serve.start().await;
        let api = served.api();
        sender.insist(&api, EVENTS).await;
        let fault = Failing::new(call, error).begin(&served);
        let mut refusals = 0;
        // It may wait for ever: whoever sends is not kept as long.
        while refusals < REFUSALS {
            refusals = if must("an answer", sender.send(&api)).await { 0 } else { refusals + 1 };
        }
        assert_eq!(api.status("/readyz").await, StatusCode::SERVICE_UNAVAILABLE, "{at}");
        assert_eq!(api.status("/healthz").await, StatusCode::OK, "{at}");
        // Nor is who stops it.
        assert_eq!(must("it ends", served.stop()).await, Some(0), "{at}");
        drop(fault);
        let served = serve.start().await;
        sender.insist(&served.api(), 1).await;
        sender.check(&served.api(), &receiver).await;
        assert_eq!(served.stop().await, Some(0), "{at}");
    }
}
