//! One file → one loaded workflow.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use ring::digest;

use super::across::Outlook;
use super::schemas::{Schemas, Used};
use super::sources::{SourceFile, Sources};
use super::uses::mentioned;
use super::{Loaded, Problem};
use crate::domain::id::Revision;
use crate::script::{Engine, ScriptFile, Uses};
use crate::workflow::body_schema::BodySchema;
use crate::workflow::compile::{Compiled, Context, compile};
use crate::workflow::file::{Report, TriggerFile, WorkflowFile, read_workflow};
use crate::workflow::lint::{self, Subject};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{self, Node, Span};

/// The scripts and schemas of a project.
pub(super) struct Library<'s> {
    engine: Engine,
    modules: BTreeMap<&'s str, Module<'s>>,
    schemas: Schemas<'s>,
}

struct Module<'s> {
    source: &'s SourceFile,
    broken: bool,
    /// The modules it mentions itself.
    uses: BTreeSet<String>,
}

impl<'s> Library<'s> {
    /// Compiles all scripts and schemas, and says which cannot be.
    pub(super) fn new(sources: &'s Sources, context: &Context<'_>) -> (Self, Vec<Problem>) {
        let (schemas, mut problems) = Schemas::new(sources.schemas(), context.rebuilds);
        let mut modules = BTreeMap::new();
        for source in sources.scripts() {
            let module = source.stem();
            let identifier = module.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && module.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if identifier {
                modules.insert(module, Module { source, broken: false, uses: mentioned(&source.text) });
            } else {
                let message = format!("`{module}` cannot be written before `::` in an expression");
                let problem = Problem::error(codes::BAD_NAME, &source.path, Span::START, message);
                problems.push(problem.help("name the file with letters, digits and `_`, as in `scripts/lead.rhai`"));
            }
        }
        let files: Vec<ScriptFile<'_>> =
            modules.iter().map(|(module, found)| ScriptFile { module, file: &found.source.path, source: &found.source.text }).collect();
        let (engine, errors) = Engine::new(&files, context.limits.clone());
        for error in errors {
            for module in modules.values_mut().filter(|module| module.source.path == error.file) {
                module.broken = true;
            }
            problems.push(Problem::from_script(error));
        }
        if context.lint_at.is_some() {
            let whole = modules.values().filter(|module| !module.broken).map(|module| module.source);
            problems.extend(whole.flat_map(|source| lint::check_script(&source.path, &source.text, &engine)));
        }
        (Self { engine, modules, schemas }, problems)
    }

    /// The modules among `names`, and those they use.
    fn closure(&self, names: &BTreeSet<String>) -> BTreeSet<&'s str> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&str> = names.iter().map(String::as_str).collect();
        while let Some(name) = open.pop() {
            if let Some((name, module)) = self.modules.get_key_value(name)
                && found.insert(*name)
            {
                open.extend(module.uses.iter().map(String::as_str));
            }
        }
        found
    }
}

/// A workflow that compiled, and the places that later checks point at.
pub(super) struct Ready {
    /// The workflow.
    pub(super) loaded: Loaded,
    /// Where its name is.
    pub(super) name_span: Span,
    /// Where each trigger is.
    pub(super) trigger_spans: Vec<Span>,
}

/// What became of one file.
pub(super) struct Read {
    /// The workflow, if it can run.
    pub(super) ready: Option<Ready>,
    /// The problems of the file, warnings included.
    pub(super) problems: Vec<Problem>,
    /// What it says of others, as far as it could be read.
    pub(super) outlook: Outlook,
}

/// Loads one file.
pub(super) fn load(source: &SourceFile, library: &Library<'_>, context: &Context<'_>) -> Read {
    let (node, problems) = yaml::parse(&source.path, &source.text);
    let mut report = Report::new(Arc::clone(&source.path));
    problems.into_iter().for_each(|problem| report.push(problem));
    let file = node.as_ref().and_then(|node| read_workflow(node, &mut report));
    let outlook = Outlook {
        name: file.as_ref().map(|file| file.name.as_ref().map_or_else(|| source.stem().into(), |name| Arc::clone(&name.value))),
        mentions: file.as_ref().map(lint::mentions).unwrap_or_default(),
    };
    let ready = node.zip(file).and_then(|(node, file)| compile_node(&node, &file, source, library, context, &mut report));
    Read { ready, problems: report.into_problems(), outlook }
}

fn compile_node(
    node: &Node,
    file: &WorkflowFile,
    source: &SourceFile,
    library: &Library<'_>,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Ready> {
    let complete = !report.has_errors();
    let mut names = BTreeSet::new();
    let mut unusable: Vec<RangeInclusive<u32>> = Vec::new();
    node.for_each_text(&mut |text| {
        let own = mentioned(&text.raw);
        if broken(&own, text.span, library, report) {
            unusable.push(text.span.line..=text.place.last_line);
        }
        names.extend(own);
    });
    let modules = library.closure(&names);
    let scripts = modules.iter().filter_map(|module| library.modules.get(module)).map(|module| module.source);
    let (schemas, beside) = schemas(file, library, report);
    let files: Vec<(String, String)> = std::iter::once(source)
        .chain(scripts)
        .chain(beside.into_values())
        .map(|file| (file.path.to_string(), file.text.to_string()))
        .collect();
    let mut found = Report::new(Arc::clone(&source.path));
    let compiled = compile(file, (source.stem(), &source.text), revision(&files), &library.engine, context, &mut found);
    // Code that uses a broken module cannot be compiled either: that was said.
    let told = |problem: &Problem| problem.code == codes::BAD_SCRIPT && unusable.iter().any(|lines| lines.contains(&problem.line));
    found.into_problems().into_iter().filter(|problem| !told(problem)).for_each(|problem| report.push(problem));
    if let Some(now) = context.lint_at {
        let engine = &library.engine;
        lint::check(&Subject { node, file, source: &source.text, complete, engine, context, now }, report);
    }
    let compiled = compiled.filter(|_| !report.has_errors())?;
    let Compiled { workflow, program, secrets } = compiled;
    let name_span = file.name.as_ref().map_or(Span::START, |name| name.span);
    let trigger_spans = file.triggers.iter().map(|trigger| match trigger {
        TriggerFile::Webhook(webhook) => webhook.path.span,
        TriggerFile::Form(form) => form.path.span,
        TriggerFile::Event(event) => event.kind.span,
        TriggerFile::Run(run) => run.workflow.span,
        TriggerFile::Schedule(_) | TriggerFile::Manual(_) => Span::START,
    });
    let uses = Uses::of(files.iter().map(|(_, text)| text.as_str()));
    let loaded = Loaded { workflow, program, schemas, files, secrets, uses, problems: Vec::new() };
    Some(Ready { loaded, name_span, trigger_spans: trigger_spans.collect() })
}

/// Files that several triggers may use, each once.
type ByPath<'s> = BTreeMap<Arc<str>, &'s SourceFile>;

/// The schemas of the triggers, by their places, and the files they are made of, by path.
fn schemas<'s>(file: &WorkflowFile, library: &Library<'s>, report: &mut Report) -> (BTreeMap<usize, Arc<BodySchema>>, ByPath<'s>) {
    let (mut schemas, mut beside) = (BTreeMap::new(), ByPath::new());
    for (index, trigger) in file.triggers.iter().enumerate() {
        let Some(Used { schema, sources }) = trigger.schema().and_then(|written| library.schemas.of(written, report)) else { continue };
        schemas.extend(schema.map(|schema| (index, schema)));
        beside.extend(sources.into_iter().map(|source| (Arc::clone(&source.path), source)));
    }
    (schemas, beside)
}

/// Says which of the mentioned modules cannot be used, itself or through another. Whether there is one.
fn broken(names: &BTreeSet<String>, span: Span, library: &Library<'_>, report: &mut Report) -> bool {
    let mut found_any = false;
    for module in library.closure(names) {
        let Some(found) = library.modules.get(module).filter(|module| module.broken) else { continue };
        let message = format!("this uses the module `{module}`, and {} cannot be compiled", found.source.path);
        report.error(codes::BROKEN_MODULE, span, message, format!("mend {}", found.source.path));
        found_any = true;
    }
    found_any
}

/// SHA-256 over paths and contents, each with its length in front, so that no two sets give the same bytes.
fn revision(files: &[(String, String)]) -> Revision {
    let mut hash = digest::Context::new(&digest::SHA256);
    for part in files.iter().flat_map(|(path, text)| [path, text]) {
        hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut bytes = [0; 32];
    for (slot, byte) in bytes.iter_mut().zip(hash.finish().as_ref()) {
        *slot = *byte;
    }
    Revision(bytes)
}
