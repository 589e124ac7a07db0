//! YAML text → a tree in which every key and value knows its place.
//!
//! The events of `serde-saphyr`'s parser are read directly: they carry the scalar's style and exact
//! span, which code inside block scalars needs, and they can be bounded one by one.

mod build;
mod scalar;
mod trace;

use std::sync::Arc;

use crate::domain::Value;

use super::problem::Problem;

pub use build::{parse, too_large};
pub use trace::trace;

/// The largest file that is parsed.
pub const FILE_BYTES: usize = 1 << 20;
/// The most nodes a file may have, aliases followed.
pub const NODES: usize = 100_000;
/// The deepest nesting of lists and maps, aliases followed.
pub const NESTING_DEPTH: usize = 100;

/// A place in a file: line and column from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// How many characters of the line are meant.
    pub length: u32,
}

impl Span {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1, length: 1 };
}

/// Where the content of a scalar begins, so that code inside it can be pointed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Line of the first character, from 1.
    pub line: u32,
    /// Column of the first character, from 1.
    pub column: u32,
    /// Column at which every further line begins, from 1.
    pub next_column: u32,
    /// Line of the last character, from 1.
    pub last_line: u32,
    /// Whether it is folded or has escapes: then [`trace`] finds the place of a character.
    pub rewritten: bool,
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub span: Span,
    /// Where its text begins, for scalars.
    pub place: Place,
    /// A scalar as written, after unquoting, so that `1.10` used as text stays `1.10`.
    pub raw: Arc<str>,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number; always finite.
    Float(f64),
    /// Text; `raw` holds it.
    Text,
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of writing.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: Arc<str>,
    /// Where the key is.
    pub span: Span,
    /// The value.
    pub value: Node,
}

impl Node {
    /// What it is, for a person: `a list`.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true or false",
            Kind::Int(_) | Kind::Float(_) => "a number",
            Kind::Text => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// A scalar's text, numbers and `true` included.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self.kind {
            Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text => Some(&self.raw),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The same as JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Int(value) => Value::from(*value),
            Kind::Float(value) => Value::from(*value),
            Kind::Text => Value::from(&*self.raw),
            Kind::List(items) => items.iter().map(Self::to_value).collect(),
            Kind::Map(entries) => Value::Object(entries.iter().map(|entry| (entry.key.to_string(), entry.value.to_value())).collect()),
        }
    }

    /// Whether a text in it holds `${ }`.
    #[must_use]
    pub fn holds_code(&self) -> bool {
        let mut found = false;
        self.for_each_text(&mut |text| found |= text.raw.contains("${"));
        found
    }

    /// Calls `visit` with every text in it, keys left out.
    pub fn for_each_text<'n>(&'n self, visit: &mut impl FnMut(&'n Self)) {
        match &self.kind {
            Kind::Text => visit(self),
            Kind::List(items) => items.iter().for_each(|item| item.for_each_text(visit)),
            Kind::Map(entries) => entries.iter().for_each(|entry| entry.value.for_each_text(visit)),
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => {}
        }
    }
}

/// A tree, if there is one at all, and what is wrong with the text.
pub type Parsed = (Option<Node>, Vec<Problem>);

#[cfg(test)]
mod tests;
