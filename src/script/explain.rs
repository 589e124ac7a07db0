//! What Rhai says, in the words and with the places of the files people write.

use rhai::{EvalAltResult, ParseError, ParseErrorType, Position};

use super::json;
use super::limits::Limits;
use super::scope::VARIABLES;
use super::{CompileError, Origin};
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
    format!("there is no variable `{name}` here; there are {}, and a function in scripts/ sees only its arguments", VARIABLES.join(", "))
}

/// A failure while code at `origin` ran.
pub(super) fn failure(error: &EvalAltResult, origin: &Origin, limits: &Limits) -> Failure {
    let (place, innermost) = trace(error);
    let words = run_words(innermost, limits);
    let text = match place {
        Place::Script { file, position } => match (position.line(), position.position()) {
            (Some(line), Some(column)) => {
                format!("{file}:{line}:{column}: {words} (called from {}:{}: {})", origin.file, origin.line, origin.field)
            }
            _ => format!("{file}: {words} (called from {}:{}: {})", origin.file, origin.line, origin.field),
        },
        Place::Code(position) => return failure_at(origin, position, &words),
    };
    Failure::new(FailureKind::Script, text)
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
pub(super) fn run_words(error: &EvalAltResult, limits: &Limits) -> String {
    let words = all_words(error, limits);
    match words.char_indices().nth(WORDS_CHARS) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or("")),
        None => words,
    }
}

fn all_words(error: &EvalAltResult, limits: &Limits) -> String {
    match error.unwrap_inner() {
        EvalAltResult::ErrorVariableNotFound(name, _) => unknown_variable(name),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => no_function(signature),
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
        EvalAltResult::ErrorRuntime(thrown, _) => thrown_words(thrown),
        EvalAltResult::ErrorDotExpr(words, _) => no_property(words).unwrap_or_else(|| without_place(error.unwrap_inner())),
        other => without_place(other),
    }
}

fn no_function(signature: &str) -> String {
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
    format!("there is no function `{name}({shown})`{hint}")
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
