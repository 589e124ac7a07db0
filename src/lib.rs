//! `hence`: if this, hence that. An event-driven automation engine.
//!
//! Data goes one way: intake → store → executor → connector → store. `docs/architecture.md` is the map.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connector;
pub mod domain;
pub mod executor;
pub mod intake;
pub mod script;
pub mod store;
pub mod telemetry;
pub mod web;
pub mod workflow;
