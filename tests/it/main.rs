//! The integration tests: one binary, real servers, no sleeps.
#![expect(
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "one binary; a test that cannot go on has failed"
)]

mod approve;
mod bodies;
mod body_schema;
mod cli;
mod cloudevents;
mod crash;
mod docs;
mod door;
mod endurance;
mod faults;
mod flows;
mod forms;
mod functions_doc;
mod gathering;
mod github;
mod hooks;
mod inside;
mod inventory;
mod journals;
mod kill;
mod lanes;
mod lanes_crash;
mod lateness;
mod licences;
mod load;
mod odd;
mod process;
mod reload;
mod replay;
mod retention;
mod runs;
mod saga;
mod schedules;
mod schema;
mod support;
mod tidy;
mod verify;
mod why;
