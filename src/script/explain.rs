//! What Rhai says, in the words and with the places of the files people write.

use rhai::{EvalAltResult, ParseError, ParseErrorType, Position};

use super::engine::{Bounded, Script};
use super::limits::Limits;
use super::program::Piece;
use super::scope::VARIABLES;
use super::{CompileError, Origin, json, library, missing};
use crate::domain::failure::{Failure, FailureKind};

/// A compile error of code at `origin`.
pub(super) fn compile_error(error: &ParseError, origin: &Origin) -> CompileError {
    let (line, column) = place(error.position(), origin);
    let words = parse_words(error);
    // A script may assign, and has other reasons for it.
    let hint = if words == "Unexpected '='" && !origin.field.ends_with("script") { "; to compare, write `==`" } else { "" };
    CompileError { file: origin.file.clone(), line, column, message: format!("{}: {words}{hint}", origin.field) }
}

/// What is wrong with code that cannot be parsed.
pub(super) fn parse_words(error: &ParseError) -> String {
    match error.err_type() {
        ParseErrorType::VariableUndefined(name) => unknown_variable(name),
        ParseErrorType::ModuleUndefined(name) => format!("there is no script `{name}`; expected a file scripts/{name}.rhai that compiles"),
        other => other.to_string(),
    }
}

fn unknown_variable(name: &str) -> String {
    let near = missing::nearest(name, VARIABLES.into_iter());
    let meant = near.map_or("; there".to_owned(), |near| format!("; did you mean `{near}`? There"));
    format!("there is no variable `{name}` here{meant} are {}, and a function in scripts/ sees only its arguments", VARIABLES.join(", "))
}

/// A failure while a piece of code ran.
pub(super) fn failure(error: &EvalAltResult, piece: &Piece, scope: &rhai::Scope<'_>, engine: &Bounded) -> Failure {
    let (place, innermost) = trace(error);
    let origin = &piece.origin;
    let words = |source: Option<&str>, position: Position, scope| {
        let told = source.and_then(|source| missing::explain(innermost, source, offset(source, position)?, scope));
        told.unwrap_or_else(|| run_words(innermost, &engine.limits, &engine.scripts))
    };
    let text = match place {
        Place::Script { file, position } => {
            let source = engine.scripts.iter().find(|script| *script.file == *file).map(|script| &*script.source);
            let words = words(source, position, None);
            match (position.line(), position.position()) {
                (Some(line), Some(column)) => {
                    format!("{file}:{line}:{column}: {words} (called from {}:{}: {})", origin.file, origin.line, origin.field)
                }
                _ => format!("{file}: {words} (called from {}:{}: {})", origin.file, origin.line, origin.field),
            }
        }
        Place::Code(position) => return failure_at(origin, position, &words(Some(&piece.source), position, Some(scope))),
    };
    Failure::new(FailureKind::Script, text)
}

/// Where a line and column are in the source, in bytes.
fn offset(source: &str, position: Position) -> Option<usize> {
    let (line, column) = (position.line()?, position.position()?);
    let start: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let (within, _) = source.get(start..)?.char_indices().nth(column.checked_sub(1)?)?;
    Some(start + within)
}

/// A failure with words of our own, at the code's beginning.
pub(super) fn failure_here(origin: &Origin, words: &str) -> Failure {
    failure_at(origin, Position::NONE, words)
}

fn failure_at(origin: &Origin, position: Position, words: &str) -> Failure {
    let (line, column) = place(position, origin);
    Failure::new(FailureKind::Script, format!("{}:{line}:{column}: {}: {words}", origin.file, origin.field))
}

fn place(position: Position, origin: &Origin) -> (u32, u32) {
    match position.line() {
        Some(line) => origin.place(line, position.position().unwrap_or(1)),
        None => (origin.line, origin.column),
    }
}

enum Place<'e> {
    Code(Position),
    Script { file: &'e str, position: Position },
}

/// Follows the error through the function calls it came out of.
fn trace(error: &EvalAltResult) -> (Place<'_>, &EvalAltResult) {
    let mut at = Place::Code(error.position());
    let mut error = error;
    loop {
        let (source, inner) = match error {
            EvalAltResult::ErrorInFunctionCall(_, source, inner, _) => (source.as_str(), inner),
            EvalAltResult::ErrorInModule(_, inner, _) => ("", inner),
            _ => return (at, error),
        };
        let position = inner.position();
        at = match at {
            // A closure of a script has no source of its own: it stays in the file it was called in.
            Place::Script { file, position: outer } if source.is_empty() => {
                Place::Script { file, position: if position.is_none() { outer } else { position } }
            }
            Place::Code(outer) if source.is_empty() => Place::Code(if position.is_none() { outer } else { position }),
            Place::Script { .. } | Place::Code(_) => Place::Script { file: source, position },
        };
        error = inner;
    }
}

/// How much of an error's text is kept, in characters: a script can throw a megabyte.
const WORDS_CHARS: usize = 1_000;

/// What went wrong, without a place.
pub(super) fn run_words(error: &EvalAltResult, limits: &Limits, scripts: &[Script]) -> String {
    let words = all_words(error, limits, scripts);
    match words.char_indices().nth(WORDS_CHARS) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or("")),
        None => words,
    }
}

fn all_words(error: &EvalAltResult, limits: &Limits, scripts: &[Script]) -> String {
    match error.unwrap_inner() {
        EvalAltResult::ErrorVariableNotFound(name, _) => unknown_variable(name),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => no_function(signature, scripts),
        EvalAltResult::ErrorDataTooLarge(what, _) => format!(
            "{} is over the limit ({} bytes of text, {} list items, {} map entries in one value)",
            what.to_lowercase(),
            limits.string_bytes,
            limits.array_items,
            limits.map_entries
        ),
        EvalAltResult::ErrorStackOverflow(_) => format!("functions call each other more than {} deep, the limit", limits.call_depth),
        EvalAltResult::ErrorTooManyVariables(_) => format!("there are more than {} variables, the limit", limits.variables),
        EvalAltResult::ErrorTerminated(why, _) => why.to_string(),
        EvalAltResult::ErrorAssignmentToConstant(name, _) => {
            format!("`{name}` can be read but not changed; copy it first: `let copy = {name};`")
        }
        EvalAltResult::ErrorNonPureMethodCallOnConstant(name, _) => {
            format!("`{name}` changes its object, and this one can only be read; copy it first with `let`")
        }
        EvalAltResult::ErrorArrayBounds(items, index, _) => format!("there is no item {index} in this list of {items}; items count from 0"),
        EvalAltResult::ErrorMismatchDataType(_, actual, _) if actual == "()" => {
            "expected true or false, and this is missing; `??` gives it a default".to_owned()
        }
        EvalAltResult::ErrorRuntime(thrown, _) => thrown_words(thrown),
        EvalAltResult::ErrorDotExpr(words, _) => no_property(words).unwrap_or_else(|| without_place(error.unwrap_inner())),
        other => without_place(other),
    }
}

fn no_function(signature: &str, scripts: &[Script]) -> String {
    const KINDS: [(&str, &str); 6] = [
        ("&str | ImmutableString | String", "text"),
        ("i64", "whole number"),
        ("f64", "float"),
        ("array", "list"),
        ("Fn", "function"),
        ("()", "missing"),
    ];
    let (name, arguments) = signature.strip_suffix(')').and_then(|open| open.split_once(" (")).unwrap_or((signature, ""));
    let shown = KINDS.iter().fold(arguments.to_owned(), |shown, (rhai, ours)| shown.replace(rhai, ours));
    let hint = if shown.contains("missing") { "; a value in it is missing, `??` gives it a default" } else { "" };
    format!("there is no function `{name}({shown})`{hint}{}", meant(name, scripts))
}

/// How a function of this name is called, or which name may be meant.
fn meant(name: &str, scripts: &[Script]) -> String {
    let own = || scripts.iter().flat_map(|script| &script.functions);
    let known: Option<&str> = library::functions().find(|function| function.name() == name).map(|function| function.signature);
    let written = own().map(String::as_str).find(|signature| signature.split('(').next() == Some(name));
    if let Some(signature) = known.or(written) {
        return format!("; it is called as {signature}");
    }
    let mut names: Vec<&str> = own().filter_map(|signature| signature.split('(').next()).collect();
    for function in library::functions() {
        names.push(function.name());
    }
    missing::nearest(name, names.into_iter()).map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

/// `Unknown property 'name' - a getter is not registered for type 'string'`, in our words.
fn no_property(words: &str) -> Option<String> {
    let (name, rest) = words.strip_prefix("Unknown property '")?.split_once('\'')?;
    let kind = match rest.rsplit('\'').nth(1)? {
        "string" => "a text",
        "()" => "a missing value; `?.` in place of `.` allows for that",
        "array" => "a list",
        "i64" | "f64" => "a number",
        "bool" => "true or false",
        _ => return None,
    };
    Some(format!("there is no `{name}` in {kind}"))
}

fn thrown_words(thrown: &rhai::Dynamic) -> String {
    match json::to_value(thrown) {
        Ok(crate::domain::Value::String(text)) => text,
        Ok(value) => format!("threw {value}"),
        Err(_) => "threw a value that has no text".to_owned(),
    }
}

fn without_place(error: &EvalAltResult) -> String {
    let text = error.to_string();
    match text.rfind(" (line ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}
