//! Calls of functions that do not exist. Rhai looks for a function when it calls it, which may be
//! weeks after the file was changed; names can be looked up before.

use std::collections::HashSet;

use super::code::{Piece, for_each_piece};
use super::scan::{Kind, Token};
use super::{Subject, suggestion};
use crate::script::{Engine, library};
use crate::workflow::file::Report;
use crate::workflow::problem::codes;
use crate::workflow::words;

/// Adds every call of a function that does not exist.
pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for_each_piece(subject.file, &mut |piece| check_piece(piece, subject.source, subject.engine, report));
}

/// The same in a script.
pub(super) fn check_script(text: &str, engine: &Engine, report: &mut Report) {
    check_piece(&Piece::of_script(text), text, engine, report);
}

/// Keywords that stand before `(`.
const KEYWORDS: [&str; 15] =
    ["if", "else", "while", "until", "for", "in", "switch", "return", "throw", "catch", "do", "loop", "let", "const", "this"];

fn check_piece(piece: &Piece<'_>, source: &str, engine: &Engine, report: &mut Report) {
    let own = declared(piece);
    for (index, name) in piece.tokens.iter().enumerate() {
        let is_call = name.kind == Kind::Name && piece.tokens.get(index + 1).is_some_and(|next| next.is("("));
        if !is_call || KEYWORDS.contains(&name.text) {
            continue;
        }
        match piece.before(index, 1) {
            Some(before) if before.is_name("fn") => {}
            Some(before) if before.is("::") => {
                if let Some(module) = piece.before(index, 2) {
                    check_module(piece, (module, name, index), source, engine, report);
                }
            }
            _ if own.contains(name.text) || library::is_function(name.text) => {}
            _ => {
                let message = format!("there is no function `{}`", name.text);
                let known = library::names();
                let help = match words::nearest(name.text, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "a function of your own is called by its file: `lead::score(…)` for scripts/lead.rhai".to_owned(),
                };
                report.error(codes::UNKNOWN_FUNCTION, piece.span(name, source), message, help);
            }
        }
    }
}

fn check_module(
    piece: &Piece<'_>,
    (module, name, index): (&Token<'_>, &Token<'_>, usize),
    source: &str,
    engine: &Engine,
    report: &mut Report,
) {
    // A module that is not there, or cannot be compiled, is told by the compiler.
    let Some(functions) = engine.functions(module.text) else { return };
    let mut same: Vec<usize> = functions.iter().filter(|function| function.name == name.text).map(|function| function.arguments).collect();
    same.sort_unstable();
    let span = || piece.span(name, source);
    if same.is_empty() {
        let message = format!("scripts/{}.rhai has no function `{}`", module.text, name.text);
        let mut names: Vec<&str> = functions.iter().map(|function| function.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let help = if names.is_empty() { "it has none at all".to_owned() } else { suggestion(name.text, &names) };
        report.error(codes::UNKNOWN_FUNCTION, span(), message, help);
        return;
    }
    let Some(given) = arguments(&piece.tokens, index + 1).filter(|given| !same.contains(given)) else { return };
    let takes = same.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
    let message = format!("`{}::{}` takes {takes} {}, and this gives {given}", module.text, name.text, plural(&same));
    report.error(codes::UNKNOWN_FUNCTION, span(), message, format!("look at its definition in scripts/{}.rhai", module.text));
}

fn plural(counts: &[usize]) -> &'static str {
    if counts == [1] { "argument" } else { "arguments" }
}

/// Names that the code gives itself: its functions, and variables and keys that may hold one.
fn declared<'t>(piece: &Piece<'t>) -> HashSet<&'t str> {
    let mut found = HashSet::new();
    let mut in_closure = false;
    for (index, token) in piece.tokens.iter().enumerate() {
        if token.is("|") {
            in_closure = !in_closure;
        }
        let before = piece.before(index, 1);
        let named = before.is_some_and(|before| ["fn", "let", "const"].iter().any(|word| before.is_name(word)));
        let is_key = piece.tokens.get(index + 1).is_some_and(|next| next.is(":"));
        if token.kind == Kind::Name && (named || is_key || in_closure) {
            found.insert(token.text);
        }
    }
    found
}

/// How many arguments the call has whose `(` is at this place; nothing if it has no end.
fn arguments(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let (mut depth, mut count, mut is_empty, mut in_closure) = (0_usize, 0, true, false);
    for token in tokens.get(open..)? {
        let starts = is_empty;
        match token.text {
            "|" if token.kind == Kind::Symbol && depth == 1 && (starts || in_closure) => {
                in_closure = !in_closure;
                is_empty = false;
            }
            "(" | "[" | "{" | "#{" | "?[" | "${" if token.kind == Kind::Symbol => {
                is_empty = depth == 0;
                depth += 1;
            }
            ")" | "]" | "}" if token.kind == Kind::Symbol => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(count + usize::from(!is_empty));
                }
            }
            "," if token.kind == Kind::Symbol && depth == 1 && !in_closure => {
                count += 1;
                is_empty = true;
            }
            _ => is_empty = false,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::scan::scan;
    use super::*;

    #[test]
    fn arguments_are_counted() {
        let check = |code: &str, expected| assert_eq!(arguments(&scan(code), 1), expected, "{code}");
        check("f()", Some(0));
        check("f(a)", Some(1));
        check("f(a, g(b, c), [d, e], #{h: 1, i: 2})", Some(4));
        check("f(a, |b, c| b + c, d)", Some(3));
        check("f(|| 1)", Some(1));
        check("f([])", Some(1));
        check("f(a | b, c)", Some(2));
        check("f(a, b,)", Some(2));
        check("f(\"a, b)\", `${c}, d`)", Some(2));
        check("f(a", None);
    }
}
