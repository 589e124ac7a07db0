//! A file that cannot grow: what needs no room goes on, what does is refused. (sled makes its file longer by writing to it.)

use http::StatusCode;

use super::sender::{Sender, project};
use super::strace::{Failing, can_trace};
use crate::process::{Engine, Receiver, Serve, must};

/// Refusals in a row.
const REFUSALS: usize = 20;

async fn check(error: &'static str, lasts: bool) {
    let receiver = Receiver::start().await;
    let project = project(&receiver);
    let serve = Serve::new(&project, Engine::Redb);
    let mut sender = Sender::of(100_000);
    let served = serve.start().await;
    let api = served.api();
    sender.insist(&api, 3).await;
    let file = project.data().join("hence.redb");
    let length = || file.metadata().unwrap().len();
    let fault = Failing::new("ftruncate", error).on(&file).begin(&served);
    let before = length();
    let mut refusals = 0;
    while refusals < REFUSALS {
        assert!(sender.told.len() < 200, "{error}: the fault was never met");
        refusals = if sender.send(&api).await { 0 } else { refusals + 1 };
    }
    assert_eq!(length(), before, "{error}: it has grown all the same");
    assert_eq!(api.status("/healthz").await, StatusCode::OK);
    if lasts {
        served.kill();
        drop(fault);
    } else {
        drop(fault);
        sender.insist(&api, 3).await;
        assert!(before < length(), "{error}");
        must("it is ready", async { while api.status("/readyz").await != StatusCode::OK {} }).await;
        sender.check(&api, &receiver).await;
        assert_eq!(served.stop().await, Some(0));
    }
    let served = serve.start().await;
    sender.insist(&served.api(), 1).await;
    sender.check(&served.api(), &receiver).await;
    assert_eq!(served.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_grow_loses_nothing() {
    if !can_trace("a_file_that_cannot_grow_loses_nothing") {
        return;
    }
    for error in ["EIO", "ENOSPC"] {
        check(error, false).await;
        check(error, true).await;
    }
}
