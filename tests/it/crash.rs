//! Every shipped workflow × a crash at every write × before and after it: the outcome is the same,
//! no finished step is done again, and what is done twice has the same idempotency key and input.
//! What a run brings about inside, other runs and events, is a part of its story.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use hence::connector::Request;
use hence::domain::failure::{Failure, FailureKind};
use hence::domain::id::RunId;
use hence::domain::journal::{Address, Entry, Fact, Outcome};
use hence::domain::run::Status;
use hence::store::kv::Kv;
use hence::store::kv::faulty::{Death, Faulty};
use hence::store::kv::memory::Memory;
use hence::store::{RunFilter, Store, embedded};
use ring::hmac;
use serde_json::{Value, json};

use crate::forms;
use crate::support::project::PUBLIC_URL;
use crate::support::{Life, Project, Recorder, TestApp, ok};

/// A workflow, and how it is set off.
pub(super) struct Case {
    pub(super) send: Send,
    /// Whether the sender's repeat is recognised.
    pub(super) deduplicates: bool,
    /// Other workflows that it brings into action.
    others: &'static [&'static str],
    /// Its sender waits for what the run says.
    waits: bool,
}

impl Case {
    fn new(send: Send) -> Self {
        Self { send, deduplicates: true, others: &[], waits: false }
    }
}

/// How each shipped workflow is set off.
pub(super) fn events() -> BTreeMap<&'static str, Case> {
    let lead = json!({"email": "ada@example.com", "name": "Ada", "amount": 6000, "phone": "+44 1"});
    let issue = json!({
        "action": "opened",
        "issue": {"number": 7, "title": "It broke", "html_url": "https://example.com/7", "labels": [{"name": "bug"}, {"name": "ui"}]},
        "repository": {"full_name": "acme/shop"},
    });
    let order =
        json!({"id": "o-1", "shipping": "express", "email": "ada@example.com", "items": [{"sku": "a"}, {"sku": "b"}, {"sku": "c"}]});
    let refund = json!({"order": "o-1", "amount": 250, "email": "ada@example.com"});
    let saga = json!({"id": "o-1", "amount": 40, "email": "ada@example.com", "items": [{"sku": "a"}]});
    let message = [("name", "Ada"), ("email", "ada@example.com"), ("topic", "order"), ("message", "Where is it?")];
    let person = || json!({"email": "ada@example.com"});
    let post = |path, body| Send::Post { path, github: false, body };
    BTreeMap::from([
        ("contact-form", Case::new(Send::Form { path: "contact", fields: message.to_vec() })),
        ("order-saga", Case::new(post("order-saga", saga))),
        ("drip-campaign", Case::new(post("campaign", person()))),
        ("digest", Case::new(post("signups", person()))),
        ("search", Case { deduplicates: false, waits: true, ..Case::new(post("search", json!({"q": "ada"}))) }),
        ("unsubscribe", Case { deduplicates: false, ..Case::new(post("unsubscribe?email=ada@example.com", json!({}))) }),
        ("capture-lead", Case::new(Send::Post { path: "leads", github: false, body: lead })),
        ("issue-triage", Case::new(Send::Post { path: "github", github: true, body: issue })),
        ("fulfil-order", Case::new(Send::Post { path: "orders", github: false, body: order })),
        ("inbox", Case { deduplicates: false, ..Case::new(Send::Post { path: "inbox/crm/contacts", github: false, body: json!({}) }) }),
        ("daily-digest", Case { deduplicates: false, ..Case::new(Send::ByHand(json!({}))) }),
        ("refund", Case { deduplicates: false, ..Case::new(Send::ByHand(refund)) }),
    ])
}

pub(super) enum Send {
    Post {
        path: &'static str,
        github: bool,
        body: Value,
    },
    /// A form that was filled in, with a photo.
    Form {
        path: &'static str,
        fields: Vec<(&'static str, &'static str)>,
    },
    ByHand(Value),
}

impl Case {
    /// Sends; whether it was acknowledged. Time stands still meanwhile, but for a sender that waits for the run.
    async fn send(&self, app: &TestApp, workflow: &str, is_dead: impl Fn() -> bool) -> bool {
        if self.waits { self.send.while_time_goes_on(app, workflow, is_dead).await } else { self.send.to(app, workflow).await }
    }
}

impl Send {
    /// Whether it was acknowledged. A caller that waits for the run's answer waits while time goes on.
    async fn while_time_goes_on(&self, app: &TestApp, workflow: &str, is_dead: impl Fn() -> bool) -> bool {
        let time_goes_on = app.until(async |app| {
            if is_dead() {
                return Some(());
            }
            let runs = app.store.runs(RunFilter::default(), 100).await.map_or_else(|_| Vec::new(), |page| page.items);
            if let Some(wake) = runs.iter().filter(|run| !run.status.is_final()).filter_map(|run| run.wake).min() {
                app.clock.advance_to(wake);
            }
            None
        });
        tokio::select! {
            biased;
            acknowledged = self.to(app, workflow) => acknowledged,
            () = time_goes_on => false,
        }
    }

    pub(super) async fn to(&self, app: &TestApp, workflow: &str) -> bool {
        let request = match self {
            Self::ByHand(event) => {
                let request = app.http.post(format!("{}/api/runs", app.url)).bearer_auth(app.app.token.expose());
                request.json(&json!({"workflow": workflow, "event": event}))
            }
            Self::Form { path, fields } => forms::filled_in(app, path, fields).await,
            Self::Post { path, github, body } => {
                let body = body.to_string();
                let mut request = app.http.post(format!("{}/hooks/{path}", app.url)).header("content-type", "application/json");
                if *github {
                    let key = hmac::Key::new(hmac::HMAC_SHA256, b"s3cret-of-github");
                    let hex: String = hmac::sign(&key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                    request = request.header("x-hub-signature-256", format!("sha256={hex}"));
                    request = request.header("x-github-event", "issues").header("x-github-delivery", "d-1");
                }
                request.body(body)
            }
        };
        let answer = app.send(request).await;
        assert!(matches!(answer.status, 200 | 202 | 503), "{answer:?}");
        answer.status != 503
    }
}

/// What a run came to: its workflow, how it ended, and what became of each step. Attempts are not part of it.
pub(super) type Story = (String, String, BTreeMap<Address, String>);

/// Names and times of events are other ones each time.
fn lasting(output: &Value) -> String {
    let mut output = output.clone();
    if let Value::Object(map) = &mut output {
        ["id", "time", "when"].iter().for_each(|key| drop(map.remove(*key)));
    }
    output.to_string()
}

pub(crate) fn story(workflow: &str, entries: &[Entry]) -> Story {
    let mut steps = BTreeMap::new();
    let mut outcome = "open".to_owned();
    for Entry { fact, .. } in entries {
        match fact {
            Fact::CallRetried { .. } | Fact::CallStarted { .. } | Fact::RunBegan | Fact::CancelRequested => {}
            // Waits that are over leave what came of them; ids and times are other ones each time.
            Fact::EventAwaited { .. } | Fact::ApprovalAsked { .. } | Fact::ChildStarted { .. } | Fact::StepRetried { .. } => {}
            Fact::GatheringEnded { events } => outcome = format!("gathered {events}"),
            Fact::RunSkipped { reason } => outcome = reason.to_string(),
            Fact::EventEmitted { step, kind, .. } => drop(steps.insert(step.clone(), kind.to_string())),
            Fact::Responded { step, response } => drop(steps.insert(step.clone(), response.body.clone())),
            Fact::EventTaken { step, output, .. } => drop(steps.insert(step.clone(), lasting(output))),
            Fact::CallSucceeded { step, output, .. } | Fact::StepEvaluated { step, output } | Fact::RunStopped { step, output } => {
                drop(steps.insert(step.clone(), output.to_string()));
            }
            Fact::LoopBegan { step, items } => drop(steps.insert(step.clone(), items.to_string())),
            Fact::IterationEnded { step, index, output } => {
                drop(steps.insert(Address::new(format!("{step}[{index}]")), output.to_string()))
            }
            Fact::RoundEnded { step, round, .. } => drop(steps.insert(Address::new(format!("{step}[{round}]")), "ended".to_owned())),
            Fact::WaitBegan { step, until } => drop(steps.insert(step.clone(), until.to_string())),
            Fact::StepSkipped { step } => drop(steps.insert(step.clone(), "skipped".to_owned())),
            Fact::BranchTaken { step, branch } => drop(steps.insert(step.clone(), format!("{branch:?}"))),
            Fact::VarsSet { step, vars } => drop(steps.insert(step.clone(), Value::Object(vars.clone()).to_string())),
            Fact::StepFailed { step, error, .. } => drop(steps.insert(step.clone(), error.message.clone())),
            Fact::ConditionFailed { error } | Fact::RunTimedOut { error } => outcome.clone_from(&error.message),
            Fact::RunFinished { outcome: Outcome::Succeeded { output } } => outcome = format!("succeeded {}", lasting(output)),
            Fact::RunFinished { outcome: ended } => outcome = format!("{ended:?}"),
        }
    }
    (workflow.to_owned(), outcome, steps)
}

/// The same of all runs, in an order of its own.
pub(super) fn told(runs: &[Told]) -> Vec<Story> {
    let mut told: Vec<Story> = runs.iter().map(|run| story(&run.workflow, &run.entries)).collect();
    told.sort();
    told
}

/// A run and its facts.
pub(super) struct Told {
    run: RunId,
    workflow: String,
    entries: Vec<Entry>,
}

/// The workflow of a case and those that it brings into action.
pub(super) fn names(workflow: &'static str, case: &Case) -> Vec<&'static str> {
    [workflow].into_iter().chain(case.others.iter().copied()).collect()
}

/// Answers every call well, after a first 503 where `flaky`. At every call it looks whether what
/// was answered before is durable by now: nothing touches the world before that.
pub(super) fn recorder(flaky: bool, memory: &Memory, names: &[&'static str]) -> Arc<Recorder> {
    recorder_with(flaky, memory, names, |_| {})
}

/// The same, and `answering` hears of each good answer before it is given.
fn recorder_with(
    flaky: bool,
    memory: &Memory,
    names: &[&'static str],
    answering: impl Fn(&Request) + std::marker::Send + Sync + 'static,
) -> Arc<Recorder> {
    let answering = Arc::new(answering);
    let (memory, names, answered) = (memory.clone(), names.to_vec(), Arc::new(Mutex::new(BTreeSet::<String>::new())));
    Recorder::with(Box::new(move |request, nth| {
        let (request, memory, names, answered) = (request.clone(), memory.clone(), names.clone(), Arc::clone(&answered));
        let answering = Arc::clone(&answering);
        Box::pin(async move {
            let durable = done_calls(&stories(&memory, &names).await);
            let mut answered = answered.lock().unwrap();
            let place = |key: &str| key.split(['/', '[']).take(2).map(str::to_owned).collect::<Vec<_>>();
            let (run, here) = (request.idempotency_key.split('/').next().unwrap(), place(&request.idempotency_key));
            // Calls of one loop or one `parallel` go side by side.
            let before = answered.iter().filter(|key| key.starts_with(run) && place(key) != here);
            let lost: Vec<_> = before.filter(|key| !durable.contains(*key)).collect();
            if !lost.is_empty() {
                return Err(Failure::new(
                    FailureKind::Internal,
                    format!("{lost:?} was answered and not durable when {} was called", request.idempotency_key),
                ));
            }
            if flaky && nth == 1 {
                return Err(Failure::new(FailureKind::Status, "503 at first").with_status(503));
            }
            answered.insert(request.idempotency_key.clone());
            answering(&request);
            let mut answer = ok(&request);
            // A parcel is on its way when it is looked at for the second time.
            answer["body"]["status"] = json!(if request.idempotency_key.contains("shipped[0]") { "packing" } else { "shipped" });
            Ok(answer)
        })
    }))
}

/// Runs a future in a runtime of its own that is thrown away at the end, tasks and all: a crash.
pub(super) fn life<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

pub(super) async fn all_ended(app: &TestApp, or: impl Fn() -> bool) {
    all_ended_in(app, &*app.store, or).await;
}

/// The same, seen in a store beside the one that the server has.
pub(super) async fn all_ended_in(app: &TestApp, seen: &dyn Store, or: impl Fn() -> bool) {
    app.until(async |app| {
        if or() {
            return Some(());
        }
        let runs = match seen.runs(RunFilter::default(), 100).await {
            Ok(page) => page.items,
            Err(error) => {
                assert!(or(), "{error}");
                return Some(());
            }
        };
        let open: Vec<_> = runs.iter().filter(|run| !run.status.is_final()).collect();
        for run in open.iter().filter(|run| run.status == Status::Waiting) {
            if answered(app, run.id, &or).await {
                return None;
            }
        }
        if let Some(wake) = open.iter().filter_map(|run| run.wake).min() {
            app.clock.advance_to(wake);
        }
        (!runs.is_empty() && open.is_empty()).then_some(())
    })
    .await;
}

/// A person says yes to what a run asks, once they have been told. Whether there is a question: no time passes until it is answered.
async fn answered(app: &TestApp, run: RunId, is_dead: &impl Fn() -> bool) -> bool {
    let shown = loop {
        let answer = app.get(&format!("/runs/{run}")).await;
        // One who cannot be told now asks again.
        if answer.status != 503 || is_dead() {
            break answer.body;
        }
    };
    let steps = shown["steps"].as_array().cloned().unwrap_or_default();
    if steps.iter().any(|step| step["status"] == "retrying") {
        return false;
    }
    let Some(question) = steps.iter().find(|step| step["status"] == "waiting" && step["asked"].is_string()) else { return false };
    if let Some(link) = question["link"].as_str() {
        // Refused, a person presses the button again.
        loop {
            let answer = app.http.post(link.replace(PUBLIC_URL, &app.url)).json(&json!({"decision": "approve"}));
            match app.send(answer).await.status {
                200 => break,
                503 if is_dead() => break,
                503 => {}
                other => panic!("{other}"),
            }
        }
    }
    true
}

/// What the store says about all runs of these workflows, read beside any server.
pub(super) async fn stories(memory: &Memory, names: &[&str]) -> Vec<Told> {
    let store = embedded::over(Arc::new(memory.clone()), None).unwrap();
    let mut stories = Vec::new();
    // The clock may pass the due time of a schedule: its runs are another story.
    for head in store.runs(RunFilter::default(), 100).await.unwrap().items {
        if names.contains(&&*head.workflow) {
            let entries = store.facts(head.id).await.unwrap();
            stories.push(Told { run: head.id, workflow: head.workflow.to_string(), entries });
        }
    }
    stories
}

fn done_calls(stories: &[Told]) -> BTreeSet<String> {
    let done = |run: RunId, entry: &Entry| match &entry.fact {
        Fact::CallSucceeded { step, .. } => Some(format!("{run}/{step}")),
        _ => None,
    };
    stories.iter().flat_map(|told| told.entries.iter().filter_map(|entry| done(told.run, entry))).collect()
}

/// One workflow, undisturbed: its story, and how many writes it took.
pub(super) fn undisturbed(project: &Project, workflow: &'static str, case: &Case, flaky: bool) -> (Vec<Story>, u64, BTreeSet<String>) {
    let memory = Memory::default();
    let faulty = Arc::new(Faulty::new(memory.clone()));
    let names = names(workflow, case);
    let recorder = recorder(flaky, &memory, &names);
    life(async {
        let app =
            TestApp::resume(project, Life { kv: Arc::clone(&faulty) as Arc<dyn Kv>, ..Life::new(Arc::clone(&recorder)) }).await.unwrap();
        assert!(case.send(&app, workflow, || false).await);
        all_ended(&app, || false).await;
        let stories = stories(&memory, &names).await;
        assert_eq!(stories.iter().filter(|told| told.workflow == workflow).count(), 1, "{workflow} starts one run");
        let steps = recorder.calls().iter().map(step_of).collect();
        (told(&stories), faulty.writes(), steps)
    })
}

/// The step in an idempotency key.
fn step_of(request: &Request) -> String {
    request.idempotency_key.split_once('/').unwrap().1.to_owned()
}

/// Where the process dies.
#[derive(Debug, Clone)]
enum Crash {
    /// At a write, counted from 1.
    At(u64, Death),
    /// Between the answer to a step's call and its fact.
    Answered(String),
}

/// One workflow with a crash. Gives the steps that were called twice.
fn disturbed(project: &Project, workflow: &'static str, case: &Case, flaky: bool, crash: &Crash, expected: &[Story]) -> BTreeSet<String> {
    let at = format!("{workflow}, flaky {flaky}, {crash:?}");
    let memory = Memory::default();
    let names = names(workflow, case);
    let faulty = Arc::new(match crash {
        Crash::At(nth, death) => Faulty::dying(memory.clone(), *nth, *death),
        Crash::Answered(_) => Faulty::new(memory.clone()),
    });
    let (doomed, crash) = (Arc::clone(&faulty), crash.clone());
    let recorder = recorder_with(flaky, &memory, &names, move |request| {
        if matches!(&crash, Crash::Answered(step) if *step == step_of(request)) {
            doomed.doom();
        }
    });
    let base = Life::new(Arc::clone(&recorder));
    let acknowledged = life(async {
        let first = Life { kv: Arc::clone(&faulty) as Arc<dyn Kv>, ..base.clone() };
        let Ok(app) = TestApp::resume(project, first).await else { return false };
        let acknowledged = case.send(&app, workflow, || faulty.is_dead()).await;
        all_ended(&app, || faulty.is_dead()).await;
        acknowledged
    });
    let (done, before) = (life(async { done_calls(&stories(&memory, &names).await) }), recorder.calls().len());
    life(async {
        let second = Life { kv: Arc::new(memory.clone()), ..base.clone() };
        let app = TestApp::resume(project, second).await.unwrap();
        if !acknowledged {
            // The sender got no answer, so it sends again.
            assert!(case.send(&app, workflow, || false).await, "{at}");
        }
        all_ended(&app, || false).await;
    });
    let told = told(&life(stories(&memory, &names)));
    let twice: Vec<Story> = expected.iter().flat_map(|story| [story.clone(), story.clone()]).collect();
    // A sender that got no answer and is not recognised has sent two events.
    let may_be_two = !case.deduplicates && !acknowledged;
    if told.len() == expected.len() || !may_be_two {
        assert_eq!(told, expected, "{at}");
    } else {
        assert_eq!(told, twice, "{at}");
    }
    let calls = recorder.calls();
    for call in &calls[before..] {
        assert!(!done.contains(&call.idempotency_key), "{at}: {} was finished and called again", call.idempotency_key);
    }
    let mut by_key: BTreeMap<&str, &Request> = BTreeMap::new();
    for call in &calls {
        let first = by_key.entry(&call.idempotency_key).or_insert(call);
        assert_eq!(first.with, call.with, "{at}: the same key with another input");
    }
    let attempts = if flaky { 2 } else { 1 };
    let twice = by_key.keys().filter(|key| attempts < calls.iter().filter(|call| call.idempotency_key == **key).count());
    twice.map(|key| key.split_once('/').unwrap().1.to_owned()).collect()
}

fn check(flaky: bool) {
    let all = Project::shipped();
    let events = events();
    let shipped: BTreeSet<String> = std::fs::read_dir(all.dir().join("workflows"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
        .filter(|name| !name.ends_with(".test.yaml"))
        .map(|name| name.trim_end_matches(".yaml").to_owned())
        .collect();
    assert_eq!(shipped, events.keys().map(|name| (*name).to_owned()).collect(), "every shipped workflow is in the list, and no other");
    for (workflow, case) in &events {
        let project = Project::shipped_only(&names(workflow, case));
        let (expected, writes, steps) = undisturbed(&project, workflow, case, flaky);
        let well = expected.iter().all(|(_, outcome, _)| outcome.starts_with("succeeded"));
        assert!(well, "{workflow}: {expected:?}");
        for nth in 1..=writes {
            for death in [Death::BeforeWrite, Death::AfterWrite] {
                disturbed(&project, workflow, case, flaky, &Crash::At(nth, death), &expected);
            }
        }
        for step in steps {
            let twice = disturbed(&project, workflow, case, flaky, &Crash::Answered(step.clone()), &expected);
            assert!(twice.contains(&step), "{workflow}: {step} was answered, not recorded, and not called again");
        }
    }
}

#[test]
fn a_crash_at_any_write_changes_nothing_but_the_number_of_calls() {
    check(false);
}

#[test]
fn nor_does_it_while_calls_fail_and_runs_wait_for_their_retry() {
    check(true);
}
