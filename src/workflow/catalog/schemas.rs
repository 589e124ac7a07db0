//! The JSON Schemas of a project, and which of them a trigger uses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::sources::SourceFile;
use crate::domain::Value;
use crate::workflow::body_schema::{BodySchema, Wrong, references};
use crate::workflow::file::{At, BodySchemaFile, Report, SCHEMA_HELP};
use crate::workflow::problem::{Problem, codes};
use crate::workflow::words;
use crate::workflow::yaml::{self, Kind, Node, Span};

/// Where schemas lie, and how they are called.
const FOLDER: &str = "schemas/";
const ENDING: &str = ".json";

/// Every schema file, compiled once for all workflows.
pub(super) struct Schemas<'s> {
    files: BTreeMap<&'s str, SchemaFile<'s>>,
    /// A stored revision is built again: what ran once runs on, whatever later rules say of its schemas.
    rebuilds: bool,
}

struct SchemaFile<'s> {
    source: &'s SourceFile,
    /// Nothing when it is not JSON.
    value: Option<Value>,
    /// Nothing when it is wrong, or one that it refers to.
    compiled: Option<Arc<BodySchema>>,
}

/// What a trigger's `schema` is made of.
pub(super) struct Used<'s> {
    /// Nothing in a stored revision: its events are there already.
    pub(super) schema: Option<Arc<BodySchema>>,
    /// The files it uses.
    pub(super) sources: Vec<&'s SourceFile>,
}

impl<'s> Schemas<'s> {
    /// Compiles all files, and says what is wrong with them.
    pub(super) fn new(sources: &'s [SourceFile], rebuilds: bool) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut schemas = Self { rebuilds, files: BTreeMap::new() };
        for source in sources {
            let value = serde_json::from_str(&source.text).map_err(|error| problems.push(no_json(&source.path, &error))).ok();
            schemas.files.insert(&source.path, SchemaFile { source, value, compiled: None });
        }
        if rebuilds {
            return (schemas, Vec::new());
        }
        let mut compiled = Vec::new();
        for (path, file) in &schemas.files {
            let Some(value) = &file.value else { continue };
            match BodySchema::new(path, value, &schemas.others(path, value)) {
                Ok(schema) => compiled.push((*path, Arc::new(schema))),
                Err(wrong) => {
                    let (node, _told) = yaml::parse(&file.source.path, &file.source.text);
                    problems.extend(wrong.iter().map(|wrong| problem(&file.source.path, node.as_ref(), wrong)));
                }
            }
        }
        for (path, schema) in compiled {
            if let Some(file) = schemas.files.get_mut(path) {
                file.compiled = Some(schema);
            }
        }
        (schemas, problems)
    }

    /// The schema of a trigger, or nothing and the reason.
    pub(super) fn of(&self, written: &BodySchemaFile, report: &mut Report) -> Option<Used<'s>> {
        match written {
            BodySchemaFile::File(path) => {
                let Some(file) = self.files.get(&*path.value) else {
                    self.tell_missing(path, report);
                    return None;
                };
                let beside = file.value.as_ref().map(|value| self.closure(&path.value, value)).unwrap_or_default();
                let sources = std::iter::once(file.source).chain(beside).collect();
                if self.rebuilds {
                    return Some(Used { schema: None, sources });
                }
                let Some(schema) = &file.compiled else {
                    let message = format!("{} cannot be used", path.value);
                    report.error(codes::BAD_SCHEMA, path.span, message, format!("mend {}", path.value));
                    return None;
                };
                Some(Used { schema: Some(Arc::clone(schema)), sources })
            }
            BodySchemaFile::Inline(node) => {
                let value = node.to_value();
                if self.rebuilds {
                    return Some(Used { schema: None, sources: self.closure("", &value) });
                }
                match BodySchema::new("", &value, &self.others("", &value)) {
                    Ok(schema) => Some(Used { schema: Some(Arc::new(schema)), sources: self.closure("", &value) }),
                    Err(wrong) => {
                        let file = Arc::clone(report.file());
                        wrong.iter().for_each(|wrong| report.push(problem(&file, Some(node), wrong)));
                        None
                    }
                }
            }
        }
    }

    /// Says that a file is not there, and which is meant.
    fn tell_missing(&self, path: &At<Arc<str>>, report: &mut Report) {
        let written = &*path.value;
        let known: Vec<&str> = self.files.keys().copied().collect();
        let is_below = written.starts_with(FOLDER) && written.ends_with(ENDING);
        let same = known.iter().find(|known| stem(known) == stem(written));
        let help = match same {
            Some(same) => format!("write `schema: {same}`"),
            None if !known.is_empty() => words::suggest(written, &known),
            None if is_below => format!("there is no file in {FOLDER}"),
            None => SCHEMA_HELP.to_owned(),
        };
        let (code, message) = if is_below {
            (codes::BAD_SCHEMA, format!("there is no {written}"))
        } else {
            (codes::BAD_VALUE, format!("`{written}` is not a file in {FOLDER} that ends in {ENDING}"))
        };
        report.error(code, path.span, message, help);
    }

    fn others<'a>(&'a self, path: &str, value: &Value) -> Vec<(&'s str, &'a Value)> {
        let closure = self.closure(path, value);
        closure
            .iter()
            .filter_map(|source| self.files.get_key_value(&*source.path))
            .filter_map(|(path, file)| Some((*path, file.value.as_ref()?)))
            .collect()
    }

    /// The files that a schema refers to, and those that they refer to.
    fn closure(&self, path: &str, value: &Value) -> Vec<&'s SourceFile> {
        let mut found: BTreeSet<&'s str> = BTreeSet::new();
        let mut open: Vec<String> = references(path, value).into_iter().collect();
        while let Some(name) = open.pop() {
            if let Some((name, file)) = self.files.get_key_value(name.as_str())
                && *name != path
                && found.insert(name)
            {
                open.extend(file.value.iter().flat_map(|value| references(name, value)));
            }
        }
        found.iter().filter_map(|name| self.files.get(name)).map(|file| file.source).collect()
    }
}

/// `lead` of `schemas/lead.json`, `./lead.json` and `lead`.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.strip_suffix(ENDING).unwrap_or(name)
}

fn no_json(file: &Arc<str>, error: &serde_json::Error) -> Problem {
    let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX).max(1);
    let span = Span { line: number(error.line()), column: number(error.column()), length: 1 };
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    Problem::error(codes::BAD_SCHEMA, file, span, format!("the file is not JSON: {message}")).help("write the schema as JSON")
}

fn problem(file: &Arc<str>, schema: Option<&Node>, wrong: &Wrong) -> Problem {
    let span = schema.map_or(Span::START, |schema| place(schema, &wrong.pointer));
    let problem = Problem::error(codes::BAD_SCHEMA, file, span, &*wrong.message);
    problem.help("JSON Schema 2020-12 is what counts: https://json-schema.org/understanding-json-schema/reference")
}

/// Where a JSON pointer leads, as far as it can be followed.
fn place(schema: &Node, pointer: &str) -> Span {
    let (mut node, mut span) = (schema, schema.span);
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let next = match &node.kind {
            Kind::Map(entries) => entries.iter().find(|entry| *entry.key == *part).map(|entry| (&entry.value, entry.span)),
            Kind::List(items) => part.parse().ok().and_then(|index: usize| items.get(index)).map(|item| (item, item.span)),
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text => None,
        };
        let Some(next) = next else { break };
        (node, span) = next;
    }
    span
}
