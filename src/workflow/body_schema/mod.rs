//! JSON Schema for the body of an event: compiled at load, asked for each event. A schema refers to itself and to files
//! in `schemas/`, never to anything else.

mod build;
mod remembered;
mod told;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use boon::{SchemaIndex, Schemas};
use serde::Serialize;

use crate::domain::Value;

pub use build::{Wrong, references};

/// The most values of a body that is held against a schema.
pub const VALUES: usize = 50_000;
/// The most places that are told of one body.
pub const TOLD: usize = 20;

/// A schema that bodies can be held against.
pub struct BodySchema {
    schemas: Schemas,
    index: SchemaIndex,
    written: String,
    /// Every name that it gives to a part of a body.
    names: BTreeSet<String>,
}

impl fmt::Debug for BodySchema {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("BodySchema").finish_non_exhaustive()
    }
}

/// One place in a body that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mismatch {
    /// A JSON pointer into the body (RFC 6901); empty for the body as a whole.
    pub path: String,
    /// What is wrong there.
    pub message: String,
    /// Place and message in the words of the schema alone: without the names that the sender has made up.
    #[serde(skip)]
    pub remembered: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() { "the body" } else { &self.path };
        write!(out, "{place} {}", self.message)
    }
}

impl BodySchema {
    /// The file it stands in, or the schema itself where it stands in a workflow.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Holds a body against it.
    ///
    /// # Errors
    /// Where it does not fit: at least one place, at most [`TOLD`] and a last one that says how many more there are.
    pub fn check(&self, body: &Value) -> Result<(), Vec<Mismatch>> {
        if !has_at_most(body, VALUES) {
            let message = format!("has more than {VALUES} values, the limit for a body with a schema");
            let remembered = format!("the body {message}");
            return Err(vec![Mismatch { path: String::new(), message, remembered }]);
        }
        self.schemas.validate(body, self.index).map_err(|error| {
            let mut found = told::mismatches(&error);
            found.iter_mut().for_each(|mismatch| mismatch.remembered = remembered::of(mismatch, body, &self.names));
            found
        })
    }
}

/// Whether a value consists of no more values than that.
fn has_at_most(value: &Value, limit: usize) -> bool {
    let (mut open, mut count) = (vec![value], 0_usize);
    while let Some(value) = open.pop() {
        count = count.saturating_add(1);
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(map) => open.extend(map.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        if limit < count.saturating_add(open.len()) {
            return false;
        }
    }
    true
}
