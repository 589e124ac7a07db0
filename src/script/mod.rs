//! Bounded Rhai: the engine, JSON to and from its values, templates and the function library.
//!
//! Everything is compiled at load into a [`Program`]; a run evaluates handles ([`Code`]) of it in one [`Scope`].

use std::sync::Arc;

use crate::domain::workflow::Code;

/// Where a piece of code is written, so that errors point at the YAML and not at "line 1".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Path below the project folder.
    pub file: Arc<str>,
    /// Line of the code's first character, from 1.
    pub line: u32,
    /// Column of the code's first character, from 1, in characters.
    pub column: u32,
    /// Column at which every further line of the code begins (block scalars), from 1.
    pub next_column: u32,
    /// Which field it is, as people would say it: `if`, `step contact: with.email`.
    pub field: Arc<str>,
}

/// Code that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileError {
    /// Path below the project folder.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

const _: Option<Code> = None;
