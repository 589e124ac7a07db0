//! Every shipped workflow × every write that fails × how it fails: the process goes on, and so does the run.

use std::sync::Arc;
use std::time::Duration;

use hence::store::StoreError;
use hence::store::kv::Kv;
use hence::store::kv::faulty::{Call, Fault, Faulty};
use hence::store::kv::memory::Memory;

use crate::crash::{Case, Story, all_ended, events, life, names, recorder, stories, told, undisturbed};
use crate::process::must;
use crate::support::{Life, Project, TestApp};

/// One write that fails, and several in a row.
const WRITES: [u64; 2] = [1, 3];

/// Time goes on while a run waits to write again: so much of it, whenever nothing happens for a moment.
const STEP: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(2);

fn check(error: &StoreError, kept: bool) {
    for (workflow, case) in &events() {
        let project = Project::shipped_only(&names(workflow, case));
        let (expected, writes, _) = undisturbed(&project, workflow, case, false);
        let expected = timeless(expected);
        for nth in 1..=writes {
            for times in WRITES {
                let fault = Fault { of: Call::Write, nth, times, error: error.clone(), kept };
                let at = format!("{workflow}, {fault:?}");
                let (told, may_be_two) = disturbed(&project, workflow, case, fault);
                if told.len() == expected.len() || !may_be_two {
                    assert_eq!(told, expected, "{at}");
                } else {
                    let each_again = told.iter().all(|story| expected.contains(story));
                    assert!(each_again, "{at}: {told:?} is not {expected:?}, each once or more");
                }
            }
        }
    }
}

/// Time goes on until this is done.
pub(super) async fn while_time_passes(app: &TestApp, work: impl Future<Output = ()>) {
    let time_passes = async {
        loop {
            assert!(tokio::time::timeout(MOMENT, std::future::pending::<()>()).await.is_err());
            app.clock.advance(STEP);
        }
    };
    tokio::select! {
        () = work => {}
        () = time_passes => {}
    }
}

/// Moments are other ones when a write had to wait.
pub(super) fn timeless(mut stories: Vec<Story>) -> Vec<Story> {
    for value in stories.iter_mut().flat_map(|(_, _, steps)| steps.values_mut()) {
        if value.starts_with("2026-") {
            "a time".clone_into(value);
        }
    }
    stories
}

/// One workflow under a fault; and whether its sender, refused, may have sent two events.
fn disturbed(project: &Project, workflow: &'static str, case: &Case, fault: Fault) -> (Vec<Story>, bool) {
    let (memory, names) = (Memory::default(), names(workflow, case));
    let kept = fault.kept;
    let faulty: Arc<dyn Kv> = Arc::new(Faulty::failing(memory.clone(), fault));
    let base = Life { kv: faulty, ..Life::new(recorder(false, &memory, &names)) };
    let refused = life(async {
        let mut app = TestApp::resume(project, base.clone()).await;
        // A server that cannot write at its start ends, and is started again.
        for _ in WRITES {
            if app.is_err() {
                app = TestApp::resume(project, base.clone()).await;
            }
        }
        let app = match app {
            Ok(app) => app,
            Err(_) => TestApp::resume(project, base.clone()).await.unwrap(),
        };
        let mut refused = false;
        // A sender may wait for what its run says, and a run for the disk.
        let sent_and_ended = async {
            while !case.send.to(&app, workflow).await {
                refused = true;
            }
            all_ended(&app, || false).await;
        };
        must("the runs end", while_time_passes(&app, sent_and_ended)).await;
        refused
    });
    (timeless(told(&life(stories(&memory, &names)))), !case.deduplicates && refused && kept)
}

#[test]
fn a_disk_error_at_any_write_changes_nothing() {
    check(&StoreError::Io("on command".to_owned()), false);
}

#[test]
fn nor_does_one_whose_write_reached_the_disk() {
    check(&StoreError::Io("on command".to_owned()), true);
}

#[test]
fn nor_does_a_full_disk() {
    check(&StoreError::Full("on command".to_owned()), false);
}
