//! `cargo bench --bench idle`: how long the real binary takes until it is ready, and how much
//! memory it holds while idle, with 100 workflows. Prints figures and judges nothing.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench measures with the wall clock, prints, and has failed when it cannot go on"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const WORKFLOWS: usize = 100;
const STARTS: usize = 10;

fn main() {
    let project = tempfile::tempdir().unwrap();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/capture-lead.yaml");
    let text = fs::read_to_string(shipped)
        .unwrap()
        .replace("url: /", "url: http://crm.test/")
        .replace("using: crm", "name: crm")
        .replace("using: chat", "name: chat");
    fs::create_dir_all(project.path().join("workflows")).unwrap();
    fs::create_dir_all(project.path().join("scripts")).unwrap();
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/lead.rhai"), project.path().join("scripts/lead.rhai")).unwrap();
    for n in 0..WORKFLOWS {
        fs::write(project.path().join(format!("workflows/w{n}.yaml")), text.replace("path: leads", &format!("path: leads{n}"))).unwrap();
    }
    let mut ready_ms: Vec<u128> = Vec::new();
    let mut resident_kib: Vec<u64> = Vec::new();
    for _ in 0..STARTS {
        let (ready, resident) = start(project.path());
        ready_ms.push(ready.as_millis());
        resident_kib.push(resident);
    }
    ready_ms.sort_unstable();
    resident_kib.sort_unstable();
    let binary = fs::metadata(env!("CARGO_BIN_EXE_hence")).unwrap().len();
    println!("workflows               {WORKFLOWS}");
    println!("ready, ms               min {}  median {}  max {}", ready_ms[0], ready_ms[STARTS / 2], ready_ms[STARTS - 1]);
    println!(
        "idle after 2 s, MiB     min {:.1}  median {:.1}  max {:.1}",
        mib(resident_kib[0]),
        mib(resident_kib[STARTS / 2]),
        mib(resident_kib[STARTS - 1])
    );
    println!("binary, MiB             {:.1}", mib(binary / 1024));
}

fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap()) / 1024.0
}

/// From the start of the process to its "ready" line, and its resident memory a little later.
fn start(project: &std::path::Path) -> (Duration, u64) {
    let begun = Instant::now();
    let mut server = Command::new(env!("CARGO_BIN_EXE_hence"))
        .args(["serve", "--listen", "127.0.0.1:0", "--log", "json"])
        .arg(project)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("hence is ready") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "the server did not start");
    }
    let ready = begun.elapsed();
    std::thread::sleep(Duration::from_secs(2));
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident = resident.trim().trim_end_matches(" kB").parse().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    log.read_to_string(&mut line).unwrap();
    (ready, resident)
}
