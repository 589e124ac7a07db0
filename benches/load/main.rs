//! `cargo bench --bench load`: how much the real binary takes in and runs, beside a bare axum handler
//! in the same run. Prints figures and ratios, and judges nothing.
//!
//! The server, the floor and the sink of calls are processes of their own; this process sends.
//! `-- --quick` measures less; `-- --only TEXT` measures the scenarios whose line holds the text;
//! `-- --soak SECONDS --rate N` sends N requests a second for so long and draws what grows.
//! `perf script | … -- --flame TITLE` draws what was recorded, as SVG on standard output.
//! `-- --beside PATH` measures another build of the binary right after each line, to compare the two.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench measures with the wall clock, prints, and has failed when it cannot go on"
)]

mod client;
mod flame;
mod floor;
#[path = "../parked/mod.rs"]
mod parked;
mod plot;
mod project;
mod scenarios;
mod server;
mod soak;

use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("--serve-floor") => floor::serve(floor::parse),
        Some("--serve-sink") => floor::serve(floor::answer),
        _ => {
            let quick = arguments.iter().any(|argument| argument == "--quick");
            let value = |name: &str| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).cloned();
            if let Some(title) = value("--flame") {
                print!("{}", flame::svg(std::io::stdin().lock(), &title));
                return;
            }
            let binary = env!("CARGO_BIN_EXE_hence").to_owned();
            if let Some(seconds) = value("--soak") {
                let per_second = value("--rate").map_or(1_000, |rate| rate.parse().unwrap());
                soak::run(&soak::Soak { time: Duration::from_secs(seconds.parse().unwrap()), per_second, binary });
                return;
            }
            let seconds = if quick { 2 } else { 8 };
            let binaries = std::iter::once(binary).chain(value("--beside")).collect();
            scenarios::measure(&scenarios::Plan { time: Duration::from_secs(seconds), quick, only: value("--only"), binaries });
        }
    }
}
