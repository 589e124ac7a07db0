//! The integration tests: one binary, real servers, no sleeps.
#![expect(clippy::unwrap_used, clippy::string_slice, reason = "a test that cannot go on has failed")]

mod docs;
mod licences;
mod tidy;
