//! A crash at every write of a run that asks: the person is asked with the same link, an answer that was stored counts
//! whatever the time is when the run reads it, and what follows is done once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hence::connector::Request;
use hence::domain::run::Status;
use hence::store::Store;
use hence::store::kv::Kv;
use hence::store::kv::faulty::{Death, Faulty};
use hence::store::kv::memory::Memory;
use serde_json::{Value, json};

use super::links;
use crate::docs::{blocks, documents, shown_file};
use crate::support::{Life, Project, Recorder, TestApp};

/// The address of the server is another one after each start.
const PUBLIC: &str = "https://hence.example.com";

/// The workflow that the guide shows.
fn workflow() -> String {
    let guide = &documents()[Path::new("docs/guide/12-ask-a-person.md")];
    let shown = blocks(guide).into_iter().find(|block| shown_file(block) == Some("workflows/refund.yaml")).unwrap();
    shown.1.replace("{bearer: SHOP_TOKEN}", "none")
}

/// The sender sends until it is heard, and the person answers what is open; whether anything is left to do.
async fn play(app: &TestApp, is_dead: impl Fn() -> bool, answered: &mut bool) {
    app.until(async |app| {
        if is_dead() {
            return Some(());
        }
        let sent = app.post("refunds", &json!({"id": "r-1", "amount": 250, "email": "ada@example.com"})).await;
        let run = *sent.body["runs"].as_array().is_some_and(|runs| !runs.is_empty()).then(|| sent.runs())?.first()?;
        let Ok(Some(head)) = app.store.run(run).await else { return is_dead().then_some(()) };
        if head.status.is_final() {
            return Some(());
        }
        for (_, link) in links(app, run).await {
            let answer = app.send(app.http.post(link.replace(PUBLIC, &app.url)).json(&json!({"decision": "approve", "who": "Ada"}))).await;
            *answered |= answer.status == 200;
        }
        is_dead().then_some(())
    })
    .await;
}

#[test]
fn a_crash_at_any_write_loses_no_answer_and_asks_with_the_same_link() {
    let life = |future: std::pin::Pin<Box<dyn Future<Output = ()>>>| {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
    };
    let mut died = 0;
    for nth in 1.. {
        let mut reached = false;
        for death in [Death::BeforeWrite, Death::AfterWrite] {
            let project = Arc::new(Project::of(&workflow()));
            project.write(
                "hence.yaml",
                &format!("public_url: {PUBLIC}\nconnections:\n  chat: {{connector: http}}\n  crm: {{connector: http}}\n"),
            );
            let memory = Memory::default();
            let base = Life::new(Recorder::fine());
            let faulty = Arc::new(Faulty::dying(memory.clone(), nth, death));
            let answered = Arc::new(std::sync::Mutex::new(false));
            let (first, heard, dead, files) = (
                Life { kv: Arc::clone(&faulty) as Arc<dyn Kv>, ..base.clone() },
                Arc::clone(&answered),
                Arc::clone(&faulty),
                Arc::clone(&project),
            );
            life(Box::pin(async move {
                let Ok(app) = TestApp::resume(&files, first).await else { return };
                let mut told = false;
                play(&app, || dead.is_dead(), &mut told).await;
                *heard.lock().unwrap() = told;
            }));
            reached |= faulty.is_dead();
            let was_answered = *answered.lock().unwrap();
            if was_answered {
                // The person was told that it counts: the server comes back when the time to answer is over.
                base.clock.advance(Duration::from_secs(3 * 86_400));
            }
            let second = Life { kv: Arc::new(memory), ..base.clone() };
            let at = format!("write {nth}, {death:?}, answered {was_answered}");
            life(Box::pin(async move {
                let app = TestApp::resume(&project, second).await.unwrap();
                if was_answered {
                    let run = app.all_runs().await[0].id;
                    app.until(async |app| app.store.run(run).await.unwrap().filter(|head| head.status.is_final())).await;
                } else {
                    play(&app, || false, &mut false).await;
                }
                check(&app, &at).await;
            }));
            died += usize::from(faulty.is_dead());
        }
        if !reached {
            break;
        }
    }
    assert!(8 <= died, "only {died} crashes");
}

async fn check(app: &TestApp, at: &str) {
    let runs = app.all_runs().await;
    assert_eq!(runs.len(), 1, "{at}");
    assert_eq!(runs[0].status, Status::Succeeded, "{at}: {:?}", runs[0].error);
    let shown = app.get(&format!("/runs/{}", runs[0].id)).await.body;
    assert_eq!(shown["output"]["status"], 200, "{at}: {shown}");
    let mut by_key: BTreeMap<String, Request> = BTreeMap::new();
    for call in app.recorder.calls() {
        let first = by_key.entry(call.idempotency_key.clone()).or_insert_with(|| call.clone());
        assert_eq!(first.with, call.with, "{at}: the same key with another input");
    }
    let called: Vec<&Value> = by_key.values().map(|call| &call.with["url"]).collect();
    assert_eq!(called, ["/messages", "/refunds"], "{at}: one is told, and paid once");
    let decided = shown["steps"].as_array().unwrap().iter().find(|step| step["step"] == "0/then/decision").unwrap();
    assert_eq!(decided["output"]["who"], "Ada", "{at}");
    let answers = app.get("/events").await.body["events"].as_array().unwrap().iter().filter(|event| event["source"] == "approval").count();
    assert_eq!(answers, 1, "{at}");
}
