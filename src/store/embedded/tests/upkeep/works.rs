//! The pieces of work, and what each says of itself.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use ring::digest::{SHA256, digest};

use super::super::super::super::{Ages, Keep, Pass, Stage};
use super::*;

pub(super) const DAY: Duration = Duration::from_secs(86_400);
const NOW: Timestamp = Timestamp(40 * 86_400_000);

type Work = fn(Given) -> BoxFuture<'static, Result<String, StoreError>>;

/// What a piece of work has.
pub(super) struct Given {
    pub(super) store: Arc<dyn Store>,
    /// Of a full store.
    pub(super) backup: Arc<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    Full,
    Empty,
}

/// A piece of work, on a store that holds something or nothing. It says what it found, where that is the same on a second try.
pub(super) struct Op {
    pub(super) name: &'static str,
    pub(super) begins: Begins,
    pub(super) work: Work,
}

impl Op {
    const fn new(name: &'static str, begins: Begins, work: Work) -> Self {
        Self { name, begins, work }
    }
}

pub(super) const OPS: [Op; 8] = [
    Op::new("prune by age", Begins::Full, |given| Box::pin(prune(given, month(), None))),
    Op::new("prune by bytes", Begins::Full, |given| Box::pin(prune(given, Keep::default(), Some(NOW)))),
    Op::new("forget keys", Begins::Full, |given| Box::pin(forget(given))),
    Op::new("compact", Begins::Full, |given| Box::pin(compact(given))),
    Op::new("backup", Begins::Full, |given| Box::pin(back_up(given))),
    Op::new("restore", Begins::Empty, |given| Box::pin(restore(given))),
    Op::new("check", Begins::Full, |given| Box::pin(check(given))),
    Op::new("stats", Begins::Full, |given| Box::pin(stats(given))),
];

fn month() -> Keep {
    Keep { runs: Ages::all(Some(30 * DAY)), events: Some(30 * DAY), ..Keep::default() }
}

async fn prune(given: Given, keep: Keep, over: Option<Timestamp>) -> Result<String, StoreError> {
    let mut pass = Pass::new(keep, NOW, over);
    while pass.stage != Stage::Done {
        pass = given.store.prune(pass).await?;
    }
    Ok(String::new())
}

async fn forget(given: Given) -> Result<String, StoreError> {
    while given.store.forget_keys(Timestamp(1_000), 4).await? != 0 {}
    Ok(String::new())
}

async fn compact(given: Given) -> Result<String, StoreError> {
    given.store.compact().await.map(|_| String::new())
}

async fn back_up(given: Given) -> Result<String, StoreError> {
    let (mut pieces, mut bytes) = (given.store.backup().await?, Vec::new());
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => bytes.extend(piece),
            Err(error) => {
                assert!(verify(&*bytes).is_err(), "what came before the error is no backup");
                return Err(error);
            }
        }
    }
    Ok(format!("{:?} {:?}", verify(&*bytes)?, digest(&SHA256, &bytes)))
}

async fn restore(given: Given) -> Result<String, StoreError> {
    let records = given.store.restore(Box::new(io::Cursor::new(given.backup.to_vec()))).await?;
    Ok(records.to_string())
}

async fn check(given: Given) -> Result<String, StoreError> {
    given.store.check().await.map(|checked| format!("{checked:?}"))
}

async fn stats(given: Given) -> Result<String, StoreError> {
    let stats = given.store.stats().await?;
    Ok(format!("{:?} {:?} {:?} {:?}", stats.kinds, stats.workflows, stats.oldest, stats.newest))
}
