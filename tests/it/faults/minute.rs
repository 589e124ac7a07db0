//! The process stands still for a minute, in the middle of everything: waits, due times, calls, connections.

use std::collections::BTreeSet;
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::process::{Engine, Project, Receiver, Seen, Serve, must};

const STILL: Duration = Duration::from_secs(60);
/// What is due every ten seconds is due so often in a minute, at least.
const DUE_MEANWHILE: i64 = 5;
const RUNS: usize = 5;

const WAIT: &str = r#"
when:
  - webhook: {path: wait, verify: none}
steps:
  - wait: 20s
  - {id: ring, call: http.post, using: there, with: {url: /ring}}
"#;
const HELD: &str = r#"
when:
  - webhook: {path: held, verify: none}
steps:
  - {id: held, call: http.post, using: there, with: {url: /held}, retry: {attempts: 5, first: 1s}}
"#;
const TICK: &str = r#"
when:
  - schedule: {every: 10s}
steps:
  - {id: tick, call: http.post, using: there, with: {url: /tick, json: {due: "${event.body.due}"}}}
"#;

const HALF: &[u8] = b"POST /hooks/wait HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n[1,";
const OTHER_HALF: &[u8] = b"2,3]\n";

/// A connection by hand, and one request on it that is answered.
async fn connected(address: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    assert!(alive(&mut socket).await.starts_with("HTTP/1.1 200 "));
    socket
}

async fn alive(socket: &mut TcpStream) -> String {
    socket.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    answer(socket).await
}

/// What comes until the other side is silent or gone; answers here are short, and come in one piece.
async fn answer(socket: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4_096];
    let read = must("an answer comes", socket.read(&mut bytes)).await.unwrap_or(0);
    bytes.truncate(read);
    String::from_utf8(bytes).unwrap()
}

fn on(seen: &[Seen], path: &str) -> usize {
    seen.iter().filter(|seen| seen.path == path).count()
}

fn keys(receiver: &Receiver, path: &str) -> BTreeSet<String> {
    receiver.seen().into_iter().filter(|seen| seen.path == path).map(|seen| seen.key).collect()
}

fn expected(runs: &[String], step: &str) -> BTreeSet<String> {
    runs.iter().map(|run| format!("{run}/{step}")).collect()
}

/// When the schedule was due, in seconds, in the order in which it fired.
fn dues(receiver: &Receiver) -> Vec<i64> {
    // A call that was under way may be made again, with its key.
    let mut known = BTreeSet::new();
    let ticks = receiver.seen().into_iter().filter(|seen| seen.path == "/tick" && known.insert(seen.key.clone()));
    ticks.map(|seen| seen.body["due"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_minute_everything_goes_on_where_it_was() {
    let open = watch::Sender::new(false);
    let opening = open.subscribe();
    let receiver = Receiver::answering(move |seen: Seen| {
        let mut opening = opening.clone();
        async move {
            if seen.path == "/held" {
                opening.wait_for(|open| *open).await.unwrap();
            }
            StatusCode::OK
        }
    })
    .await;
    let project = Project::calling(receiver.address, "wait", WAIT).file("workflows/held.yaml", HELD).file("workflows/tick.yaml", TICK);
    let served = Serve::new(&project, Engine::Redb).start().await;
    let api = served.api();
    let address = served.url.trim_start_matches("http://").to_owned();
    let (mut waiting, mut held) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        waiting.extend(api.hook("wait", &[], "{}").await.runs());
        held.extend(api.hook("held", &[], "{}").await.runs());
    }
    receiver.until("the calls are under way", |seen| on(seen, "/held") == RUNS).await;
    receiver.until("it was due once", |seen| on(seen, "/tick") != 0).await;
    let mut idle = connected(&address).await;
    let mut halfway = connected(&address).await;
    halfway.write_all(HALF).await.unwrap();
    // Answered: so the server has had its turn, and has read the beginning of that body.
    assert!(alive(&mut idle).await.starts_with("HTTP/1.1 200 "));

    served.pause();
    let before = receiver.count();
    open.send_replace(true);
    halfway.write_all(OTHER_HALF).await.unwrap();
    assert!(tokio::time::timeout(STILL, std::future::pending::<()>()).await.is_err());
    assert_eq!(receiver.count(), before, "it stands still");
    served.go_on();

    assert!(alive(&mut idle).await.starts_with("HTTP/1.1 200 "), "it was idle for less than it may be");
    let told = answer(&mut halfway).await;
    let accepted = told.starts_with("HTTP/1.1 202 ");
    // A body may take half a minute, and the server may look at its clock first.
    assert!(accepted || told.starts_with("HTTP/1.1 408 "), "{told}");
    for run in waiting.iter().chain(&held) {
        assert_eq!(api.ended(run).await["status"], "succeeded");
    }
    let runs = api.all("runs").await;
    let of = |workflow: &str| -> Vec<String> {
        runs.iter().filter(|run| run["workflow"] == workflow).map(|run| run["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((of("wait").len(), of("held").len()), (RUNS + usize::from(accepted), RUNS), "what was answered is there, once");
    for run in of("wait") {
        assert_eq!(api.ended(&run).await["status"], "succeeded");
    }
    assert_eq!((keys(&receiver, "/ring"), on(&receiver.seen(), "/ring")), (expected(&of("wait"), "ring"), of("wait").len()), "each once");
    assert_eq!(keys(&receiver, "/held"), expected(&held, "held"), "what was asked again has its key");

    let fired = dues(&receiver).len();
    receiver.until("it is due again", |seen| fired < on(seen, "/tick")).await;
    let dues = dues(&receiver);
    assert!(dues.is_sorted_by(|a, b| a < b), "no due time twice: {dues:?}");
    let longest = dues.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(10 * DUE_MEANWHILE <= longest, "of those that were missed the last one fires: {dues:?}");
    assert_eq!(served.stop().await, Some(0));
}
