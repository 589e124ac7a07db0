//! Support for tests of the program itself: the binary as a child process, a project to serve, a
//! receiver for its calls, and a client for its hooks and API.

mod client;
mod fork;
mod project;
mod ran;
mod receiver;
mod senders;
mod served;

pub(crate) use client::{Answer, Api, steps};
pub(crate) use fork::{apart, spawned};
pub(crate) use project::Project;
pub(crate) use ran::{Ran, hence, hence_and, hence_under, hence_with};
pub(crate) use receiver::{Receiver, Seen};
pub(crate) use senders::{Senders, Told};
pub(crate) use served::{Engine, Serve, Served};

use std::time::Duration;

/// How long a test waits for something that must happen before it counts as failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Waits for what must happen.
pub(crate) async fn must<T>(what: &str, happens: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, happens).await {
        Ok(value) => value,
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}

/// Says something to whoever runs the tests.
#[expect(clippy::print_stderr, reason = "a skipped test must say so, and a measured figure must be seen")]
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// A test that cannot run here says so loudly. Where everything must run, it fails.
#[expect(clippy::disallowed_methods, reason = "the tests' own switch is no setting of hence")]
pub(crate) fn skip(test: &str, why: &str) {
    let required = std::env::var("HENCE_TEST_SERVICES").is_ok_and(|value| value == "required");
    assert!(!required, "{test} cannot run: {why}");
    note(&format!("SKIPPED {test}: {why}"));
}
