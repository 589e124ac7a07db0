//! The cuts during compactions must be able to find something: a new file that takes the old one's place before its
//! content is on the disk is caught.

use http::StatusCode;

use super::found;
use super::unsynced::{NO_SYNC, can_trace};
use crate::chance::Chance;
use crate::check::check;
use crate::disk::{Disk, can_run};
use crate::life::{Known, Life};
use crate::process::{Engine, must};

/// What the power goes after, and what is then said of the store.
#[derive(Debug, Clone, Copy)]
struct Trial {
    engine: Engine,
    syncs: bool,
    compacts: bool,
    guilty: Option<&'static str>,
}

const TRIALS: [Trial; 5] = [
    Trial { engine: Engine::Redb, syncs: true, compacts: true, guilty: None },
    // What was there before is not lost by itself: it is the exchange that is found guilty. (sled writes more than its log, so
    // it is known by the words.)
    Trial { engine: Engine::Redb, syncs: false, compacts: false, guilty: None },
    Trial { engine: Engine::Redb, syncs: false, compacts: true, guilty: Some("magic number mismatch") },
    Trial { engine: Engine::Sled, syncs: true, compacts: true, guilty: None },
    Trial { engine: Engine::Sled, syncs: false, compacts: true, guilty: Some("its log holds nothing that sled wrote") },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_whose_syncs_do_nothing_is_caught() {
    let test = "a_compaction_whose_syncs_do_nothing_is_caught";
    if !can_run(test) || !can_trace(test) {
        return;
    }
    for trial in TRIALS {
        let Trial { engine, syncs, compacts, guilty } = trial;
        let mut chance = Chance::new(5);
        let mut known = Known::default();
        let life = Life::start(Disk::new().mount(), engine, &[]).await;
        must("the events are answered", life.send(&mut known, 10, &mut chance).wait()).await;
        (known.told, _) = life.sent();
        check(&life, &mut known).await;
        let disk = life.cut_now();
        drop(life);
        let life = Life::start(disk.mount(), engine, if syncs { &[] } else { NO_SYNC }).await;
        if compacts {
            assert_eq!(life.api.post("store/compact").await, StatusCode::OK);
        }
        life.served.pause();
        life.mounted.commit();
        let disk = life.cut_now();
        drop(life);
        let found = found(disk, engine, known).await;
        let is_so = found.as_ref().map_or(guilty.is_none(), |found| guilty.is_some_and(|words| found.contains(words)));
        assert!(is_so, "{trial:?}: {found:?}");
    }
}
