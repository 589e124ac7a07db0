//! `input.NAME` and `vars.NAME`: whether there is such a name.

use std::collections::BTreeSet;

use super::code::{Piece, for_each_block, for_each_piece};
use super::scan::{Kind, Token};
use super::{Subject, suggestion};
use crate::workflow::file::{KindFile, Report};
use crate::workflow::problem::codes;

/// Adds every name of `input` that is not declared, and every one of `vars` that nothing sets.
pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let inputs: Vec<&str> = subject.file.input.iter().map(|input| &*input.name.value).collect();
    let vars: Vec<&str> = variables(subject).into_iter().collect();
    for_each_piece(subject.file, &mut |piece| {
        // Where nothing is declared, `input` is the body.
        for name in mentioned(piece, "input").filter(|name| !inputs.is_empty() && !inputs.contains(&name.text)) {
            let message = format!("this workflow has no input `{}`", name.text);
            report.error(codes::UNKNOWN_INPUT, piece.span(name, subject.source), message, suggestion(name.text, &inputs));
        }
        for name in mentioned(piece, "vars").filter(|name| subject.complete && !vars.contains(&name.text)) {
            let help = match vars.as_slice() {
                [] => format!("set it in a step, `set: {{{}: …}}`, or give it a first value below `vars`", name.text),
                vars => suggestion(name.text, vars),
            };
            let message = format!("nothing sets `vars.{}`", name.text);
            report.warning(codes::UNSET_VARIABLE, piece.span(name, subject.source), message, help);
        }
    });
}

fn variables<'f>(subject: &Subject<'f>) -> BTreeSet<&'f str> {
    let mut found: BTreeSet<&str> = subject.file.vars.iter().map(|(name, _)| &*name.value).collect();
    for_each_block(subject.file, &mut |steps| {
        for step in steps {
            if let KindFile::Set(entries) = &step.kind {
                found.extend(entries.iter().map(|(name, _)| &*name.value));
            }
        }
    });
    found
}

/// The names after `variable.` and in `variable["…"]`.
fn mentioned<'p, 't>(piece: &'p Piece<'t>, variable: &'static str) -> impl Iterator<Item = &'p Token<'t>> {
    let is_own = move |index: usize| {
        let before = piece.before(index, 1);
        before.is_some_and(|token| token.is("|") || ["let", "const", "for"].iter().any(|word| token.is_name(word)))
    };
    let mentions = move |(index, token): (usize, &Token<'_>)| token.is_name(variable).then_some(index);
    let all = piece.tokens.iter().enumerate();
    // A name of its own in the code: nothing is known about it.
    let hidden = all.clone().filter_map(mentions).any(is_own);
    all.filter_map(mentions).filter(move |_| !hidden).filter_map(move |index| {
        let at = |ahead: usize| piece.tokens.get(index + ahead);
        let is = |ahead: usize, symbol: &str| at(ahead).is_some_and(|token| token.is(symbol));
        if piece.before(index, 1).is_some_and(|token| token.is(".") || token.is("?.")) {
            return None;
        }
        let by_name = (is(1, ".") || is(1, "?.")) && !is(3, "(");
        let by_text = (is(1, "[") || is(1, "?[")) && is(3, "]");
        at(2).filter(|name| (by_name && name.kind == Kind::Name) || (by_text && name.kind == Kind::Text))
    })
}
