//! Parse, run, exit.

use std::process::ExitCode;

/// The system's allocator takes a seventh of the time of an accepted event.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hence::cli::run()
}
