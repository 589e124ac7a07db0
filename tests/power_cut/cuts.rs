//! Cut after cut.

use crate::chance::Chance;
use crate::check::check;
use crate::disk::{Disk, can_run};
use crate::life::{Known, Life, cut_while_opening, project};
use crate::process::{Engine, note};

/// Disks of one engine, each new and cut again and again. More of them: `HENCE_POWER_CUT_DISKS`.
const DISKS: u64 = 6;
/// Lives of one disk.
const LIVES: u64 = 4;
/// Cuts in one life whose copies are looked at and thrown away; the last one is lived on.
const COPIES: usize = 3;
/// New events of one life.
const EVENTS: u64 = 60;
/// How much happens between two cuts of a life, at most.
const BETWEEN: u64 = 16;
/// Another seed: `HENCE_POWER_CUT_SEED`.
pub(crate) const SEED: u64 = 1;

#[expect(clippy::disallowed_methods, reason = "the tests' own switches are no settings of hence")]
pub(crate) fn switch(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redb_keeps_the_promise_when_the_power_is_cut() {
    cut_again_and_again(Engine::Redb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sled_keeps_the_promise_when_the_power_is_cut() {
    cut_again_and_again(Engine::Sled).await;
}

/// Says where it was when a check fails.
pub(crate) struct At(pub(crate) String);

impl Drop for At {
    fn drop(&mut self) {
        if std::thread::panicking() {
            note(&format!("this was {}", self.0));
        }
    }
}

/// What was done, for the record.
#[derive(Default)]
struct Count {
    cuts: usize,
    opening: usize,
    reloading: usize,
    acknowledged: usize,
    unanswered: usize,
}

async fn cut_again_and_again(engine: Engine) {
    if !can_run(&format!("power cuts of {}", engine.name())) {
        return;
    }
    let (seed, disks) = (switch("HENCE_POWER_CUT_SEED", SEED), switch("HENCE_POWER_CUT_DISKS", DISKS));
    let mut count = Count::default();
    for disk in 0..disks {
        let mut at = At(format!("seed {seed}, {}, disk {disk}", engine.name()));
        let mut chance = Chance::new(seed.wrapping_mul(1_000_003) ^ (disk << 8) ^ u64::from(engine == Engine::Sled));
        live(engine, &mut chance, &mut count, &mut at).await;
    }
    let Count { cuts, opening, reloading, acknowledged, unanswered } = count;
    note(&format!(
        "{}: seed {seed}, {cuts} power cuts ({opening} while it opened, {reloading} while it reloaded), {acknowledged} events acknowledged, \
         {unanswered} cut off before their answer, none lost, no finished step repeated",
        engine.name()
    ));
    assert!(0 < unanswered || disks < DISKS, "no request was cut off, so the cuts came at rest");
}

/// All lives of one disk, from the first byte.
async fn live(engine: Engine, chance: &mut Chance, count: &mut Count, at: &mut At) {
    let base = at.0.clone();
    let mut known = Known::default();
    let mut disk = opening(Disk::new(), engine, chance, &mut known, count).await;
    for life_number in 0..LIVES {
        at.0 = format!("{base}, life {life_number}");
        let life = Life::start(disk.mount(), engine, &[]).await;
        check(&life, &mut known).await;
        let mut before = known.clone();
        let sending = life.send(&mut known, EVENTS, chance);
        before.next = known.next;
        let mut copies = Vec::new();
        for _ in 0..COPIES {
            life.moment(chance, BETWEEN).await;
            let mut seen = before.clone();
            if chance.below(2) == 0 {
                life.look(&mut seen).await;
            }
            let copy = life.cut(chance);
            copies.push((copy, life.known(&seen)));
            life.served.go_on();
        }
        let reloads = life_number % 2 == 1;
        if reloads {
            life.reload(life_number);
        } else {
            life.look(&mut before).await;
        }
        crate::life::moment(chance, if reloads { RELOAD_MAX_US } else { 1 }).await;
        let last = life.cut(chance);
        known = life.end(sending, &before).await;
        count.cuts += COPIES + 1;
        count.reloading += usize::from(reloads);
        count.unanswered += known.unanswered.len();
        for (index, (copy, mut known)) in copies.into_iter().enumerate() {
            at.0 = format!("{base}, life {life_number}, copy {index}");
            let life = Life::start(copy.mount(), engine, &[]).await;
            check(&life, &mut known).await;
            assert_eq!(life.served.stop().await, Some(0));
        }
        disk = opening(last, engine, chance, &mut known, count).await;
    }
    at.0 = format!("{base}, the end");
    let life = Life::start(disk.mount(), engine, &[]).await;
    check(&life, &mut known).await;
    count.acknowledged += known.told.len();
    assert_eq!(life.served.stop().await, Some(0));
}

/// How long a reload may take here.
const RELOAD_MAX_US: u64 = 40_000;

async fn opening(disk: Disk, engine: Engine, chance: &mut Chance, known: &mut Known, count: &mut Count) -> Disk {
    count.cuts += 1;
    count.opening += 1;
    cut_while_opening(project, disk, engine, chance, known).await
}
