//! What holds after a cut.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::{Value, json};

use crate::life::{Known, Life};
use crate::process::{must, steps};

/// Told events of a check that are sent again, to be recognised.
const RESENT: usize = 3;

/// Checks a server that has been started after a cut, and learns what there is now. Panics at the first fault.
pub(crate) async fn check(life: &Life, known: &mut Known) {
    let events = ids(&life.api.all("events").await);
    let runs = ids(&life.api.all("runs").await);
    for (number, (event, run)) in &known.told {
        assert!(events.contains(event), "event {number} ({event}) was acknowledged and is lost");
        assert!(runs.contains(run), "{run} of the acknowledged event {number} is lost");
    }
    check_resent(life, known).await;
    check_ended(life, known).await;
    check_calls(life, known);
    assert_eq!(known.counted.len(), known.told.len(), "each number was counted once");
    for (number, (_, run)) in &known.told {
        let counted = &known.counted[number];
        known.done.extend([format!("{run}/a"), format!("{run}/b"), format!("{counted}/c")]);
    }
}

pub(crate) fn ids(list: &[Value]) -> BTreeSet<String> {
    let ids: BTreeSet<String> = list.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), list.len(), "an id is there twice");
    ids
}

/// A sender that got no answer sends again; one that got an answer and does so is recognised.
pub(crate) async fn check_resent(life: &Life, known: &mut Known) {
    let told = known.told.keys().rev().take(RESENT).chain(known.told.keys().take(RESENT)).copied();
    let again: Vec<u64> = known.unanswered.iter().copied().chain(told).collect();
    for number in again {
        let answer = life.api.hook("work", &[], json!({"number": number, "pad": ""}).to_string()).await;
        let [run] = <[String; 1]>::try_from(answer.runs()).unwrap();
        let here = (answer.event().to_owned(), run);
        match known.told.get(&number) {
            Some(first) => assert_eq!((&here, answer.status), (first, StatusCode::OK), "event {number} was not recognised"),
            None => {
                assert!(matches!(answer.status, StatusCode::ACCEPTED | StatusCode::OK), "{answer:?}");
                known.told.insert(number, here);
            }
        }
    }
    known.unanswered.clear();
}

/// Every run there is comes to its end, each with its own event, and every event has its run.
async fn check_ended(life: &Life, known: &mut Known) {
    // A run of `work` emits an event as it ends, and that one starts a run of its own.
    let (events, runs) = must("all runs end", async {
        loop {
            let runs = life.api.all("runs").await;
            let ended = runs.iter().all(|run| matches!(run["status"].as_str(), Some("succeeded" | "failed" | "canceled")));
            let work = runs.iter().filter(|run| run["workflow"] == "work").count();
            if ended && runs.len() == 2 * work {
                return (life.api.all("events").await, runs);
            }
            assert!(runs.len() <= 2 * work, "an event was counted twice");
        }
    })
    .await;
    let work: BTreeSet<&str> = runs.iter().filter(|run| run["workflow"] == "work").map(|run| run["id"].as_str().unwrap()).collect();
    let told: BTreeSet<&str> = known.told.values().map(|(_, run)| &**run).collect();
    assert_eq!(work, told, "a number has one run, and there are no others");
    let of: BTreeSet<&str> = runs.iter().map(|run| run["event"].as_str().unwrap()).collect();
    let events = ids(&events);
    assert_eq!(events.iter().map(String::as_str).collect::<BTreeSet<_>>(), of, "an event has one run, and a run its event");
    let numbers: BTreeMap<&str, u64> = known.told.iter().map(|(number, (_, run))| (&**run, *number)).collect();
    let mut checked = Vec::new();
    for run in &runs {
        let id = run["id"].as_str().unwrap();
        if known.checked.contains(id) {
            assert_eq!(run["status"], "succeeded", "{run}");
        } else {
            check_run(life, id, numbers.get(id).copied()).await;
            checked.push(id.to_owned());
        }
    }
    known.checked.extend(checked);
}

/// One run, step by step.
pub(crate) async fn check_run(life: &Life, run: &str, number: Option<u64>) {
    let shown = life.api.get(&format!("runs/{run}")).await;
    assert_eq!(shown["status"], "succeeded", "{shown}");
    let calls: Vec<_> = steps(&shown).into_iter().filter(|(_, _, tries)| 0 < *tries).collect();
    match number {
        None => assert_eq!(calls, [("c", "done", 1)], "{shown}"),
        Some(number) => {
            assert_eq!(calls, [("a", "done", 1), ("b", "done", 1)], "{shown}");
            let set = shown["steps"].as_array().unwrap().iter().find(|step| step["step"] == "1").unwrap();
            assert_eq!(set["output"], json!({"double": number * 2}), "{shown}");
        }
    }
}

/// What arrived since the start: nothing that was done before, nothing out of order, everything whole.
pub(crate) fn check_calls(life: &Life, known: &mut Known) {
    for call in life.receiver.seen() {
        check_call(&call.key, known);
        let number = call.body["number"].as_u64().unwrap();
        let run = call.body["run"].as_str().unwrap().to_owned();
        match &*call.path {
            "/c" => {
                assert_eq!(call.key, format!("{run}/c"));
                let first = known.counted.entry(number).or_insert_with(|| run.clone());
                assert_eq!(*first, run, "{number} was counted twice");
            }
            path => {
                assert_eq!(call.key, format!("{run}{path}"));
                assert_eq!(known.told.get(&number).map(|(_, run)| run), Some(&run), "one run a number");
                assert!(path == "/a" || call.body["double"] == number * 2, "{call:?}");
            }
        }
    }
}

/// A call that was recorded as done is not made again.
pub(crate) fn check_call(key: &str, known: &Known) {
    assert!(!known.done.contains(key), "{key} was recorded as done, and is made again");
}
