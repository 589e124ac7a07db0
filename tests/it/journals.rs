//! Journals that earlier versions wrote: every one is read for ever, and leads to the state it led to then.

use std::fs;

use hence::domain::id::{Parts, RunId};
use hence::domain::journal::{Entry, Outcome};
use hence::domain::run::{Phase, Run, StepState};
use hence::domain::time::Timestamp;
use serde_json::{Value, json};

use crate::support::project::repository;

fn shown(run: &Run) -> Value {
    let phase = match &run.phase {
        Phase::Finished(Outcome::Succeeded { output }) => format!("succeeded with {output}"),
        Phase::Finished(Outcome::Failed { step, error }) => {
            format!("failed at {}: {}", step.as_ref().map_or("-", |step| step.as_str()), error.message)
        }
        Phase::Finished(Outcome::Canceled) => "canceled".to_owned(),
        other => format!("{other:?}"),
    };
    let done = run.steps.iter().filter(|(_, stamped)| matches!(stamped.state, StepState::Done { .. }));
    let done: Vec<_> = done.map(|(address, _)| address.as_str()).collect();
    json!({"len": run.len, "phase": phase, "vars": run.vars, "done": done})
}

#[test]
fn journals_of_earlier_versions_are_read() {
    let mut names = Vec::new();
    let mut facts = std::collections::BTreeSet::new();
    for entry in fs::read_dir(repository().join("tests/journals")).unwrap() {
        let path = entry.unwrap().path();
        let journal: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let entries: Vec<Entry> =
            serde_json::from_value(journal["entries"].clone()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        facts.extend(journal["entries"].as_array().unwrap().iter().map(|entry| entry["fact"].as_str().unwrap().to_owned()));
        let id = RunId::new(Parts { time_ms: 1, counter: 0, chance: 0, shard: 0 });
        let run = Run::replay(id, Timestamp(1000), entries.clone()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(shown(&run), journal["leads_to"], "{}", path.display());
        assert_eq!(serde_json::to_value(entries).unwrap(), journal["entries"], "{}: written as it was read", path.display());
        names.push(path);
    }
    assert!(6 <= names.len() && 25 <= facts.len(), "{names:?} {facts:?}");
}
