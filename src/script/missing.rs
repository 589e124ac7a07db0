//! What was missing, and what was there instead. Rhai says only that `()` has no such property, so
//! the part of the source that was read is looked up in the variables again.

use rhai::{Dynamic, EvalAltResult, Scope};

use super::json;

/// How many keys of a map are told, and how much of each, in characters.
const KEYS_TOLD: usize = 8;
const KEY_CHARS: usize = 40;
/// How alike two names have to be for the one to be meant by the other, and how long: of a letter or two nothing can be said.
const LIKENESS: f64 = 0.75;
const NAME_BYTES_LEAST: usize = 3;

/// The words for an error at `offset` bytes of the source, if it is of something missing or of another kind than it should be.
pub(super) fn explain(error: &EvalAltResult, source: &str, offset: usize, scope: Option<&Scope<'_>>) -> Option<String> {
    let (before, after) = source.split_at_checked(offset)?;
    match error {
        EvalAltResult::ErrorDotExpr(text, _) => {
            let kind = text.rsplit_once("for type '")?.1.trim_end_matches('\'');
            let subject = chain_before(before.trim_end().strip_suffix('.')?.trim_end_matches('?'))?;
            let property = chain_after(after)?;
            let property = property.split(['.', '[', '?']).next().unwrap_or(property);
            Some(no_property(subject, kind, &format!(".{property}"), scope))
        }
        EvalAltResult::ErrorIndexingType(text, _) => {
            let kind = text.split(" [").next()?;
            let index = after.find(']').and_then(|end| after.get(..=end)).filter(|index| index.starts_with('['))?;
            Some(no_property(chain_before(before)?, kind, index, scope))
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            let (name, arguments) = signature.strip_suffix(')')?.split_once(" (")?;
            let index = arguments.split(", ").position(|kind| kind == "()")?;
            let subject = operand(name, index, before, after)?;
            let what = if name.starts_with(char::is_alphabetic) {
                format!("`{name}` cannot be called with it")
            } else {
                format!("`{name}` cannot be done")
            };
            Some(format!("{}, so {what}{}; `??` gives it a default", is_missing(subject, scope), was_there(subject, scope)))
        }
        _ => None,
    }
}

/// What was there where `subject` should have been, as the end of a sentence; nothing if that cannot be known.
pub(super) fn was_there(subject: &str, scope: Option<&Scope<'_>>) -> String {
    let Some(found) = scope.and_then(|scope| first_missing(subject, scope)) else { return String::new() };
    let Some((parent, value)) = found.parent else { return String::new() };
    let has = if let Ok(map) = value.as_map_ref() {
        keys(parent, found.key, &mut map.keys().map(|key| key.as_str()))
    } else if let Ok(list) = value.as_array_ref() {
        format!("{parent} has {} items, from 0", list.len())
    } else {
        format!("{parent} is {}", json::kind(&value))
    };
    format!("; {has}")
}

fn keys(parent: &str, wanted: &str, keys: &mut dyn Iterator<Item = &str>) -> String {
    let keys: Vec<&str> = keys.collect();
    if keys.is_empty() {
        return format!("{parent} is empty");
    }
    let told: Vec<String> = keys.iter().take(KEYS_TOLD).map(|key| key.chars().take(KEY_CHARS).collect()).collect();
    let more = if KEYS_TOLD < keys.len() { format!(" and {} more", keys.len() - KEYS_TOLD) } else { String::new() };
    let meant = nearest(wanted, keys.into_iter()).map_or(String::new(), |key| format!("; did you mean `{key}`?"));
    format!("{parent} has: {}{more}{meant}", told.join(", "))
}

/// The name that is most likely meant, if one is.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // Comparing takes time in proportion to both.
    let scored = known
        .filter(|known| known.len() <= KEY_CHARS && (NAME_BYTES_LEAST..=KEY_CHARS).contains(&name.len()))
        .map(|known| (strsim::jaro_winkler(name, known), known));
    scored.filter(|(score, known)| LIKENESS < *score && *known != name).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

fn no_property(subject: &str, kind: &str, property: &str, scope: Option<&Scope<'_>>) -> String {
    let kind = match kind {
        "()" => return format!("{}, so `{property}` cannot be read{}", is_missing(subject, scope), was_there(subject, scope)),
        "string" | "ImmutableString" => "a text",
        "i64" | "f64" => "a number",
        "bool" => "true or false",
        "array" => "a list",
        "map" => "a map",
        _ => return format!("`{subject}` has no `{property}`"),
    };
    format!("`{subject}` is {kind}, which has no `{property}`")
}

fn is_missing(subject: &str, scope: Option<&Scope<'_>>) -> String {
    let path = scope.and_then(|scope| first_missing(subject, scope)).map_or(subject, |found| found.path);
    format!("`{path}` is missing")
}

struct Missing<'s> {
    /// The part of the subject that is missing.
    path: &'s str,
    /// Its last key.
    key: &'s str,
    /// What it is a part of, and that one's value.
    parent: Option<(&'s str, Dynamic)>,
}

/// Walks the subject from its variable on to the first part that is not there.
fn first_missing<'s>(subject: &'s str, scope: &Scope<'_>) -> Option<Missing<'s>> {
    let mut parts = parts(subject)?.into_iter();
    let (root, mut path) = parts.next()?;
    let mut value = scope.get(root)?.clone().flatten();
    if value.is_unit() {
        return Some(Missing { path, key: root, parent: None });
    }
    for (key, longer) in parts {
        let inner = if let Ok(map) = value.as_map_ref() {
            map.get(key).cloned()
        } else if let Ok(list) = value.as_array_ref() {
            key.parse::<usize>().ok().and_then(|index| list.get(index).cloned())
        } else {
            None
        };
        match inner.map(Dynamic::flatten) {
            Some(inner) if !inner.is_unit() => {
                value = inner;
                path = longer;
            }
            _ => return Some(Missing { path: longer, key, parent: Some((path, value)) }),
        }
    }
    None
}

/// The keys of a chain, each with the chain up to it: `a`, `a.b`, `a.b[0]`. Nothing if a key is not plain.
fn parts(chain: &str) -> Option<Vec<(&str, &str)>> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < chain.len() {
        let rest = chain.get(at..)?;
        let (key, length) = if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']')?;
            let index = inner.get(..end)?.trim();
            let key = index.strip_prefix('"').and_then(|key| key.strip_suffix('"'));
            (key.or_else(|| index.bytes().all(|byte| byte.is_ascii_digit()).then_some(index))?, end + 2)
        } else {
            let key = rest.trim_start_matches("?.").trim_start_matches('.');
            let skipped = rest.len() - key.len();
            let end = key.find(|c: char| !is_ident(c)).unwrap_or(key.len());
            (key.get(..end).filter(|key| !key.is_empty())?, skipped + end)
        };
        at += length;
        parts.push((key, chain.get(..at)?));
        if chain.get(at..)?.starts_with("?[") {
            at += 1;
        }
    }
    Some(parts)
}

fn is_ident(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The variable with its properties that ends the text.
fn chain_before(text: &str) -> Option<&str> {
    let text = text.trim_end();
    let mut start = text.len();
    loop {
        let rest = text.get(..start)?;
        if rest.ends_with(']') {
            start = rest.rfind('[')?;
            continue;
        }
        let ident = rest.trim_end_matches(is_ident);
        if ident.len() == rest.len() {
            return None;
        }
        start = ident.len();
        let Some(link) = ident.strip_suffix('.').map(|link| link.trim_end_matches('?')) else { break };
        start = link.len();
    }
    text.get(start..).filter(|chain| chain.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
}

/// The variable with its properties that begins the text; a call is none.
fn chain_after(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let mut end = 0;
    loop {
        let rest = text.get(end..)?;
        let inner = rest.strip_prefix("?.").or_else(|| rest.strip_prefix('.')).unwrap_or(rest);
        let ident = inner.find(|c: char| !is_ident(c)).unwrap_or(inner.len());
        if ident == 0 {
            match rest.strip_prefix('[').and_then(|index| index.find(']')) {
                Some(close) if 0 < end => end += close + 2,
                _ => break,
            }
        } else {
            end += rest.len() - inner.len() + ident;
        }
    }
    let chain = text.get(..end).filter(|chain| chain.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))?;
    (!text.get(end..)?.trim_start().starts_with('(')).then_some(chain)
}

/// The source of the argument at `index` of an operator, method or function that stands at the end of `before`.
fn operand<'s>(name: &str, index: usize, before: &'s str, after: &'s str) -> Option<&'s str> {
    if !name.starts_with(char::is_alphabetic) {
        let is_unary = chain_before(before).is_none() && index == 0;
        return if is_unary || 0 < index { chain_after(after.strip_prefix(name)?) } else { chain_before(before) };
    }
    // `value in list` is a call of `contains` with both turned round.
    if let Some(list) = after.strip_prefix("in ") {
        return if index == 0 { chain_after(list) } else { chain_before(before) };
    }
    let method = before.trim_end().strip_suffix('.').map(|subject| subject.trim_end_matches('?'));
    let (subject, index) = match (method, index) {
        (Some(subject), 0) => return chain_before(subject),
        (Some(_), index) => (after, index - 1),
        (None, index) => (after, index),
    };
    let arguments = subject.split_once('(')?.1;
    // Commas in calls and texts are not told apart: then the argument is no plain chain, or it is checked to be missing.
    let argument = arguments.split(',').nth(index)?;
    let argument = argument.split(')').next()?.trim();
    chain_after(argument).filter(|chain| chain.len() == argument.len())
}
