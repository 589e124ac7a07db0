//! `cargo bench --bench allocations`: how many allocations one event costs the server, and how many bytes. A count, not a
//! time: it is nearly the same each time, on any machine. Prints figures and judges nothing.
//!
//! The server runs in a process of its own whose allocator counts; sink and sender are processes beside it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints, ends with the wall clock, and has failed when it cannot go on"
)]

#[path = "load/client.rs"]
#[expect(dead_code, reason = "times are not asked for here")]
mod client;
#[path = "load/floor.rs"]
#[expect(dead_code, reason = "only the sink is needed")]
mod floor;
mod parked;
#[path = "load/project.rs"]
#[expect(dead_code, reason = "nothing is parked here")]
mod project;
#[path = "load/server.rs"]
#[expect(dead_code, reason = "only the sink is needed")]
mod server;

use std::alloc::System;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hence::store::Store;
use hence::store::embedded::{self, Settings};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use project::Work;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CONNECTIONS: usize = 64;
const BODY_BYTES: usize = 1000;
const WORKS: [(&str, Work); 4] = [
    ("accept, no run", Work::NotMatched),
    ("accept, verified and deduplicated", Work::Verified),
    ("run, 1 step", Work::Steps(1)),
    ("run, one call, answered", Work::CallsAnswered(1)),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |nth: usize| arguments.get(nth).map(String::as_str);
    match argument(1) {
        Some("--serve-sink") => floor::serve(floor::answer),
        Some("--send") => send(argument(2).unwrap(), argument(3).unwrap()),
        Some("--measure") => measure(argument(2).unwrap(), argument(3).unwrap()),
        _ => {
            let sink = server::Server::own("--serve-sink");
            println!("| work | allocations each | bytes each |\n|---|---|---|");
            for (name, _) in WORKS {
                let own = || Command::new(std::env::current_exe().unwrap());
                let mut command = own();
                command.args(["--measure", name, &sink.address.to_string()]).env("HENCE_SECRET_BENCH", client::SECRET);
                assert!(command.status().unwrap().success());
            }
        }
    }
}

/// Sends for two seconds, and says how many were answered.
fn send(address: &str, path: &str) {
    let request = client::request(path, &project::body(BODY_BYTES));
    let sent = client::send(address.parse().unwrap(), &request, CONNECTIONS, Duration::from_secs(2));
    assert_eq!(sent.refused, 0);
    println!("{}", sent.count());
}

fn measure(name: &str, sink: &str) {
    let (_, work) = WORKS.into_iter().find(|(known, _)| *known == name).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = project::write(folder.path(), work, 10, sink.parse().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store: Arc<dyn Store> = embedded::open(&format!("redb://{}", folder.path().join("store").display()), Settings::default()).unwrap();
    let app = runtime.block_on(parked::serve(folder.path(), &store));
    let address = app.address.to_string();
    let sent = || -> u32 {
        let child = Command::new(std::env::current_exe().unwrap()).args(["--send", &address, path]).stdout(Stdio::piped()).spawn().unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().parse().unwrap()
    };
    // Connections are known, caches filled.
    sent();
    let region = Region::new(COUNTED);
    let count = f64::from(sent());
    let change = region.change();
    let each = |total: usize| f64::from(u32::try_from(total >> 10).unwrap()) * 1024.0 / count;
    let calls = f64::from(u32::try_from(change.allocations + change.reallocations).unwrap()) / count;
    println!("| {name} | {calls:.0} | {:.0} |", each(change.bytes_allocated));
    runtime.block_on(app.stop());
}
