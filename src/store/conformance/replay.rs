//! Further runs for events that are stored.

use std::time::Duration;

use super::super::{Accept, Accepted, CommitError, NewRun, Pass, Replay, ReplayOf, RunFilter, Stage, Store, Write, Written};
use super::accept::SIZES;
use super::upkeep::{DAY_MS, done, is_whole, month, put_revision};
use super::{
    Place, REVISION, accept, accept_new, commit, commit_ok, deduped, evaluated, event_id, finished, open_run, run_id, time, write,
};
use crate::domain::admission::{Gather, Key, Lane, Throttled};
use crate::domain::id::{Revision, RunId};
use crate::domain::journal::{Address, Entry};
use crate::domain::run::Status;
use crate::domain::workflow::Mode;

/// The `nth` run of the event of that time again, as a run of a later time.
fn replay(of: (u64, u32), at_ms: u64, facts: Vec<Entry>) -> Replay {
    let earlier = ReplayOf { run: run_id(of.0, of.1), from: Some(Address::new("b")), facts: u32::try_from(facts.len()).unwrap() };
    let run = NewRun { facts, ..NewRun::new(run_id(at_ms, 0), "a".into(), Revision([8; 32])) };
    Replay { run, event: event_id(of.0), accepted: time(at_ms), of: earlier }
}

/// It begins at once.
fn started() -> Written {
    Written::Accepted(Accepted::New { matches: Vec::new(), delayed: Vec::new() })
}

async fn replays(store: &dyn Store) -> Vec<RunId> {
    let page = store.runs(RunFilter { replays: true, ..RunFilter::default() }, 10).await.unwrap();
    page.items.into_iter().map(|run| run.id).collect()
}

pub(super) async fn a_replay_is_a_further_run_of_the_same_event(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    accept_new(store, [accept(10, &["a"])]).await;
    let old = run_id(10, 0);
    let facts = vec![evaluated(11, "a", "x"), evaluated(12, "b", "y")];
    commit_ok(store, [commit(old, epoch, 0, facts.clone(), Status::Failed)]).await;
    let (old_head, event) = (store.run(old).await.unwrap(), store.event(event_id(10)).await.unwrap().unwrap());

    let sent = replay((10, 0), 50, facts[..1].to_vec());
    assert_eq!(write(store, [Write::Replay(sent.clone())]).await, [started()]);
    let new = run_id(50, 0);
    let head = store.run(new).await.unwrap().unwrap();
    assert_eq!((head.event, head.revision, &*head.workflow), (event_id(10), Revision([8; 32]), "a"));
    assert_eq!((head.status, head.accepted, head.updated), (Status::Queued, time(50), time(50)), "it counts from the replay");
    assert_eq!(head.replay_of, Some(sent.of));
    assert_eq!(store.facts(new).await.unwrap(), facts[..1]);
    assert_eq!(store.load().await.unwrap(), [open_run(new, None, false, false)]);

    assert_eq!(store.run(old).await.unwrap(), old_head, "the run that is replayed stays as it is");
    assert_eq!(store.facts(old).await.unwrap(), facts);
    assert_eq!(store.events(None, 10).await.unwrap().items, [event.head], "and so does its event");
    assert_eq!(replays(store).await, [new]);

    commit_ok(store, [commit(new, epoch, 1, vec![finished(51)], Status::Succeeded)]).await;
    assert_eq!(store.facts(new).await.unwrap(), [evaluated(11, "a", "x"), finished(51)]);
    assert_eq!(store.run(new).await.unwrap().and_then(|run| run.replay_of).map(|of| of.run), Some(old));
}

pub(super) async fn a_replay_without_its_event_is_refused(store: &dyn Store) {
    let other = Write::Accept(accept(20, &["a"]));
    let lost = Replay { of: ReplayOf { run: run_id(20, 0), from: None, facts: 0 }, ..replay((10, 0), 50, vec![evaluated(11, "a", "x")]) };
    let sent = [Write::Replay(replay((10, 0), 50, Vec::new())), other, Write::Replay(lost)];
    let written = write(store, sent).await;
    assert_eq!(written[0], Written::Refused(CommitError::Unknown(run_id(10, 0))));
    assert_eq!(written[2], Written::Refused(CommitError::NoEvent(event_id(10))));
    assert!(matches!(written[1], Written::Accepted(Accepted::New { .. })), "{written:?}");
    assert_eq!(store.run(run_id(50, 0)).await, Ok(None));
    assert_eq!(store.facts(run_id(50, 0)).await, Ok(Vec::new()));
    assert_eq!(store.load().await.unwrap().len(), 1);
    // An event of the same batch is there already.
    let both = [Write::Accept(accept(10, &["a"])), Write::Replay(replay((10, 0), 50, Vec::new()))];
    assert_eq!(write(store, both).await[1], started());
    assert_eq!(store.run(run_id(50, 0)).await.unwrap().map(|run| run.event), Some(event_id(10)));
}

/// An event of that time for the run that gathers them.
fn gathered(at_ms: u64) -> Accept {
    let mut sent = accept(at_ms, &["a"]);
    sent.runs[0].gather = Some(Gather::Batch { key: Key([4; 16]), size: 9, within: Duration::from_secs(1) });
    sent
}

pub(super) async fn a_replay_has_every_event_that_the_run_gathered(store: &dyn Store) {
    accept_new(store, [gathered(10), gathered(11), gathered(12)]).await;
    assert_eq!(write(store, [Write::Replay(replay((10, 0), 50, Vec::new()))]).await, [started()]);
    let events = async |run| store.gathered(run).await.unwrap().into_iter().map(|event| event.head.id).collect::<Vec<_>>();
    assert_eq!(events(run_id(50, 0)).await, [10, 11, 12].map(event_id));
    // It is not gathered with others, nor does it take the place of the run that is gathering.
    accept_new(store, [gathered(13)]).await;
    assert_eq!(events(run_id(50, 0)).await, [10, 11, 12].map(event_id));
    assert_eq!(events(run_id(10, 0)).await.len(), 4);
    assert_eq!(store.run(run_id(50, 0)).await.unwrap().and_then(|run| run.gathers), None);
}

pub(super) async fn a_replay_keeps_the_events_that_it_is_for(store: &dyn Store) {
    let epoch = store.acquire().await.unwrap();
    put_revision(store).await;
    let at = |day: u64| day * DAY_MS;
    // Three that one run gathers, and one of a run that is replayed while old ones are being forgotten.
    accept_new(store, [gathered(at(1)), gathered(at(1) + 1), gathered(at(1) + 2), accept(at(2), &["a"])]).await;
    commit_ok(store, [done(epoch, at(1), 0, Status::Failed), done(epoch, at(2), 0, Status::Failed)]).await;
    let replay_of = |of_day: u64, day: u64| {
        let mut sent = replay((at(of_day), 0), at(day), Vec::new());
        sent.run.revision = REVISION;
        Write::Replay(sent)
    };
    assert_eq!(write(store, [replay_of(1, 40)]).await, [started()]);
    let mut pass = store.prune(Pass::new(month(), time(at(50)), None)).await.unwrap();
    assert_eq!(write(store, [replay_of(2, 41)]).await, [started()], "it is there still");
    while pass.stage != Stage::Done {
        pass = store.prune(pass).await.unwrap();
    }
    assert_eq!((pass.pruned.runs, pass.pruned.events), (2, 0), "the runs go, and their events stay");
    assert_eq!(store.gathered(run_id(at(40), 0)).await.unwrap().len(), 3);
    assert_eq!(store.gathered(run_id(at(41), 0)).await.unwrap().len(), 1);
    is_whole(store).await;
    let unknown = Written::Refused(CommitError::Unknown(run_id(at(1), 0)));
    assert_eq!(write(store, [replay_of(1, 51)]).await, [unknown], "what it gathered is not known any more");
}

pub(super) async fn a_replay_keeps_its_lane_and_the_limit_of_its_kind(store: &dyn Store) {
    accept_new(store, [accept(10, &["a"])]).await;
    let limited = |at_ms, of| {
        let mut sent = replay((10, 0), at_ms, Vec::new());
        sent.run.id = run_id(at_ms, of);
        sent.run.lane = Some(Lane { key: Key([5; 16]), limit: 1, mode: Mode::Skip });
        sent.run.throttle = Some(Throttled { key: Key([6; 16]), limit: 1, per: Duration::from_secs(1) });
        sent
    };
    let written = write(store, [Write::Replay(limited(50, 0)), Write::Replay(limited(50, 1))]).await;
    let later = vec![(run_id(50, 1), time(1_050))];
    assert_eq!(written, [started(), Written::Accepted(Accepted::New { matches: Vec::new(), delayed: later })]);
    let second = store.run(run_id(50, 1)).await.unwrap().unwrap();
    assert_eq!((second.wake, second.lane.map(|lane| (lane.limit, lane.mode))), (Some(time(1_050)), Some((1, Mode::Skip))));
}

pub(super) async fn facts_of_every_size_are_taken_over(store: &dyn Store) {
    accept_new(store, [accept(10, &["a"])]).await;
    for (at_ms, size) in (100..).zip(SIZES) {
        let facts = vec![evaluated(11, "a", &"ü".repeat(size)), evaluated(12, "b", "x")];
        write(store, [Write::Replay(replay((10, 0), at_ms, facts.clone()))]).await;
        assert!(store.facts(run_id(at_ms, 0)).await.unwrap() == facts, "{size}");
    }
}

pub(super) async fn a_replay_is_there_after_a_restart(place: &Place) {
    let store = place().unwrap();
    accept_new(&*store, [deduped(accept(10, &["a"]), 1, 1_000)]).await;
    let sent = replay((10, 0), 50, vec![evaluated(11, "a", "x")]);
    write(&*store, [Write::Replay(sent.clone())]).await;
    drop(store);

    let store = place().unwrap();
    let head = store.run(run_id(50, 0)).await.unwrap().unwrap();
    assert_eq!((head.replay_of, head.accepted), (Some(sent.of), time(50)));
    assert_eq!(store.facts(run_id(50, 0)).await.unwrap(), [evaluated(11, "a", "x")]);
    assert_eq!(store.load().await.unwrap().len(), 2);
    assert_eq!(store.newest().await, Ok(time(50)));
    let first = store.run(run_id(10, 0)).await.unwrap().unwrap();
    assert_eq!((first.replay_of, first.revision), (None, REVISION));
    // A repeat of the event is told of its first run, not of the replay.
    let repeat = write(&*store, [Write::Accept(deduped(accept(60, &["a"]), 1, 1_000))]).await;
    let Written::Accepted(Accepted::Duplicate { event, matches }) = &repeat[0] else { unreachable!("{repeat:?}") };
    assert_eq!((*event, matches.len()), (event_id(10), 1));
}
