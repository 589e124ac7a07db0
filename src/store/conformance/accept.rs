//! Events accepted.

use super::super::{Accept, Accepted, Store, Write, Written};
use super::{
    REVISION, accept, accept_body, accept_new, deduped, evaluated, event_id, new, open_ids, open_run, run_id, scheduled, time, write,
};
use crate::domain::run::Status;

/// Around the size of a chunk, and far above it.
pub(super) const SIZES: [usize; 6] = [0, 1, 8_191, 8_192, 8_193, 300_000];

fn duplicate_of(first: &Accept) -> Written {
    Written::Accepted(Accepted::Duplicate { event: first.event.head.id, matches: first.event.head.matches.clone() })
}

pub(super) async fn an_event_is_stored_with_its_runs(store: &dyn Store) {
    assert_eq!(store.event(event_id(10)).await.unwrap().map(|event| event.head), None);
    let sent = accept(10, &["a", "b"]);
    accept_new(store, [sent.clone()]).await;
    let event = store.event(event_id(10)).await.unwrap().unwrap();
    assert_eq!((&event.head, &event.body), (&sent.event.head, &sent.event.body));
    for (nth, workflow) in [(0, "a"), (1, "b")] {
        let run = store.run(run_id(10, nth)).await.unwrap().unwrap();
        assert_eq!((run.id, &*run.workflow, run.revision, run.event), (run_id(10, nth), workflow, REVISION, event_id(10)));
        assert_eq!((run.status, run.accepted, run.updated), (Status::Queued, time(10), time(10)));
        assert_eq!((run.wake, run.error), (None, None));
        assert_eq!(store.facts(run.id).await.unwrap(), []);
    }
    let open = [0, 1].map(|nth| open_run(run_id(10, nth), None, false, false));
    assert_eq!(store.load().await.unwrap(), open);
    assert_eq!(store.run(run_id(11, 0)).await.unwrap(), None);
}

pub(super) async fn a_run_may_begin_with_facts(store: &dyn Store) {
    let mut sent = accept(10, &["a"]);
    sent.runs[0].facts = vec![evaluated(12, "x", "1")];
    accept_new(store, [sent]).await;
    assert_eq!(store.facts(run_id(10, 0)).await.unwrap(), [evaluated(12, "x", "1")]);
    assert_eq!(store.run(run_id(10, 0)).await.unwrap().map(|run| (run.status, run.updated)), Some((Status::Queued, time(12))));
}

pub(super) async fn a_repeat_gets_the_first_ids_and_writes_nothing(store: &dyn Store) {
    let first = deduped(accept(10, &["a"]), 1, 100);
    let same_batch = deduped(accept(11, &["a"]), 1, 200);
    let other_key = deduped(accept(12, &["a"]), 2, 200);
    let written = write(store, [first.clone(), same_batch, other_key.clone()].map(Write::Accept)).await;
    assert_eq!(written, [new(&first), duplicate_of(&first), new(&other_key)]);
    let later = write(store, [Write::Accept(deduped(accept(99, &["a"]), 1, 500))]).await;
    assert_eq!(later, [duplicate_of(&first)]);
    for repeat in [11, 99] {
        assert_eq!(store.event(event_id(repeat)).await.unwrap().map(|event| event.head), None);
        assert_eq!(store.run(run_id(repeat, 0)).await.unwrap(), None);
    }
    assert_eq!(open_ids(store).await, [run_id(10, 0), run_id(12, 0)]);
}

pub(super) async fn either_of_two_keys_makes_a_repeat(store: &dyn Store) {
    let first = deduped(deduped(accept(10, &["a"]), 1, 100), 2, 100);
    accept_new(store, [first.clone()]).await;
    let by_second = deduped(deduped(accept(11, &["a"]), 3, 300), 2, 300);
    assert_eq!(write(store, [Write::Accept(by_second)]).await, [duplicate_of(&first)]);
    // What was refused is not remembered.
    accept_new(store, [deduped(accept(12, &["a"]), 3, 300)]).await;
    assert_eq!(store.forget_keys(time(150), 10).await, Ok(2));
    assert_eq!(store.forget_keys(time(350), 10).await, Ok(1));
}

pub(super) async fn several_events_are_taken_in_as_a_whole(store: &dyn Store) {
    let (first, second) = (deduped(accept(10, &["a"]), 1, 100), deduped(accept(11, &["a", "b"]), 2, 100));
    let repeat = deduped(accept(12, &["a"]), 1, 100);
    let written = write(store, [Write::AcceptAll(vec![first.clone(), repeat, second.clone()]), Write::AcceptAll(Vec::new())]).await;
    let one = |written: Written| if let Written::Accepted(accepted) = written { accepted } else { unreachable!("{written:?}") };
    let each = [new(&first), duplicate_of(&first), new(&second)].map(one);
    assert_eq!(written, [Written::Committed(each.into()), Written::Committed(Vec::new())]);
    assert_eq!(open_ids(store).await, [run_id(10, 0), run_id(11, 0), run_id(11, 1)]);
    assert_eq!(store.event(event_id(12)).await.unwrap().map(|event| event.head), None);
}

pub(super) async fn a_key_is_new_again_when_its_window_has_ended(store: &dyn Store) {
    let second = deduped(accept(100, &["a"]), 1, 200);
    accept_new(store, [deduped(accept(10, &["a"]), 1, 100), second.clone()]).await;
    assert_eq!(write(store, [Write::Accept(deduped(accept(150, &["a"]), 1, 300))]).await, [duplicate_of(&second)]);
    // The first window's end must not take the second one's key away.
    assert_eq!(store.forget_keys(time(150), 10).await, Ok(0));
    assert_eq!(write(store, [Write::Accept(deduped(accept(199, &["a"]), 1, 300))]).await, [duplicate_of(&second)]);
    accept_new(store, [deduped(accept(200, &["a"]), 1, 300)]).await;
}

pub(super) async fn a_cursor_moves_with_its_event_and_only_forward(store: &dyn Store) {
    let cursor = async || store.cursor("daily/0").await.unwrap();
    assert_eq!(cursor().await, None);
    accept_new(store, [deduped(scheduled(accept(10, &["a"]), 5), 1, 100)]).await;
    assert_eq!(cursor().await, Some(time(5)));
    for (at_ms, slot_ms, stands_ms) in [(11, 4, 5), (12, 8, 8)] {
        let repeat = deduped(scheduled(accept(at_ms, &["a"]), slot_ms), 1, 100);
        assert!(matches!(write(store, [Write::Accept(repeat)]).await[0], Written::Accepted(Accepted::Duplicate { .. })));
        assert_eq!(cursor().await, Some(time(stands_ms)));
    }
    accept_new(store, [scheduled(accept(20, &["a"]), 6), scheduled(accept(21, &["a"]), 20), scheduled(accept(22, &["a"]), 19)]).await;
    assert_eq!(cursor().await, Some(time(20)));
    assert_eq!(store.cursor("daily/1").await, Ok(None));
}

pub(super) async fn bodies_and_heads_of_every_size_come_back(store: &dyn Store) {
    let sent: Vec<Accept> = (10u64..)
        .zip(SIZES)
        .flat_map(|(at_ms, size)| {
            // A pattern that does not repeat with the chunk's length.
            let body: Vec<u8> = (0u8..251).cycle().take(size).collect();
            let headers = vec![("x-long".to_owned(), "h".repeat(size))];
            [accept_body(at_ms, &["a"], body.clone(), Vec::new()), accept_body(at_ms + 100, &["a"], body, headers)]
        })
        .collect();
    accept_new(store, sent.clone()).await;
    for sent in &sent {
        let event = store.event(sent.event.head.id).await.unwrap().unwrap();
        assert_eq!(event.head, sent.event.head);
        assert!(event.body == sent.event.body, "a body of {} bytes", sent.event.body.len());
    }
    let page = store.events(None, sent.len()).await.unwrap();
    let mut heads: Vec<_> = sent.iter().map(|sent| sent.event.head.clone()).collect();
    heads.sort_by_key(|head| std::cmp::Reverse(head.id));
    assert_eq!(page.items, heads);
}
