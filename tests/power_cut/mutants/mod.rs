//! The checks must be able to fail: an engine whose syncs do nothing, under load and in a compaction, a store that answers
//! before it has written, and one that does not look at the epoch are all caught by them.

mod early;
mod epoch;
mod exchange;
mod unsynced;

use tokio_util::task::TaskTracker;

use crate::check::check;
use crate::disk::Disk;
use crate::life::{Known, Life, TALLY, WORK};
use crate::process::Engine;
use crate::support::Project;

/// What a server that is started on this disk is found guilty of.
async fn found(disk: Disk, engine: Engine, mut known: Known) -> Option<String> {
    let checked = TaskTracker::new().spawn(async move {
        let life = Life::start(disk.mount(), engine, &[]).await;
        check(&life, &mut known).await;
    });
    let panic = checked.await.err()?.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.unwrap_or_else(|| (*panic.downcast_ref::<&str>().unwrap()).to_owned()))
}

fn project() -> Project {
    let project = Project::new(&[("workflows/work.yaml", WORK), ("workflows/tally.yaml", TALLY)]);
    project.write("hence.yaml", "connections:\n  there: {connector: http, base_url: \"http://there.test\"}\n");
    project
}
