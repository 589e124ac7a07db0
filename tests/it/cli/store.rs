//! A store that is in use, damaged, or of a newer hence: exit 4, and nothing is written.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use hence::store::embedded::FORMAT;
use hence::store::kv::redb::Redb;
use hence::store::kv::sled::Sled;
use hence::store::kv::{Batch, Kv, Order};
use http::StatusCode;

use super::check_refused;
use crate::process::{Engine, Project, Serve, apart};

const WORK: &str = "when:\n  - webhook: {path: work, verify: none}\nsteps:\n  - stop: '1'\n";
/// Where the number of the data format lies; `src/store/embedded/key.rs` lays it down.
const FORMAT_KEY: &[u8] = b"mformat";

/// A project whose store has one finished run in it.
async fn used(engine: Engine) -> (Project, Serve) {
    let project = Project::new().file("workflows/work.yaml", WORK);
    let serve = Serve::new(&project, engine);
    let served = serve.start().await;
    let run = served.api().hook("work", &[], "{}").await.runs().pop().unwrap();
    served.api().ended(&run).await;
    assert_eq!(served.stop().await, Some(0));
    (project, serve)
}

fn with<T>(engine: Engine, folder: &Path, work: impl FnOnce(&dyn Kv) -> T) -> T {
    apart(|| match engine {
        Engine::Redb => work(&Redb::open(folder).unwrap()),
        Engine::Sled => work(&Sled::open(folder).unwrap()),
    })
}

/// Everything in a store.
fn content(engine: Engine, folder: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut keep = |key: &[u8], value: &[u8]| {
        all.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    };
    with(engine, folder, |kv| kv.range(&[], &[u8::MAX], Order::Ascending, &mut keep)).unwrap();
    all
}

#[tokio::test]
async fn a_data_folder_in_use_exits_with_4_and_the_first_server_goes_on() {
    for engine in [Engine::Redb, Engine::Sled] {
        let project = Project::new().file("workflows/work.yaml", WORK);
        let serve = Serve::new(&project, engine);
        let served = serve.start().await;
        let data = project.data();
        check_refused(&serve.refused().await, 4, &[data.to_str().unwrap(), "another process"]);
        let answer = served.api().hook("work", &[], "{}").await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        assert_eq!(served.api().ended(&answer.runs()[0]).await["status"], "succeeded");
        let url = fs::read_to_string(data.join("address")).unwrap();
        assert_eq!(url.trim(), served.url, "the one that was refused leaves the address alone");
    }
}

#[tokio::test]
async fn a_store_of_a_newer_format_exits_with_4_and_is_left_as_it_is() {
    for engine in [Engine::Redb, Engine::Sled] {
        let (project, serve) = used(engine).await;
        let data = project.data();
        let mut batch = Batch::default();
        batch.put(FORMAT_KEY.to_vec(), (FORMAT + 1).to_be_bytes().to_vec());
        with(engine, &data, |kv| kv.apply(&batch)).unwrap();
        let before = content(engine, &data);
        check_refused(&serve.refused().await, 4, &[&format!("{}", FORMAT + 1), &format!("{FORMAT}")]);
        assert_eq!(content(engine, &data), before);

        batch.put(FORMAT_KEY.to_vec(), FORMAT.to_be_bytes().to_vec());
        with(engine, &data, |kv| kv.apply(&batch)).unwrap();
        assert_eq!(serve.start().await.api().all("runs").await.len(), 1, "with the old number it opens again");
    }
}

#[tokio::test]
async fn a_damaged_store_exits_with_4_however_often_it_is_tried() {
    for (engine, file) in [(Engine::Redb, "hence.redb"), (Engine::Sled, "db")] {
        let (project, serve) = used(engine).await;
        let path = project.data().join(file);
        let damaged: Vec<u8> = (0..251).cycle().take(fs::read(&path).unwrap().len()).collect();
        fs::write(&path, &damaged).unwrap();
        for _ in 0..2 {
            check_refused(&serve.refused().await, 4, &["damaged", project.data().to_str().unwrap()]);
            assert!(!project.data().join("address").exists());
        }
        assert!(fs::read(&path).unwrap() == damaged, "{engine:?}: the file was changed");
    }
}
