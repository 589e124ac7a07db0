//! What holds after a cut.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Value, json};

use super::Count;
use super::known::{ITEMS, Known, project};
use super::people::{AFTER, BEFORE, People};
use crate::check::ids;
use crate::disk::Disk;
use crate::life::Life;
use crate::process::{Engine, Seen, must};

/// Serves a copy, brings everything to its end, and checks it. Panics at the first fault.
pub(super) async fn look_at(copy: Disk, engine: Engine, known: &mut Known, count: &mut Count) {
    let life = Life::serving(project, copy.mount(), engine, &[]).await;
    let (events, runs) = (ids(&life.api.all("events").await), ids(&life.api.all("runs").await));
    for (number, (event, run)) in &known.told {
        assert!(events.contains(event), "event {number} ({event}) was acknowledged and is lost");
        assert!(runs.contains(run), "{run} of the acknowledged event {number} is lost");
    }
    for (number, child) in &known.children {
        assert!(runs.contains(child), "{child}, the child for {number}, is lost");
    }
    count.answered += known.approved.len();
    count.open += known.links.keys().filter(|number| !known.approved.contains(number)).count();
    resend(&life, known).await;
    let people = People::new();
    check_answers(&life, &people, known).await;
    let done = known.done();
    let runs = go_on(&life, &people, known).await;
    let seen = life.receiver.seen();
    count.under_way += usize::from(!seen.is_empty());
    for call in &seen {
        assert!(!done.contains(&call.key), "{} was done, and is done again", call.key);
        if call.path == "/z" {
            check_end(call, known);
        }
    }
    known.learn(&seen);
    check_runs(&life, known, &runs).await;
    assert_eq!(life.served.stop().await, Some(0));
}

/// Whoever got no answer sends again.
async fn resend(life: &Life, known: &mut Known) {
    for number in std::mem::take(&mut known.unanswered) {
        let answer = life.api.hook("work", &[], json!({"number": number}).to_string()).await;
        let (told, _) = answer.told();
        assert_eq!(known.told.insert(number, told), None);
    }
}

/// What a person was told to count still does, and is not asked for again.
async fn check_answers(life: &Life, people: &People, known: &Known) {
    for number in &known.approved {
        let (status, body) = people.answer(life, &known.links[number], "deny", AFTER).await.unwrap();
        let is = (status, &body["status"], &body["who"]);
        assert_eq!(is, (StatusCode::OK, &json!("approved"), &json!(BEFORE)), "{number} was answered before the cut: {body}");
    }
}

/// Answers and pays what is open, until every run is at its end.
async fn go_on(life: &Life, people: &People, known: &mut Known) -> Vec<Value> {
    let mut answered = known.approved.clone();
    must("all runs end", async {
        loop {
            known.learn(&life.receiver.seen());
            for (number, link) in &known.links {
                if answered.insert(*number) {
                    let (status, body) = people.answer(life, link, "approve", AFTER).await.unwrap();
                    assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("approved")), "{number}: {body}");
                }
                if known.paid.insert(*number) {
                    let paid = People::pay(life, *number).await.unwrap();
                    assert!(paid.status.is_success(), "{paid:?}");
                }
            }
            let runs = life.api.all("runs").await;
            let ended = runs.iter().all(|run| matches!(run["status"].as_str(), Some("succeeded" | "failed" | "canceled")));
            if ended && answered.len() == known.told.len() {
                return runs;
            }
        }
    })
    .await
}

/// The last call of a run has everything in it.
fn check_end(call: &Seen, known: &Known) {
    let number = call.body["number"].as_u64().unwrap();
    assert_eq!((&call.body["doubled"], &call.body["paid"]), (&json!(number * 2), &json!(number)), "{call:?}");
    assert!(!known.approved.contains(&number) || call.body["who"] == BEFORE, "another answer counts than the first: {call:?}");
}

/// One run, one child and one payment a number, all of them at their ends; and no call is missing.
async fn check_runs(life: &Life, known: &Known, runs: &[Value]) {
    let failed: Vec<&Value> = runs.iter().filter(|run| run["status"] != "succeeded").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let events = life.api.all("events").await;
    let there = ids(&events);
    assert!(runs.iter().all(|run| there.contains(run["event"].as_str().unwrap())), "a run has no event");
    let of = |workflow: &str| runs.iter().filter(|run| run["workflow"] == workflow).collect::<Vec<_>>();
    let own: BTreeSet<&str> = known.told.values().map(|(_, run)| &**run).collect();
    let work: BTreeSet<&str> = of("work").iter().map(|run| run["id"].as_str().unwrap()).collect();
    assert_eq!(work, own, "a number has one run, and there are no others");
    let children = of("child");
    let parents: BTreeSet<&str> = children.iter().map(|run| run["parent"].as_str().unwrap()).collect();
    assert_eq!((&parents, children.len()), (&own, own.len()), "a run has one child");
    assert_eq!(of("payment").len(), own.len(), "a payment is heard once");
    let answers = events.iter().filter(|event| event["source"] == "approval").count();
    assert_eq!(answers, own.len(), "a question is answered once");
    for (number, (_, run)) in &known.told {
        let calls = &known.calls[number];
        assert_eq!(calls.len(), 4 + ITEMS, "{run} of {number}: {calls:#?}");
    }
}
