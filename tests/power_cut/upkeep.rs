//! Cuts while retention removes what is old and compactions put a new file in the old one's place.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use hence::clock::{Clock, SystemClock};
use http::StatusCode;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::chance::Chance;
use crate::check::{check_calls, check_resent, check_run, ids};
use crate::cuts::{At, SEED, switch};
use crate::disk::{Disk, Mounted, can_run};
use crate::hurried;
use crate::life::{Known, Life, TALLY, WORK, cut_while_opening, data, moment};
use crate::process::{Api, Engine, Project, Receiver, hence, must, note};

/// Disks of one engine. The even ones forget by age, the odd ones by size. More of them: `HENCE_POWER_CUT_DISKS`.
const DISKS: u64 = 2;
/// Lives of one disk, each with a clock that runs fast.
const LIVES: u32 = 2;
/// Cuts in one life whose copies are looked at and thrown away; the last one is lived on.
const COPIES: usize = 6;
/// New events of one life.
const EVENTS: u64 = 100;
/// How much happens between two cuts of a life, at most.
const BETWEEN: u64 = 14;
/// The most between two compactions.
const REST_MAX_US: u64 = 20_000;
/// How long ago the first life begins, and how long one may be, in its own time. What follows a cut lives in the present.
const DAY: Duration = Duration::from_secs(86_400);
const AGO_DAYS: u32 = 200;
const LIFE_DAYS: u32 = 90;

/// What is kept on a disk.
#[derive(Debug, Clone, Copy)]
struct Kept {
    retention: &'static str,
    /// Whether runs whose workflow says so are kept in any case.
    forever: bool,
}

const BY_AGE: Kept = Kept { retention: "{age: 1h, bytes: unlimited}", forever: true };
const BY_SIZE: Kept = Kept { retention: "{age: forever, bytes: 300KiB}", forever: false };

/// Some runs wait while others are forgotten; what counts them is to be kept.
fn project(receiver: &Receiver, kept: Kept) -> Project {
    // Until a time of its own, so that no wait begins in the present; what is sent again there does not wait at all.
    let wait = r#"{until: 'add(event.time, "40m")'}"#;
    let work = WORK.replace("within: 24h", "within: 3650d").replace("150ms", wait);
    let work = work.replace("event.body.number % 5 == 0", r#"event.body.number % 5 == 0 && event.body.pad != """#);
    let tally = format!("keep: forever\n{TALLY}");
    let settings = format!("limits: {{disk_free: 4KiB}}\nretention: {}\n", kept.retention);
    Project::calling(receiver.address, "work", &work).file("workflows/tally.yaml", &tally).file("hence.yaml", &settings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redb_keeps_the_promise_while_it_forgets_and_compacts() {
    cut_again_and_again(Engine::Redb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sled_keeps_the_promise_while_it_forgets_and_compacts() {
    cut_again_and_again(Engine::Sled).await;
}

/// What was done, for the record.
#[derive(Default)]
struct Count {
    cuts: usize,
    opening: usize,
    compacting: usize,
    compacted: usize,
    acknowledged: usize,
    /// Runs that were gone when a copy was looked at, and those of them whose events were still there.
    gone: usize,
    half_way: usize,
}

async fn cut_again_and_again(engine: Engine) {
    if !can_run(&format!("power cuts of {} while it forgets and compacts", engine.name())) {
        return;
    }
    let (seed, disks) = (switch("HENCE_POWER_CUT_SEED", SEED), switch("HENCE_POWER_CUT_DISKS", DISKS));
    let mut count = Count::default();
    for disk in 0..disks {
        let kept = if disk % 2 == 0 { BY_AGE } else { BY_SIZE };
        let mut at = At(format!("seed {seed}, {}, forgetting disk {disk}", engine.name()));
        let mut chance = Chance::new(seed.wrapping_mul(1_000_033) ^ (disk << 8) ^ u64::from(engine == Engine::Sled));
        live(engine, kept, &mut chance, &mut count, &mut at).await;
    }
    let Count { cuts, opening, compacting, compacted, acknowledged, gone, half_way } = count;
    note(&format!(
        "{}: seed {seed}, {cuts} power cuts while old runs were forgotten ({compacting} during one of {compacted} compactions, {half_way} between \
         the end of a run and that of its event, {opening} while it opened again), {acknowledged} events acknowledged, {gone} times a run was gone \
         as it should, none lost, no finished step repeated",
        engine.name()
    ));
    assert!((0 < gone && 0 < compacting) || disks < DISKS, "nothing was forgotten, or nothing compacted, when the power went");
}

/// Compacts again and again, as long as it lives.
struct Compacting {
    under_way: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Compacting {
    fn begin(api: Api, mut chance: Chance) -> Self {
        let (under_way, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (now, count) = (Arc::clone(&under_way), Arc::clone(&done));
        let task = TaskTracker::new().spawn(async move {
            loop {
                moment(&mut chance, REST_MAX_US).await;
                now.store(true, SeqCst);
                assert_eq!(api.post("store/compact").await, StatusCode::OK);
                now.store(false, SeqCst);
                count.fetch_add(1, SeqCst);
            }
        });
        Self { under_way, done, task }
    }

    fn is_under_way(&self) -> bool {
        assert!(!self.task.is_finished(), "a compaction was refused");
        self.under_way.load(SeqCst)
    }
}

impl Drop for Compacting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// All lives of one disk, from the first byte.
async fn live(engine: Engine, kept: Kept, chance: &mut Chance, count: &mut Count, at: &mut At) {
    let base = at.0.clone();
    let first = SystemClock.now().before(DAY * AGO_DAYS);
    let mut known = Known::default();
    let mut disk = Disk::new();
    for life_number in 0..LIVES {
        at.0 = format!("{base}, life {life_number}");
        let under = hurried::under(first.after(DAY * LIFE_DAYS * life_number));
        let under: Vec<&str> = under.iter().map(String::as_str).collect();
        let life = Life::serving(|receiver| project(receiver, kept), disk.mount(), engine, &under).await;
        let mut before = known.clone();
        let sending = life.send(&mut known, EVENTS, chance);
        before.next = known.next;
        let compacting = Compacting::begin(life.api.clone(), Chance::new(chance.below(u64::MAX)));
        let mut copies = Vec::new();
        for _ in 0..COPIES {
            life.moment(chance, BETWEEN).await;
            let mut seen = before.clone();
            if chance.below(2) == 0 {
                life.look(&mut seen).await;
            }
            let copy = life.cut(chance);
            count.compacting += usize::from(compacting.is_under_way());
            copies.push((copy, life.known(&seen)));
            life.served.go_on();
        }
        life.moment(chance, BETWEEN).await;
        disk = life.cut(chance);
        count.compacting += usize::from(compacting.is_under_way());
        count.compacted += compacting.done.load(SeqCst);
        drop(compacting);
        known = life.end(sending, &before).await;
        count.cuts += COPIES + 1;
        for (index, (copy, mut known)) in copies.into_iter().enumerate() {
            at.0 = format!("{base}, life {life_number}, copy {index}");
            let again = index % 2 == 1;
            let copy = if again {
                count.cuts += 1;
                count.opening += 1;
                cut_while_opening(|receiver| project(receiver, kept), copy, engine, chance, &mut known).await
            } else {
                copy
            };
            look_at(copy, engine, kept, &mut known, count).await;
        }
    }
    at.0 = format!("{base}, the end");
    look_at(disk, engine, kept, &mut known, count).await;
    count.acknowledged += known.told.len();
}

/// Serves a copy in the present, where nothing is forgotten for the first minute, and checks it.
async fn look_at(copy: Disk, engine: Engine, kept: Kept, known: &mut Known, count: &mut Count) {
    let mounted = copy.mount();
    // The first to open it is once the one and once the other.
    if count.cuts.is_multiple_of(2) {
        is_whole(&mounted, engine).await;
    }
    let life = Life::serving(|receiver| project(receiver, kept), mounted, engine, &[]).await;
    let (gone, half_way) = check_kept(&life, known, kept).await;
    count.gone += gone;
    count.half_way += usize::from(0 < half_way);
    let runs = ids(&life.api.all("runs").await);
    assert_eq!(life.api.post("store/compact").await, StatusCode::OK, "it can be compacted again");
    assert_eq!(ids(&life.api.all("runs").await), runs);
    assert_eq!(life.served.stop().await, Some(0));
    is_whole(&life.mounted, engine).await;
}

/// Nothing is left of what was removed, and nothing is missing of what was not.
async fn is_whole(mounted: &Mounted, engine: Engine) {
    let (data, url) = (data(mounted), format!("{}://{}", engine.name(), data(mounted).display()));
    let ran = hence(&["store", "check", "--project", data.to_str().unwrap(), "--store", &url]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// What was acknowledged is there, or was over and forgotten. How many runs are gone, and of how many of those the event is not yet.
async fn check_kept(life: &Life, known: &mut Known, kept: Kept) -> (usize, usize) {
    let events = ids(&life.api.all("events").await);
    let runs = ids(&life.api.all("runs").await);
    let (mut gone, mut half_way) = (0, 0);
    for (number, (event, run)) in &known.told {
        if runs.contains(run) {
            assert!(events.contains(event), "{run} is there without its event {event}");
            continue;
        }
        assert!(known.done.contains(&format!("{run}/a")), "{run} of the acknowledged event {number} is gone and was not over");
        gone += 1;
        half_way += usize::from(events.contains(event));
    }
    for run in known.counted.values().filter(|_| kept.forever) {
        assert!(runs.contains(run), "{run} is to be kept and is gone");
    }
    check_resent(life, known).await;
    let all_counted = |known: &Known| {
        let seen = life.receiver.seen();
        let now: BTreeSet<u64> = seen.iter().filter(|call| call.path == "/c").map(|call| call.body["number"].as_u64().unwrap()).collect();
        known.told.keys().all(|number| known.counted.contains_key(number) || now.contains(number))
    };
    let listed = must("all runs end", async {
        loop {
            let counted = all_counted(known);
            let runs = life.api.all("runs").await;
            if counted && runs.iter().all(|run| matches!(run["status"].as_str(), Some("succeeded" | "failed" | "canceled"))) {
                return runs;
            }
        }
    })
    .await;
    check_calls(life, known);
    assert_eq!(known.counted.len(), known.told.len(), "each number was counted once");
    let events = ids(&life.api.all("events").await);
    let seen = life.receiver.seen();
    let went_on: BTreeSet<&str> = seen.iter().map(|call| call.body["run"].as_str().unwrap()).collect();
    let own = |run: &str| known.told.iter().find(|(_, (_, told))| told == run).map(|(number, _)| *number);
    for run in &listed {
        let id = run["id"].as_str().unwrap();
        assert!(events.contains(run["event"].as_str().unwrap()), "{run} has no event");
        let number = own(id);
        assert_eq!(number.is_some(), run["workflow"] == "work", "a number has one run, and there are no others: {run}");
        // `hence store check` reads the others.
        if went_on.contains(id) {
            check_run(life, id, number).await;
        }
        assert_eq!(run["status"], "succeeded", "{run}");
    }
    (gone, half_way)
}
