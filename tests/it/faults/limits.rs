//! Descriptors run out, the data folder cannot be written.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use http::StatusCode;
use tokio::net::TcpStream;

use super::sender::{Sender, project};
use crate::process::{Engine, Receiver, Serve, hence, must};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_short_of_descriptors_takes_events_all_the_same() {
    const DESCRIPTORS: &str = "64";
    const CONNECTIONS: usize = 120;
    for engine in [Engine::Redb, Engine::Sled] {
        let receiver = Receiver::start().await;
        let project = project(&receiver);
        let serve = Serve::new(&project, engine);
        let limited = serve.clone().under(&["prlimit", &format!("--nofile={DESCRIPTORS}")]);
        let served = limited.start().await;
        let mut sender = Sender::default();
        sender.insist(&served.api(), 5).await;
        let address = served.url.trim_start_matches("http://").to_owned();
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS {
            held.push(TcpStream::connect(&address).await.unwrap());
        }
        // Those that do nothing make room, a moment after they have come.
        let fresh = served.api();
        let mut refused = 0;
        let room = async {
            while !fresh.try_hook("nowhere", &[], "").await.is_ok_and(|answer| answer.status == StatusCode::NOT_FOUND) {
                refused += 1;
            }
        };
        must("room is made", room).await;
        assert_ne!(refused, 0, "{engine:?}: there were descriptors left, so nothing was tested");
        sender.insist(&fresh, 5).await;
        // However many connections there are, some descriptors are kept for the files of the store.
        assert_eq!(fresh.post("store/compact").await, StatusCode::OK, "{engine:?}: {:#?}", served.log());
        let file = project.dir().join("all.backup");
        let (dir, data) = (project.dir(), project.data());
        let words = ["backup", text(&file), "--project", text(&dir), "--data", text(&data)];
        let backup = hence(&words).await;
        assert_eq!(backup.code, Some(0), "{engine:?}: {backup:?}");
        drop(held);
        sender.insist(&fresh, 5).await;
        sender.check(&fresh, &receiver).await;
        assert_eq!(served.stop().await, Some(0), "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_folder_that_cannot_be_written_is_refused_with_its_name() {
    for engine in [Engine::Redb, Engine::Sled] {
        let receiver = Receiver::start().await;
        let project = project(&receiver);
        std::fs::create_dir(project.data()).unwrap();
        std::fs::set_permissions(project.data(), std::fs::Permissions::from_mode(0o500)).unwrap();
        // Root may write everywhere, so it is not root that serves.
        let serve = Serve::new(&project, engine);
        let root = rustix::process::geteuid().is_root();
        let serve = if root { serve.under(&["setpriv", "--bounding-set=-all", "--inh-caps=-all"]) } else { serve };
        let ran = must("it refuses", serve.refused()).await;
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let data = project.data();
        assert!(ran.err.contains(data.to_str().unwrap()) && ran.err.contains("ermission denied"), "{ran:?}");
    }
}
