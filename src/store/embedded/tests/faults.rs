//! A disk that fills up, and a process that dies at any write.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::super::super::kv::faulty::{Death, Faulty};
use super::super::super::{Accept, Accepted, Commit, CommitError, DedupeKey, NewRun, PIECE_BYTES, Piece, Replay, ReplayOf};
use super::*;
use crate::domain::Value;
use crate::domain::event::Source;
use crate::domain::file::FileId;
use crate::domain::id::Parts;
use crate::domain::journal::{Address, Fact, Outcome};
use crate::domain::run::Status;

fn parts(n: u64) -> Parts {
    Parts { time_ms: n, counter: 0, chance: n, shard: 1 }
}

fn run_id(n: u64) -> RunId {
    RunId::new(parts(n))
}

pub(super) fn accept(n: u64) -> Write {
    let head = EventHead::new(EventId::new(parts(n)), Source::Manual, "manual", Timestamp(5));
    let run = NewRun::new(run_id(n), Arc::from("a"), Revision([1; 32]));
    let hash = [u8::try_from(n).unwrap(); 32];
    Write::Accept(Accept {
        event: Arc::new(Event::new(head, Bytes::from(vec![1; 20_000]))),
        dedupe: vec![DedupeKey { hash, until: Timestamp(1_000) }],
        runs: vec![run],
        cursor: None,
        topic: None,
    })
}

pub(super) fn finish(n: u64, epoch: Epoch) -> Write {
    commit(n, epoch, Fact::RunFinished { outcome: Outcome::Canceled }, Status::Canceled)
}

pub(super) fn evaluate(n: u64, epoch: Epoch, output: Value) -> Write {
    commit(n, epoch, Fact::StepEvaluated { step: Address::new("s"), output: Arc::new(output) }, Status::Running)
}

/// The run of the `n`th event again, as the run `as_n`.
fn replay(n: u64, as_n: u64) -> Write {
    let run = NewRun::new(run_id(as_n), Arc::from("a"), Revision([1; 32]));
    let of = ReplayOf { run: run_id(n), from: None, facts: 0 };
    Write::Replay(Replay { run, event: EventId::new(parts(n)), accepted: Timestamp(7), of })
}

/// The pieces of a file of the `n`th event, from the `from`th to before the `to`th.
pub(super) fn files(n: u64, from: u32, to: u32) -> Write {
    let file = FileId { event: EventId::new(parts(n)), number: 1 };
    Write::Files((from..to).map(|index| Piece { file, index, bytes: Bytes::from(vec![7; PIECE_BYTES]) }).collect())
}

/// How many pieces of it there are.
async fn stored_pieces(store: &dyn Store, n: u64) -> u32 {
    let file = FileId { event: EventId::new(parts(n)), number: 1 };
    let mut found = 0;
    while store.file(file, found).await.unwrap().is_some_and(|piece| piece.len() == PIECE_BYTES) {
        found += 1;
    }
    found
}

fn commit(n: u64, epoch: Epoch, fact: Fact, status: Status) -> Write {
    let entries = vec![Entry { at: Timestamp(9), fact }];
    Write::from(Commit::new(run_id(n), epoch, 0, entries, status))
}

#[tokio::test]
async fn new_events_are_refused_below_the_watermark_and_runs_go_on() {
    let free_bytes = Arc::new(AtomicU64::new(1_000));
    let seen = Arc::clone(&free_bytes);
    let free: space::FreeBytes = Arc::new(move || Ok(seen.load(Ordering::SeqCst)));
    let store = over(Arc::new(Memory::default()), Some(Watermark { min_bytes: 500, check_every_events: 1, free })).unwrap();
    let epoch = store.acquire().await.unwrap();
    let new = || Written::Accepted(Accepted::New { matches: Vec::new(), delayed: Vec::new() });
    assert_eq!(store.write(vec![accept(1)]).await, Ok(vec![new()]));
    free_bytes.store(499, Ordering::SeqCst);
    let written = store.write(vec![accept(2), finish(1, epoch), accept(1), replay(1, 3)]).await.unwrap();
    assert!(matches!(&written[0], Written::Refused(CommitError::Store(StoreError::Full(_)))), "{written:?}");
    assert_eq!(written[1], Written::Committed(Vec::new()));
    assert!(matches!(written[2], Written::Accepted(Accepted::Duplicate { .. })));
    assert!(matches!(&written[3], Written::Refused(CommitError::Store(StoreError::Full(_)))), "a replay is new work: {written:?}");
    assert_eq!((store.run(run_id(2)).await, store.run(run_id(3)).await), (Ok(None), Ok(None)));
    free_bytes.store(500, Ordering::SeqCst);
    assert_eq!(store.write(vec![accept(2), replay(1, 3)]).await, Ok(vec![new(), new()]));
}

#[tokio::test]
async fn several_events_of_which_one_is_refused_leave_nothing_behind() {
    let asked = Arc::new(AtomicU64::new(0));
    let times = Arc::clone(&asked);
    // There is room for one more, and not for the next.
    let free: space::FreeBytes = Arc::new(move || Ok(if times.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) { 1_000 } else { 499 }));
    let memory = Memory::default();
    let store = over(Arc::new(memory.clone()), Some(Watermark { min_bytes: 500, check_every_events: 1, free })).unwrap();
    let before = content(&memory);
    let accepts = [1, 2].map(|n| match accept(n) {
        Write::Accept(accept) => accept,
        other => unreachable!("{other:?}"),
    });
    let written = store.write(vec![Write::AcceptAll(accepts.into())]).await.unwrap();
    assert!(matches!(&written[..], [Written::Refused(CommitError::Store(StoreError::Full(_)))]), "{written:?}");
    assert_eq!(content(&memory), before);
    assert!(1 < asked.load(Ordering::SeqCst), "the second one was looked at, too");
}

#[tokio::test]
async fn pieces_of_which_one_is_refused_leave_nothing_behind() {
    let asked = Arc::new(AtomicU64::new(0));
    let times = Arc::clone(&asked);
    // There is room for two pieces, and not for the third.
    let free: space::FreeBytes = Arc::new(move || Ok(if times.fetch_add(1, Ordering::SeqCst) < 2 { 1_000 } else { 499 }));
    let memory = Memory::default();
    let store = over(Arc::new(memory.clone()), Some(Watermark { min_bytes: 500, check_every_events: 1, free })).unwrap();
    let before = content(&memory);
    let written = store.write(vec![files(1, 0, 3)]).await.unwrap();
    assert!(matches!(&written[..], [Written::Refused(CommitError::Store(StoreError::Full(_)))]), "{written:?}");
    assert_eq!((content(&memory), asked.load(Ordering::SeqCst)), (before, 3));
}

#[tokio::test]
async fn a_full_disk_writes_nothing_and_the_store_recovers() {
    let memory = Memory::default();
    let disk = Arc::new(Faulty::new(memory.clone()));
    let store = over(Arc::clone(&disk) as Arc<dyn Kv>, None).unwrap();
    let before = content(&memory);
    disk.set_full(true);
    assert!(matches!(store.write(vec![accept(1)]).await, Err(StoreError::Full(_))));
    assert!(matches!(store.acquire().await, Err(StoreError::Full(_))));
    assert_eq!(content(&memory), before);
    disk.set_full(false);
    assert_eq!(store.write(vec![accept(1)]).await, Ok(vec![Written::Accepted(Accepted::New { matches: Vec::new(), delayed: Vec::new() })]));
}

/// Does all of it on `kv`, until it dies.
async fn work(kv: Arc<dyn Kv>) -> Result<(), StoreError> {
    let store = over(kv, None)?;
    let epoch = store.acquire().await?;
    for n in 1..=3 {
        store.write(vec![files(n, 0, 2)]).await?;
        store.write(vec![files(n, 2, 4)]).await?;
        store.write(vec![accept(n)]).await?;
        store.write(vec![finish(n, epoch)]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_death_at_any_write_leaves_each_write_whole_or_absent() {
    let alive = Arc::new(Faulty::new(Memory::default()));
    work(Arc::clone(&alive) as Arc<dyn Kv>).await.unwrap();
    for nth in 1..=alive.writes() {
        for death in [Death::BeforeWrite, Death::AfterWrite] {
            let memory = Memory::default();
            assert!(work(Arc::new(Faulty::dying(memory.clone(), nth, death))).await.is_err());
            let store = over(Arc::new(memory), None).unwrap();
            let open: Vec<RunId> = store.load().await.unwrap().into_iter().map(|run| run.id).collect();
            for n in 1..=3 {
                let event = store.event(EventId::new(parts(n))).await.unwrap();
                let run = store.run(run_id(n)).await.unwrap();
                let facts = store.facts(run_id(n)).await.unwrap();
                assert_eq!(event.is_some(), run.is_some(), "write {nth}, {death:?}");
                let pieces = stored_pieces(&*store, n).await;
                assert!(if event.is_some() { pieces == 4 } else { [0, 2, 4].contains(&pieces) }, "write {nth}, {death:?}: {pieces} pieces");
                assert_eq!(run.is_some_and(|run| run.status == Status::Queued), open.contains(&run_id(n)));
                assert!(facts.is_empty() || !open.contains(&run_id(n)));
            }
            // The sender tries again, and the work goes on to its end.
            assert!(store.write(vec![accept(1), accept(2), accept(3)]).await.is_ok());
            let epoch = store.acquire().await.unwrap();
            let rest: Vec<Write> = store.load().await.unwrap().into_iter().map(|run| finish(run.id.time_ms(), epoch)).collect();
            store.write(rest).await.unwrap();
            assert_eq!(store.load().await, Ok(Vec::new()));
            assert_eq!(store.runs(RunFilter::default(), 9).await.unwrap().items.len(), 3);
        }
    }
}
