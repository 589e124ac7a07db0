//! Code as a person wrote it, to compare what two revisions of a workflow say.

use super::Program;
use super::program::What;
use super::template::{Node, Part};
use crate::domain::Value;
use crate::domain::workflow::Code;

impl Program {
    /// The code as written: an expression or script as its text, a template as a value with `${ }` in its texts.
    #[must_use]
    pub fn written(&self, code: Code) -> Option<Value> {
        Some(match self.what(code)? {
            What::Piece(piece) => Value::from(&*piece.source),
            What::Template(template) => node(&template.0),
        })
    }
}

fn node(written: &Node) -> Value {
    match written {
        Node::Literal(Value::String(text)) => Value::from(escaped(text)),
        Node::Literal(value) => value.clone(),
        Node::Whole(hole) => Value::from(self::hole(&hole.piece.source)),
        Node::Text(parts) => parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => escaped(text),
                Part::Hole(hole) => self::hole(&hole.piece.source),
            })
            .collect::<String>()
            .into(),
        Node::List(items) => items.iter().map(node).collect(),
        Node::Map(entries) => entries.iter().map(|(key, entry)| (key.clone(), node(entry))).collect(),
    }
}

fn hole(source: &str) -> String {
    format!("${{{source}}}")
}

fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}
