//! `hence run`, `runs`, `show`, `events` and `cancel` with a server.

use serde_json::json;

use super::check_refused;
use crate::process::{Engine, Project, Receiver, Serve, hence, steps};

const ADD: &str = r#"
when:
  - manual:
if: event.body.a != 0
steps:
  - id: sum
    script: event.body.a + event.body.b
  - if: steps.sum > 100
    then:
      - fail: "${steps.sum} is too much"
  - stop: steps.sum
"#;

const TWO_CALLS: &str = r#"
when:
  - manual:
steps:
  - {id: first, call: http.post, using: there, with: {url: /first}}
  - {id: second, call: http.post, using: there, with: {url: /second}}
"#;

#[tokio::test]
async fn run_waits_for_the_end_and_exits_with_it() {
    let project = Project::new()
        .file("workflows/add.yaml", ADD)
        .file("workflows/hook.yaml", "when:\n  - webhook: {path: h, verify: none}\nsteps:\n  - stop: '1'\n");
    let event = |name: &str, text: &str| {
        let path = project.dir().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (small, large, none, broken) = (
        event("small.json", r#"{"a": 1, "b": 2}"#),
        event("large.json", r#"{"a": 99, "b": 2}"#),
        event("none.json", r#"{"a": 0}"#),
        event("broken.json", "{"),
    );
    let _served = Serve::new(&project, Engine::Redb).start().await;
    let (dir, data) = (project.dir(), project.data());
    let server = ["--project", dir.to_str().unwrap(), "--data", data.to_str().unwrap()];
    let run = async |args: &[&str]| hence(&[&["run"], args, &server].concat()).await;

    let ran = run(&["add", "--event", &small, "--format", "json"]).await;
    assert_eq!((ran.code, &ran.json()["status"], &ran.json()["output"]), (Some(0), &"succeeded".into(), &3.into()));
    let ran = run(&["add", "--event", &large]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("101 is too much"), "{ran:?}");
    let ran = run(&["add", "--event", &none]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("started no run"), "{ran:?}");

    check_refused(&run(&["add", "--event", &broken]).await, 2, &["broken.json", "not JSON"]);
    check_refused(&run(&["add", "--event", "/no/such/file"]).await, 2, &["/no/such/file"]);
    check_refused(&run(&["ad", "--event", &small]).await, 1, &["there is no workflow `ad`"]);
    check_refused(&run(&["hook"]).await, 1, &["manual"]);

    let listed = hence(&[&["runs", "--status", "failed", "--format", "json"], &server[..]].concat()).await.json();
    let runs = listed["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &runs[0]["error"]["message"]), (1, &"101 is too much".into()));
    check_refused(&hence(&[&["runs", "--status", "lost"], &server[..]].concat()).await, 2, &["lost", "succeeded"]);
    check_refused(&hence(&[&["show", "run_1"], &server[..]].concat()).await, 2, &["run_1"]);
}

#[tokio::test]
async fn a_canceled_run_makes_no_further_call() {
    let (receiver, gate) = Receiver::gated().await;
    let project = Project::calling(receiver.address, "two", TWO_CALLS);
    let served = Serve::new(&project, Engine::Redb).start().await;
    let (dir, data) = (project.dir(), project.data());
    let server = ["--project", dir.to_str().unwrap(), "--data", data.to_str().unwrap()];

    let started = hence(&[&["run", "two", "--detach"], &server[..]].concat()).await;
    assert_eq!(started.code, Some(0), "{started:?}");
    let run = started.out.trim();
    receiver.arrived(1).await;
    let running = hence(&[&["runs", "--status", "running", "--format", "json"], &server[..]].concat()).await.json();
    assert_eq!(running["runs"][0]["id"], run);
    let canceled = hence(&[&["cancel", run], &server[..]].concat()).await;
    assert_eq!(canceled.code, Some(0), "{canceled:?}");
    gate.add_permits(10);

    let shown = served.api().ended(run).await;
    assert_eq!(shown["status"], "canceled");
    assert!(steps(&shown).iter().all(|(step, ..)| *step != "second"), "{shown}");
    assert_eq!(receiver.count(), 1);
    check_refused(&hence(&[&["cancel", run], &server[..]].concat()).await, 1, &["has ended already"]);
    let listed = hence(&[&["runs", "--format", "json"], &server[..]].concat()).await.json();
    assert_eq!(listed["runs"], json!([shown_head(&shown)]));
}

/// A run as listings show it.
fn shown_head(run: &serde_json::Value) -> serde_json::Value {
    let mut head = run.clone();
    let fields = head.as_object_mut().unwrap();
    fields.remove("steps");
    fields.remove("output");
    head
}
