//! Files: written before their event, read in pieces, forgotten with it.

use bytes::Bytes;

use super::super::{Keep, PIECE_BYTES, Pass, Piece, Stage, Store, Write, Written};
use super::{Place, accept, event_id, new, time, with_files, write};
use crate::domain::file::FileId;
use crate::domain::id::EventId;

const HOUR_MS: u64 = 3_600_000;

fn file(event: EventId, number: u16) -> FileId {
    FileId { event, number }
}

/// Bytes that are other ones in each file and at each place.
fn content(length: usize, salt: u8) -> Bytes {
    (0..length).map(|at| u8::try_from(at % 251).unwrap() ^ salt).collect()
}

/// A file as it is written, piece by piece.
fn pieces(file: FileId, content: &Bytes) -> impl Iterator<Item = Piece> {
    (0u32..).zip(content.chunks(PIECE_BYTES)).map(move |(index, bytes)| Piece { file, index, bytes: Bytes::copy_from_slice(bytes) })
}

async fn put(store: &dyn Store, id: FileId, content: &Bytes) {
    for piece in pieces(id, content) {
        assert_eq!(write(store, [Write::Files(vec![piece])]).await, [Written::Committed(Vec::new())]);
    }
}

async fn read(store: &dyn Store, id: FileId) -> Bytes {
    let mut found = Vec::new();
    for index in 0.. {
        let Some(piece) = store.file(id, index).await.unwrap() else { break };
        assert!(piece.len() == PIECE_BYTES || store.file(id, index + 1).await.unwrap().is_none(), "only the last piece is shorter");
        found.extend_from_slice(&piece);
    }
    found.into()
}

async fn prune(store: &dyn Store, now_ms: u64) -> Pass {
    let mut pass = Pass::new(Keep { events: Some(std::time::Duration::from_secs(1)), ..Keep::default() }, time(now_ms), None);
    while pass.stage != Stage::Done {
        pass = store.prune(pass).await.unwrap();
    }
    pass
}

pub(super) async fn files_of_every_size_come_back(place: &Place) {
    let sizes = [0, 1, 8 * 1024, 8 * 1024 + 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 17];
    let event = event_id(1);
    let all = || (1u16..).zip(sizes).map(|(number, size)| (number, content(size, number.to_be_bytes()[1])));
    {
        let store = place().unwrap();
        // Beside each other, piece by piece.
        for (number, content) in all() {
            put(&*store, file(event, number), &content).await;
        }
        store.write(vec![Write::Accept(with_files(accept(1, &[]), all()))]).await.unwrap();
    }
    let store = place().unwrap();
    for (number, content) in all() {
        assert_eq!(read(&*store, file(event, number)).await, content, "file {number}");
    }
    assert_eq!(read(&*store, file(event, 99)).await, Bytes::new());
    assert_eq!(read(&*store, file(event_id(2), 1)).await, Bytes::new());
    let found = store.event(event).await.unwrap().unwrap();
    assert_eq!(found.head.files.iter().map(|file| usize::try_from(file.size).unwrap()).collect::<Vec<_>>(), sizes);
    let checked = store.check().await.unwrap();
    assert!(checked.problems.is_empty(), "{:?}", checked.problems);
}

pub(super) async fn pieces_are_written_together_with_all_else(place: &Place) {
    let (first, second) = (content(2 * PIECE_BYTES + 1, 1), content(PIECE_BYTES, 2));
    let event = with_files(accept(1, &[]), [(1, first.clone()), (2, second.clone())].into_iter());
    let all: Vec<Piece> = pieces(file(event_id(1), 1), &first).chain(pieces(file(event_id(1), 2), &second)).collect();
    let done = || Written::Committed(Vec::new());
    {
        let store = place().unwrap();
        let (early, late) = all.split_at(2);
        let batch = [Write::Files(early.to_vec()), Write::Files(Vec::new()), Write::Files(late.to_vec()), Write::Accept(event.clone())];
        assert_eq!(write(&*store, batch).await, [done(), done(), done(), new(&event)]);
        // The same once more changes nothing.
        assert_eq!(write(&*store, [Write::Files(all)]).await, [done()]);
    }
    let store = place().unwrap();
    assert_eq!(read(&*store, file(event_id(1), 1)).await, first);
    assert_eq!(read(&*store, file(event_id(1), 2)).await, second);
    let checked = store.check().await.unwrap();
    assert!(checked.problems.is_empty(), "{:?}", checked.problems);
}

pub(super) async fn what_is_missing_of_a_file_is_found(store: &dyn Store) {
    let whole = content(2 * PIECE_BYTES, 1);
    put(store, file(event_id(1), 1), &whole.slice(..PIECE_BYTES)).await;
    store.write(vec![Write::Accept(with_files(accept(1, &[]), [(1, whole)].into_iter()))]).await.unwrap();
    let checked = store.check().await.unwrap();
    assert!(checked.problems.iter().any(|problem| problem.contains("/1 has 262144 bytes, and its event says 524288")), "{checked:?}");
}

pub(super) async fn files_that_no_event_follows_are_forgotten(store: &dyn Store) {
    let (given_up, accepted) = (event_id(1), event_id(2));
    for event in [given_up, accepted] {
        put(store, file(event, 1), &content(3 * PIECE_BYTES, 1)).await;
        put(store, file(event, 2), &content(10, 2)).await;
    }
    let files = [(1, content(3 * PIECE_BYTES, 1)), (2, content(10, 2))];
    store.write(vec![Write::Accept(with_files(accept(2, &[]), files.into_iter()))]).await.unwrap();
    // What was accepted is not to be dropped, whoever asks.
    store.drop_files(accepted).await.unwrap();
    store.drop_files(given_up).await.unwrap();
    assert_eq!(read(store, file(given_up, 1)).await.len() + read(store, file(given_up, 2)).await.len(), 0);
    assert_eq!(read(store, file(accepted, 1)).await.len(), 3 * PIECE_BYTES);

    // One that a crash left: it goes when nobody can be sending it any more, and not before.
    let left = event_id(3);
    put(store, file(left, 1), &content(9 * PIECE_BYTES, 3)).await;
    prune(store, HOUR_MS).await;
    assert_eq!(read(store, file(left, 1)).await.len(), 9 * PIECE_BYTES);
    let pass = prune(store, HOUR_MS + 10).await;
    assert_eq!(read(store, file(left, 1)).await.len(), 0);
    assert_eq!((pass.pruned.events, store.event(accepted).await.unwrap().is_none()), (0, true), "the event went in the first pass");
    assert_eq!(read(store, file(accepted, 1)).await.len(), 0, "its files go after it");
    assert_eq!(store.stats().await.unwrap().kinds.get("files").map_or(0, |tally| tally.count), 0);
}

pub(super) async fn files_of_an_event_that_stays_stay(store: &dyn Store) {
    let event = event_id(1);
    put(store, file(event, 1), &content(10, 1)).await;
    store.write(vec![Write::Accept(with_files(accept(1, &["lead"]), [(1, content(10, 1))].into_iter()))]).await.unwrap();
    prune(store, 3 * HOUR_MS).await;
    assert_eq!(read(store, file(event, 1)).await, content(10, 1), "its run is open");
}
