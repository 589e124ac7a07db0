//! Parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    hence::cli::run()
}
