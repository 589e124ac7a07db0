//! The machine's clock is set under the real program, by libfaketime: an hour, a day, to before the last event; while the
//! server runs, and while it does not.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use http::StatusCode;
use serde_json::json;

use crate::process::{Api, Engine, Project, Receiver, Seen, Serve, Served, skip};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

const WAIT: &str = r#"
when:
  - webhook: {path: wait, verify: none}
steps:
  - wait: 30m
  - {id: ring, call: http.post, using: there, with: {url: /ring}}
"#;
const SOON: &str = r#"
when:
  - webhook: {path: soon, verify: none}
steps:
  - wait: 2s
  - {id: soon, call: http.post, using: there, with: {url: /soon}}
"#;
const WORK: &str = r#"
when:
  - webhook:
      path: work
      verify: none
      dedupe: {key: event.body.number, within: 24h}
steps:
  - {id: work, call: http.post, using: there, with: {url: /work}}
"#;
const TICK: &str = r#"
when:
  - schedule: {every: 1h}
steps:
  - {id: tick, call: http.post, using: there, with: {url: /tick, json: {due: "${event.body.due}"}}}
"#;

/// The clock of a machine, so many seconds off.
struct Wall {
    file: PathBuf,
    library: PathBuf,
}

impl Wall {
    /// Nothing where libfaketime is missing.
    fn new(project: &Project, test: &str) -> Option<Self> {
        let folders = fs::read_dir("/usr/lib").unwrap();
        // The one for programs with threads.
        let mut places = folders.map(|folder| folder.unwrap().path().join("faketime/libfaketimeMT.so.1"));
        let Some(library) = places.find(|place| place.exists()) else {
            skip(test, "libfaketime is missing");
            return None;
        };
        let wall = Self { file: project.dir().join("wall"), library };
        wall.set(0);
        Some(wall)
    }

    /// The other clocks, which measure how long something takes, and the times of files stay as they are.
    fn of(&self, serve: Serve) -> Serve {
        let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
        serve
            .with("LD_PRELOAD", &path(&self.library))
            .with("FAKETIME_TIMESTAMP_FILE", &path(&self.file))
            .with("FAKETIME_NO_CACHE", "1")
            .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .with("NO_FAKE_STAT", "1")
    }

    fn set(&self, seconds: i64) {
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, format!("{seconds:+}\n")).unwrap();
        fs::rename(&fresh, &self.file).unwrap();
    }
}

fn project(receiver: &Receiver) -> Project {
    Project::calling(receiver.address, "wait", WAIT)
        .file("workflows/soon.yaml", SOON)
        .file("workflows/work.yaml", WORK)
        .file("workflows/tick.yaml", TICK)
}

/// Runs that wait half an hour.
async fn begin(api: &Api, count: usize) -> Vec<String> {
    let mut runs = Vec::new();
    for _ in 0..count {
        runs.extend(api.hook("wait", &[], "{}").await.runs());
    }
    runs
}

/// Sends an event with this number; says whether it was a repeat.
async fn is_repeat(api: &Api, number: u64) -> bool {
    let answer = api.hook("work", &[], json!({"number": number}).to_string()).await;
    answer.told().1
}

fn on(seen: &[Seen], path: &str) -> usize {
    seen.iter().filter(|seen| seen.path == path).count()
}

/// Keys of the calls to a path, each with the body's due time where there is one, in their order.
fn made(receiver: &Receiver, path: &str) -> Vec<(String, String)> {
    let calls = receiver.seen().into_iter().filter(|seen| seen.path == path);
    calls.map(|seen| (seen.key, seen.body["due"].as_str().unwrap_or_default().to_owned())).collect()
}

/// These and no others ring, each once.
async fn rung(api: &Api, receiver: &Receiver, runs: &[&[String]]) {
    let wanted: BTreeSet<String> = runs.concat().iter().map(|run| format!("{run}/ring")).collect();
    receiver.until("they ring", |seen| wanted.len() <= on(seen, "/ring")).await;
    // A wait that began after the others is over: by now they have looked at the clock.
    let soon = on(&receiver.seen(), "/soon");
    api.hook("soon", &[], "{}").await;
    receiver.until("a short wait ends", |seen| soon < on(seen, "/soon")).await;
    let rung = made(receiver, "/ring");
    assert_eq!((rung.len(), rung.into_iter().map(|(key, _)| key).collect::<BTreeSet<_>>()), (wanted.len(), wanted));
}

/// The schedule fires for a time it has not fired for.
async fn ticks(receiver: &Receiver, before: usize) -> usize {
    receiver.until("it is due", |seen| before < on(seen, "/tick")).await;
    made(receiver, "/tick").len()
}

/// What holds in the end, however the clock went.
async fn check(api: &Api, receiver: &Receiver, in_order: &[&[String]]) {
    let ticks = made(receiver, "/tick");
    let dues: BTreeSet<&String> = ticks.iter().map(|(_, due)| due).collect();
    assert_eq!(dues.len(), ticks.len(), "each due time once: {ticks:?}");
    let mut listed: Vec<String> = Vec::new();
    for run in api.all("runs").await {
        let id = run["id"].as_str().unwrap().to_owned();
        assert_eq!(api.ended(&id).await["status"], "succeeded");
        listed.push(id);
    }
    listed.reverse();
    listed.retain(|run| in_order.iter().any(|runs| runs.contains(run)));
    assert_eq!(listed, in_order.concat(), "ids are in the order in which they were made");
}

async fn started(serve: &Serve) -> (Served, Api) {
    let served = serve.start().await;
    let api = served.api();
    (served, api)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_while_the_server_runs_changes_only_when() {
    let receiver = Receiver::start().await;
    let project = project(&receiver);
    let Some(wall) = Wall::new(&project, "a_clock_that_is_set_while_the_server_runs_changes_only_when") else { return };
    let (served, api) = started(&wall.of(Serve::new(&project, Engine::Redb))).await;
    assert!(!is_repeat(&api, 1).await);
    let now = begin(&api, 3).await;
    wall.set(-HOUR);
    let hour_ago = begin(&api, 2).await;
    wall.set(-DAY);
    let day_ago = begin(&api, 1).await;
    assert!(is_repeat(&api, 1).await, "its window is not over");
    rung(&api, &receiver, &[]).await;
    wall.set(-DAY + HOUR);
    rung(&api, &receiver, &[&day_ago]).await;
    wall.set(0);
    rung(&api, &receiver, &[&day_ago, &hour_ago]).await;
    let before = made(&receiver, "/tick").len();
    wall.set(HOUR);
    rung(&api, &receiver, &[&day_ago, &hour_ago, &now]).await;
    let ticked = ticks(&receiver, before).await;

    wall.set(DAY - HOUR);
    assert!(is_repeat(&api, 1).await, "its window is not over");
    let ticked = ticks(&receiver, ticked).await;
    wall.set(DAY + HOUR);
    assert!(!is_repeat(&api, 1).await, "its window is over");
    let ticked = ticks(&receiver, ticked).await;
    wall.set(0);
    assert!(is_repeat(&api, 1).await);
    let back = begin(&api, 2).await;
    rung(&api, &receiver, &[&day_ago, &hour_ago, &now]).await;
    assert_eq!(made(&receiver, "/tick").len(), ticked, "due times that come again do not fire again");
    wall.set(HOUR);
    rung(&api, &receiver, &[&day_ago, &hour_ago, &now, &back]).await;
    wall.set(2 * DAY);
    ticks(&receiver, ticked).await;
    check(&api, &receiver, &[&now, &hour_ago, &day_ago, &back]).await;
    assert_eq!(served.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_one_that_is_set_while_it_does_not_run() {
    let receiver = Receiver::start().await;
    let project = project(&receiver);
    let Some(wall) = Wall::new(&project, "nor_does_one_that_is_set_while_it_does_not_run") else { return };
    let serve = wall.of(Serve::new(&project, Engine::Sled));
    let (served, api) = started(&serve).await;
    assert!(!is_repeat(&api, 1).await);
    let first = begin(&api, 2).await;
    assert_eq!(served.stop().await, Some(0));

    wall.set(HOUR);
    let (served, api) = started(&serve).await;
    rung(&api, &receiver, &[&first]).await;
    let ticked = ticks(&receiver, 0).await;
    let second = begin(&api, 2).await;
    served.kill();

    // To before everything there is.
    wall.set(-DAY);
    let (served, api) = started(&serve).await;
    assert!(is_repeat(&api, 1).await);
    let third = begin(&api, 1).await;
    rung(&api, &receiver, &[&first]).await;
    assert_eq!(served.stop().await, Some(0));

    wall.set(2 * HOUR);
    let (served, api) = started(&serve).await;
    rung(&api, &receiver, &[&first, &second, &third]).await;
    ticks(&receiver, ticked).await;
    assert!(is_repeat(&api, 1).await);
    check(&api, &receiver, &[&first, &second, &third]).await;
    assert_eq!(served.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_forgotten_by_a_clock_that_goes_forward_and_comes_back() {
    const EVENTS: u64 = 5;
    const RUNS: usize = 5;
    let receiver = Receiver::start().await;
    let project = project(&receiver).file("hence.yaml", "retention: {age: 12h}\n");
    let Some(wall) = Wall::new(&project, "nothing_is_forgotten_by_a_clock_that_goes_forward_and_comes_back") else { return };
    let (served, api) = started(&wall.of(Serve::new(&project, Engine::Redb))).await;
    for number in 0..EVENTS {
        assert!(!is_repeat(&api, number).await);
    }
    receiver.until("they are done", |seen| on(seen, "/work") == RUNS).await;
    let runs: Vec<String> = api.all("runs").await.iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect();
    wall.set(40 * DAY);
    // What forgets looks once a minute.
    for what in ["runs and events", "dedupe keys"] {
        served.says(&format!("the clock went forward: for an hour no {what} are forgotten")).await;
    }
    wall.set(0);
    for run in &runs {
        assert_eq!(api.look(&format!("runs/{run}")).await, StatusCode::OK, "{:#?}", served.log());
    }
    for number in 0..EVENTS {
        assert!(is_repeat(&api, number).await, "{number}: {:#?}", served.log());
    }
    assert_eq!(served.stop().await, Some(0));
}
