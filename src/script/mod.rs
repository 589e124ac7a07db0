//! Bounded Rhai: the engine, JSON to and from its values, templates and the function library.
//!
//! Everything is compiled at load into a [`Program`]; a run evaluates handles ([`Code`]) of it in one [`Scope`].
//!
//! [`Code`]: crate::domain::workflow::Code

mod ambient;
pub mod condition;
mod engine;
mod event;
mod explain;
mod json;
pub mod library;
mod limits;
mod missing;
mod program;
mod room;
pub(crate) mod scan;
mod scope;
mod size;
mod split;
mod template;
mod uses;

#[cfg(test)]
mod condition_tests;
#[cfg(test)]
mod hostile_library_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod library_tests;
#[cfg(test)]
mod missing_tests;
#[cfg(test)]
mod split_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use engine::{Engine, ScriptFile, ScriptFunction};
pub use event::check_body;
pub use limits::Limits;
pub use program::{Program, ProgramBuilder};
pub use room::{STACK_BYTES, this_thread_has_room};
pub use scope::{RunInfo, Scope};
pub use template::{TemplateSource, holes};
pub use uses::Uses;

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

impl Origin {
    /// The line and column of a place in the code: lines and columns of the code count from 1.
    fn place(&self, line: usize, column: usize) -> (u32, u32) {
        let lines = u32::try_from(line.saturating_sub(1)).unwrap_or(u32::MAX);
        let columns = u32::try_from(column.saturating_sub(1)).unwrap_or(u32::MAX);
        let first = if lines == 0 { self.column } else { self.next_column };
        (self.line.saturating_add(lines), first.saturating_add(columns))
    }

    /// The origin of the part of the code that begins at `offset` bytes into `text`.
    fn within(&self, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        let (line, column) = self.place(line, column);
        Self { file: Arc::clone(&self.file), line, column, next_column: self.next_column, field: Arc::clone(&self.field) }
    }

    fn error(&self, message: impl Into<String>) -> CompileError {
        CompileError { file: Arc::clone(&self.file), line: self.line, column: self.column, message: message.into() }
    }
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
