//! Many senders, one dedupe key.

use futures_util::future::join_all;
use serde_json::json;

use super::app;

const SENDERS: usize = 100;
const REPEATS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_senders_of_a_hundred_repeats_start_one_run() {
    let workflow = "when:\n  - webhook: {path: open, verify: none, dedupe: {key: event.body.id, within: 1h}}\nsteps:\n  - stop: 1\n";
    let (app, _project) = app(workflow, "").await;
    let send = async |_: usize| {
        let mut told = Vec::new();
        for _ in 0..REPEATS {
            told.push(app.post("open", &json!({"id": "the same"})).await);
        }
        told
    };
    let told: Vec<_> = join_all((0..SENDERS).map(send)).await.into_iter().flatten().collect();
    assert_eq!(told.len(), SENDERS * REPEATS);
    let first: Vec<_> = told.iter().filter(|answer| answer.status == 202).collect();
    assert_eq!(first.len(), 1, "one is the first");
    assert!(told.iter().all(|answer| matches!(answer.status, 200 | 202) && answer.body["event"] == first[0].body["event"]));
    assert!(told.iter().all(|answer| answer.body["runs"] == first[0].body["runs"]));
    assert_eq!(app.all_runs().await.len(), 1);
    assert_eq!(app.get("/events").await.body["events"].as_array().unwrap().len(), 1);
}
