//! The pure core: what a workflow is, what has happened in a run, and what comes next.
//!
//! Nothing here does I/O, reads a clock, draws a random number or awaits. Everything that
//! decides is a function from values to values, so recovery is the same code as the first run.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod admission;
pub mod depth;
pub mod door;
pub mod event;
pub mod failure;
pub mod file;
pub mod id;
pub mod journal;
pub mod next;
pub mod replay;
pub mod response;
pub mod retry;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod size;
pub mod time;
pub mod workflow;
pub mod xml;

/// Data as it travels between steps: JSON.
pub type Value = serde_json::Value;
/// A JSON object.
pub type Map = serde_json::Map<String, Value>;
