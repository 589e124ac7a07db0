//! Backups, restores, and what looks after a store, with the program itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use hence::store::kv::redb::Redb;
use hence::store::kv::{Batch, Kv, Order};

use super::check_refused;
use crate::process::{Engine, Project, Serve, apart, hence};

const WORK: &str = "when:\n  - webhook: {path: work, verify: none}\nsteps:\n  - stop: '1'\n";
const LONG: &str = "when:\n  - webhook: {path: long, verify: none}\nsteps:\n  - wait: 2h\n";

fn project() -> Project {
    Project::new().file("workflows/work.yaml", WORK).file("workflows/long.yaml", LONG)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn store(engine: Engine, folder: &Path) -> String {
    format!("{}://{}", engine.name(), folder.display())
}

async fn backup_goes_from_to(from: Engine, to: Engine) {
    let project = project();
    let (dir, data) = (project.dir(), project.data());
    let served = Serve::new(&project, from).start().await;
    let api = served.api();
    let mut known = Vec::new();
    for n in 0..30 {
        known.push(api.hook("work", &[], format!("{{\"n\": {n}}}")).await.event().to_owned());
    }
    let waiting = api.hook("long", &[], "{}").await.runs().pop().unwrap();
    let file = dir.join("all.backup");
    let done = AtomicBool::new(false);
    // Events come while the backup is made.
    let load = async {
        let mut sent = 0;
        while !done.load(Ordering::SeqCst) || sent == 0 {
            api.hook("work", &[], "x".repeat(5_000)).await;
            sent += 1;
        }
    };
    let made = async {
        let made = hence(&["backup", text(&file), "--project", text(&dir), "--data", text(&data)]).await;
        done.store(true, Ordering::SeqCst);
        made
    };
    let (made, ()) = tokio::join!(made, load);
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(served.stop().await, Some(0));

    let other = dir.join("other");
    let place = store(to, &other);
    let restore = ["restore", text(&file), "--project", text(&dir), "--data", text(&other), "--store", &place];
    let restored = hence(&restore).await;
    assert_eq!(restored.code, Some(0), "{}", restored.err);
    check_refused(&hence(&restore).await, 2, &["a store already"]);
    let checked = hence(&["store", "check", "--project", text(&dir), "--store", &place]).await;
    assert_eq!(checked.code, Some(0), "{}{}", checked.out, checked.err);

    let served = Serve::folder(&dir, &other, to).start().await;
    let events = served.api().all("events").await;
    let found: Vec<&str> = events.iter().filter_map(|event| event["id"].as_str()).collect();
    assert!(known.iter().all(|event| found.contains(&event.as_str())), "an acknowledged event is missing");
    assert_eq!(served.api().get(&format!("runs/{waiting}")).await["status"], "waiting");
    let answer = served.api().hook("work", &[], "{}").await;
    assert_eq!(served.api().ended(&answer.runs()[0]).await["status"], "succeeded");
    assert_eq!(served.stop().await, Some(0));
}

#[tokio::test]
async fn a_backup_of_a_running_server_holds_every_acknowledged_event_and_goes_into_any_engine() {
    backup_goes_from_to(Engine::Redb, Engine::Sled).await;
    backup_goes_from_to(Engine::Sled, Engine::Redb).await;
}

#[tokio::test]
async fn a_backup_replaces_nothing_unless_told_and_a_torn_one_is_refused() {
    let project = project();
    let (dir, data) = (project.dir(), project.data());
    let served = Serve::new(&project, Engine::Redb).start().await;
    served.api().hook("work", &[], "{}").await;
    assert_eq!(served.stop().await, Some(0));
    // Without a server it is made from the store itself.
    let file = dir.join("all.backup");
    let of = ["--project", text(&dir), "--data", text(&data)];
    let make = |more: &'static [&'static str]| [&["backup", text(&file)], &of[..], more].concat();
    assert_eq!(hence(&make(&[])).await.code, Some(0));
    let whole = fs::read(&file).unwrap();
    check_refused(&hence(&make(&[])).await, 2, &["all.backup", "--force"]);
    assert_eq!(hence(&make(&["--force"])).await.code, Some(0));
    assert!(!dir.join("all.backup.part").exists());

    let other = dir.join("other");
    let restore = ["restore", text(&file), "--project", text(&dir), "--data", text(&other)];
    fs::write(&file, &whole[..whole.len() - 7]).unwrap();
    check_refused(&hence(&restore).await, 1, &["not a whole backup"]);
    assert!(!other.exists(), "nothing was made of it");
    fs::write(&file, "a shopping list").unwrap();
    check_refused(&hence(&restore).await, 1, &["not a whole backup"]);
    check_refused(&hence(&["restore", "/no/such/file", "--data", text(&other)]).await, 2, &["/no/such/file"]);
    check_refused(&hence(&["backup", text(&dir.join("x")), "--data", text(&other)]).await, 2, &["no store", "--data"]);
    assert!(!other.exists() && !dir.join("x").exists() && !dir.join("x.part").exists());
}

#[tokio::test]
async fn a_store_is_checked_counted_and_compacted() {
    let project = project();
    let (dir, data) = (project.dir(), project.data());
    let served = Serve::new(&project, Engine::Redb).start().await;
    let of = ["--project", text(&dir), "--data", text(&data)];
    let run = |words: &'static [&'static str]| [&["store"], words, &of[..]].concat();
    let event = served.api().hook("work", &[], "{}").await.event().to_owned();
    served.api().hook("long", &[], "{}").await;
    check_refused(&hence(&run(&["check"])).await, 4, &["another process"]);
    // With a server, through it.
    assert_eq!(hence(&run(&["compact"])).await.code, Some(0));
    let online = hence(&run(&["stats", "--format", "json"])).await.json();
    assert_eq!(served.stop().await, Some(0));
    let stats = hence(&run(&["stats", "--format", "json"])).await.json();
    assert_eq!((&stats["kinds"]["events"], &online["kinds"]["events"]), (&online["kinds"]["events"], &stats["kinds"]["events"]));
    assert_eq!(stats["kinds"]["events"]["count"], 2);
    assert_eq!((&stats["workflows"]["long"]["runs"], &stats["workflows"]["long"]["open"]), (&1.into(), &1.into()));
    let shown = hence(&run(&["stats"])).await;
    assert!(shown.out.contains("open runs") && shown.out.contains("WORKFLOW"), "{}", shown.out);
    let checked = hence(&run(&["check"])).await;
    assert_eq!(checked.code, Some(0), "{}", checked.out);
    assert_eq!(hence(&run(&["compact"])).await.code, Some(0));
    assert_eq!(hence(&run(&["check"])).await.code, Some(0));

    // Somebody takes an event away.
    apart(|| {
        let kv = Redb::open(&data).unwrap();
        let mut batch = Batch::default();
        kv.range(b"e", b"f", Order::Ascending, &mut |key, value| {
            if String::from_utf8_lossy(value).contains(&event) {
                batch.delete(key.to_vec());
            }
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
        assert!(!batch.is_empty());
        kv.apply(&batch).unwrap();
    });
    let checked = hence(&run(&["check"])).await;
    assert_eq!(checked.code, Some(4), "{}", checked.err);
    assert!(checked.out.contains(&event) && checked.err.contains("hence restore"), "{} {}", checked.out, checked.err);
    check_refused(&hence(&["store", "check", "--data", text(&dir.join("nothing"))]).await, 2, &["no store"]);
    assert!(!dir.join("nothing").exists());
}
