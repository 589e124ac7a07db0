//! Requests to a server that cannot read its store now: they are refused and sent again. What is there is never told to be
//! missing, a repeat is never taken for something new, and nothing is done twice.

use std::sync::Arc;

use hence::domain::event::Source;
use hence::domain::id::RunId;
use hence::domain::run::Status;
use hence::store::kv::Kv;
use hence::store::kv::faulty::{Call, Fault, Faulty};
use hence::store::kv::memory::Memory;
use hence::store::{RunFilter, Store, StoreError, embedded};
use reqwest::Method;
use serde_json::{Value, json};

use super::calls::while_time_passes;
use crate::forms;
use crate::process::must;
use crate::support::app::Answer;
use crate::support::project::PUBLIC_URL;
use crate::support::{Life, Project, Recorder, TestApp};

fn hook(path: &str, respond: &str) -> String {
    let hook = format!("path: {path}, verify: none, dedupe: {{key: event.body.n, within: 24h}}{respond}");
    format!("when:\n  - webhook: {{{hook}}}\n  - manual:\nsteps:\n  - stop: event.body.word\n")
}

/// A server with something of every kind, and its disk.
struct Place {
    app: TestApp,
    disk: Arc<Faulty>,
    /// The same content; no fault meets what is read here.
    beside: Arc<dyn Store>,
    _project: Project,
}

impl Place {
    async fn new() -> Self {
        let project = Project::shipped_only(&["contact-form", "refund"]);
        let fixed = ", respond: {json: {word: '${event.body.word}'}}";
        for (path, respond) in [("keyed", ""), ("fixed", fixed), ("waits", ", respond: {wait: 10s}")] {
            project.write(&format!("workflows/{path}.yaml"), &hook(path, respond));
        }
        let memory = Memory::default();
        let disk = Arc::new(Faulty::new(memory.clone()));
        let life = Life { kv: Arc::clone(&disk) as Arc<dyn Kv>, ..Life::new(Recorder::fine()) };
        let app = TestApp::resume(&project, life).await.unwrap();
        let beside = embedded::over(Arc::new(memory), None).unwrap();
        let this = Self { app, disk, beside, _project: project };
        for path in ["keyed", "fixed", "waits"] {
            let answer = this.app.post(path, &json!({"n": 0, "word": "first"})).await;
            assert!(matches!(answer.status, 200 | 202), "{answer:?}");
        }
        let message = [("name", "Ada"), ("email", "ada@example.com"), ("topic", "order"), ("message", "Where is it?")];
        let form = forms::filled_in(&this.app, "contact", &message).await;
        assert_eq!(this.app.send(form).await.status, 202);
        this.question(0).await;
        this.app.until(async |_| this.rests().await).await;
        this
    }

    /// A run that asks a person.
    async fn question(&self, nth: u64) -> RunId {
        let run = self.app.begin("refund", json!({"order": format!("o-{nth}"), "amount": 250, "email": "ada@example.com"})).await;
        self.app.stands(run, Status::Waiting).await.id
    }

    /// The link at which it is answered.
    async fn link(&self, run: RunId) -> String {
        let shown = self.app.get(&format!("/runs/{run}")).await.body;
        let link = shown["steps"].as_array().unwrap().iter().find_map(|step| step["link"].as_str()).unwrap();
        link.replace(PUBLIC_URL, &self.app.url)
    }

    /// Whether nothing goes on.
    async fn rests(&self) -> Option<()> {
        let runs = self.beside.runs(RunFilter::default(), 1_000).await.unwrap().items;
        runs.iter().all(|run| run.status.is_final() || run.status == Status::Waiting).then_some(())
    }

    async fn of_source(&self, source: Source) -> usize {
        self.beside.events(None, 1_000).await.unwrap().items.iter().filter(|event| event.source == source).count()
    }

    async fn runs(&self, workflow: &str, status: Status) -> usize {
        let runs = self.beside.runs(RunFilter::default(), 1_000).await.unwrap().items;
        runs.iter().filter(|run| &*run.workflow == workflow && run.status == status).count()
    }

    fn fail(&self, of: Call, nth: u64) {
        self.disk.fail(Fault { of, nth, times: 1, error: StoreError::Io("on command".to_owned()), kept: false });
    }

    /// Each read that an answer takes fails once. Nothing else goes on meanwhile.
    async fn looks(&self, what: &str, ask: impl AsyncFn() -> Answer) -> Value {
        let expected = ask().await;
        assert_eq!(expected.status, 200, "{what}: {expected:?}");
        let is_same = |answer: &Answer| (answer.status, &answer.body) == (200, &expected.body);
        let mut met = 0;
        for of in [Call::Read, Call::Record] {
            for nth in 1.. {
                self.fail(of, nth);
                let answer = ask().await;
                if self.disk.mend() == 0 {
                    assert!(is_same(&answer), "{what}: {answer:?}");
                    break;
                }
                met += 1;
                check_refused(&format!("{what}, {of:?} {nth}"), &answer);
                let again = ask().await;
                assert!(is_same(&again), "{what}, {of:?} {nth}: {again:?}");
            }
        }
        assert!(0 < met, "{what} reads nothing");
        expected.body
    }

    /// Each read of a change and of what follows from it fails once. Says how often it was made; so many runs end so in the end.
    async fn changes<P>(
        &self,
        what: &str,
        (workflow, status): (&str, Status),
        prepare: impl AsyncFn(u64) -> P,
        ask: impl AsyncFn(&P) -> Answer,
    ) -> usize {
        let before = self.runs(workflow, status).await;
        let (mut refused, mut turns) = (0, 0);
        for of in [Call::Read, Call::Record] {
            for nth in 1.. {
                let prepared = prepare(turns).await;
                turns += 1;
                self.fail(of, nth);
                let mut answer = ask(&prepared).await;
                if answer.status == 503 {
                    refused += 1;
                    check_refused(&format!("{what}, {of:?} {nth}"), &answer);
                    answer = ask(&prepared).await;
                }
                assert!(matches!(answer.status, 200 | 202), "{what}, {of:?} {nth}: {answer:?}");
                let wanted = before + usize::try_from(turns).unwrap();
                let end = self.app.until(async |_| {
                    self.rests().await?;
                    (wanted <= self.runs(workflow, status).await).then_some(())
                });
                must(&format!("{what}, {of:?} {nth}: the runs end"), while_time_passes(&self.app, end)).await;
                if self.disk.mend() == 0 {
                    break;
                }
            }
        }
        let turns = usize::try_from(turns).unwrap();
        assert!(0 < refused, "{what} was never refused");
        assert_eq!(self.runs(workflow, status).await, before + turns, "{what}");
        turns
    }

    /// Each read of an answer that comes piece by piece fails once: it is refused before it begins, or breaks off. Says how often that.
    async fn breaks_off(&self, path: &str) -> usize {
        let ask = async || loop {
            let request = self.app.http.get(format!("{}/api{path}", self.app.url)).bearer_auth(self.app.app.token.expose());
            let Ok(answer) = request.send().await else { break (200, None) };
            // The one before it may not have ended yet.
            if answer.status() != 409 {
                break (answer.status().as_u16(), answer.bytes().await.ok());
            }
        };
        let (status, whole) = ask().await;
        assert!(status == 200 && whole.is_some(), "{path}");
        let mut broken_off = 0;
        for of in [Call::Read, Call::Record] {
            for nth in 1.. {
                self.fail(of, nth);
                let (status, found) = ask().await;
                if self.disk.mend() == 0 {
                    assert!(status == 200 && found == whole, "{path}");
                    assert!(1 < nth, "{path}: no {of:?} was met");
                    break;
                }
                assert!(status == 503 || found.is_none(), "{path}, {of:?} {nth}: {status}");
                broken_off += usize::from(status != 503);
            }
        }
        broken_off
    }
}

async fn number(turn: u64) -> u64 {
    turn + 1
}

fn check_refused(at: &str, answer: &Answer) {
    let told = (answer.status, answer.body["code"].as_str(), answer.header("content-type"));
    assert_eq!(told, (503, Some("store-unavailable"), "application/problem+json"), "{at}: {answer:?}");
    assert_ne!(answer.header("retry-after"), "", "{at}");
}

#[tokio::test]
async fn what_cannot_be_read_now_is_refused_and_never_missing() {
    let place = Place::new().await;
    let app = &place.app;
    let (events, runs) = (app.get("/events").await.body, app.get("/runs").await.body);
    let name = |list: &Value, field: &str, value: &str| {
        let items = list.as_array().unwrap();
        items.iter().find(|item| item[field] == value).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let (form, hook) = (name(&events["events"], "source", "form"), name(&events["events"], "source", "webhook"));
    let asking = name(&runs["runs"], "workflow", "refund");
    for path in [
        "/events",
        "/events?limit=2",
        &format!("/events/{form}"),
        &format!("/events/{form}/why"),
        &format!("/events/{hook}/fixture"),
        "/runs",
        "/runs?status=waiting&workflow=refund",
        &format!("/runs/{asking}"),
        "/inventory",
        "/store",
    ] {
        place.looks(path, async || app.get(path).await).await;
    }
    let link = place.link(asking.parse().unwrap()).await;
    place.looks("a question", async || app.send(app.http.get(&link).header("accept", "application/json")).await).await;
    assert_eq!(place.breaks_off(&format!("/events/{form}/files/1")).await, 0, "a file of one piece is refused");
    assert_ne!(place.breaks_off("/backup").await, 0);
}

#[tokio::test]
async fn a_repeat_that_cannot_be_looked_up_is_refused_and_then_answered_as_the_first_was() {
    let place = Place::new().await;
    let before = (place.of_source(Source::Webhook).await, place.app.all_runs().await.len());
    for (path, expected) in [("keyed", None), ("fixed", Some(json!({"word": "first"}))), ("waits", Some(json!("first")))] {
        let again = json!({"n": 0, "word": "again"});
        let answered = place.looks(path, async || place.app.post(path, &again).await).await;
        match expected {
            Some(expected) => assert_eq!(answered, expected),
            None => assert_eq!(answered["duplicate"], true),
        }
    }
    assert_eq!((place.of_source(Source::Webhook).await, place.app.all_runs().await.len()), before);
}

#[tokio::test]
async fn what_changes_something_is_refused_or_done_once() {
    let place = Place::new().await;
    let app = &place.app;
    let first = app.all_runs().await.into_iter().find(|run| &*run.workflow == "keyed").unwrap().id;

    let (done, refunded, canceled) = (("keyed", Status::Succeeded), ("refund", Status::Succeeded), ("refund", Status::Canceled));
    let sent = place.changes("a hook", done, number, async |n| app.post("keyed", &json!({"n": n, "word": "new"})).await).await;
    assert_eq!(place.of_source(Source::Webhook).await, 3 + sent);
    let start = json!({"workflow": "keyed", "event": {"word": "by hand"}});
    place.changes("a start", done, number, async |_| app.api(Method::POST, "/runs", Some(start.clone())).await).await;
    let path = format!("/runs/{first}/replay");
    place.changes("a replay", done, number, async |_| app.api(Method::POST, &path, None).await).await;

    let question = async |turn| place.question(turn).await;
    place.changes("a cancel", canceled, question, async |run| app.api(Method::POST, &format!("/runs/{run}/cancel"), None).await).await;
    let link = async |turn| place.link(place.question(turn).await).await;
    let yes = json!({"decision": "approve"});
    let decided = place.changes("an answer", refunded, link, async |link| app.send(app.http.post(link).json(&yes)).await).await;
    assert_eq!(place.of_source(Source::Approval).await, decided);
    assert_eq!(place.beside.check().await.unwrap().problems, Vec::<String>::new());
}
