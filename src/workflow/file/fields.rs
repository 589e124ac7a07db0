//! Reads a map field by field. What is left over at the end is unknown, and said so.

use super::Report;
use crate::workflow::problem::codes;
use crate::workflow::words;
use crate::workflow::yaml::{Entry, Kind, Node, Span};

/// A map that is being read.
#[derive(Debug)]
pub struct Fields<'n> {
    what: &'static str,
    span: Span,
    entries: &'n [Entry],
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Begins to read `node`; `what` it is, for a person: `a webhook`. Nothing, and a problem, when it is no map.
    pub fn open(node: &'n Node, what: &'static str, span: Span, report: &mut Report) -> Option<Self> {
        Self::open_or(node, what, span, "write `key: value` lines, indented below it", report)
    }

    /// The same for a map whose shortest form is worth showing: `concurrency: {limit: 1}`.
    pub fn open_as(node: &'n Node, what: &'static str, span: Span, example: &str, report: &mut Report) -> Option<Self> {
        Self::open_or(node, what, span, &format!("write `{example}`"), report)
    }

    fn open_or(node: &'n Node, what: &'static str, span: Span, help: &str, report: &mut Report) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            let span = if node.kind == Kind::Null { span } else { node.span };
            let message = format!("{what} is a map of keys and values, not {}", node.kind_name());
            report.error(codes::WRONG_TYPE, span, message, help);
            return None;
        };
        Some(Self { what, span, entries, known: Vec::new() })
    }

    /// The entry of a key, if it is there.
    pub fn entry(&mut self, key: &'static str) -> Option<&'n Entry> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.entries.iter().find(|entry| &*entry.key == key)
    }

    /// The value of a key, if it is there.
    pub fn optional(&mut self, key: &'static str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The value of a key that must be there.
    pub fn required(&mut self, key: &'static str, example: &str, report: &mut Report) -> Option<&'n Node> {
        self.required_by(self.what, key, example, report)
    }

    /// The same where another key beside it asks for it: `foreach` for `steps`.
    pub fn required_by(&mut self, who: &str, key: &'static str, example: &str, report: &mut Report) -> Option<&'n Node> {
        let found = self.optional(key);
        if found.is_none() {
            let message = format!("{who} needs `{key}`");
            report.error(codes::MISSING_KEY, self.span, message, format!("add `{key}: {example}`"));
        }
        found
    }

    /// Whether a key is there.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| &*entry.key == key)
    }

    /// Whether there are no keys at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// These keys are part of the language and not run yet. Whether one of them is there.
    pub fn not_yet(&mut self, keys: &[&'static str], report: &mut Report) -> bool {
        let mut found = false;
        for key in keys {
            if let Some(entry) = self.entries.iter().find(|entry| &*entry.key == *key) {
                self.known.push(key);
                not_yet(key, entry.span, report);
                found = true;
            }
        }
        found
    }

    /// The keys that nobody has asked for.
    pub fn unknown(&self) -> impl Iterator<Item = &'n Entry> {
        let known = self.known.clone();
        self.entries.iter().filter(move |entry| !known.contains(&&*entry.key))
    }

    /// Ends the reading: every key nobody has asked for is a problem.
    pub fn close(self, report: &mut Report) {
        for entry in self.unknown() {
            let message = format!("`{}` is not a key of {}", entry.key, self.what);
            report.error(codes::UNKNOWN_KEY, entry.span, message, words::suggest(&entry.key, &self.known));
        }
    }

    /// Where the map is.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }
}

/// Says that a word is part of the language and not run yet.
pub(super) fn not_yet(word: &str, span: Span, report: &mut Report) {
    let message = format!("`{word}` is part of the language, but this version does not run it yet");
    report.error(codes::NOT_YET, span, message, "take it out, or wait for a version that runs it");
}
