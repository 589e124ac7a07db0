//! SIGKILL under load, again and again on the same data: what was accepted runs to its end, once, and
//! what was done is not done again.
//!
//! What SIGKILL cannot show, a lost write cache, is for the power-cut test.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::process::{Api, Engine, Project, Receiver, Seen, Senders, Serve, Told, must, note, steps};

/// Kills of one engine.
const ROUNDS: u64 = 50;
/// New events of one round.
const EVENTS: u64 = 24;
/// Senders at a time.
const AT_A_TIME: usize = 8;
/// Every so many runs have a call whose answer is held back until the server is dead.
const HELD_EVERY: u64 = 6;
/// Every so many rounds the newest runs are looked at right before the kill. Not always: that takes
/// time, and then less is in hand when the server dies.
const LOOK_EVERY: u64 = 4;
/// How many are looked at.
const LOOKED_AT: usize = 12;

const WORKFLOW: &str = r#"
when:
  - webhook:
      path: work
      verify: none
      dedupe: {key: event.body.number, within: 24h}
steps:
  - id: a
    call: http.post
    using: there
    with: {url: /a, json: {number: "${event.body.number}", run: "${run.id}"}}
  - set: {double: event.body.number * 2}
  - id: b
    call: http.post
    using: there
    with: {url: /b, json: {number: "${event.body.number}", run: "${run.id}", double: "${vars.double}"}}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redb_killed_again_and_again_keeps_the_promise() {
    check(Engine::Redb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sled_killed_again_and_again_keeps_the_promise() {
    check(Engine::Sled).await;
}

/// The calls that were seen to be recorded as done, with how often they had arrived by then.
type Done = HashMap<String, usize>;

async fn check(engine: Engine) {
    let dead = watch::Sender::new(0);
    let receiver = holding_receiver(&dead).await;
    let project = Project::calling(receiver.address, "work", WORKFLOW);
    let serve = Serve::new(&project, engine);
    let senders = Arc::new(Senders::default());
    let mut done = Done::new();
    for round in 0..ROUNDS {
        let moment = Moment::of(round, &senders, &receiver);
        let served = serve.start().await;
        let sending = send(&senders, &served.api(), round * EVENTS..(round + 1) * EVENTS);
        moment.wait(&senders, &receiver).await;
        if round % LOOK_EVERY == LOOK_EVERY - 1 {
            look(&served.api(), &senders, &receiver, &mut done).await;
        }
        served.kill();
        dead.send_replace(round + 1);
        must("the senders see that it is dead", sending.wait()).await;
    }
    let served = serve.start().await;
    let api = served.api();
    must("the last events are taken in", send(&senders, &api, 0..0).wait()).await;
    assert_eq!(senders.unanswered(), BTreeSet::new());

    let told = senders.told();
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), (0..ROUNDS * EVENTS).collect::<Vec<_>>());
    check_runs(&api, &told).await;
    let repeated = check_calls(&receiver.seen(), &told, &done);
    assert!(0 < repeated, "no call was interrupted, so nothing was tested");
    let duplicates = senders.duplicates();
    note(&format!(
        "{}: {ROUNDS} kills, {} runs, {repeated} calls repeated with their key, {duplicates} retries recognised, {} done calls watched",
        engine.name(),
        told.len(),
        done.len()
    ));
    assert_eq!(served.stop().await, Some(0));
}

/// Holds the first answer of some calls back until the server that waits for it has been killed.
async fn holding_receiver(dead: &watch::Sender<u64>) -> Receiver {
    let held = Arc::new(Mutex::new(HashSet::new()));
    let dead = dead.clone();
    Receiver::answering(move |seen: Seen| {
        let number = number(&seen);
        let step = u64::from(seen.path == "/b");
        let hold = number % HELD_EVERY == step && held.lock().unwrap().insert(seen.key);
        let mut dead = dead.subscribe();
        async move {
            if hold {
                // After the last kill nothing is held.
                let until = (*dead.borrow() + 1).min(ROUNDS);
                dead.wait_for(|kills| until <= *kills).await.unwrap();
            }
            StatusCode::OK
        }
    })
    .await
}

fn number(seen: &Seen) -> u64 {
    seen.body["number"].as_u64().unwrap()
}

/// Posts what had no answer before, and `numbers`.
fn send(senders: &Arc<Senders>, api: &Api, numbers: std::ops::Range<u64>) -> TaskTracker {
    let todo = senders.unanswered().into_iter().chain(numbers);
    senders.send(api, AT_A_TIME, todo.map(|number| (number, json!({"number": number}))).collect())
}

/// When to kill: another moment each round.
enum Moment {
    /// After so many acknowledgements.
    Acknowledged(usize),
    /// After so many calls.
    Called(usize),
}

impl Moment {
    fn of(round: u64, senders: &Senders, receiver: &Receiver) -> Self {
        let progress = usize::try_from(1 + round * 7 % EVENTS).unwrap();
        if round.is_multiple_of(2) {
            Self::Acknowledged(senders.acknowledged() + progress)
        } else {
            Self::Called(receiver.count() + progress)
        }
    }

    async fn wait(self, senders: &Senders, receiver: &Receiver) {
        match self {
            Self::Acknowledged(count) => senders.are_told(count).await,
            Self::Called(count) => receiver.arrived(count).await,
        }
    }
}

/// Looks at runs and notes which calls are recorded as done, and how often each had been made by then.
async fn look(api: &Api, senders: &Senders, receiver: &Receiver, done: &mut Done) {
    let newest: Vec<_> = senders.told().into_values().rev().take(LOOKED_AT).map(|(_, run)| run).collect();
    for run in newest {
        let shown = api.get(&format!("runs/{run}")).await;
        for (step, status, _) in steps(&shown) {
            if status == "done" && matches!(step, "a" | "b") {
                let key = format!("{run}/{step}");
                let made = receiver.seen().iter().filter(|seen| seen.key == key).count();
                assert_eq!(*done.entry(key).or_insert(made), made);
            }
        }
    }
}

/// One event and one run a number; each run succeeded, each of its steps done once.
async fn check_runs(api: &Api, told: &Told) {
    for (number, (event, run)) in told {
        let shown = api.ended(run).await;
        assert_eq!(shown["status"], "succeeded", "{shown}");
        assert_eq!(shown["event"], **event);
        assert_eq!(steps(&shown), [("a", "done", 1), ("1", "done", 0), ("b", "done", 1)], "{shown}");
        assert_eq!(shown["steps"][1]["output"], json!({"double": number * 2}));
    }
    let ids = |list: Vec<Value>| list.into_iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let (events, runs) = (ids(api.all("events").await), ids(api.all("runs").await));
    assert_eq!((events.len(), runs.len()), (told.len(), told.len()));
    assert_eq!(events.into_iter().collect::<BTreeSet<_>>(), told.values().map(|(event, _)| event.clone()).collect());
    assert_eq!(runs.into_iter().collect::<BTreeSet<_>>(), told.values().map(|(_, run)| run.clone()).collect());
}

/// What arrived at the other side; says how many calls were repeats.
fn check_calls(seen: &[Seen], told: &Told, done: &Done) -> usize {
    let mut made: HashMap<&str, usize> = HashMap::new();
    for call in seen {
        let (_, run) = &told[&number(call)];
        assert_eq!(call.body["run"], **run, "one run a number");
        let (a, b) = (format!("{run}/a"), format!("{run}/b"));
        match &*call.path {
            "/a" => {
                assert_eq!(call.key, a);
                assert!(!made.contains_key(&*b), "{a} was recorded before {b} was made, and is made again");
            }
            _ => {
                assert_eq!(call.key, b);
                assert!(made.contains_key(&*a), "{b} before {a}");
                assert_eq!(call.body["double"], number(call) * 2);
            }
        }
        *made.entry(&call.key).or_default() += 1;
    }
    assert_eq!(made.len(), told.len() * 2, "each run made both calls");
    for (key, count) in done {
        assert_eq!(made[&**key], *count, "{key} was recorded as done, and was made again");
    }
    seen.len() - made.len()
}
