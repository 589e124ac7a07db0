//! The system calls of the store fail: now and then, and from some moment on.

use std::process::Command;
use std::time::Duration;

use http::StatusCode;

use super::sender::{Sender, project};
use crate::process::{Engine, Receiver, Serve, must, skip};

/// System calls by which a store writes, and how they fail.
const SYNCS: [(&str, &str); 2] = [("fdatasync", "EIO"), ("fdatasync", "ENOSPC")];
const WRITES: [(&str, &str); 2] = [("pwrite64", "EIO"), ("pwrite64", "ENOSPC")];

/// sled may wait for ever after a write of its own that failed, so there it is another test.
fn faults() -> impl Iterator<Item = (Engine, &'static str, &'static str)> {
    let of = |engine| move |(call, error)| (engine, call, error);
    SYNCS.into_iter().chain(WRITES).map(of(Engine::Redb)).chain(SYNCS.into_iter().map(of(Engine::Sled)))
}

const EVENTS: u64 = 12;
/// Refusals in a row: the store writes from several threads, and each meets the fault for itself.
const FOR_GOOD: usize = 40;

/// A tracer that makes calls of the program fail. It counts for each thread of it.
fn tracer(call: &str, error: &str, when: &str) -> Vec<String> {
    let inject = format!("inject={call}:error={error}:when={when}");
    let words = ["strace", "-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject];
    words.map(str::to_owned).to_vec()
}

fn can_trace(test: &str) -> bool {
    let tracer = tracer("fdatasync", "EIO", "1+");
    let traced = Command::new(&tracer[0]).args(&tracer[1..]).arg("true").status();
    let can = traced.is_ok_and(|status| status.success());
    if !can {
        skip(test, "strace is missing, or may not trace");
    }
    can
}

/// Serves under faults, sends, and serves without; everything acknowledged is there both times.
async fn check(engine: Engine, call: &str, error: &str, when: &str, lasts: bool) {
    let at = format!("{engine:?}, {call} {error} {when}");
    let receiver = Receiver::start().await;
    let project = project(&receiver);
    let serve = Serve::new(&project, engine);
    let mut sender = Sender::default();
    let served = serve.start().await;
    sender.insist(&served.api(), 3).await;
    assert_eq!(served.stop().await, Some(0));

    let words = tracer(call, error, when);
    let traced = serve.clone().under(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let served = traced.start().await;
    let api = served.api();
    if lasts {
        let mut refusals = 0;
        while refusals < FOR_GOOD {
            assert!(sender.told.len() < 2_000, "{at}: the fault was never met");
            refusals = if sender.send(&api).await { 0 } else { refusals + 1 };
        }
        assert_eq!(api.status("/readyz").await, StatusCode::SERVICE_UNAVAILABLE, "{at}");
        assert_eq!(api.status("/healthz").await, StatusCode::OK, "{at}");
        let refusals = served.log().iter().filter(|line| line.contains("takes no writes")).count();
        assert!((1..=4).contains(&refusals), "{at}: {:#?}", served.log());
        served.kill();
    } else {
        must(&format!("the fault is met: {at}"), async { while sender.send(&api).await {} }).await;
        sender.insist(&api, EVENTS).await;
        sender.check(&api, &receiver).await;
        assert_eq!(api.status("/readyz").await, StatusCode::OK, "{at}");
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
        check(engine, call, error, "20..24", false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_for_good_loses_nothing_and_the_server_says_so() {
    if !can_trace("a_disk_that_fails_for_good_loses_nothing_and_the_server_says_so") {
        return;
    }
    for (engine, call, error) in faults() {
        check(engine, call, error, "20+", true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sled_that_could_not_write_has_everything_acknowledged_at_the_next_start() {
    const ANSWER_LIMIT: Duration = Duration::from_secs(2);
    if !can_trace("sled_that_could_not_write_has_everything_acknowledged_at_the_next_start") {
        return;
    }
    for (call, error) in WRITES {
        for when in ["20..24", "20+"] {
            let receiver = Receiver::start().await;
            let project = project(&receiver);
            let serve = Serve::new(&project, Engine::Sled);
            let mut sender = Sender::default();
            let words = tracer(call, error, when);
            let served = serve.clone().under(&words.iter().map(String::as_str).collect::<Vec<_>>()).start().await;
            let api = served.api();
            let mut refusals = 0;
            // It refuses, or says nothing any more.
            while refusals < FOR_GOOD && sender.told.len() < 200 {
                match tokio::time::timeout(ANSWER_LIMIT, sender.send(&api)).await {
                    Ok(true) => refusals = 0,
                    Ok(false) => refusals += 1,
                    Err(_silent) => break,
                }
            }
            served.kill();
            let served = serve.start().await;
            sender.insist(&served.api(), 1).await;
            sender.check(&served.api(), &receiver).await;
            assert_eq!(served.stop().await, Some(0), "{call} {error} {when}");
        }
    }
}
