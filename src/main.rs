//! Parse, run, exit.

use std::process::ExitCode;

/// The system's allocator takes a tenth more time for an accepted event. Without huge pages (`no_thp`), which cost memory and gain nothing.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hence::cli::run()
}
