//! An engine whose syncs do nothing.

use std::process::Command;

use super::found;
use crate::chance::Chance;
use crate::check::check;
use crate::disk::{Disk, can_run};
use crate::life::{Known, Life};
use crate::process::{Engine, must, skip};

/// The calls that make a write durable, all of them turned into nothing. `-D`: the tracer is not the parent.
pub(super) const NO_SYNC: &[&str] = &[
    "strace",
    "-D",
    "-f",
    "--seccomp-bpf",
    "-o",
    "/dev/null",
    "-e",
    "trace=fsync,fdatasync,sync_file_range,msync,syncfs,sync",
    "-e",
    "inject=fsync,fdatasync,sync_file_range,msync,syncfs,sync:retval=0",
];

pub(super) fn can_trace(test: &str) -> bool {
    // The same tracer on a program that does nothing.
    let traced = Command::new("strace").args(&NO_SYNC[1..]).arg("true").output();
    match traced {
        Ok(ran) if ran.status.success() => true,
        Ok(ran) => {
            skip(test, &format!("strace cannot trace here: {}", String::from_utf8_lossy(&ran.stderr)));
            false
        }
        Err(error) => {
            skip(test, &format!("strace: {error}"));
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_whose_syncs_do_nothing_is_caught() {
    let test = "a_store_whose_syncs_do_nothing_is_caught";
    if !can_run(test) || !can_trace(test) {
        return;
    }
    for engine in [Engine::Redb, Engine::Sled] {
        for (under, guilty) in [(&[][..], false), (NO_SYNC, true)] {
            let mut chance = Chance::new(3);
            let mut known = Known::default();
            // Established by an engine that does sync.
            let life = Life::start(Disk::new().mount(), engine, &[]).await;
            must("the first events are answered", life.send(&mut known, 10, &mut chance).wait()).await;
            let disk = life.cut_now();
            known = life.known(&known);
            drop(life);
            let life = Life::start(disk.mount(), engine, under).await;
            check(&life, &mut known).await;
            must("more events are answered", life.send(&mut known, 10, &mut chance).wait()).await;
            let disk = life.cut_now();
            known = life.known(&known);
            drop(life);
            assert_eq!(known.told.len(), 20);
            let found = found(disk, engine, known).await;
            assert_eq!(found.is_some(), guilty, "{engine:?}, {under:?}: {found:?}");
        }
    }
}
