//! A schema as written → one that can be used, or every place where it is wrong.

use std::collections::BTreeSet;
use std::error::Error;

use boon::{CompileError, Compiler, Draft, Schemas, UrlLoader};

use super::{BodySchema, Mismatch, remembered, told};
use crate::domain::Value;

/// What is wrong with a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// A JSON pointer into the schema.
    pub pointer: String,
    /// What it is.
    pub message: String,
}

/// Nothing is fetched and no file is opened: what a schema may refer to is given.
struct Closed;

impl UrlLoader for Closed {
    fn load(&self, _url: &str) -> Result<Value, Box<dyn Error>> {
        Err("a schema refers to itself and to files in schemas/ alone".into())
    }
}

const BASE: &str = "hence:///";

impl BodySchema {
    /// Compiles the schema of a file (`schemas/lead.json`) or one that stands in a workflow, with the files it refers to.
    ///
    /// # Errors
    /// Where it is wrong.
    pub fn new(path: &str, schema: &Value, others: &[(&str, &Value)]) -> Result<Self, Vec<Wrong>> {
        if !matches!(schema, Value::Object(_) | Value::Bool(_)) {
            return Err(vec![Wrong { pointer: String::new(), message: "a schema is a map".to_owned() }]);
        }
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        for scheme in ["file", "http", "https"] {
            compiler.register_url_loader(scheme, Box::new(Closed));
        }
        let own = format!("{BASE}{path}");
        let wrong = |error: CompileError| wrong(&error, &own, schema);
        for (path, other) in others {
            compiler.add_resource(&format!("{BASE}{path}"), (*other).clone()).map_err(wrong)?;
        }
        compiler.add_resource(&own, schema.clone()).map_err(wrong)?;
        let mut schemas = Schemas::new();
        let index = compiler.compile(&own, &mut schemas).map_err(wrong)?;
        let written = if path.is_empty() { schema.to_string() } else { path.to_owned() };
        let names = remembered::names(others.iter().map(|(_, other)| *other).chain([schema]));
        Ok(Self { schemas, index, written, names })
    }
}

fn wrong(error: &CompileError, own: &str, schema: &Value) -> Vec<Wrong> {
    let one = |pointer: String, message: String| vec![Wrong { pointer, message }];
    match error {
        CompileError::ValidationError { url, src } if url.starts_with(own) => {
            let keyword = |pointer: &str| match pointer.rsplit('/').next() {
                None | Some("") => "the schema".to_owned(),
                Some(name) => format!("`{name}`"),
            };
            let say = |found: Mismatch| {
                let why = if found.message.starts_with("fits none") { "is not what JSON Schema allows here" } else { &found.message };
                Wrong { message: format!("{} {why}", keyword(&found.path)), pointer: found.path }
            };
            told::mismatches(src).into_iter().map(say).collect()
        }
        CompileError::ValidationError { url, .. } => {
            let file = url.trim_start_matches(BASE).split('#').next().unwrap_or_default();
            one(String::new(), format!("it refers to {file}, which is no JSON Schema"))
        }
        CompileError::InvalidRegex { url, regex, src } => {
            let why = src.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            one(fragment(url), format!("the pattern `{regex}` is no regular expression: {why}"))
        }
        CompileError::JsonPointerNotFound(target) | CompileError::AnchorNotFound { reference: target, .. } => {
            let (pointer, text) = naming(schema, target).unwrap_or_default();
            one(pointer, format!("`{text}` refers to nothing"))
        }
        CompileError::LoadUrlError { url, .. } | CompileError::UnsupportedUrlScheme { url } => {
            let (pointer, text) = naming(schema, url).unwrap_or_else(|| (String::new(), url.clone()));
            one(pointer, format!("`{text}` is not here: a schema refers to itself and to files in schemas/ alone, nothing is fetched"))
        }
        other => one(String::new(), format!("{other:#}").replace(BASE, "")),
    }
}

fn fragment(url: &str) -> String {
    url.split_once('#').map(|(_, pointer)| pointer.to_owned()).unwrap_or_default()
}

/// The `$ref` that leads to a place that is not there: its pointer and its text.
fn naming(schema: &Value, target: &str) -> Option<(String, String)> {
    let mut found = None;
    each_reference(schema, &mut String::new(), &mut |pointer, text| {
        let end = text.trim_start_matches("./");
        if found.is_none() && !end.is_empty() && target.ends_with(end) {
            found = Some((pointer.to_owned(), text.to_owned()));
        }
    });
    found
}

/// The files in `schemas/` that a schema refers to, each as it would be called. `path` is its own.
#[must_use]
pub fn references(path: &str, schema: &Value) -> BTreeSet<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found = BTreeSet::new();
    each_reference(schema, &mut String::new(), &mut |_, text| {
        let file = text.split('#').next().unwrap_or_default().trim_start_matches("./");
        if !file.is_empty() && !file.contains(':') {
            found.insert(if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") });
        }
    });
    found.remove(path);
    found
}

fn each_reference(schema: &Value, pointer: &mut String, visit: &mut impl FnMut(&str, &str)) {
    let length = pointer.len();
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                match value {
                    Value::String(text) if matches!(&**key, "$ref" | "$dynamicRef" | "$recursiveRef") => visit(pointer, text),
                    other => each_reference(other, pointer, visit),
                }
                pointer.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointer.push_str(&format!("/{index}"));
                each_reference(value, pointer, visit);
                pointer.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
