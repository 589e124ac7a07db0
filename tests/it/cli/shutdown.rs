//! SIGTERM: calls in hand end or are made again, with the same key, by the next start.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::process::{Engine, Project, Receiver, Serve, must, steps};

/// `shutdown` of the projects here.
const SHUTDOWN: Duration = Duration::from_millis(500);
/// What a stop may take beyond that: a debug build on a busy machine.
const SLACK: Duration = Duration::from_secs(10);

const SLOW: &str = r#"
when:
  - webhook: {path: slow, verify: none}
steps:
  - {id: first, call: http.post, using: there, with: {url: /first}}
  - {id: second, call: http.post, using: there, with: {url: /second}}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_outlives_the_shutdown_is_made_again_with_its_key() {
    for engine in [Engine::Redb, Engine::Sled] {
        let (receiver, gate) = Receiver::gated().await;
        let shutdown = format!("shutdown: {}ms\n", SHUTDOWN.as_millis());
        let project = Project::calling(receiver.address, "slow", SLOW).file("hence.yaml", &shutdown);
        let serve = Serve::new(&project, engine);
        let served = serve.start().await;
        let run = served.api().hook("slow", &[], "{}").await.runs().pop().unwrap();
        receiver.arrived(1).await;
        let code = tokio::time::timeout(SHUTDOWN + SLACK, served.stop()).await;
        assert_eq!(code, Ok(Some(0)), "{engine:?}");
        assert!(!project.data().join("address").exists());
        assert_eq!(receiver.count(), 1);

        // The permits also let the answer go that nobody waits for any more.
        gate.add_permits(10);
        let served = serve.start().await;
        let shown = served.api().ended(&run).await;
        assert_eq!((&shown["status"], steps(&shown)), (&json!("succeeded"), vec![("first", "done", 1), ("second", "done", 1)]));
        let keys: Vec<_> = receiver.seen().into_iter().map(|seen| seen.key).collect();
        assert_eq!(keys, [format!("{run}/first"), format!("{run}/first"), format!("{run}/second")], "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_ends_within_the_shutdown_is_recorded_and_not_made_again() {
    let (receiver, gate) = Receiver::gated().await;
    let project = Project::calling(receiver.address, "slow", SLOW).file("hence.yaml", "shutdown: 50s\n");
    let serve = Serve::new(&project, Engine::Redb);
    let served = serve.start().await;
    let (api, url) = (served.api(), served.url.clone());
    let run = api.hook("slow", &[], "{}").await.runs().pop().unwrap();
    receiver.arrived(1).await;
    served.terminate();
    closed(&url).await;
    gate.add_permits(1);
    assert_eq!(served.ended().await, Some(0));
    let first = receiver.seen();
    assert_eq!(first.len(), 1, "nothing new begins: {first:?}");

    gate.add_permits(1);
    let served = serve.start().await;
    let shown = served.api().ended(&run).await;
    assert_eq!(shown["status"], "succeeded");
    let keys: Vec<_> = receiver.seen().into_iter().map(|seen| seen.key).collect();
    assert_eq!(keys, [format!("{run}/first"), format!("{run}/second")]);
}

const ENDLESS: &str = "
when:
  - webhook: {path: endless, verify: none}
steps:
  - foreach: event.body
    steps:
      - foreach: event.body
        steps: [{script: index}]
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_only_compute_leave_room_for_others_and_end_when_told() {
    let project = Project::new().file("workflows/endless.yaml", ENDLESS);
    let served = Serve::new(&project, Engine::Redb).start().await;
    let api = served.api();
    let list = json!(vec![0; 10_000]).to_string();
    let mut runs = Vec::new();
    // More of them than the server has threads.
    for _ in 0..std::thread::available_parallelism().unwrap().get() + 1 {
        runs.extend(must("the hook answers", api.hook("endless", &[], &list)).await.runs());
    }
    let canceled = must("the API answers", api.post(&format!("runs/{}/cancel", runs[0]))).await;
    assert_eq!(canceled, StatusCode::ACCEPTED);
    assert_eq!(must("it ends", api.ended(&runs[0])).await["status"], "canceled");
    assert_eq!(served.stop().await, Some(0));
}

/// Returns when nothing listens there any more: intake has stopped.
async fn closed(url: &str) {
    let address = url.strip_prefix("http://").unwrap();
    must("the listener closes", async { while tokio::net::TcpStream::connect(address).await.is_ok() {} }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_written_stops_nothing() {
    let project =
        Project::new().file("workflows/work.yaml", "when:\n  - webhook: {path: work, verify: none}\nsteps:\n  - fail: 'on purpose'\n");
    let serve = Serve::new(&project, Engine::Redb).with("HENCE_ADMIN_TOKEN", "t0ken");
    let served = must("the server starts", serve.unheard()).await;
    let api = crate::process::Api::new(&served.url, "t0ken");
    let run = api.hook("work", &[], "{}").await.runs().pop().unwrap();
    assert_eq!(api.ended(&run).await["status"], "failed");
    assert_eq!(served.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hangup_reloads_and_does_not_end_the_server() {
    let project = Project::new().file("workflows/main.yaml", "when: [{webhook: {path: a, verify: none}}]\nsteps: [{stop: 1}]\n");
    let served = Serve::new(&project, Engine::Redb).start().await;
    served.hang_up();
    // Nothing has changed on disk: only the signal makes it reload.
    served.says("\"because\":\"SIGHUP\"").await;
    let run = served.api().hook("a", &[], "{}").await.runs().pop().unwrap();
    assert_eq!(served.api().ended(&run).await["status"], "succeeded");
    assert_eq!(served.stop().await, Some(0));
}
