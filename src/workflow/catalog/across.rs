//! What one file says of others: whether there is such a workflow, whether somebody emits such an event.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::workflow::lint::{About, Mention};
use crate::workflow::problem::{Problem, Severity, codes};
use crate::workflow::words;

/// One file, as far as it could be read.
pub(super) struct Outlook {
    /// The workflow's name; nothing when the file could not be read so far.
    pub(super) name: Option<Arc<str>>,
    /// What it says of others.
    pub(super) mentions: Vec<Mention>,
}

/// What all files together say.
pub(super) struct Across<'o> {
    names: BTreeSet<&'o str>,
    /// A file whose name is not known may be the one that is meant.
    complete: bool,
    emitted: BTreeSet<&'o str>,
    heard: BTreeSet<&'o str>,
}

impl<'o> Across<'o> {
    pub(super) fn new(all: &'o [Outlook]) -> Self {
        let mentions = || all.iter().flat_map(|outlook| &outlook.mentions);
        let emitted = mentions().filter(|mention| matches!(mention.about, About::Emits { .. }));
        let heard = mentions().filter(|mention| matches!(mention.about, About::Hears { .. } | About::Awaits));
        Self {
            names: all.iter().filter_map(|outlook| outlook.name.as_deref()).collect(),
            complete: all.iter().all(|outlook| outlook.name.is_some()),
            emitted: emitted.map(|mention| &*mention.name.value).collect(),
            heard: heard.map(|mention| &*mention.name.value).collect(),
        }
    }

    /// What is wrong with what a file says of others.
    pub(super) fn check(&self, own: &Outlook, file: &Arc<str>) -> Vec<Problem> {
        let mut found: Vec<Problem> = own.mentions.iter().filter_map(|mention| self.check_one(mention, file)).collect();
        found.extend(own.mentions.iter().filter_map(|mention| endless(mention, own, file)));
        found
    }

    fn check_one(&self, mention: &Mention, file: &Arc<str>) -> Option<Problem> {
        let name = &*mention.name.value;
        match mention.about {
            About::Starts { .. } | About::Follows if self.complete && !self.names.contains(name) => {
                let names: Vec<&str> = self.names.iter().copied().collect();
                let message = format!("there is no workflow `{name}` in this project");
                Some(Problem::error(codes::UNKNOWN_WORKFLOW, file, mention.name.span, message).help(words::suggest(name, &names)))
            }
            About::Hears { .. } | About::Awaits if !self.emitted.contains(name) => {
                let near = words::slip(name, self.emitted.iter().copied())?;
                let message = format!("no workflow emits `{name}`, and one emits `{near}`");
                Some(unheard(message, mention, file, near))
            }
            About::Emits { .. } if !self.heard.contains(name) => {
                // Where the near one has no other sender, it is told there.
                let near = words::slip(name, self.heard.iter().copied()).filter(|near| self.emitted.contains(near))?;
                let message = format!("no workflow waits for `{name}`, and one waits for `{near}`");
                Some(unheard(message, mention, file, near))
            }
            About::Starts { .. } | About::Follows | About::Hears { .. } | About::Awaits | About::Emits { .. } => None,
        }
    }
}

fn unheard(message: String, mention: &Mention, file: &Arc<str>, near: &str) -> Problem {
    let problem = Problem::error(codes::UNHEARD_EVENT, file, mention.name.span, message);
    problem.help(format!("did you mean `{near}`?")).severity(Severity::Warning)
}

/// A workflow whose every run leads to another one of its own.
fn endless(mention: &Mention, own: &Outlook, file: &Arc<str>) -> Option<Problem> {
    let name = &mention.name.value;
    let hears = |kind: &Arc<str>| {
        own.mentions.iter().any(|mention| mention.name.value == *kind && matches!(mention.about, About::Hears { always: true }))
    };
    let is_own = own.name.as_ref() == Some(name);
    let what = match mention.about {
        About::Starts { always: true } if is_own => "every run of this workflow starts another one of it",
        About::Emits { always: true } if hears(name) => "every run of this workflow emits the event that starts it",
        About::Follows if is_own => "the end of each run of this workflow starts another one of it",
        About::Starts { .. } | About::Emits { .. } | About::Follows | About::Hears { .. } | About::Awaits => return None,
    };
    let problem = Problem::error(codes::ENDLESS_START, file, mention.name.span, format!("{what}, again and again"));
    Some(problem.help("say with an `if` when it is enough").severity(Severity::Warning))
}
