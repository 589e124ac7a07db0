//! `cargo bench --bench sleepers`: a million runs that wait. How long they take to load from redb, what each
//! one costs in memory, and how late those wake that are due. Prints figures and judges nothing.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a bench measures with the wall clock, prints, and has failed when it cannot go on"
)]

mod parked;

use std::time::{Duration, Instant};

use hence::clock::{Clock, SystemClock};
use hence::domain::run::Status;
use hence::store::embedded::{self, Settings};

use parked::{fill, run_id, serve};

const SLEEPERS: u64 = 1_000_000;
/// So many of them wake while the bench looks on, one each millisecond.
const WAKING: u64 = 10_000;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("workflows")).unwrap();
    std::fs::write(folder.path().join(format!("workflows/{}.yaml", parked::NAME)), parked::WORKFLOW).unwrap();
    let url = format!("redb://{}", folder.path().join("store").display());

    let store = embedded::open(&url, Settings::default()).unwrap();
    let revision = parked::revision(folder.path(), &store).await;
    let begun = Instant::now();
    let far = SystemClock.now().after(Duration::from_secs(86_400));
    fill(&*store, revision, WAKING..SLEEPERS, |_| far).await;
    let filled = begun.elapsed();
    drop(store);

    let store = embedded::open(&url, Settings::default()).unwrap();
    let begun = Instant::now();
    let open = store.load().await.unwrap();
    let loaded = begun.elapsed();
    let count = open.len();
    drop(open);
    // What the engine keeps of its file is in memory now, so the difference is the executor's.
    let before = resident_bytes();
    let begun = Instant::now();
    let app = serve(folder.path(), &store).await;
    let started = begun.elapsed();
    let each = (resident_bytes() - before) / f64::from(u32::try_from(count).unwrap());
    app.stop().await;

    // Those that wake are stored last, so that they are not due before the server is there.
    let first = SystemClock.now().after(Duration::from_secs(30));
    let due = |n: u64| first.after(Duration::from_millis(n));
    fill(&*store, revision, 0..WAKING, due).await;
    let app = serve(folder.path(), &store).await;
    let margin = first.since(SystemClock.now());
    SystemClock.sleep_until(due(WAKING).after(Duration::from_secs(5))).await;
    let mut late_ms = Vec::new();
    for n in 0..WAKING {
        let run = store.run(run_id(n)).await.unwrap().unwrap();
        assert_eq!(run.status, Status::Succeeded, "run {n} is due and has not ended");
        late_ms.push(run.updated.0 - due(n).0);
    }
    late_ms.sort_unstable();
    app.stop().await;

    println!("sleepers                {count}");
    println!("stored in, s            {:.1}", filled.as_secs_f64());
    println!("load from redb, s       {:.2}", loaded.as_secs_f64());
    println!("start of the server, s  {:.2}", started.as_secs_f64());
    println!("memory of one, bytes    {each:.0}");
    println!("waking 1,000/s, margin  {:.1} s after the start", margin.as_secs_f64());
    let at = |part: usize| late_ms[(late_ms.len() - 1) * part / 1000];
    println!("late by, ms             median {}  p99 {}  max {}", at(500), at(990), at(1000));
}

fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    resident.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
}
