//! The loaded set: every good workflow, found by name, by path and by schedule. A bad file never stops a good one.

mod across;
mod current;
mod forms;
mod load;
mod routes;
mod schemas;
mod sources;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::body_schema::{BodySchema, Mismatch};
use super::compile::Context;
use super::problem::{Problem, codes};
use super::yaml::Span;
use crate::domain::event::Event;
use crate::domain::workflow::{Dedupe, Form, ScheduleTrigger, SecretName, Trigger, Webhook, Workflow};
use crate::script::{Program, Uses, body_value};

pub use current::Current;
pub use forms::FormMatch;
pub use routes::{Hook, Route, RouteMatch};
pub use sources::{FILES, Fingerprint, SourceFile, Sources};

/// A workflow that can run, with all it was made of.
pub struct Loaded {
    /// What the core walks over.
    pub workflow: Workflow,
    /// Its code.
    pub program: Program,
    /// The schemas of its triggers, by their places in `when`.
    pub schemas: BTreeMap<usize, Arc<BodySchema>>,
    /// Path and text of its own file, then of the scripts and schemas it uses: enough to build it again.
    pub files: Vec<(String, String)>,
    /// The secrets its triggers name.
    pub secrets: BTreeSet<SecretName>,
    /// What its code may read.
    pub uses: Uses,
    /// Warnings: an error would have kept it out.
    pub problems: Vec<Problem>,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Loaded").field("name", &self.workflow.name).field("revision", &self.workflow.revision).finish_non_exhaustive()
    }
}

impl Loaded {
    /// Holds an event's body against the schema of a trigger, if that has one.
    ///
    /// # Errors
    /// Where it does not fit.
    pub fn check_body(&self, trigger: usize, event: &Event) -> Result<(), Vec<Mismatch>> {
        let Some(schema) = self.schemas.get(&trigger) else { return Ok(()) };
        let whole = |message: String| vec![Mismatch { path: String::new(), message, remembered: "the body cannot be read".to_owned() }];
        schema.check(&body_value(event).map_err(whole)?)
    }

    /// The webhook at this place of `when`.
    #[must_use]
    pub fn webhook(&self, trigger: usize) -> Option<&Webhook> {
        match self.workflow.triggers.get(trigger)? {
            Trigger::Webhook(webhook) => Some(webhook),
            Trigger::Form(_) | Trigger::Schedule(_) | Trigger::Event(_) | Trigger::Run(_) | Trigger::Manual => None,
        }
    }

    /// The form at this place of `when`.
    #[must_use]
    pub fn form(&self, trigger: usize) -> Option<&Form> {
        match self.workflow.triggers.get(trigger)? {
            Trigger::Form(form) => Some(form),
            Trigger::Webhook(_) | Trigger::Schedule(_) | Trigger::Event(_) | Trigger::Run(_) | Trigger::Manual => None,
        }
    }

    /// The `dedupe` of the webhook or form at this place of `when`.
    #[must_use]
    pub fn dedupe(&self, trigger: usize) -> Option<&Dedupe> {
        match self.workflow.triggers.get(trigger)? {
            Trigger::Webhook(webhook) => webhook.dedupe.as_ref(),
            Trigger::Form(form) => form.dedupe.as_ref(),
            Trigger::Schedule(_) | Trigger::Event(_) | Trigger::Run(_) | Trigger::Manual => None,
        }
    }

    /// The schedule at this place of `when`.
    #[must_use]
    pub fn schedule(&self, trigger: usize) -> Option<&ScheduleTrigger> {
        match self.workflow.triggers.get(trigger)? {
            Trigger::Schedule(schedule) => Some(schedule),
            Trigger::Webhook(_) | Trigger::Form(_) | Trigger::Event(_) | Trigger::Run(_) | Trigger::Manual => None,
        }
    }
}

/// All workflows of a project.
#[derive(Debug, Default)]
pub struct Catalog {
    workflows: BTreeMap<Arc<str>, Arc<Loaded>>,
    routes: routes::Routes,
    forms: forms::Forms,
    schedules: Vec<(Arc<Loaded>, usize)>,
    /// Those whose file is bad now.
    outdated: BTreeSet<Arc<str>>,
    /// By the type of the event that a workflow emits.
    events: BTreeMap<Arc<str>, Vec<(Arc<Loaded>, usize)>>,
    /// By the workflow whose run ends.
    endings: BTreeMap<Arc<str>, Vec<(Arc<Loaded>, usize)>>,
}

impl Catalog {
    /// Builds what can be built. The problems are those of all files, warnings of good ones included.
    #[must_use]
    pub fn build(sources: &Sources, context: &Context<'_>) -> (Self, Vec<Problem>) {
        let (library, mut problems) = load::Library::new(sources, context);
        let mut catalog = Self::default();
        let mut files: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
        let read: Vec<load::Read> = sources.workflows().iter().map(|source| load::load(source, &library, context)).collect();
        let (outlooks, read): (Vec<across::Outlook>, Vec<_>) =
            read.into_iter().map(|load::Read { ready, problems, outlook }| (outlook, (ready, problems))).unzip();
        let across = across::Across::new(&outlooks);
        for (source, (outlook, (ready, mut found))) in sources.workflows().iter().zip(outlooks.iter().zip(read)) {
            if context.lint_at.is_some() {
                found.extend(across.check(outlook, &source.path));
                found.sort_by_key(|problem| (problem.line, problem.column));
            }
            let ready = ready.filter(|_| !found.iter().any(Problem::is_error));
            problems.extend(found.iter().cloned());
            let Some(mut ready) = ready else { continue };
            ready.loaded.problems = found;
            if let Err(problem) = catalog.add(ready, source, &mut files) {
                problems.push(*problem);
            }
        }
        (catalog, problems)
    }

    /// Builds one workflow again from the files it was stored with, its own first.
    ///
    /// # Errors
    /// What keeps it from it: an action that does not exist any more, for one.
    pub fn rebuild(files: &[(String, String)], context: &Context<'_>) -> Result<Loaded, Vec<Problem>> {
        // What ran once runs on, whatever later rules say.
        let context = &Context { lint_at: None, ..*context };
        let sources = Sources::from_files(files.iter().cloned());
        let (library, mut problems) = load::Library::new(&sources, context);
        let read = sources.workflows().first().map(|own| load::load(own, &library, context));
        let (loaded, found) = read.map(|read| (read.ready, read.problems)).unwrap_or_default();
        match loaded {
            Some(ready) => Ok(Loaded { problems: found, ..ready.loaded }),
            None => {
                problems.extend(found);
                Err(problems)
            }
        }
    }

    fn add(&mut self, ready: load::Ready, source: &SourceFile, files: &mut BTreeMap<Arc<str>, Arc<str>>) -> Result<(), Box<Problem>> {
        let load::Ready { loaded, name_span, trigger_spans } = ready;
        let name = Arc::clone(&loaded.workflow.name);
        if let Some(other) = files.get(&name) {
            let message = format!("the name `{name}` is taken by {other}");
            let problem = Problem::error(codes::DUPLICATE_WORKFLOW, &source.path, name_span, message);
            return Err(Box::new(problem.help("give one of the two another `name:`")));
        }
        let span = |trigger: usize| trigger_spans.get(trigger).copied().unwrap_or(Span::START);
        self.mount(&Arc::new(loaded), span, &source.path)?;
        files.insert(name, Arc::clone(&source.path));
        Ok(())
    }

    fn mount(&mut self, loaded: &Arc<Loaded>, span: impl Fn(usize) -> Span, file: &Arc<str>) -> Result<(), Box<Problem>> {
        self.forms.add(loaded, &span, file)?;
        if let Err(problem) = self.routes.add(loaded, span, file) {
            self.forms.take_back(loaded);
            return Err(problem);
        }
        let triggers = 0..loaded.workflow.triggers.len();
        self.schedules.extend(triggers.filter(|n| loaded.schedule(*n).is_some()).map(|n| (Arc::clone(loaded), n)));
        for (n, trigger) in loaded.workflow.triggers.iter().enumerate() {
            let listeners = match trigger {
                Trigger::Event(event) => self.events.entry(Arc::clone(&event.kind)),
                Trigger::Run(run) => self.endings.entry(Arc::clone(&run.workflow)),
                Trigger::Webhook(_) | Trigger::Form(_) | Trigger::Schedule(_) | Trigger::Manual => continue,
            };
            listeners.or_default().push((Arc::clone(loaded), n));
        }
        self.workflows.insert(Arc::clone(&loaded.workflow.name), Arc::clone(loaded));
        Ok(())
    }

    /// The same, with the last good revision of every workflow whose file is bad now.
    #[must_use]
    pub fn keeping(mut self, before: &Self, problems: &[Problem]) -> Self {
        let bad = bad_files(problems);
        for loaded in before.workflows.values() {
            let Some(file) = loaded.files.first().map(|(path, _)| path.as_str()).filter(|file| is_bad(file, &bad)) else { continue };
            if self.workflows.contains_key(&loaded.workflow.name) {
                continue;
            }
            // Where a new file has taken its route meanwhile, the new one stays.
            let kept = self.mount(loaded, |_| Span::START, &file.into());
            if kept.is_ok() {
                self.outdated.insert(Arc::clone(&loaded.workflow.name));
            }
            tracing::warn!(workflow.name = %loaded.workflow.name, kept = kept.is_ok(), "the file is bad now; its last good revision stays");
        }
        self
    }

    /// The workflow of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Loaded>> {
        self.workflows.get(name)
    }

    /// Whether the file of this workflow is bad now, and it is its last good revision that is served.
    #[must_use]
    pub fn is_outdated(&self, name: &str) -> bool {
        self.outdated.contains(name)
    }

    /// All of them, by name.
    pub fn workflows(&self) -> impl ExactSizeIterator<Item = &Arc<Loaded>> {
        self.workflows.values()
    }

    /// What serves a path below `/hooks/`.
    #[must_use]
    pub fn route<'c>(&'c self, path: &str) -> Option<RouteMatch<'c>> {
        self.routes.find(path)
    }

    /// The form at a path below `/forms/`.
    #[must_use]
    pub fn form<'c>(&'c self, path: &str) -> Option<FormMatch<'c>> {
        self.forms.find(path)
    }

    /// Every route, in the order of loading.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        self.routes.all()
    }

    /// Which workflows an event of this type concerns that a workflow emits.
    #[must_use]
    pub fn listeners(&self, kind: &str) -> &[(Arc<Loaded>, usize)] {
        self.events.get(kind).map(Vec::as_slice).unwrap_or_default()
    }

    /// Which workflows the end of a run of this one may concern.
    #[must_use]
    pub fn endings(&self, workflow: &str) -> &[(Arc<Loaded>, usize)] {
        self.endings.get(workflow).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every schedule: the workflow and the trigger's place in `when`.
    #[must_use]
    pub fn schedules(&self) -> &[(Arc<Loaded>, usize)] {
        &self.schedules
    }
}

/// The files, and folders, in which there are errors.
#[must_use]
pub fn bad_files(problems: &[Problem]) -> BTreeSet<&str> {
    problems.iter().filter(|problem| problem.is_error()).map(|problem| &*problem.file).collect()
}

/// Whether a file is among the bad ones. A folder that cannot be read says nothing about the files in it.
#[must_use]
pub fn is_bad(file: &str, bad: &BTreeSet<&str>) -> bool {
    bad.iter().any(|bad| file.strip_prefix(bad).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

#[cfg(test)]
mod tests;
