//! Conditions that are always so: constants, and comparisons of what can never be equal.

use super::code::{Piece, Role, for_each_piece};
use super::scan::{Kind, Token};
use super::{Subject, code};
use crate::domain::event::Source;
use crate::workflow::compile::read_at;
use crate::workflow::file::{KindFile, Report, StepFile, TriggerFile};
use crate::workflow::problem::codes;
use crate::workflow::words;

/// Adds what can be said about conditions, cases, lists and times without running them.
pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for_each_piece(subject.file, &mut |piece| {
        match piece.role {
            Role::Condition(key) => constant(piece, key, subject, report),
            Role::Arriving => constant(piece, "if", subject, report),
            Role::Items => items(piece, subject, report),
            Role::Time => time(piece, subject, report),
            Role::Key(_) | Role::Switch | Role::With | Role::Value => {}
        }
        comparisons(piece, subject, report);
    });
    code::for_each_block(subject.file, &mut |steps| steps.iter().for_each(|step| cases(step, subject, report)));
}

/// What surely comes out of a piece of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Number,
    Bool,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::Bool => "true or false",
        }
    }
}

fn is_bool(token: &Token<'_>) -> bool {
    token.is_name("true") || token.is_name("false")
}

fn literal(token: &Token<'_>) -> Option<Type> {
    match token.kind {
        Kind::Text => Some(Type::Text),
        Kind::Number => Some(Type::Number),
        Kind::Name => is_bool(token).then_some(Type::Bool),
        Kind::Symbol => None,
    }
}

fn constant(piece: &Piece<'_>, key: &'static str, subject: &Subject<'_>, report: &mut Report) {
    let negations = piece.tokens.iter().take_while(|token| token.is("!")).count();
    let Some([only]) = piece.tokens.get(negations..) else { return };
    let span = piece.span(only, subject.source);
    match literal(only) {
        Some(Type::Bool) => {
            let is_true = only.is_name("true") == (negations % 2 == 0);
            let code = if is_true { codes::ALWAYS_TRUE } else { codes::NEVER_TRUE };
            let word = if is_true { "always true" } else { "never true" };
            let help = "write a condition such as `event.body.amount > 10`, or take it away with what can never be done";
            report.warning(code, span, format!("this `{key}` is {word}"), help);
        }
        Some(found @ (Type::Text | Type::Number)) => {
            let message = format!("`{key}` has to be true or false, and this is {}", found.name());
            report.error(codes::WRONG_TYPE, span, message, "compare it: `event.body.status == \"paid\"`");
        }
        None => {}
    }
}

fn items(piece: &Piece<'_>, subject: &Subject<'_>, report: &mut Report) {
    let [only] = piece.tokens.as_slice() else { return };
    if let Some(found) = literal(only) {
        let message = format!("`foreach` needs a list, and this is {}", found.name());
        report.error(codes::WRONG_TYPE, piece.span(only, subject.source), message, "write `foreach: event.body.items` or `'[1, 2]'`");
    }
}

fn time(piece: &Piece<'_>, subject: &Subject<'_>, report: &mut Report) {
    let [only] = piece.tokens.as_slice() else { return };
    // A local time has no zone here.
    let is_instant = only.kind == Kind::Text && only.text.parse::<crate::domain::time::Timestamp>().is_ok();
    let wrong = match literal(only) {
        Some(Type::Text) => !is_instant,
        Some(Type::Bool) => true,
        Some(Type::Number) | None => false,
    };
    if wrong {
        let local = read_at(only.text, None).is_some();
        let help =
            if local { "add the offset, as in `2026-03-01T09:00:00Z`" } else { "write RFC 3339, as in `'\"2026-03-01T09:00:00Z\"'`" };
        report.error(codes::BAD_TIME, piece.span(only, subject.source), format!("`{}` is not a point in time", only.text), help);
    }
}

/// `a == b` where the two are literals, lengths, or words of the event that have few values.
fn comparisons(piece: &Piece<'_>, subject: &Subject<'_>, report: &mut Report) {
    for (index, operator) in piece.tokens.iter().enumerate().filter(|(_, token)| token.is("==") || token.is("!=")) {
        let (Some(left), Some(right)) = (before(piece, index), after(piece, index)) else { continue };
        if let (Some(a), Some(b)) = (left.kind(), right.kind())
            && a != b
        {
            let message = format!("this compares {} with {}: they are never equal", a.name(), b.name());
            tell(piece, operator, message, "compare values of one kind; `parse_int(…)` makes a number of a text", subject, report);
            continue;
        }
        let (path, text) = match (left, right) {
            (Operand::Path(path), Operand::Literal(text)) | (Operand::Literal(text), Operand::Path(path)) => (path, text),
            _ => continue,
        };
        // What comes later is no event of a trigger.
        let is_own = text.kind == Kind::Text && piece.role != Role::Arriving;
        if let Some((message, help)) = word_of_event(path, text, subject).filter(|_| is_own) {
            tell(piece, operator, message, &help, subject, report);
        }
    }
}

fn tell(piece: &Piece<'_>, operator: &Token<'_>, message: String, help: &str, subject: &Subject<'_>, report: &mut Report) {
    let code = if operator.is("==") { codes::NEVER_TRUE } else { codes::ALWAYS_TRUE };
    report.warning(code, piece.span(operator, subject.source), message, help);
}

#[derive(Debug, Clone, Copy)]
enum Operand<'p, 't> {
    Literal(&'p Token<'t>),
    /// Names with dots between them.
    Path(&'p [Token<'t>]),
    /// A path that ends with `.len()`.
    Length,
}

impl Operand<'_, '_> {
    fn kind(self) -> Option<Type> {
        match self {
            Self::Literal(token) => literal(token),
            Self::Length => Some(Type::Number),
            Self::Path(_) => None,
        }
    }
}

fn is_part(token: &Token<'_>) -> bool {
    token.kind == Kind::Name || token.is(".") || token.is("?.")
}

/// Whether an operand ends or begins beside this token, so that nothing more belongs to it.
fn is_border(token: Option<&Token<'_>>) -> bool {
    const BORDERS: [&str; 9] = ["(", ")", "&&", "||", "{", "}", ",", ";", "="];
    token.is_none_or(|token| BORDERS.iter().any(|symbol| token.is(symbol)))
}

fn before<'p, 't>(piece: &'p Piece<'t>, operator: usize) -> Option<Operand<'p, 't>> {
    let tokens = piece.tokens.get(..operator)?;
    let is_length = matches!(tokens, [.., dot, len, open, close] if (dot.is(".") || dot.is("?.")) && len.is_name("len") && open.is("(") && close.is(")"));
    let end = if is_length { tokens.len() - 2 } else { tokens.len() };
    let start = tokens.get(..end)?.iter().rposition(|token| !is_part(token)).map_or(0, |last| last + 1);
    let single = tokens.last().filter(|token| literal(token).is_some());
    if let Some(token) = single {
        return is_border(tokens.len().checked_sub(2).and_then(|index| tokens.get(index))).then_some(Operand::Literal(token));
    }
    if !is_border(start.checked_sub(1).and_then(|index| tokens.get(index))) {
        return None;
    }
    let path = tokens.get(start..end).filter(|path| !path.is_empty())?;
    Some(if is_length { Operand::Length } else { Operand::Path(path) })
}

fn after<'p, 't>(piece: &'p Piece<'t>, operator: usize) -> Option<Operand<'p, 't>> {
    let tokens = piece.tokens.get(operator + 1..)?;
    let first = tokens.first()?;
    if literal(first).is_some() {
        return is_border(tokens.get(1)).then_some(Operand::Literal(first));
    }
    let end = tokens.iter().position(|token| !is_part(token)).unwrap_or(tokens.len());
    let path = tokens.get(..end).filter(|path| !path.is_empty())?;
    is_border(tokens.get(end)).then_some(Operand::Path(path)).filter(|_| !tokens.get(end).is_some_and(|token| token.is("(")))
}

/// `event.source` and `event.method` have few values.
fn word_of_event(path: &[Token<'_>], word: &Token<'_>, subject: &Subject<'_>) -> Option<(String, String)> {
    let [event, dot, field] = path else { return None };
    if !event.is_name("event") || !dot.is(".") {
        return None;
    }
    match field.text {
        "source" => source(word.text, subject),
        "method" if word.text.chars().any(|c| c.is_ascii_lowercase()) => {
            let message = format!("`event.method` is in upper case: it is never `{}`", word.text);
            Some((message, format!("write `\"{}\"`", word.text.to_ascii_uppercase())))
        }
        _ => None,
    }
}

fn source(word: &str, subject: &Subject<'_>) -> Option<(String, String)> {
    let all = [Source::Webhook, Source::Form, Source::Schedule, Source::Manual, Source::Workflow, Source::Run].map(Source::as_str);
    if !all.contains(&word) {
        return Some((format!("`event.source` is never `{word}`"), words::suggest(word, &all)));
    }
    let triggers = &subject.file.triggers;
    let own: Vec<&str> = triggers.iter().map(|trigger| source_of(trigger).as_str()).collect();
    // Without triggers there is another problem, and it was told. Every workflow may be started by another one.
    if own.is_empty() || !subject.complete || own.contains(&word) || word == Source::Workflow.as_str() {
        return None;
    }
    Some((
        format!("`event.source` is never `{word}`: this workflow has no such trigger"),
        format!("add `{word}` to `when`, or take this away"),
    ))
}

fn source_of(trigger: &TriggerFile) -> Source {
    match trigger {
        TriggerFile::Webhook(_) => Source::Webhook,
        TriggerFile::Form(_) => Source::Form,
        TriggerFile::Schedule(_) => Source::Schedule,
        TriggerFile::Event(_) => Source::Workflow,
        TriggerFile::Run(_) => Source::Run,
        TriggerFile::Manual(_) => Source::Manual,
    }
}

/// Cases that a `switch` can never meet.
fn cases(step: &StepFile, subject: &Subject<'_>, report: &mut Report) {
    let KindFile::Switch { cases, .. } = &step.kind else { return };
    let Some(on) = code::of_step(step).into_iter().find(|piece| piece.role == Role::Switch) else { return };
    let end = on.tokens.len();
    let is_comparison = on.tokens.iter().any(|token| ["==", "!=", "<", ">", "<=", ">="].iter().any(|symbol| token.is(symbol)));
    let is_plain = on.tokens.iter().all(|token| is_part(token) || literal(token).is_some() || is_comparison_symbol(token));
    let operand = before(&on, end);
    for (value, _) in cases {
        let word = Token { kind: Kind::Text, text: &value.value, at: 0 };
        let found = match operand {
            _ if is_comparison && is_plain && value.value.parse::<bool>().is_err() => {
                Some(("this `switch` is over true or false".to_owned(), "write `\"true\":` or `\"false\":`, or use `if`".to_owned()))
            }
            Some(Operand::Length) if value.value.parse::<i64>().is_err() => {
                Some(("this `switch` is over a number".to_owned(), "write a number".to_owned()))
            }
            Some(Operand::Path(path)) => word_of_event(path, &word, subject),
            Some(_) | None => None,
        };
        if let Some((message, help)) = found {
            report.warning(codes::NEVER_TRUE, value.span, format!("this case is never taken: {message}"), help);
        }
    }
}

fn is_comparison_symbol(token: &Token<'_>) -> bool {
    ["==", "!=", "<", ">", "<=", ">=", "&&", "||", "!", "(", ")"].iter().any(|symbol| token.is(symbol))
}
