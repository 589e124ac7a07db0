//! Which form stands at a path: one router, built at load. A form belongs to one workflow: what it asks and answers is
//! said once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use matchit::Router;

use super::{Loaded, Problem, codes};
use crate::domain::workflow::Form;
use crate::workflow::compile::path::{is_plain, shape};
use crate::workflow::yaml::Span;

/// A form that is served.
#[derive(Debug, Clone)]
struct Served {
    loaded: Arc<Loaded>,
    trigger: usize,
    used: Arc<AtomicU64>,
    names: Vec<Arc<str>>,
}

impl Served {
    fn form(&self) -> Option<&Form> {
        self.loaded.form(self.trigger)
    }
}

/// The form at a path, and what stands in the place of the path's parameters.
#[derive(Debug, Clone)]
pub struct FormMatch<'c> {
    /// Its workflow.
    pub loaded: &'c Arc<Loaded>,
    /// The trigger's place in `when`.
    pub trigger: usize,
    /// What has been used of its rate; intake counts in it.
    pub used: &'c Arc<AtomicU64>,
    /// By the names that the path gives them.
    pub params: Vec<(String, String)>,
}

/// All forms.
#[derive(Default)]
pub(super) struct Forms {
    router: Router<usize>,
    by_shape: BTreeMap<String, usize>,
    forms: Vec<Served>,
}

impl fmt::Debug for Forms {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.by_shape.keys()).finish()
    }
}

impl Forms {
    /// Adds all forms of a workflow, or none and the reason. `place` is where a trigger's path is written.
    pub(super) fn add(&mut self, loaded: &Arc<Loaded>, place: impl Fn(usize) -> Span, file: &Arc<str>) -> Result<(), Box<Problem>> {
        for trigger in 0..loaded.workflow.triggers.len() {
            let Some(form) = loaded.form(trigger) else { continue };
            if let Err((message, help)) = self.add_one(loaded, trigger, form) {
                self.take_back(loaded);
                return Err(Box::new(Problem::error(codes::HOOK_CONFLICT, file, place(trigger), message).help(help)));
            }
        }
        Ok(())
    }

    /// Removes the forms of the workflow that was added last.
    pub(super) fn take_back(&mut self, loaded: &Arc<Loaded>) {
        while let Some(last) = self.forms.pop_if(|last| Arc::ptr_eq(&last.loaded, loaded)) {
            if let Some(form) = last.form() {
                let (shape, _) = shape(&form.path);
                self.router.remove(shape.clone());
                self.by_shape.remove(&shape);
            }
        }
    }

    fn add_one(&mut self, loaded: &Arc<Loaded>, trigger: usize, form: &Form) -> Result<(), (String, &'static str)> {
        let (shape, names) = shape(&form.path);
        if let Some(other) = self.by_shape.get(&shape).and_then(|index| self.forms.get(*index)) {
            let name = &other.loaded.workflow.name;
            if *name == loaded.workflow.name {
                let message = format!("two triggers of this workflow take the form `{}`: one event would start it twice", form.path);
                return Err((message, "keep one of the two, or give it another path"));
            }
            let message = format!("the form `{}` is that of the workflow `{name}` already", form.path);
            return Err((message, "give one of the two another path; to start both, let that one `emit` an event for this one"));
        }
        if let Err(error) = self.router.insert(shape.clone(), self.forms.len()) {
            let other = match &error {
                matchit::InsertError::Conflict { with } => self.by_shape.get(with).and_then(|index| self.forms.get(*index)),
                _ => None,
            };
            let message = match other.and_then(|other| Some((other, other.form()?))) {
                Some((served, other)) => {
                    format!(
                        "`{}` cannot be told apart from the form `{}` of the workflow `{}`",
                        form.path, other.path, served.loaded.workflow.name
                    )
                }
                None => format!("`{}` cannot be served: {error}", form.path),
            };
            return Err((message, "begin one of the two with another segment"));
        }
        self.by_shape.insert(shape, self.forms.len());
        self.forms.push(Served { loaded: Arc::clone(loaded), trigger, used: Arc::default(), names });
        Ok(())
    }

    /// Goes on with what the same forms had used of their rates before.
    pub(super) fn go_on_from(&self, before: &Self) {
        for (shape, index) in &self.by_shape {
            let old = before.by_shape.get(shape).and_then(|index| before.forms.get(*index));
            if let (Some(new), Some(old)) = (self.forms.get(*index), old) {
                new.used.store(old.used.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
    }

    pub(super) fn find<'c>(&'c self, path: &str) -> Option<FormMatch<'c>> {
        let found = self.router.at(path).ok().filter(|_| is_plain(path))?;
        let served = self.forms.get(*found.value)?;
        let values = found.params.iter().map(|(_, value)| value.to_owned());
        let params = served.names.iter().map(|name| name.to_string()).zip(values).collect();
        Some(FormMatch { loaded: &served.loaded, trigger: served.trigger, used: &served.used, params })
    }
}
