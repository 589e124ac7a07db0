//! A disk that is really full: new events are refused cleanly and nothing is lost; when there is room
//! again the server goes on by itself.

use std::fs::File;
use std::io::Write;

use http::StatusCode;
use serde_json::json;

use crate::check::check;
use crate::disk::{Disk, Mounted, can_run};
use crate::life::{Known, Life, data, project};
use crate::process::{Engine, Ran, Receiver, Serve, must};

const DISK_BYTES: u64 = 48 << 20;
/// Refusals one after the other until the disk counts as full: an engine may have room left in its own files.
const REFUSALS: usize = 30;
/// Requests to a server whose disk is full, to see how much it says about that.
const FLOOD: u64 = 300;
/// Lines it may say meanwhile.
const LINES: usize = 12;

/// What is left free: more than the watermark of these projects, less than an engine needs to go on. So
/// it is the engine that meets the full disk.
const SPARED_BYTES: u64 = 100_000;

/// Takes what room there is, but for a little.
fn fill(mounted: &Mounted) -> std::path::PathBuf {
    let path = mounted.path().join("ballast");
    let mut file = File::create(&path).unwrap();
    for piece in [1 << 20, 1 << 12, 1] {
        while file.write_all(&vec![1; piece]).is_ok() {}
    }
    let taken = file.metadata().unwrap().len();
    file.set_len(taken - SPARED_BYTES).unwrap();
    path
}

/// Sends one event; says whether it was stored. What is not stored is refused in the proper way.
async fn post(life: &Life, known: &mut Known) -> bool {
    let number = known.next;
    known.next += 1;
    let body = json!({"number": number, "pad": "x".repeat(20_000)});
    let answer = life.api.hook("work", &[], body.to_string()).await;
    if answer.status == StatusCode::ACCEPTED {
        known.told.insert(number, (answer.event().to_owned(), answer.runs()[0].clone()));
        return true;
    }
    known.unanswered.insert(number);
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    let code = answer.body["code"].as_str().unwrap();
    assert!(matches!(code, "disk-full" | "store-unavailable"), "{answer:?}");
    false
}

async fn is_ready(life: &Life) -> bool {
    life.api.status("/readyz").await == StatusCode::OK
}

async fn check_full(engine: Engine) {
    if !can_run(&format!("a full disk, {}", engine.name())) {
        return;
    }
    let life = Life::start(Disk::of(DISK_BYTES).mount(), engine, &[]).await;
    let mut known = Known::default();
    for _ in 0..20 {
        assert!(post(&life, &mut known).await);
    }
    assert!(is_ready(&life).await);
    let ballast = fill(&life.mounted);
    let mut refused = 0;
    while refused < REFUSALS {
        refused = if post(&life, &mut known).await { 0 } else { refused + 1 };
    }
    must("it says that it is not ready", async { while is_ready(&life).await {} }).await;
    let said = life.served.log().len();
    for _ in 0..FLOOD {
        post(&life, &mut known).await;
    }
    let lines = life.served.log().split_off(said);
    assert!(lines.len() <= LINES, "{} lines: {lines:#?}", lines.len());

    std::fs::remove_file(&ballast).unwrap();
    must("it is ready again", async { while !is_ready(&life).await {} }).await;
    assert!(post(&life, &mut known).await, "{:#?}", life.served.log());
    check(&life, &mut known).await;

    // Full again, killed there, and started while there is no room.
    fill(&life.mounted);
    let mut refused = 0;
    while refused < REFUSALS {
        refused = if post(&life, &mut known).await { 0 } else { refused + 1 };
    }
    known = life.known(&known);
    let mounted = life.power_off();
    let ran = started_full(&mounted, engine, &mut known).await;
    let said = |ran: &Ran| ran.code == Some(1) && ran.err.contains("the disk is full");
    assert!(ran.as_ref().is_none_or(said), "{ran:?}");
    std::fs::remove_file(&ballast).unwrap();
    let life = Life::start(mounted, engine, &[]).await;
    check(&life, &mut known).await;
    assert!(post(&life, &mut known).await);
}

/// How a start on a full disk ends, unless the server comes up.
async fn started_full(mounted: &Mounted, engine: Engine, known: &mut Known) -> Option<Ran> {
    let receiver = Receiver::start().await;
    let project = project(&receiver);
    let serve = Serve::folder(&project.dir(), &data(mounted), engine);
    let (served, ready) = serve.spawn();
    if must("it starts or refuses to", ready).await.is_ok() {
        assert_eq!(served.stop().await, Some(0));
        known.learn(&receiver.seen());
        return None;
    }
    drop(served);
    Some(serve.refused().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redb_on_a_full_disk_refuses_and_goes_on_when_there_is_room() {
    check_full(Engine::Redb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sled_on_a_full_disk_refuses_and_goes_on_when_there_is_room() {
    check_full(Engine::Sled).await;
}
