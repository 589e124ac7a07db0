//! The integration tests: one binary, real servers, no sleeps.
#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod cli;
mod github;
mod kill;
mod load;
mod process;
mod tidy;
