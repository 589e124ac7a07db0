//! The front door: what it lets in, how much of it, from where; what it says to the others, and what it remembers of them.

mod admission;
mod batches;
mod browsers;
mod heads;
mod process;
mod repeats;
mod seen;
mod slow;
mod strangers;
mod tls;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::app::Answer;
use crate::support::{Project, Recorder, TestApp};

/// A server with one workflow, and these lines in its `hence.yaml`.
async fn app(workflow: &str, settings: &str) -> (TestApp, Project) {
    let project = Project::of(workflow);
    if !settings.is_empty() {
        project.write("hence.yaml", settings);
    }
    (TestApp::start(&project, Recorder::fine()).await, project)
}

/// A hook that anybody may call, with more keys.
fn hook(more: &str) -> String {
    format!("when:\n  - webhook: {{path: open, verify: none{more}}}\nsteps:\n  - stop: event.body\n")
}

fn check_problem(answer: &Answer, status: u16, code: &str, words: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:?}");
    assert_eq!((answer.body["status"].as_u64(), answer.body["code"].as_str()), (Some(status.into()), Some(code)), "{answer:?}");
    assert!(answer.body["detail"].as_str().unwrap().contains(words), "{answer:?}");
}

/// Everything that is answered to these bytes, until the connection ends.
async fn raw(app: &TestApp, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(app.app.address).await.unwrap();
    socket.write_all(request).await.unwrap();
    rest(&mut socket).await
}

/// What still comes, until the connection ends.
async fn rest(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// The one problem of an answer as it came over the wire.
fn check_raw(answer: &str, status: &str, code: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    assert!(head.to_lowercase().contains("content-type: application/problem+json"), "{answer}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    assert_eq!(body["code"], code, "{answer}");
}
