//! Files that change under a running server.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hence::domain::run::Status;
use hence::store::StoreError;
use hence::store::kv::memory::Memory;
use hence::store::kv::{Batch, Kv, Order, Visit};
use serde_json::json;

use crate::process::must;
use crate::support::{Life, Project, Recorder, TestApp};

fn says(word: &str) -> String {
    format!("when: [{{webhook: {{path: w, verify: none}}}}]\nsteps: [{{stop: '\"{word}\"'}}]\n")
}

/// Lets the watcher look, and waits for the change to be served.
pub async fn changed(app: &TestApp) {
    let mut changes = app.app.intake.current.subscribe();
    changes.mark_unchanged();
    while !changes.has_changed().unwrap() {
        app.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
}

async fn said(app: &TestApp) -> String {
    let run = app.post("w", &json!({})).await.runs()[0];
    assert_eq!(app.ended(run).await.status, Status::Succeeded);
    app.get(&format!("/runs/{run}")).await.body["output"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_changed_file_is_served_and_a_bad_one_keeps_the_last_good() {
    let project = Project::of(&says("one"));
    let app = TestApp::start(&project, Recorder::fine()).await;
    assert_eq!(said(&app).await, "one");
    project.write("workflows/main.yaml", &says("number two"));
    changed(&app).await;
    assert_eq!(said(&app).await, "number two");
    project.write("workflows/main.yaml", "when: [{webhok: }]\nsteps: []\n");
    project.write("workflows/other.yaml", "when: [{webhook: {path: other, verify: none}}]\nsteps: [{stop: 1}]\n");
    changed(&app).await;
    assert_eq!(said(&app).await, "number two", "the last good revision stays");
    assert_eq!(app.post("other", &json!({})).await.status, 202, "and the new file beside it is served");
    let ready = app.send(app.http.get(format!("{}/readyz", app.url))).await;
    assert!(ready.status == 503 && ready.body["reasons"][0].as_str().unwrap().contains("1 problem in"), "{ready:?}");
    fs::remove_file(project.dir().join("workflows/main.yaml")).unwrap();
    changed(&app).await;
    assert_eq!(app.post("w", &json!({})).await.status, 404, "a file that is gone is not served");
    assert_eq!(app.send(app.http.get(format!("{}/readyz", app.url))).await.status, 200);
}

/// A store in which a file is changed right after it was loaded, when it is written there.
struct Late {
    memory: Memory,
    loaded: &'static str,
    file: PathBuf,
}

impl Kv for Late {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.get(key)
    }

    fn range(&self, from: &[u8], to: &[u8], order: Order, visit: Visit<'_>) -> Result<(), StoreError> {
        self.memory.range(from, to, order, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let is_it = |value: &[u8]| value.windows(self.loaded.len()).any(|part| part == self.loaded.as_bytes());
        if batch.changes().any(|(_, value)| value.is_some_and(is_it)) {
            fs::write(&self.file, says("number two")).unwrap();
        }
        self.memory.apply(batch)
    }
}

#[tokio::test]
async fn a_file_that_changes_while_the_server_starts_is_served() {
    let project = Project::of(&says("first"));
    let late = Late { memory: Memory::default(), loaded: "first", file: project.dir().join("workflows/main.yaml") };
    let app = TestApp::resume(&project, Life { kv: Arc::new(late), ..Life::new(Recorder::fine()) }).await.unwrap();
    must("the change is seen", changed(&app)).await;
    assert_eq!(said(&app).await, "number two");
}

#[tokio::test]
async fn bad_files_of_every_kind_do_not_stop_a_good_one() {
    let bomb = format!(
        "a: &a [x, x]\n{}",
        (0..30)
            .map(|n| format!("b{n}: &b{n} [*{0}, *{0}]\n", if n == 0 { "a".to_owned() } else { format!("b{}", n - 1) }))
            .collect::<String>()
    );
    let large = format!("description: {}\n", "x".repeat(10 << 20));
    let project = Project::new(&[
        ("workflows/good.yaml", &says("good")),
        ("workflows/empty.yaml", ""),
        ("workflows/large.yaml", &large),
        ("workflows/bomb.yaml", &bomb),
        ("workflows/twice.yaml", "when: [{manual: }]\nwhen: [{manual: }]\nsteps: []\n"),
        ("workflows/binary.yaml", "\u{0}\u{1}"),
        ("workflows/script.yaml", "when: [{manual: }]\nsteps: [{script: 'let = 1'}]\n"),
        ("scripts/broken.rhai", "fn f( { }"),
    ]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    assert_eq!(said(&app).await, "good");
    let problems = app.get("/workflows").await.body["problems"].clone();
    let codes: Vec<_> =
        problems.as_array().unwrap().iter().map(|p| format!("{} {}", p["file"].as_str().unwrap(), p["code"].as_str().unwrap())).collect();
    for expected in [
        "workflows/empty.yaml empty-file",
        "workflows/large.yaml file-too-large",
        "workflows/bomb.yaml yaml-too-complex",
        "workflows/twice.yaml duplicate-key",
        "workflows/binary.yaml yaml-syntax",
        "workflows/script.yaml bad-script",
        "scripts/broken.rhai bad-script",
    ] {
        assert!(codes.iter().any(|code| code == expected), "{expected}: {codes:?}");
    }
}

#[tokio::test]
async fn hostile_scripts_fail_their_own_run_and_the_others_go_on() {
    let project = Project::new(&[
        ("workflows/good.yaml", &says("good")),
        ("workflows/loop.yaml", "when: [{manual: }]\nsteps: [{script: 'while true { }'}]\n"),
        ("workflows/double.yaml", "when: [{manual: }]\nsteps: [{script: 'let s = \"x\"; while true { s += s; } s'}]\n"),
    ]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let (endless, double) = (app.begin("loop", json!({})).await, app.begin("double", json!({})).await);
    assert_eq!(said(&app).await, "good");
    for (run, words) in [(endless, "limit"), (double, "over the limit")] {
        let error = app.ended(run).await.error.unwrap().message;
        assert!(error.contains("workflows/") && error.contains(words), "{error}");
    }
    assert_eq!(said(&app).await, "good");
}
