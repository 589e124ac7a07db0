//! The functions that expressions and scripts can call.
//!
//! One table a subject. The reference is made from the tables, and every example in them is evaluated by a test.

mod builtin;
mod calendar;
mod callbacks;
mod chance;
mod csv;
mod decimal;
mod encode;
mod form;
mod hash;
mod json;
mod language;
mod lists;
mod maps;
mod numbers;
mod pattern;
mod reference;
mod text;
mod time;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rhai::{Dynamic, EvalAltResult, NativeCallContext};

pub(super) use encode::base64;
pub use reference::reference;

/// One function, as the reference shows it.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// Its arguments and result, as in `replace(text, find, with) -> text`. `?` marks what can be left out.
    pub signature: &'static str,
    /// What it gives.
    pub about: &'static str,
    /// `expression => value`, both as one writes them.
    pub example: &'static str,
    register: fn(&mut rhai::Engine, &str),
}

impl Function {
    /// What it is called by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.signature.split('(').next().unwrap_or(self.signature)
    }
}

/// Functions of one subject.
#[derive(Debug, Clone, Copy)]
pub struct Subject {
    /// The heading.
    pub title: &'static str,
    /// What holds for all of them.
    pub about: &'static str,
    /// In the order of the reference.
    pub functions: &'static [Function],
}

/// Every subject.
pub const SUBJECTS: &[Subject] = &[
    Subject { title: "Text", about: "Positions and lengths count characters, from 0.", functions: text::FUNCTIONS },
    Subject { title: "Text for people", about: "", functions: form::FUNCTIONS },
    Subject { title: "Regular expressions", about: pattern::ABOUT, functions: pattern::FUNCTIONS },
    Subject { title: "Numbers and money", about: numbers::ABOUT, functions: numbers::FUNCTIONS },
    Subject { title: "Lists", about: lists::ABOUT, functions: lists::FUNCTIONS },
    Subject { title: "Maps, and values of any kind", about: maps::ABOUT, functions: maps::FUNCTIONS },
    Subject { title: "Lists and maps, with a function or key", about: callbacks::ABOUT, functions: callbacks::FUNCTIONS },
    Subject { title: "Lists and maps, of the language", about: language::ABOUT, functions: language::FUNCTIONS },
    Subject { title: "Time", about: time::ABOUT, functions: time::FUNCTIONS },
    Subject { title: "Calendar", about: calendar::ABOUT, functions: calendar::FUNCTIONS },
    Subject { title: "JSON", about: "", functions: json::FUNCTIONS },
    Subject { title: "CSV", about: csv::ABOUT, functions: csv::FUNCTIONS },
    Subject { title: "Encoding", about: "Texts stand for their UTF-8 bytes.", functions: encode::FUNCTIONS },
    Subject { title: "Hashes", about: hash::ABOUT, functions: hash::FUNCTIONS },
    Subject { title: "Chance", about: chance::ABOUT, functions: chance::FUNCTIONS },
];

/// Every function.
pub(super) fn functions() -> impl Iterator<Item = &'static Function> {
    SUBJECTS.iter().flat_map(|subject| subject.functions)
}

/// Whether a function of this name can be called, in any form.
#[must_use]
pub fn is_function(name: &str) -> bool {
    names().contains(name)
}

/// The names of all functions, Rhai's own included.
#[must_use]
pub fn names() -> &'static BTreeSet<&'static str> {
    static NAMES: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
        let ours = SUBJECTS.iter().flat_map(|subject| subject.functions).map(|function| function.name());
        ours.chain(builtin::NAMES).collect()
    });
    &NAMES
}

pub(super) fn register(engine: &mut rhai::Engine) {
    for function in functions() {
        (function.register)(engine, function.name());
    }
    json::register_text_forms(engine);
    text::register_operators(engine);
}

const fn function(signature: &'static str, about: &'static str, example: &'static str, register: fn(&mut rhai::Engine, &str)) -> Function {
    Function { signature, about, example, register }
}

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// An error in the caller's words.
fn wrong<T>(words: impl Into<String>) -> Outcome<T> {
    let words: Dynamic = words.into().into();
    Err(EvalAltResult::ErrorRuntime(words, rhai::Position::NONE).into())
}

/// Refuses a text before it is made.
fn fits(context: &NativeCallContext<'_>, bytes: usize) -> Outcome<()> {
    let limit = context.engine().max_string_size();
    if bytes <= limit { Ok(()) } else { wrong(format!("the text would have {bytes} bytes, over the limit of {limit}")) }
}

/// Refuses a list before it is made.
fn list_fits(context: &NativeCallContext<'_>, items: usize) -> Outcome<()> {
    let limit = context.engine().max_array_size();
    if items <= limit { Ok(()) } else { wrong(format!("the list would have {items} items, over the limit of {limit}")) }
}

/// How much of a text that was given an error shows, in characters.
const SHOWN_CHARS: usize = 60;

/// A text that was given, for an error.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("`{}…`", text.get(..end).unwrap_or("")),
        None => format!("`{text}`"),
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn size(n: i64) -> usize {
    usize::try_from(n.max(0)).unwrap_or(usize::MAX)
}
