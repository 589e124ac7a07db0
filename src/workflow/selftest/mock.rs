//! Answers in place of calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::trace::MadeCall;
use crate::domain::Value;
use crate::domain::failure::Failure;
use crate::domain::journal::Address;

/// What a mock's name begins with that takes the place of a child run: `run other`.
pub(super) const CHILD: &str = "run ";

/// What a call gets.
pub type Answer = Result<Value, Failure>;

/// The answers of one action.
#[derive(Debug, Clone, PartialEq)]
pub enum Mock {
    /// The same for every call.
    Always(Answer),
    /// One call after the other.
    Each(Vec<Answer>),
}

/// The mocks of a run, and how many answers of each are used up.
#[derive(Debug)]
pub struct Mocks<'c> {
    mocks: &'c BTreeMap<Arc<str>, Mock>,
    used: BTreeMap<String, usize>,
    otherwise: Option<Answer>,
}

impl<'c> Mocks<'c> {
    /// These mocks, none of them used.
    #[must_use]
    pub fn new(mocks: &'c BTreeMap<Arc<str>, Mock>) -> Self {
        Self { mocks, used: BTreeMap::new(), otherwise: None }
    }

    /// The same, with an answer for every call that has no mock.
    #[must_use]
    pub fn or(mut self, answer: Value) -> Self {
        self.otherwise = Some(Ok(answer));
        self
    }

    /// The answer to a call, or what the case has to say first.
    pub(super) fn answer(&mut self, call: &MadeCall) -> Result<Answer, String> {
        let name = call.name();
        match self.take(&name, &call.step)? {
            Some(answer) => Ok(answer),
            None => self.otherwise.clone().ok_or_else(|| unmocked(call)),
        }
    }

    /// What the run of this workflow ends with; nothing if it is to be run itself.
    pub(super) fn child(&mut self, workflow: &str, step: &Address) -> Result<Option<Answer>, String> {
        self.take(&format!("{CHILD}{workflow}"), step)
    }

    fn take(&mut self, name: &str, step: &Address) -> Result<Option<Answer>, String> {
        let used = self.used.entry(name.to_owned()).or_default();
        let place = *used;
        *used = place.saturating_add(1);
        match self.mocks.get(name) {
            None => Ok(None),
            Some(Mock::Always(answer)) => Ok(Some(answer.clone())),
            Some(Mock::Each(answers)) => answers.get(place).cloned().map(Some).ok_or_else(|| {
                let count = answers.len();
                format!(
                    "step `{step}` makes call {} of `{name}`, and its mock has {count} answer{}; add one to the list",
                    place.saturating_add(1),
                    if count == 1 { "" } else { "s" }
                )
            }),
        }
    }
}

fn unmocked(call: &MadeCall) -> String {
    let output = if &*call.connector == "http" { "{status: 200, body: {}}" } else { "{}" };
    let name = call.name();
    format!("step `{}` calls `{name}`, which the case does not mock; add\n  mock:\n    {name}: {{output: {output}}}", call.step)
}
