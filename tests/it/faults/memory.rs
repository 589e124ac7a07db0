//! More is sent than the process has memory for. It ends, at once and as a whole, or it goes on as before; nothing in between.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use http::StatusCode;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::sender::{Sender, project};
use crate::process::{Engine, Receiver, Serve, must, skip};

/// Address space: 1.5 GB, and the GiB that the allocator sets aside at its start.
const MEMORY: u64 = 2_600_000_000;
/// Each is within `limits.body`, and all are within `limits.bodies`. A fifth of them may wait in the system's buffers.
const BODIES: usize = 24;
const BODY_BYTES: usize = 160 << 20;
const SETTINGS: &str = "limits: {body: 200MiB, bodies: 8GiB}\n";
/// Enough that the server takes some events while it fills.
const EVENTS: u64 = 5;

/// Sends all of a body but its last byte, so the server has to keep it; or as much of it as is taken.
async fn hold(address: &str, body: &[u8]) -> Option<TcpStream> {
    let mut socket = TcpStream::connect(address).await.ok()?;
    let head = format!("POST /hooks/work HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n", body.len() + 1);
    socket.write_all(head.as_bytes()).await.ok()?;
    socket.write_all(body).await.ok()?;
    Some(socket)
}

async fn check(engine: Engine) {
    let receiver = Receiver::start().await;
    let project = project(&receiver).file("hence.yaml", SETTINGS);
    let serve = Serve::new(&project, engine);
    let served = serve.clone().under(&["prlimit", &format!("--as={MEMORY}")]).start().await;
    let api = served.api();
    let mut sender = Sender::default();
    sender.insist(&api, EVENTS).await;
    let address = served.url.trim_start_matches("http://").to_owned();
    let (body, filled) = (vec![b'x'; BODY_BYTES], AtomicBool::new(false));
    let filling = async {
        let held = join_all((0..BODIES).map(|_| hold(&address, &body))).await;
        filled.store(true, Ordering::SeqCst);
        held
    };
    let sending = async {
        while sender.try_send(&api).await.is_ok() {
            if filled.load(Ordering::SeqCst) {
                break;
            }
        }
    };
    let (held, ()) = must("all is sent, or the server is gone", async { tokio::join!(filling, sending) }).await;
    let kept = held.iter().flatten().count();
    if api.try_hook("nowhere", &[], "").await.is_ok() {
        // All together are more than it has.
        assert!(kept < BODIES, "{engine:?}: the bound was never met");
        drop(held);
        sender.insist(&api, EVENTS).await;
        must("it is ready", async { while api.status("/readyz").await != StatusCode::OK {} }).await;
        sender.check(&api, &receiver).await;
        assert_eq!(served.stop().await, Some(0), "{engine:?}");
    } else {
        drop(held);
        let (code, log) = served.ended_saying().await;
        // By a signal, of its own: it was not killed, and says why.
        assert_eq!(code, None, "{engine:?}: {log:#?}");
        assert!(log.iter().any(|line| line.starts_with("memory allocation of ")), "{engine:?}: {log:#?}");
    }
    let served = serve.start().await;
    sender.insist(&served.api(), EVENTS).await;
    sender.check(&served.api(), &receiver).await;
    assert_eq!(served.api().status("/readyz").await, StatusCode::OK);
    assert_eq!(served.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_out_of_memory_ends_as_a_whole_or_goes_on() {
    let limited = std::process::Command::new("prlimit").arg("--version").output();
    if !limited.is_ok_and(|output| output.status.success()) {
        return skip("a_server_out_of_memory_ends_as_a_whole_or_goes_on", "prlimit is missing");
    }
    for engine in [Engine::Redb, Engine::Sled] {
        check(engine).await;
    }
}
