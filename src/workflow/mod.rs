//! YAML → domain: a workflow as on disk, its problems, and the loaded set.
//!
//! Text becomes a tree with positions (`yaml`), the tree becomes typed structs (`file`), those become
//! a [`crate::domain::workflow::Workflow`] and its program (`compile`); `lint` looks for what will go wrong
//! when it runs; `catalog` holds all of them; `matching` says which of them an event starts, `filled` whether a form is
//! filled in as it should be.

pub mod body_schema;
pub mod catalog;
pub mod compile;
pub mod evaluate;
pub mod event_type;
pub mod file;
pub mod filled;
pub mod inside;
pub mod keys;
pub mod lint;
pub mod matching;
pub mod plan;
pub mod problem;
pub mod same;
pub mod schema;
pub mod selftest;
pub mod start;
pub mod words;
pub mod yaml;

#[cfg(test)]
pub(crate) mod cases;
