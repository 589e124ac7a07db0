//! Cuts among children, branches, loops, questions to a person and events that runs wait for.

mod check;
mod known;
mod people;

use std::collections::BTreeSet;

use self::check::look_at;
use self::known::{Known, project};
use self::people::People;
use crate::chance::Chance;
use crate::cuts::{At, SEED, switch};
use crate::disk::{Disk, can_run};
use crate::life::Life;
use crate::process::{Engine, note};

/// Disks of one engine, each new and cut again and again. More of them: `HENCE_POWER_CUT_DISKS`.
const DISKS: u64 = 2;
/// Lives of one disk.
const LIVES: u64 = 3;
/// Cuts in one life whose copies are looked at and thrown away; the last one is lived on.
const COPIES: usize = 3;
/// New events of one life.
const EVENTS: u64 = 24;
/// How much happens before the first cut of a life, at most: some events have no answer yet.
const EARLY: u64 = 16;
/// Calls between two cuts of a life, at most. An event brings six without anybody's help.
const BETWEEN: u64 = 35;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redb_keeps_children_and_answers_when_the_power_is_cut() {
    cut_again_and_again(Engine::Redb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sled_keeps_children_and_answers_when_the_power_is_cut() {
    cut_again_and_again(Engine::Sled).await;
}

/// What was done, for the record.
#[derive(Default)]
struct Count {
    cuts: usize,
    acknowledged: usize,
    unanswered: usize,
    /// Questions that were answered before a cut, and that were open then.
    answered: usize,
    open: usize,
    /// Cuts after which something was left to do.
    under_way: usize,
}

async fn cut_again_and_again(engine: Engine) {
    if !can_run(&format!("power cuts of {} with children and questions", engine.name())) {
        return;
    }
    let (seed, disks) = (switch("HENCE_POWER_CUT_SEED", SEED), switch("HENCE_POWER_CUT_DISKS", DISKS));
    let mut count = Count::default();
    for disk in 0..disks {
        let mut at = At(format!("seed {seed}, {}, disk {disk} with children", engine.name()));
        let mut chance = Chance::new(seed.wrapping_mul(1_000_037) ^ (disk << 8) ^ u64::from(engine == Engine::Sled));
        live(engine, &mut chance, &mut count, &mut at).await;
    }
    let Count { cuts, acknowledged, unanswered, answered, open, under_way } = count;
    note(&format!(
        "{}: seed {seed}, {cuts} power cuts among children, branches and questions ({under_way} with runs under way; {answered} times a question was answered, \
         {open} times open), {acknowledged} events acknowledged, {unanswered} cut off before their answer, none lost, no answer asked for again, no \
         child and no finished step repeated",
        engine.name()
    ));
    assert!((0 < under_way && 0 < answered && 0 < open) || disks < DISKS, "nothing was going on when the power went");
}

/// All lives of one disk, from the first byte.
async fn live(engine: Engine, chance: &mut Chance, count: &mut Count, at: &mut At) {
    let base = at.0.clone();
    let mut known = Known::default();
    let mut disk = Disk::new();
    for life_number in 0..LIVES {
        at.0 = format!("{base}, life {life_number}");
        let life = Life::serving(project, disk.mount(), engine, &[]).await;
        let new = known.next..known.next + EVENTS;
        known.next = new.end;
        let sending = life.send_numbers(known.unanswered.iter().copied().chain(new), chance);
        let people = People::new();
        let mut copies = Vec::new();
        let cutting = async {
            life.moment(chance, EARLY).await;
            for _ in 0..COPIES {
                let mut seen = known.clone();
                if chance.below(2) == 0 {
                    look(&life, &mut seen).await;
                }
                copies.push((life.cut(chance), known_now(&life, &people, &seen)));
                life.served.go_on();
                life.moment_of_calls(chance, BETWEEN).await;
            }
            life.cut(chance)
        };
        let last = tokio::select! {
            last = cutting => last,
            () = people.live(&life, &known) => unreachable!(),
        };
        let (told, unanswered, seen) = life.over(sending).await;
        known.told.extend(told);
        known.unanswered = unanswered;
        known.learn(&seen);
        people.add_to(&mut known);
        count.cuts += COPIES + 1;
        count.unanswered += known.unanswered.len();
        for (index, (copy, mut known)) in copies.into_iter().enumerate() {
            at.0 = format!("{base}, life {life_number}, copy {index}");
            look_at(copy, engine, &mut known, count).await;
        }
        disk = last;
    }
    at.0 = format!("{base}, the end");
    look_at(disk, engine, &mut known, count).await;
    count.acknowledged += known.told.len();
}

/// What the API shows as done, to be held to it after the cut.
async fn look(life: &Life, known: &mut Known) {
    let runs = life.api.all("runs").await;
    let over: BTreeSet<&str> = runs.iter().filter(|run| run["status"] == "succeeded").map(|run| run["id"].as_str().unwrap()).collect();
    let (told, _) = life.sent();
    let told = told.iter().chain(&known.told);
    known.over.extend(told.filter(|(_, (_, run))| over.contains(&**run)).map(|(number, _)| *number));
}

/// What is known while the server stands still.
fn known_now(life: &Life, people: &People, before: &Known) -> Known {
    let mut known = before.clone();
    let (told, unanswered) = life.sent();
    known.told.extend(told);
    known.unanswered = unanswered;
    known.learn(&life.receiver.seen());
    people.add_to(&mut known);
    known
}
