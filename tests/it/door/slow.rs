//! Clients that take their time.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{app, check_raw, hook};
use crate::support::TestApp;

const SETTINGS: &str = "limits: {head_timeout: 3s, body_timeout: 1s, idle_timeout: 5s, write_timeout: 4s, connections: 10}\n";

/// Lets time go on, a second after the other, until this is done; says how many it took.
async fn meanwhile<T>(app: &TestApp, done: impl Future<Output = T>) -> (T, u32) {
    let mut done = std::pin::pin!(done);
    let mut seconds = 0;
    loop {
        tokio::select! {
            biased;
            done = &mut done => return (done, seconds),
            // One answer on another connection: the server has had its turn.
            () = turn(app) => {}
        }
        app.clock.advance(Duration::from_secs(1));
        seconds += 1;
        assert!(seconds < 1_000, "it never ends");
    }
}

async fn turn(app: &TestApp) {
    assert_eq!(app.send(app.http.get(format!("{}/healthz", app.url))).await.status, 200);
}

async fn rest(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection that is dropped ends in an error, which is an end, too.
    drop(socket.read_to_end(&mut answer).await);
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_head_that_does_not_end_is_408() {
    let (app, _project) = app(&hook(""), SETTINGS).await;
    let mut socket = TcpStream::connect(app.app.address).await.unwrap();
    socket.write_all(b"POST /hooks/open HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let (answer, seconds) = meanwhile(&app, rest(&mut socket)).await;
    check_raw(&answer, "408 ", "slow-head");
    assert!(3 < seconds, "{seconds}");
}

#[tokio::test]
async fn a_head_that_drips_is_not_waited_for() {
    let (app, _project) = app(&hook(""), SETTINGS).await;
    let socket = TcpStream::connect(app.app.address).await.unwrap();
    let (mut reading, mut writing) = socket.into_split();
    writing.write_all(b"POST /hooks/open HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let dripping = async {
        let mut number = 0;
        loop {
            number += 1;
            if writing.write_all(format!("x-{number}: y\r\n").as_bytes()).await.is_err() {
                return;
            }
            turn(&app).await;
        }
    };
    let reading = async {
        let mut answer = Vec::new();
        drop(reading.read_to_end(&mut answer).await);
        String::from_utf8(answer).unwrap()
    };
    let both = async {
        tokio::select! {
            answer = reading => answer,
            () = dripping => panic!("the answer comes first"),
        }
    };
    let (answer, _) = meanwhile(&app, both).await;
    check_raw(&answer, "408 ", "slow-head");
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    let (app, _project) = app(&hook(""), SETTINGS).await;
    let mut fresh = TcpStream::connect(app.app.address).await.unwrap();
    let mut used = TcpStream::connect(app.app.address).await.unwrap();
    used.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let (answers, seconds) = meanwhile(&app, async { (rest(&mut fresh).await, rest(&mut used).await) }).await;
    assert_eq!(answers.0, "");
    assert!(answers.1.starts_with("HTTP/1.1 200 ") && answers.1.ends_with("ok\n"), "{}", answers.1);
    assert!(5 < seconds, "{seconds}");
}

#[tokio::test]
async fn a_body_that_does_not_end_is_408() {
    let (app, _project) = app(&hook(""), SETTINGS).await;
    let mut socket = TcpStream::connect(app.app.address).await.unwrap();
    socket.write_all(b"POST /hooks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
    check_raw(&rest(&mut socket).await, "408 ", "slow-body");
    assert_eq!(app.all_runs().await.len(), 0);
    assert_eq!(app.app.intake.door.bodies.held_bytes(), 0);
}

#[tokio::test]
async fn a_client_that_takes_no_answer_is_dropped() {
    let workflow = "when:\n  - webhook: {path: open, verify: none, respond: {wait: 1m}}\nsteps:\n  - stop: event.body\n";
    let (app, _project) = app(workflow, &SETTINGS.replace("{head", "{body: 32MiB, head")).await;
    // More than the buffers of both sides hold.
    let body = serde_json::to_string(&vec!["x".repeat(1 << 19); 40]).unwrap();
    let mut socket = TcpStream::connect(app.app.address).await.unwrap();
    let head = format!("POST /hooks/open HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    socket.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    turn(&app).await;
    let gone = async {
        // The test's client keeps one connection.
        while 1 < app.app.intake.door.connections() {
            tokio::task::yield_now().await;
        }
    };
    let (_, seconds) = meanwhile(&app, gone).await;
    assert!(3 < seconds, "{seconds}");
    assert!(rest(&mut socket).await.len() < body.len(), "the answer was not sent to its end");
}

#[tokio::test]
async fn connections_that_do_nothing_make_room_for_others() {
    let (app, _project) = app(&hook(""), SETTINGS).await;
    turn(&app).await;
    let mut idle = Vec::new();
    for _ in 0..9 {
        idle.push(TcpStream::connect(app.app.address).await.unwrap());
    }
    // The tenth is the client's own. None of them has been idle for a second yet, so one more is told that it has to wait.
    while app.app.intake.door.connections() < 10 {
        turn(&app).await;
    }
    let mut refused = TcpStream::connect(app.app.address).await.unwrap();
    refused.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answer = rest(&mut refused).await;
    check_raw(&answer, "503 ", "too-many-connections");
    assert!(answer.contains("retry-after: 5\r\n"), "{answer}");
    app.clock.advance(Duration::from_secs(1));
    let asked = async {
        loop {
            let mut other = TcpStream::connect(app.app.address).await.unwrap();
            // A refusal may come before the request is written.
            drop(other.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await);
            let answer = rest(&mut other).await;
            if answer.starts_with("HTTP/1.1 200 ") {
                return;
            }
        }
    };
    asked.await;
    for socket in &mut idle {
        assert_eq!(rest(socket).await, "", "they are closed");
    }
}
