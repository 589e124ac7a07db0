//! `/api/events/{id}/why`: what it says is what intake did, and what it would do now.

use std::collections::BTreeMap;
use std::time::Duration;

use hence::domain::run::Status;
use hence::store::Store;
use serde_json::{Value, json};

use crate::reload::changed;
use crate::support::{Project, Recorder, TestApp};

const LEADS: &str = r#"
when:
  - webhook: {path: leads, verify: none, dedupe: {key: 'event.headers["x-id"]', within: 1h}}
if: event.body.email != "" && lead::score(event.body) >= 80
steps: [{stop: event.body.email}]
"#;
const SCORE: &str = "fn score(body) { body.amount / 100 }";

/// What is told of an event, workflow by workflow, in the order told.
async fn told(app: &TestApp, event: &str) -> Vec<(String, Value)> {
    let answer = app.get(&format!("/events/{event}/why")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let workflows = answer.body["workflows"].as_array().unwrap();
    workflows.iter().map(|told| (told["workflow"].as_str().unwrap().to_owned(), told.clone())).collect()
}

/// What is told of one workflow.
async fn of(app: &TestApp, event: &str, workflow: &str) -> Value {
    let told = told(app, event).await;
    told.into_iter().find(|(name, _)| name == workflow).unwrap_or_else(|| panic!("nothing of {workflow}")).1
}

async fn post(app: &TestApp, path: &str, body: &Value) -> String {
    app.post(path, body).await.body["event"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_workflow_tells_whether_it_matched_and_why_not() {
    let project = Project::new(&[
        ("scripts/lead.rhai", SCORE),
        ("workflows/leads.yaml", LEADS),
        ("workflows/all.yaml", "when: [{webhook: {path: '{where}', verify: none}}]\nsteps: [{stop: event.params.where}]\n"),
        ("workflows/later.yaml", "when: [{schedule: {every: 1h}}]\nsteps: []\n"),
        ("workflows/hand.yaml", "when: [manual]\nsteps: []\n"),
        ("workflows/put.yaml", "when: [{webhook: {path: leads, methods: [PUT], verify: none}}]\nsteps: []\n"),
    ]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let event = post(&app, "leads", &json!({"email": "ada@example.com", "amount": 4000})).await;
    let shown = told(&app, &event).await;
    assert_eq!(shown.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["leads", "all", "hand", "later", "put"]);
    let reasons: Vec<_> = shown[1..].iter().map(|(_, told)| told["now"]["reason"].as_str().unwrap()).collect();
    assert_eq!(
        reasons,
        [
            "its webhook takes `{where}`, but `leads` goes to the webhook `leads`",
            "it has only a manual trigger, the event came to the webhook `leads`",
            "it has only a schedule, the event came to the webhook `leads`",
            "its webhook `leads` takes PUT, the event was a POST",
        ]
    );
    let (_, leads) = &shown[0];
    assert_eq!((&leads["then"]["result"], &leads["now"]["result"]), (&json!("not_matched"), &json!("not_matched")));
    let condition = &leads["now"]["if"];
    assert_eq!((&condition["kind"], &condition["result"]), (&json!("all"), &json!("false")));
    let parts = [
        json!({"kind": "test", "text": "event.body.email != \"\"", "result": "true",
            "values": [{"text": "event.body.email", "value": "ada@example.com", "shortened": false}]}),
        json!({"kind": "test", "text": "lead::score(event.body) >= 80", "result": "false",
            "values": [{"text": "lead::score(event.body)", "value": 40, "shortened": false}]}),
    ];
    assert_eq!(condition["parts"], json!(parts));

    let elsewhere = post(&app, "orders", &json!({})).await;
    let leads = of(&app, &elsewhere, "leads").await;
    assert_eq!(leads["now"]["reason"], "its webhook takes `leads`, the event came to `orders`");
    assert_eq!((&leads["then"]["result"], &leads["now"]["triggers"][0]["concerned"]), (&json!("not_concerned"), &json!(false)));
}

#[tokio::test]
async fn a_match_tells_its_run_and_its_dedupe_key() {
    let project = Project::new(&[("scripts/lead.rhai", SCORE), ("workflows/leads.yaml", LEADS)]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let request = app.http.post(format!("{}/hooks/leads", app.url)).header("x-id", "7").json(&json!({"email": "a@b.c", "amount": 9000}));
    let receipt = app.send(request).await;
    let (event, run) = (receipt.body["event"].as_str().unwrap(), receipt.runs()[0]);
    app.ended(run).await;
    let leads = of(&app, event, "leads").await;
    assert_eq!((&leads["then"]["result"], &leads["differs"], &leads["changed"]), (&json!("matched"), &json!(false), &json!(false)));
    assert_eq!((&leads["then"]["run"]["id"], &leads["then"]["run"]["status"]), (&json!(run), &json!("succeeded")));
    let dedupe = &leads["now"]["triggers"][0]["dedupe"];
    assert_eq!(*dedupe, json!({"key": "event.headers[\"x-id\"]", "value": "7", "until": "2026-03-01T10:00:00.000Z"}));

    let without = post(&app, "leads", &json!({"email": "a@b.c", "amount": 9000})).await;
    let error = of(&app, &without, "leads").await["now"]["triggers"][0]["dedupe"]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("workflows/leads.yaml:3:") && error.contains("missing"), "{error}");
}

#[tokio::test]
async fn an_if_that_cannot_be_evaluated_shows_the_part_and_its_place() {
    let project =
        Project::of("when: [{webhook: {path: a, verify: none}}]\nif: >-\n  event.body.a == 1 &&\n  event.body.b.c == 2\nsteps: []\n");
    let app = TestApp::start(&project, Recorder::fine()).await;
    let event = post(&app, "a", &json!({"a": 1})).await;
    let run = app.all_runs().await[0].id;
    assert_eq!(app.ended(run).await.status, Status::Failed);
    let main = of(&app, &event, "main").await;
    assert_eq!((&main["then"]["result"], &main["now"]["result"]), (&json!("condition_failed"), &json!("condition_failed")));
    assert_eq!((&main["then"]["reason"], &main["then"]["run"]["status"]), (&main["now"]["reason"], &json!("failed")));
    let parts = &main["now"]["if"]["parts"];
    assert_eq!((&parts[0]["result"], &parts[1]["result"]), (&json!("true"), &json!("failed")));
    let error = parts[1]["error"].as_str().unwrap();
    assert!(error.starts_with("workflows/main.yaml:") && error.contains("`event.body.b` is missing"), "{error}");
    assert_eq!(error, main["then"]["reason"], "the part fails as the whole did");
}

#[tokio::test]
async fn what_changed_since_is_told_beside_what_happened() {
    let project = Project::new(&[
        ("workflows/edited.yaml", "when: [{webhook: {path: w, verify: none}}]\nif: event.body.n > 5\nsteps: []\n"),
        ("workflows/moved.yaml", "when: [{webhook: {path: w, verify: none}}]\nsteps: []\n"),
        ("workflows/gone.yaml", "when: [{webhook: {path: w, verify: none}}]\nsteps: []\n"),
        ("workflows/mended.yaml", "when: [{webhook: {path: w, verify: none}}]\nif: event.body.m.n\nsteps: []\n"),
        ("workflows/same.yaml", "when: [{webhook: {path: w, verify: none}}]\nsteps: []\n"),
    ]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let event = post(&app, "w", &json!({"n": 3})).await;
    app.until(async |app| app.all_runs().await.iter().all(|run| run.status.is_final()).then_some(())).await;
    assert!(told(&app, &event).await.iter().all(|(_, told)| told["differs"] == json!(false)));

    project.write("workflows/edited.yaml", "when: [{webhook: {path: w, verify: none}}]\nif: event.body.n > 2\nsteps: []\n");
    project.write("workflows/moved.yaml", "when: [{webhook: {path: v, verify: none}}]\nsteps: []\n");
    project.write("workflows/mended.yaml", "when: [{webhook: {path: w, verify: none}}]\nif: event.body.m?.n ?? false\nsteps: []\n");
    project.write("workflows/same.yaml", "when: [{webhook: {path: w, verify: none}}]\nsteps: [{stop: 1}]\n");
    project.write("workflows/new.yaml", "when: [{webhook: {path: w, verify: none}}]\nsteps: []\n");
    project.write("workflows/broken.yaml", "when: [{webhok: }]\nsteps: []\n");
    std::fs::remove_file(project.dir().join("workflows/gone.yaml")).unwrap();
    changed(&app).await;

    let shown: BTreeMap<String, Value> = told(&app, &event).await.into_iter().collect();
    let of = |name: &str| {
        let told = &shown[name];
        (told["then"]["result"].as_str().unwrap(), told["now"]["result"].as_str().unwrap(), &told["changed"])
    };
    assert_eq!(of("edited"), ("not_matched", "matched", &Value::Null));
    assert_eq!(of("moved"), ("matched", "not_concerned", &json!(true)));
    assert_eq!(of("gone"), ("matched", "not_loaded", &Value::Null));
    assert_eq!(of("mended"), ("condition_failed", "not_matched", &json!(true)));
    assert_eq!(of("new"), ("not_concerned", "matched", &Value::Null));
    assert_eq!(of("same"), ("matched", "matched", &json!(true)));
    let differing = shown.values().filter(|told| told["differs"] == json!(true)).count();
    assert_eq!((differing, shown.len()), (5, 6));
    assert!(shown["gone"]["then"]["run"]["status"] == "succeeded" && shown["gone"]["file"].is_null());

    let answer = app.get(&format!("/events/{event}/why")).await;
    assert_eq!(answer.body["problems"][0]["file"], "workflows/broken.yaml");
}

#[tokio::test]
async fn due_times_and_starts_by_hand_are_told_too() {
    let project = Project::new(&[
        ("workflows/hourly.yaml", "when: [manual, {schedule: {every: 1h}}]\nif: event.source == \"schedule\"\nsteps: []\n"),
        ("workflows/daily.yaml", "when: [{schedule: {every: 24h}}]\nsteps: []\n"),
        ("workflows/hand.yaml", "when: [manual]\nsteps: []\n"),
    ]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    app.until(async |app| app.store.cursor("hourly every 3600000ms").await.unwrap()).await;
    app.clock.advance(Duration::from_secs(3600));
    app.until(async |app| app.all_runs().await.first().map(|run| run.id)).await;
    let events = app.get("/events").await.body;
    let due = events["events"][0]["id"].as_str().unwrap();
    let hourly = of(&app, due, "hourly").await;
    assert_eq!((&hourly["then"]["result"], &hourly["differs"]), (&json!("matched"), &json!(false)));
    let concerned: Vec<_> = hourly["now"]["triggers"].as_array().unwrap().iter().map(|t| t["concerned"].as_bool().unwrap()).collect();
    assert_eq!(concerned, [false, true]);
    let reason = "its schedule is another one, the event is a due time of the schedule `hourly/1`";
    assert_eq!(of(&app, due, "daily").await["now"]["reason"], reason);

    let started = app.api(reqwest::Method::POST, "/runs", Some(json!({"workflow": "hourly", "event": {}}))).await;
    let started = started.body["event"].as_str().unwrap();
    let hourly = of(&app, started, "hourly").await;
    assert_eq!((&hourly["then"]["result"], &hourly["now"]["result"]), (&json!("not_matched"), &json!("not_matched")));
    let hand = of(&app, started, "hand").await;
    assert_eq!(hand["now"]["reason"], "its manual trigger is another one, the event started `hourly` by hand");
}

#[tokio::test]
async fn secrets_are_masked_and_long_values_shortened() {
    let project = Project::of(
        "when: [{webhook: {path: s, verify: none, dedupe: {key: event.body.key, within: 1h}}}]\nif: event.body.key == event.body.long || event.body.map.x.y > 1\nsteps: []\n",
    );
    let app = TestApp::start(&project, Recorder::fine()).await;
    let long = format!("{}t0ken-of-tests{}", "x".repeat(490), "y".repeat(500));
    let event = post(&app, "s", &json!({"key": "t0ken-of-tests", "long": long, "map": {"t0ken-of-tests": 1}})).await;
    let answer = app.get(&format!("/events/{event}/why")).await;
    let text = answer.body.to_string();
    assert!(!text.contains("t0ken") && text.contains("***"), "{text}");
    let values = &answer.body["workflows"][0]["now"]["if"]["parts"][0]["values"];
    assert_eq!((&values[0]["value"], &values[1]["shortened"]), (&json!("***"), &json!(true)), "{values}");
    assert!(values[1]["value"].as_str().unwrap().len() < 600);
    assert!(answer.body["workflows"][0]["now"]["reason"].as_str().unwrap().contains("event.body.map has: ***"), "{text}");
}

#[tokio::test]
async fn what_is_said_is_what_intake_did() {
    let conditions = [
        "event.body.a && event.body.b || !event.body.c",
        "event.body.a == true && (event.body.b == true || event.body.c == true)",
        "!(event.body.a == event.body.b) && event.body.c.d == 1",
        "event.body.list.some(|x| x == 1 || x == 2) && event.body.list.len() < 3",
        "event.body.a ?? true && run.attempt == 1",
        "now() < \"2026\" || event.body.a",
        "random() < 2.0",
        "event.headers[\"x-none\"] != ()",
    ];
    let files: Vec<(String, String)> = (0..conditions.len())
        .map(|n| {
            (
                format!("workflows/w{n}.yaml"),
                format!("when: [{{webhook: {{path: w, verify: none}}}}]\nif: '{}'\nsteps: []\n", conditions[n]),
            )
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let app = TestApp::start(&Project::new(&files), Recorder::fine()).await;
    let values = [json!(true), json!(false), json!("text"), Value::Null];
    for a in &values {
        for b in &values {
            for list in [json!([1]), json!([3, 4, 5]), json!({})] {
                let event = post(&app, "w", &json!({"a": a, "b": b, "c": {"d": 1}, "list": list})).await;
                app.until(async |app| app.all_runs().await.iter().all(|run| run.status.is_final()).then_some(())).await;
                for (name, told) in told(&app, &event).await {
                    assert_eq!(told["then"]["result"], told["now"]["result"], "{name} {a} {b} {list}");
                }
            }
        }
    }
    let seen = app.all_runs().await;
    assert!(seen.iter().any(|run| run.status == Status::Failed) && seen.iter().any(|run| run.status == Status::Succeeded));
}

#[tokio::test]
async fn what_keeps_an_emitted_event_out_is_told_as_it_was_done() {
    let project = Project::new(&[
        ("workflows/emitter.yaml", "when: [{webhook: {path: e, verify: none}}]\nsteps: [{emit: t, with: {n: '${event.body.n}'}}]\n"),
        ("workflows/large.yaml", "when: [{event: {type: t, if: event.body.n > 10}}]\nif: event.body.n < 50\nsteps: []\n"),
        (
            "workflows/either.yaml",
            "when:\n  - event: {type: t, if: event.body.n > 10}\n  - event: {type: t, if: event.body.n < 20}\nsteps: []\n",
        ),
        ("workflows/keyed.yaml", "when: [{event: {type: t}}]\nconcurrency: {key: event.body.who.id}\nsteps: []\n"),
    ]);
    let app = TestApp::start(&project, Recorder::fine()).await;
    for (n, large, reason) in [(5, "not_matched", "the trigger's `if` is false"), (15, "matched", ""), (60, "not_matched", "`if` is false")]
    {
        let before = app.all_runs().await.len();
        app.post("e", &json!({"n": n})).await;
        let runs = if large == "matched" { 4 } else { 3 };
        app.until(async |app| {
            let runs_now = app.all_runs().await;
            (runs_now.len() == before + runs && runs_now.iter().all(|run| run.status.is_final())).then_some(())
        })
        .await;
        let events = app.get("/events").await.body["events"].clone();
        let event = events.as_array().unwrap().iter().find(|event| event["type"] == "t").unwrap();
        let told = told(&app, event["id"].as_str().unwrap()).await;
        for (name, told) in told.iter().filter(|(name, _)| name != "emitter") {
            assert_eq!(told["then"]["result"], told["now"]["result"], "{n}: {name}: {told:#}");
        }
        let of = |name: &str| &told.iter().find(|(found, _)| found == name).unwrap().1;
        assert_eq!(
            (of("either")["now"]["result"].as_str(), of("keyed")["now"]["result"].as_str()),
            (Some("matched"), Some("condition_failed"))
        );
        let now = &of("large")["now"];
        assert_eq!((now["result"].as_str(), now["reason"].as_str().unwrap_or_default()), (Some(large), reason), "{n}");
        let part = if n == 5 { "event.body.n > 10" } else { "event.body.n < 50" };
        assert_eq!(
            (now["if"]["text"].as_str(), now["if"]["result"].as_str()),
            (Some(part), Some(if large == "matched" { "true" } else { "false" }))
        );
    }
}

#[tokio::test]
async fn an_event_that_is_not_there_is_a_problem() {
    let app = TestApp::start(&Project::of("when: [manual]\nsteps: []\n"), Recorder::fine()).await;
    let missing = app.get("/events/evt_00000000000000000000000000/why").await;
    assert_eq!((missing.status, &missing.body["code"]), (404, &json!("no-event")));
    let bad = app.get("/events/run_1/why").await;
    assert_eq!((bad.status, &bad.body["code"]), (400, &json!("bad-request")));
    let bare = app.send(app.http.get(format!("{}/api/events/evt_00000000000000000000000000/why", app.url))).await;
    assert_eq!((bare.status, &bare.body["code"]), (401, &json!("unauthorized")));
}
