//! Power cuts. A file system in a file is copied while the server that writes to it stands still; what
//! the server had not synced is not in the copy. The copy is mounted and served: what was acknowledged
//! is there and runs to its end, nothing that was done is done again, and nothing is torn.
//!
//! Needs root, loop devices and `mkfs.ext4`; the mutants need `strace`.
#![expect(
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "one binary; a test that cannot go on has failed"
)]

mod chance;
mod check;
mod cuts;
mod disk;
mod family;
mod full;
mod hurried;
mod life;
mod mutants;
#[expect(dead_code, unused_imports, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/process/mod.rs"]
mod process;
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;
mod upkeep;
