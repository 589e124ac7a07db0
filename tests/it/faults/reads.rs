//! Every shipped workflow × every read that fails, at its beginning or in the middle of a walk: the process goes on, and so does
//! the run. Nothing is lost, and no call is made twice.

use std::sync::Arc;

use hence::app::StartError;
use hence::store::kv::Kv;
use hence::store::kv::faulty::{Call, Fault, Faulty};
use hence::store::kv::memory::Memory;
use hence::store::{StoreError, embedded};

use super::calls::{timeless, while_time_passes};
use crate::crash::{Case, Story, all_ended_in, events, life, names, recorder, stories, told};
use crate::process::must;
use crate::support::{Life, Project, TestApp};

/// What a workflow came to.
#[derive(Debug, PartialEq)]
struct Lived {
    stories: Vec<Story>,
    /// The steps that called, each as often as it did.
    calls: Vec<String>,
}

pub(super) fn failed() -> StoreError {
    StoreError::Io("on command".to_owned())
}

fn check(of: Call, times: u64) {
    let none = Fault { of, nth: 1, times: 0, error: failed(), kept: false };
    let mut met = 0;
    for (workflow, case) in &events() {
        let project = Project::shipped_only(&names(workflow, case));
        let (expected, reads) = lived(&project, workflow, case, none.clone());
        let well = expected.stories.iter().all(|(_, outcome, _)| outcome.starts_with("succeeded"));
        assert!(well, "{workflow}: {expected:?}");
        met += reads;
        for nth in 1..=reads {
            let (found, _) = lived(&project, workflow, case, Fault { nth, times, ..none.clone() });
            assert_eq!(found, expected, "{workflow}, {of:?} {nth}, {times} in a row");
        }
    }
    assert!(0 < met, "no {of:?} was met");
}

/// One workflow under a fault; and how many calls of this kind there were.
fn lived(project: &Project, workflow: &'static str, case: &Case, fault: Fault) -> (Lived, u64) {
    let (memory, names, of) = (Memory::default(), names(workflow, case), fault.of);
    let faulty = Arc::new(Faulty::failing(memory.clone(), fault));
    let recorder = recorder(false, &memory, &names);
    let base = Life { kv: Arc::clone(&faulty) as Arc<dyn Kv>, ..Life::new(Arc::clone(&recorder)) };
    let count = life(async {
        let app = started(project, &base).await;
        // What the test itself looks at is read beside the fault.
        let beside = embedded::over(Arc::new(memory.clone()), None).unwrap();
        let sent_and_ended = async {
            while !case.send.to(&app, workflow).await {}
            all_ended_in(&app, &*beside, || false).await;
        };
        must("the runs end", while_time_passes(&app, sent_and_ended)).await;
        faulty.calls(of)
    });
    let mut calls: Vec<String> = recorder.calls().iter().map(|call| call.idempotency_key.split_once('/').unwrap().1.to_owned()).collect();
    calls.sort();
    (Lived { stories: timeless(told(&life(stories(&memory, &names)))), calls }, count)
}

/// A server that cannot read at its start says so and ends; it is started again.
pub(super) async fn started(project: &Project, base: &Life) -> TestApp {
    loop {
        match TestApp::resume(project, base.clone()).await {
            Ok(app) => return app,
            Err(StartError::Store(error)) => assert_eq!(error, failed()),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_read_that_fails_changes_nothing() {
    check(Call::Read, 1);
}

#[test]
fn nor_do_several_in_a_row() {
    check(Call::Read, 3);
}

#[test]
fn nor_does_a_walk_that_breaks_off() {
    check(Call::Record, 1);
}
