//! `hence`: if this, hence that. An event-driven automation engine.
//!
//! Data goes one way: intake → store → executor → connector → store. `docs/architecture.md` is the map.

pub mod clock;
pub mod connector;
pub mod domain;
pub mod script;
pub mod store;
