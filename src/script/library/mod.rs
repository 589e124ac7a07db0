//! The functions expressions and scripts can call, besides Rhai's own operators, numbers, lists and maps.
//!
//! One table a subject; the reference is made from the tables.

mod builtin;
mod callbacks;
mod chance;
mod data;
pub(super) mod encode;
mod hash;
mod json;
mod text;
mod time;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rhai::{Dynamic, EvalAltResult, NativeCallContext};

/// One function, as the reference shows it.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// What it is called by.
    pub name: &'static str,
    /// Its arguments and result, as in `replace(text, find, with) -> text`.
    pub signature: &'static str,
    /// What it gives.
    pub about: &'static str,
    register: fn(&mut rhai::Engine, &str),
}

/// Functions of one subject.
#[derive(Debug, Clone, Copy)]
pub struct Subject {
    /// The heading.
    pub title: &'static str,
    /// In the order of the reference.
    pub functions: &'static [Function],
}

/// Every subject.
pub const SUBJECTS: &[Subject] = &[
    Subject { title: "Text", functions: text::FUNCTIONS },
    Subject { title: "Lists and maps", functions: data::FUNCTIONS },
    Subject { title: "Functions over lists and maps", functions: callbacks::FUNCTIONS },
    Subject { title: "JSON", functions: json::FUNCTIONS },
    Subject { title: "Encoding", functions: encode::FUNCTIONS },
    Subject { title: "Hashes", functions: hash::FUNCTIONS },
    Subject { title: "Time", functions: time::FUNCTIONS },
    Subject { title: "Chance", functions: chance::FUNCTIONS },
];

/// Whether a function of this name can be called, in any form.
#[must_use]
pub fn is_function(name: &str) -> bool {
    names().contains(name)
}

/// The names of all functions, Rhai's own included.
#[must_use]
pub fn names() -> &'static BTreeSet<&'static str> {
    static NAMES: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
        let ours = SUBJECTS.iter().flat_map(|subject| subject.functions).map(|function| function.name);
        ours.chain(builtin::NAMES).collect()
    });
    &NAMES
}

pub(super) fn register(engine: &mut rhai::Engine) {
    for function in SUBJECTS.iter().flat_map(|subject| subject.functions) {
        (function.register)(engine, function.name);
    }
    json::register_text_forms(engine);
    text::register_operators(engine);
}

const fn function(name: &'static str, signature: &'static str, about: &'static str, register: fn(&mut rhai::Engine, &str)) -> Function {
    Function { name, signature, about, register }
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
