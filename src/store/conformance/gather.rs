//! Runs that do not begin at once: several events in one run, and starts that are spaced.

use std::time::Duration;

use super::super::{Accept, Accepted, Gathers, Store, Write, Written};
use super::{Place, accept, commit, deduped, evaluated, event_id, finished, new, open_run, run_id, time, write};
use crate::domain::admission::{Gather, Key, Throttled};
use crate::domain::event::{Event, MatchResult};
use crate::domain::id::RunId;
use crate::domain::run::Status;

const KEY: Key = Key([3; 16]);
/// How long a key of a run that gathers is known beyond the run's beginning.
const SPARE_MS: u64 = 3_600_000;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn gathering(at_ms: u64, gather: Gather) -> Accept {
    let mut accept = accept(at_ms, &["a"]);
    accept.runs[0].gather = Some(gather);
    accept
}

fn debounced(at_ms: u64, quiet_ms: u64) -> Accept {
    gathering(at_ms, Gather::Debounce { key: KEY, quiet: ms(quiet_ms) })
}

fn batched(at_ms: u64, size: u32, within_ms: u64) -> Accept {
    gathering(at_ms, Gather::Batch { key: KEY, size, within: ms(within_ms) })
}

fn throttled(at_ms: u64, limit: u32, per_ms: u64) -> Accept {
    let mut accept = accept(at_ms, &["a"]);
    accept.runs[0].throttle = Some(Throttled { key: KEY, limit, per: ms(per_ms) });
    accept
}

/// The run of each event, and when it begins; nothing means at once.
async fn admitted(store: &dyn Store, accepts: impl IntoIterator<Item = Accept>) -> Vec<(RunId, Option<u64>)> {
    let written = write(store, accepts.into_iter().map(Write::Accept)).await;
    let admitted = |written: Written| {
        let Written::Accepted(Accepted::New { matches, delayed }) = written else { return None };
        let MatchResult::Run(run) = matches[0].result else { return None };
        assert!(delayed.iter().all(|(delayed, _)| *delayed == run) && delayed.len() <= 1, "{delayed:?}");
        Some((run, delayed.first().map(|(_, wake)| u64::try_from(wake.0).unwrap())))
    };
    written.into_iter().map(|written| admitted(written).unwrap()).collect()
}

async fn bodies(store: &dyn Store, run: RunId) -> Vec<u64> {
    let events = store.gathered(run).await.unwrap();
    events.iter().map(|event| event.head.id.time_ms()).collect()
}

/// The run has begun: from now on nothing is added.
async fn begin(store: &dyn Store, run: RunId, at_ms: u64) {
    let epoch = store.acquire().await.unwrap();
    let begun = commit(run, epoch, 0, vec![evaluated(at_ms, "s", "")], Status::Running);
    assert_eq!(write(store, [Write::from(begun)]).await, [Written::Committed(Vec::new())]);
}

pub(super) async fn a_debounced_run_has_the_last_event(place: &Place) {
    let store = place().unwrap();
    let first = run_id(10, 0);
    assert_eq!(admitted(&*store, [debounced(10, 100), debounced(20, 100)]).await, [(first, Some(110)), (first, Some(120))]);
    drop(store);

    let store = place().unwrap();
    assert_eq!(admitted(&*store, [debounced(90, 100)]).await, [(first, Some(190))]);
    let head = store.run(first).await.unwrap().unwrap();
    assert_eq!((head.event, head.events, head.gathers, head.wake), (event_id(90), 3, Some(Gathers::Last), Some(time(190))));
    assert_eq!(bodies(&*store, first).await, [90]);
    assert_eq!(store.load().await.unwrap(), [open_run(first, Some(time(190)), false, false)]);
    for at_ms in [10, 20, 90] {
        let event = store.event(event_id(at_ms)).await.unwrap().unwrap();
        assert_eq!(event.head.matches[0].result, MatchResult::Run(first), "each event names the run it is in");
    }
    begin(&*store, first, 190).await;
    assert_eq!(admitted(&*store, [debounced(195, 100)]).await, [(run_id(195, 0), Some(295))]);
    assert_eq!((store.run(first).await.unwrap().unwrap().gathers, bodies(&*store, first).await), (None, vec![90]));
}

pub(super) async fn a_full_batch_begins_at_once_and_takes_no_more(place: &Place) {
    let store = place().unwrap();
    let (first, second) = (run_id(10, 0), run_id(13, 0));
    let sent = [10, 11, 12, 13].map(|at_ms| batched(at_ms, 3, 100));
    assert_eq!(admitted(&*store, sent).await, [(first, Some(110)), (first, Some(110)), (first, Some(12)), (second, Some(113))]);
    drop(store);

    let store = place().unwrap();
    assert_eq!(admitted(&*store, [batched(20, 3, 100)]).await, [(second, Some(113))]);
    assert_eq!((bodies(&*store, first).await, bodies(&*store, second).await), (vec![10, 11, 12], vec![13, 20]));
    let head = store.run(second).await.unwrap().unwrap();
    assert_eq!((head.event, head.events, head.gathers), (event_id(13), 2, Some(Gathers::All)));
    assert_eq!(store.load().await.unwrap(), [(first, 12), (second, 113)].map(|(run, wake)| open_run(run, Some(time(wake)), false, false)));
    // Its time came before it was full.
    begin(&*store, second, 113).await;
    assert_eq!(admitted(&*store, [batched(114, 3, 100)]).await, [(run_id(114, 0), Some(214))]);
    assert_eq!(bodies(&*store, second).await, [13, 20]);
    assert_eq!(
        admitted(&*store, [gathering(300, Gather::Batch { key: Key([4; 16]), size: 1, within: ms(5) })]).await,
        [(run_id(300, 0), Some(300))]
    );
}

pub(super) async fn keys_gather_apart_and_a_canceled_run_gathers_no_more(store: &dyn Store) {
    let other = |at_ms| gathering(at_ms, Gather::Batch { key: Key([9; 16]), size: 9, within: ms(100) });
    let sent = [batched(10, 9, 100), other(11), batched(12, 9, 100), other(13)];
    let [a, b] = [10, 11].map(|at_ms| run_id(at_ms, 0));
    assert_eq!(admitted(store, sent).await.into_iter().map(|(run, _)| run).collect::<Vec<_>>(), [a, b, a, b]);
    assert_eq!((bodies(store, a).await, bodies(store, b).await), (vec![10, 12], vec![11, 13]));
    assert_eq!(write(store, [Write::Cancel(a)]).await, [Written::Canceling(true)]);
    assert_eq!(admitted(store, [batched(14, 9, 100), other(15)]).await, [(run_id(14, 0), Some(114)), (b, Some(111))]);
    let epoch = store.acquire().await.unwrap();
    let ended = commit(b, epoch, 0, vec![finished(20)], Status::Canceled);
    assert_eq!(write(store, [Write::from(ended)]).await, [Written::Committed(Vec::new())]);
    assert_eq!(admitted(store, [other(21)]).await, [(run_id(21, 0), Some(121))]);
}

pub(super) async fn a_repeat_is_gathered_once(store: &dyn Store) {
    let first = deduped(batched(10, 9, 100), 1, 500);
    let repeat = deduped(batched(11, 9, 100), 1, 500);
    let second = deduped(batched(12, 9, 100), 2, 500);
    let run = run_id(10, 0);
    let written = write(store, [first.clone(), repeat, second].map(Write::Accept)).await;
    let duplicate = Accepted::Duplicate { event: event_id(10), matches: first.event.head.matches.clone() };
    assert_eq!(written[1], Written::Accepted(duplicate));
    assert_eq!(bodies(store, run).await, [10, 12]);
    // A repeat of an event that went into a run of another one names that run.
    let again = write(store, [Write::Accept(deduped(batched(13, 9, 100), 2, 500))]).await;
    assert!(
        matches!(&again[0], Written::Accepted(Accepted::Duplicate { event, matches }) if *event == event_id(12) && matches[0].result == MatchResult::Run(run)),
        "{again:?}"
    );
    assert_eq!(bodies(store, run).await, [10, 12]);
}

pub(super) async fn starts_are_spaced_in_the_order_of_arrival(place: &Place) {
    let store = place().unwrap();
    let starts = |admitted: Vec<(RunId, Option<u64>)>, arrived: &[u64]| -> Vec<u64> {
        admitted.iter().zip(arrived).map(|((_, wake), arrived)| wake.unwrap_or(*arrived)).collect()
    };
    let first: Vec<u64> = vec![10, 10, 11, 40, 60];
    let mut all = starts(admitted(&*store, (0u64..).zip(&first).map(|(n, at)| later(throttled(*at, 2, 50), 1_000 + n))).await, &first);
    assert_eq!(all, [10, 10, 60, 60, 110]);
    drop(store);

    let store = place().unwrap();
    let second: Vec<u64> = vec![61, 115, 300, 301, 302];
    all.extend(starts(admitted(&*store, (0u64..).zip(&second).map(|(n, at)| later(throttled(*at, 2, 50), 2_000 + n))).await, &second));
    assert_eq!(all[5..], [110, 160, 300, 301, 350]);
    assert!(all.is_sorted() && all.windows(3).all(|three| three[0] + 50 <= three[2]), "{all:?}");
}

/// The same event with ids of another time, so that several may arrive at once.
fn later(mut accept: Accept, id_ms: u64) -> Accept {
    let mut head = accept.event.head.clone();
    head.id = event_id(id_ms);
    accept.runs[0].id = run_id(id_ms, 0);
    head.matches[0].result = MatchResult::Run(accept.runs[0].id);
    accept.event = Event::new(head, accept.event.body.clone()).into();
    accept
}

pub(super) async fn keys_that_space_starts_are_forgotten_in_time(store: &dyn Store) {
    assert_eq!(admitted(store, [throttled(100, 2, 50)]).await, [(run_id(100, 0), None)]);
    // The clock steps back: the later start counts all the same.
    assert_eq!(admitted(store, [throttled(60, 2, 50)]).await, [(run_id(60, 0), None)]);
    assert_eq!(store.forget_keys(time(149), 9).await, Ok(0));
    assert_eq!(admitted(store, [throttled(111, 2, 50)]).await, [(run_id(111, 0), Some(150))]);
    assert_eq!(store.forget_keys(time(200), 9).await, Ok(1));
    assert_eq!(admitted(store, [throttled(201, 1, 50)]).await, [(run_id(201, 0), None)]);
}

pub(super) async fn keys_that_gather_are_forgotten_after_their_runs_begin(store: &dyn Store) {
    let first = run_id(10, 0);
    admitted(store, [debounced(10, 100), debounced(50, 100)]).await;
    assert_eq!(store.forget_keys(time(150 + SPARE_MS - 1), 9).await, Ok(0));
    assert_eq!(admitted(store, [debounced(140, 100)]).await, [(first, Some(240))]);
    assert_eq!(store.forget_keys(time(240 + SPARE_MS), 9).await, Ok(1), "one key, however many events");
    let open = [open_run(first, Some(time(240)), false, false)];
    assert_eq!(store.load().await.unwrap(), open, "the run itself stays");
    assert_eq!(admitted(store, [debounced(400, 100)]).await, [(run_id(400, 0), Some(500))]);
}

pub(super) async fn a_run_without_these_keys_has_its_one_event(store: &dyn Store) {
    let sent = accept(10, &["a"]);
    assert_eq!(write(store, [Write::Accept(sent.clone())]).await, [new(&sent)]);
    assert_eq!((bodies(store, run_id(10, 0)).await, bodies(store, run_id(11, 0)).await), (vec![10], vec![]));
    assert_eq!(store.forget_keys(time(u64::from(u32::MAX)), 9).await, Ok(0));
}
