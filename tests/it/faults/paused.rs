//! The process stands still while time goes on, as on a machine that sleeps or is moved.

use std::time::Duration;

use crate::process::{Engine, Project, Receiver, Serve, must};

const WAIT: &str = r#"
when:
  - webhook: {path: wait, verify: none}
steps:
  - wait: 1s
  - {id: ring, call: http.post, using: there, with: {url: /ring}}
"#;
/// How long it stands still: longer than what it waits for.
const STILL: Duration = Duration::from_millis(2_500);
/// What is overdue is done this much later at most.
const SOON: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_overdue_after_a_stop_is_done_at_once_and_once() {
    const RUNS: usize = 20;
    let receiver = Receiver::start().await;
    let project = Project::calling(receiver.address, "wait", WAIT);
    let served = Serve::new(&project, Engine::Redb).start().await;
    let api = served.api();
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.extend(api.hook("wait", &[], "{}").await.runs());
    }
    served.pause();
    let before = receiver.count();
    // A stopped process cannot be asked whether time has passed for it.
    assert!(tokio::time::timeout(STILL, receiver.arrived(before + 1)).await.is_err(), "it stands still");
    served.go_on();
    assert!(tokio::time::timeout(SOON, receiver.arrived(RUNS)).await.is_ok(), "only {} came", receiver.count());
    for run in &runs {
        assert_eq!(must("it ends", api.ended(run)).await["status"], "succeeded");
    }
    assert_eq!(receiver.count(), RUNS, "each once");
    assert_eq!(served.stop().await, Some(0));
}
