//! The integration tests: one binary, real servers, no sleeps.
#![expect(
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "one binary; a test that cannot go on has failed"
)]

mod crash;
mod functions_doc;
mod hooks;
mod reload;
mod runs;
mod schedules;
mod support;
mod tidy;
