//! What every store has to do, as one suite: a new store passes it, or it is not one.
//!
//! It is part of the library, so that integration tests can run it on stores that need a server.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "these are tests: a panic is how they fail")]

mod accept;
mod backup;
mod commit;
mod files;
mod gather;
mod list;
mod post;
mod reopen;
mod replay;
mod upkeep;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::{Accept, Accepted, Commit, Cursor, DedupeKey, Epoch, NewRun, OpenRun, Store, StoreError, Write, Written};
use crate::domain::event::{Event, EventHead, Match, MatchResult, Source};
use crate::domain::file::EventFile;
use crate::domain::id::{EventId, Parts, Revision, RunId};
use crate::domain::journal::{Address, Entry, Fact, Outcome};
use crate::domain::run::Status;
use crate::domain::time::Timestamp;

/// A place that keeps a store: each call opens it, with what was written there before. All earlier
/// handles are gone by then.
pub type Place = Box<dyn Fn() -> Result<Arc<dyn Store>, StoreError>>;

/// Checks everything that [`Store`] promises. `fresh` gives an empty place each time.
///
/// # Panics
/// When a promise is broken.
pub async fn check_all(fresh: &dyn Fn() -> Place) {
    let open = || fresh()().unwrap();
    accept::an_event_is_stored_with_its_runs(&*open()).await;
    accept::a_run_may_begin_with_facts(&*open()).await;
    accept::a_repeat_gets_the_first_ids_and_writes_nothing(&*open()).await;
    accept::either_of_two_keys_makes_a_repeat(&*open()).await;
    accept::several_events_are_taken_in_as_a_whole(&*open()).await;
    accept::a_key_is_new_again_when_its_window_has_ended(&*open()).await;
    accept::a_cursor_moves_with_its_event_and_only_forward(&*open()).await;
    accept::bodies_and_heads_of_every_size_come_back(&*open()).await;
    commit::facts_are_kept_in_order(&*open()).await;
    commit::a_refused_commit_leaves_nothing_and_stops_no_other(&*open()).await;
    commit::later_writes_of_a_batch_see_earlier_ones(&*open()).await;
    commit::a_cancel_is_kept_until_the_run_has_ended(&*open()).await;
    commit::outputs_of_every_size_come_back(&*open()).await;
    commit::a_failure_is_shown_in_lists(&*open()).await;
    files::files_of_every_size_come_back(&fresh()).await;
    files::pieces_are_written_together_with_all_else(&fresh()).await;
    files::what_is_missing_of_a_file_is_found(&*open()).await;
    files::files_that_no_event_follows_are_forgotten(&*open()).await;
    files::files_of_an_event_that_stays_stay(&*open()).await;
    gather::a_debounced_run_has_the_last_event(&fresh()).await;
    gather::a_full_batch_begins_at_once_and_takes_no_more(&fresh()).await;
    gather::keys_gather_apart_and_a_canceled_run_gathers_no_more(&*open()).await;
    gather::a_repeat_is_gathered_once(&*open()).await;
    gather::starts_are_spaced_in_the_order_of_arrival(&fresh()).await;
    gather::keys_that_space_starts_are_forgotten_in_time(&*open()).await;
    gather::keys_that_gather_are_forgotten_after_their_runs_begin(&*open()).await;
    gather::a_run_without_these_keys_has_its_one_event(&*open()).await;
    post::events_of_a_topic_are_found_in_order(&fresh()).await;
    post::a_run_that_listens_is_found_with_what_it_listens_to(&fresh()).await;
    post::what_a_commit_brings_about_is_stored_with_it_or_not_at_all(&*open()).await;
    list::runs_are_paged_newest_first(&*open()).await;
    list::runs_are_filtered(&*open()).await;
    list::a_rare_filter_is_bounded(&*open()).await;
    list::open_runs_are_listed_oldest_first(&*open()).await;
    list::events_are_paged_newest_first(&*open()).await;
    list::revisions_are_kept_by_hash(&*open()).await;
    list::keys_are_forgotten_when_their_window_has_ended(&*open()).await;
    list::the_newest_id_is_known(&*open()).await;
    reopen::everything_is_there_after_a_restart(&fresh()).await;
    reopen::an_older_owner_is_fenced(&fresh()).await;
    replay::a_replay_is_a_further_run_of_the_same_event(&*open()).await;
    replay::a_replay_without_its_event_is_refused(&*open()).await;
    replay::a_replay_has_every_event_that_the_run_gathered(&*open()).await;
    replay::a_replay_keeps_its_lane_and_the_limit_of_its_kind(&*open()).await;
    replay::a_replay_keeps_the_events_that_it_is_for(&*open()).await;
    replay::facts_of_every_size_are_taken_over(&*open()).await;
    replay::a_replay_is_there_after_a_restart(&fresh()).await;
    upkeep::old_runs_go_with_all_that_is_theirs(&*open()).await;
    upkeep::a_workflow_may_keep_its_runs_longer_or_shorter(&*open()).await;
    upkeep::what_open_runs_need_stays(&*open()).await;
    upkeep::a_repeat_is_known_when_its_event_is_gone(&*open()).await;
    upkeep::the_oldest_go_when_there_is_too_much(&*open()).await;
    upkeep::revisions_that_nothing_refers_to_go(&*open()).await;
    upkeep::what_comes_during_a_pass_stays(&*open()).await;
    upkeep::a_compacted_store_holds_the_same(&fresh()).await;
    backup::a_backup_is_of_one_moment_and_comes_back(&fresh(), &fresh()).await;
    backup::a_torn_or_changed_backup_is_refused(&*open(), &|| fresh()().unwrap()).await;
    backup::a_store_that_holds_something_is_not_overwritten(&*open()).await;
}

const REVISION: Revision = Revision([7; 32]);

fn event_id(time_ms: u64) -> EventId {
    EventId::new(Parts { time_ms, counter: 0, chance: 3, shard: 0 })
}

/// The `nth` run of the event of that time.
fn run_id(time_ms: u64, nth: u32) -> RunId {
    RunId::new(Parts { time_ms, counter: nth, chance: 5, shard: nth.to_be_bytes()[3] })
}

fn time(time_ms: u64) -> Timestamp {
    Timestamp(i64::try_from(time_ms).unwrap())
}

/// An event of that time with one run per workflow.
fn accept(time_ms: u64, workflows: &[&str]) -> Accept {
    accept_body(time_ms, workflows, b"{\"a\":1}".to_vec(), Vec::new())
}

/// The same event, with these files.
fn with_files(accept: Accept, files: impl Iterator<Item = (u16, Bytes)>) -> Accept {
    let describe = |(number, content): (u16, Bytes)| EventFile {
        number,
        field: "photo".to_owned(),
        name: "a.png".to_owned(),
        kind: "image/png".to_owned(),
        size: u64::try_from(content.len()).unwrap(),
        sha256: "0".repeat(64),
    };
    let head = EventHead { files: files.map(describe).collect(), ..accept.event.head.clone() };
    Accept { event: Arc::new(Event::new(head, accept.event.body.clone())), ..accept }
}

fn accept_body(time_ms: u64, workflows: &[&str], body: Vec<u8>, headers: Vec<(String, String)>) -> Accept {
    let runs: Vec<NewRun> =
        (0u32..).zip(workflows).map(|(nth, workflow)| NewRun::new(run_id(time_ms, nth), Arc::from(*workflow), REVISION)).collect();
    let matches = runs.iter().map(|run| Match { workflow: Arc::clone(&run.workflow), result: MatchResult::Run(run.id) }).collect();
    let head = EventHead {
        method: "POST".to_owned(),
        path: "leads".to_owned(),
        query: vec![("q".to_owned(), "1".to_owned())],
        headers,
        content_type: "application/json".to_owned(),
        matches,
        ..EventHead::new(event_id(time_ms), Source::Webhook, "lead", time(time_ms))
    };
    Accept { event: Arc::new(Event::new(head, Bytes::from(body))), dedupe: Vec::new(), runs, cursor: None, topic: None }
}

fn deduped(mut accept: Accept, key: u8, until_ms: u64) -> Accept {
    accept.dedupe.push(DedupeKey { hash: [key; 32], until: time(until_ms) });
    accept
}

fn scheduled(mut accept: Accept, slot_ms: u64) -> Accept {
    accept.cursor = Some(Cursor { name: Arc::from("daily/0"), slot: time(slot_ms) });
    accept
}

fn evaluated(at_ms: u64, step: &str, text: &str) -> Entry {
    let fact = Fact::StepEvaluated { step: Address::new(step), output: Arc::new(json!({ "text": text })) };
    Entry { at: time(at_ms), fact }
}

fn finished(at_ms: u64) -> Entry {
    Entry { at: time(at_ms), fact: Fact::RunFinished { outcome: Outcome::Succeeded { output: Arc::new(json!(null)) } } }
}

fn commit(run: RunId, epoch: Epoch, from: u32, entries: Vec<Entry>, status: Status) -> Commit {
    Commit::new(run, epoch, from, entries, status)
}

fn waiting(run: RunId, epoch: Epoch, wake_ms: u64) -> Commit {
    Commit { wake: Some(time(wake_ms)), ..commit(run, epoch, 0, vec![evaluated(wake_ms, "wait", "")], Status::Waiting) }
}

async fn write(store: &dyn Store, writes: impl IntoIterator<Item = Write>) -> Vec<Written> {
    store.write(writes.into_iter().collect()).await.unwrap()
}

async fn accept_new(store: &dyn Store, accepts: impl IntoIterator<Item = Accept>) {
    for written in write(store, accepts.into_iter().map(Write::Accept)).await {
        assert!(matches!(written, Written::Accepted(Accepted::New { .. })), "{written:?}");
    }
}

async fn commit_ok(store: &dyn Store, commits: impl IntoIterator<Item = Commit>) {
    for written in write(store, commits.into_iter().map(Write::from)).await {
        assert_eq!(written, Written::Committed(Vec::new()));
    }
}

/// What is said of an event that is new and whose runs begin at once.
fn new(accept: &Accept) -> Written {
    Written::Accepted(Accepted::New { matches: accept.event.head.matches.clone(), delayed: Vec::new() })
}

/// A run that is open and does not listen to anything.
fn open_run(id: RunId, wake: Option<Timestamp>, cancel: bool, begun: bool) -> OpenRun {
    OpenRun { id, wake, cancel, begun, lane: None, listens: Box::default() }
}

async fn open_ids(store: &dyn Store) -> Vec<RunId> {
    store.load().await.unwrap().into_iter().map(|run| run.id).collect()
}
