//! The program itself under clients that mean no good.

use std::process::Stdio;
use std::time::Duration;

use http::StatusCode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::hook;
use crate::process::{Engine, Project, Serve, Served, must, skip};

const IDLE: usize = 5_000;

fn project(settings: &str) -> Project {
    Project::new().file("workflows/main.yaml", &hook("")).file("hence.yaml", settings)
}

fn address(served: &Served) -> String {
    served.url.trim_start_matches("http://").to_owned()
}

/// As many descriptors as this process may have; says whether there are so many.
fn has_descriptors(count: usize) -> bool {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    maximum.is_none_or(|maximum| u64::try_from(count).unwrap() <= maximum)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_idle_connections_stop_nobody() {
    if !has_descriptors(IDLE + 1_000) {
        return skip("five_thousand_idle_connections_stop_nobody", "there are too few open files");
    }
    // As many as there may be, and far more than there may be.
    for settings in ["limits: {connections: 8192}\n", "limits: {connections: 500}\n"] {
        let project = project(settings);
        let served = Serve::new(&project, Engine::Redb).start().await;
        let mut idle = Vec::new();
        for _ in 0..IDLE {
            // The kernel's queue may be full for a moment: then it takes a moment.
            idle.push(must("a connection", TcpStream::connect(address(&served))).await.unwrap());
        }
        let taken = async {
            loop {
                // One connection each: none of them has a place already.
                if let Ok(answer) = served.api().try_hook("open", &[], "{}").await
                    && answer.status == StatusCode::ACCEPTED
                {
                    return;
                }
            }
        };
        must(&format!("an event is taken with {settings}"), taken).await;
        // All who hold a place have done nothing for longer than the others.
        for _ in 0..50 {
            let answer = must("others are answered", served.api().hook("open", &[], "{}")).await;
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{settings}");
        }
        drop(idle);
        assert_eq!(served.stop().await, Some(0));
    }
}

/// The most memory that a process has had, in bytes.
fn peak_bytes(served: &Served) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
}

/// Sends a head and then the same piece again and again, until the server has had enough.
async fn flood(address: &str, head: &str, piece: &[u8], pieces: usize) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let (mut reading, mut writing) = socket.split();
    let writing = async {
        writing.write_all(head.as_bytes()).await?;
        for _ in 0..pieces {
            writing.write_all(piece).await?;
        }
        std::future::pending::<std::io::Result<()>>().await
    };
    let reading = async {
        let mut answer = Vec::new();
        drop(reading.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let mut reading = std::pin::pin!(reading);
    tokio::select! {
        answer = &mut reading => answer,
        _broken = writing => reading.await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_takes_more_memory_than_its_bounds() {
    const AT_ONCE: usize = 100;
    // What 100 requests of each kind would take without bounds: 2 GiB.
    const PIECES: usize = 320;
    const ALLOWED_BYTES: usize = 300 << 20;
    let project = project("limits: {body: 4MiB, bodies: 32MiB, connections: 1000}\n");
    let served = Serve::new(&project, Engine::Redb).start().await;
    assert_eq!(served.api().hook("open", &[], "{}").await.status, StatusCode::ACCEPTED);
    let before = peak_bytes(&served);
    let address = address(&served);
    let piece = vec![b'x'; 64 << 10];
    let chunk = [b"10000\r\n".as_slice(), &piece, b"\r\n"].concat();
    let chunked = "POST /hooks/open HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let announced = "POST /hooks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 20971520\r\n\r\n";
    let endless = "GET /healthz HTTP/1.1\r\nx-endless: ";
    for (head, piece, expected) in
        [(chunked, &chunk, ["413", "503"]), (announced, &piece, ["413", "413"]), (endless, &piece, ["431", "431"])]
    {
        let all = futures_util::future::join_all((0..AT_ONCE).map(|_| flood(&address, head, piece, PIECES)));
        let answers = must("all are answered", all).await;
        // An answer to a client that never stops sending may be lost on the way, but it is no other one.
        let fits = |answer: &String| answer.is_empty() || expected.iter().any(|status| answer.starts_with(&format!("HTTP/1.1 {status}")));
        assert!(answers.iter().all(fits), "{head}: {answers:?}");
        assert!(answers.iter().any(|answer| !answer.is_empty()), "{head}: nobody was told anything");
    }
    let grown = peak_bytes(&served) - before;
    assert!(grown < ALLOWED_BYTES, "{grown} bytes more");
    assert_eq!(served.api().hook("open", &[], json!({"n": 1}).to_string()).await.status, StatusCode::ACCEPTED);
    assert_eq!(served.stop().await, Some(0));
}

/// slowhttptest's four attacks at once: heads, bodies and answers that take their time, and overlapping ranges.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slowhttptest_finds_the_server_available() {
    if std::process::Command::new("slowhttptest").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        return skip("slowhttptest_finds_the_server_available", "slowhttptest is not installed");
    }
    let project = project("limits: {head_timeout: 3s, body_timeout: 3s, idle_timeout: 3s, write_timeout: 3s, connections: 600}\n");
    let served = Serve::new(&project, Engine::Redb).start().await;
    let attack = |mode: &'static [&'static str]| {
        let mut command = tokio::process::Command::new("slowhttptest");
        command.args(mode).args(["-c", "400", "-r", "200", "-i", "1", "-l", "8", "-p", "3", "-u", &format!("{}/hooks/open", served.url)]);
        async move { command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap() }
    };
    let attacks = [attack(&["-H"]), attack(&["-B"]), attack(&["-R"]), attack(&["-X"])];
    let told = tokio::time::timeout(Duration::from_secs(60), futures_util::future::join_all(attacks)).await.unwrap();
    for output in told {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // The tool's own verdict, repeated until its end.
        let verdicts: Vec<&str> = text.lines().filter(|line| line.contains("service available:")).collect();
        assert!(verdicts.iter().any(|line| line.contains("YES")), "{text}");
        assert!(!verdicts.iter().any(|line| line.contains("NO")), "{text}");
    }
    assert_eq!(served.api().hook("open", &[], "{}").await.status, StatusCode::ACCEPTED);
    assert_eq!(served.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_refusals_is_no_flood_of_log_lines() {
    let project = project("limits: {body: 1KiB}\n");
    let served = Serve::new(&project, Engine::Redb).start().await;
    let begun = tokio::time::Instant::now();
    let api = served.api();
    for number in 0..300 {
        let answer = api.hook("nowhere", &[("authorization", "Bearer credential-of-a-sender")], format!("words of body {number}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(api.hook("open", &[], "x".repeat(2_000)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    // One at once, and one for each second that has begun since.
    let allowed = usize::try_from(begun.elapsed().as_secs()).unwrap() + 2;
    let log = || served.log().into_iter().filter(|line| line.contains("requests were refused")).collect::<Vec<_>>();
    let of = |reason: &str| log().iter().filter(|line| line.contains(&format!("\"{reason}\""))).count();
    for reason in ["no-hook", "body-too-large"] {
        served.says(reason).await;
        assert!((1..=allowed).contains(&of(reason)), "{reason}: {} lines, {allowed} allowed", of(reason));
    }
    let all = log().concat();
    assert!(!all.contains("credential-of-a-sender") && !all.contains("words of body"), "{all}");
    let counts = api.get("events/refused").await["counts"].clone();
    assert_eq!(
        counts,
        json!([{"reason": "body-too-large", "hook": "open", "count": 300}, {"reason": "no-hook", "hook": null, "count": 300}])
    );
    assert_eq!(served.stop().await, Some(0));
}
