//! What is wrong with a workflow although it compiles: a check of the whole, one rule a file.
//!
//! Rhai finds variables and scripts when it compiles, and functions, keys and types only when it
//! runs. These rules look for what will surely go wrong then. A rule that is not sure warns, or is silent.

mod code;
mod conditions;
mod functions;
mod idle;
mod keys;
mod mentions;
mod names;
mod references;
mod schedule;
mod secrets;
mod steps_named;
mod unreachable;
mod unused;

use std::sync::Arc;

use super::compile::Context;
use super::file::{Report, WorkflowFile};
use super::problem::Problem;
use super::words;
use super::yaml::Node;
use crate::domain::time::Timestamp;
use crate::script::{Engine, scan};

pub use keys::{check as look_for_keys, mask};
pub use mentions::{About, Mention, mentions};
pub use secrets::secrets_named;

/// What the rules look at.
#[derive(Clone, Copy)]
pub struct Subject<'s> {
    /// The file as a tree.
    pub node: &'s Node,
    /// The same, read.
    pub file: &'s WorkflowFile,
    /// The same, as text.
    pub source: &'s str,
    /// Whether every step could be read: only then is it known which steps there are.
    pub complete: bool,
    /// Knows the functions of scripts.
    pub engine: &'s Engine,
    /// Knows the secrets.
    pub context: &'s Context<'s>,
    /// The present.
    pub now: Timestamp,
}

/// Adds what every rule finds in a workflow.
pub fn check(subject: &Subject<'_>, report: &mut Report) {
    references::check(subject, report);
    if subject.complete {
        unreachable::check(subject, report);
    }
    secrets::check(subject, report);
    keys::check(subject.node, report);
    conditions::check(subject, report);
    schedule::check(subject, report);
    functions::check(subject, report);
    names::check(subject, report);
    idle::check(subject, report);
    // A mistake may be the reason that nobody reads an output.
    if !report.has_errors() {
        unused::check(subject, report);
    }
}

/// What the rules find in a file of script functions.
#[must_use]
pub fn check_script(file: &Arc<str>, text: &str, engine: &Engine) -> Vec<Problem> {
    let mut report = Report::new(Arc::clone(file));
    functions::check_script(text, engine, &mut report);
    keys::check_script(text, &mut report);
    report.into_problems()
}

/// How many choices a suggestion lists.
const CHOICES_SHOWN: usize = 12;

/// Help for a word that is none of `choices`, which may be many.
fn suggestion(word: &str, choices: &[&str]) -> String {
    match words::nearest(word, choices.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let shown: Vec<&str> = choices.iter().copied().take(CHOICES_SHOWN).collect();
            let more = choices.len() - shown.len();
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("there are {}{more}", words::list(&shown))
        }
    }
}
