//! Many senders at once: every event has its run, every run its call, none has two.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;
use serde_json::json;
use tokio_util::task::TaskTracker;

use crate::process::{Engine, Project, Receiver, Serve, must};

const EVENTS: u64 = 10_000;
const CONNECTIONS: usize = 128;

const WORKFLOW: &str = r#"
when:
  - webhook: {path: load, verify: none}
if: event.body.number >= 0
steps:
  - id: call
    call: http.post
    using: there
    with: {url: /call, json: {number: "${event.body.number}"}}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_events_at_once_are_ten_thousand_runs() {
    let receiver = Receiver::start().await;
    let project = Project::calling(receiver.address, "load", WORKFLOW);
    let served = Serve::new(&project, Engine::Redb).start().await;
    let api = served.api();

    let next = Arc::new(AtomicU64::new(0));
    let senders = TaskTracker::new();
    let sending: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (api, next) = (api.clone(), Arc::clone(&next));
            senders.spawn(async move {
                let mut told = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if EVENTS <= number {
                        return told;
                    }
                    let answer = api.hook("load", &[], json!({"number": number}).to_string()).await;
                    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
                    let [run] = <[String; 1]>::try_from(answer.runs()).unwrap();
                    told.push((number, run));
                }
            })
        })
        .collect();
    let told = must("all are accepted", futures_util::future::try_join_all(sending)).await.unwrap().concat();
    let wanted = usize::try_from(EVENTS).unwrap();
    assert_eq!(told.iter().map(|(_, run)| run).collect::<BTreeSet<_>>().len(), wanted);
    receiver.arrived(wanted).await;

    // The last answers are still being recorded.
    for run in api.all("runs").await.iter().filter(|run| run["status"] != "succeeded") {
        api.ended(run["id"].as_str().unwrap()).await;
    }
    let runs: BTreeSet<_> = api.all("runs").await.iter().map(|run| (run["id"].to_string(), run["status"].to_string())).collect();
    let succeeded = |run: &String| (json!(run).to_string(), json!("succeeded").to_string());
    assert_eq!(runs, told.iter().map(|(_, run)| succeeded(run)).collect());

    let made: BTreeSet<_> = receiver.seen().iter().map(|seen| (seen.body["number"].as_u64().unwrap(), seen.key.clone())).collect();
    assert_eq!(made, told.iter().map(|(number, run)| (*number, format!("{run}/call"))).collect());
    assert_eq!(receiver.count(), wanted);
    assert_eq!(served.stop().await, Some(0));
}
