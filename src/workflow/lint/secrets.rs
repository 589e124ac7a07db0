//! `secrets.NAME`: whether it may stand here, and whether it is set.

use super::Subject;
use super::code::{Piece, Role, for_each_piece};
use super::scan::{Kind, Token, scan};
use crate::workflow::file::Report;
use crate::workflow::problem::{Problem, codes};

/// Adds what is wrong with secrets in code.
pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for_each_piece(subject.file, &mut |piece| {
        for (index, token) in piece.tokens.iter().enumerate().filter(|(_, token)| token.is_name("secrets")) {
            let before = piece.before(index, 1);
            let next = piece.tokens.get(index + 1);
            let own = before.is_some_and(|token| token.is(".") || token.is("?.") || token.is("|") || token.is_name("let"));
            if own || next.is_some_and(|token| token.is(":") || token.is("(")) {
                continue;
            }
            if piece.role == Role::With {
                is_set(piece, index, subject, report);
            } else {
                let message = "secrets can be used in the `with` of a call alone: here the value would end up in the history";
                let help = "move it into `with`, or into a connection in hence.yaml";
                report.error(codes::SECRET_IN_THE_OPEN, piece.span(token, subject.source), message, help);
            }
        }
    });
}

/// The secrets that a code of `with` names.
#[must_use]
pub fn secrets_named(code: &str) -> Vec<&str> {
    let tokens = scan(code);
    let found = tokens.iter().enumerate().filter(|(_, token)| token.is_name("secrets"));
    found.filter_map(|(index, _)| name_after(&tokens, index)).map(|name| name.text).collect()
}

/// `NAME` in `secrets.NAME` and `secrets["NAME"]`, where `secrets` is the token at `index`.
fn name_after<'t, 'c>(tokens: &'t [Token<'c>], index: usize) -> Option<&'t Token<'c>> {
    let opens = tokens.get(index + 1).is_some_and(|token| [".", "?.", "[", "?["].iter().any(|symbol| token.is(symbol)));
    tokens.get(index + 2).filter(|name| opens && matches!(name.kind, Kind::Name | Kind::Text))
}

fn is_set(piece: &Piece<'_>, index: usize, subject: &Subject<'_>, report: &mut Report) {
    let Some(name) = name_after(&piece.tokens, index) else { return };
    if subject.context.secrets.get(name.text).is_some() {
        return;
    }
    let span = piece.span(name, subject.source);
    let problem = Problem::error(codes::MISSING_SECRET, report.file(), span, format!("the secret `{}` is not set", name.text));
    let help = format!("set HENCE_SECRET_{0} in the environment, or add {0}=… to secrets.env", name.text);
    report.push(problem.help(help).severity(subject.context.missing_secret));
}
