//! Where code names the output of a step: `steps.ID` and `steps["ID"]`.

use super::code::Piece;
use super::scan::{Kind, Token};

/// One mention of a step's output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference<'t> {
    /// The step's id, and where it stands.
    pub(super) id: Token<'t>,
    /// Whether the expression says what is so when the output is missing: `?.`, `??`, a comparison.
    pub(super) is_guarded: bool,
}

/// The mentions of steps in a piece of code.
#[derive(Debug, Default)]
pub(super) struct References<'t> {
    /// One by one.
    pub(super) list: Vec<Reference<'t>>,
    /// Whether `steps` is also used as a whole, so that any of them may be meant.
    pub(super) any: bool,
}

/// Finds the mentions of steps.
pub(super) fn references<'t>(piece: &Piece<'t>) -> References<'t> {
    let mut found = References::default();
    let compares = |token: Option<&Token<'_>>| token.is_some_and(|token| token.is("==") || token.is("!="));
    let mentions = piece.tokens.iter().enumerate().filter(|(_, token)| token.is_name("steps"));
    for index in mentions.map(|(index, _)| index) {
        let at = |ahead: usize| piece.tokens.get(index + ahead);
        let is = |ahead: usize, symbol: &str| at(ahead).is_some_and(|token| token.is(symbol));
        let before = piece.before(index, 1);
        if before.is_some_and(|token| token.is(".") || token.is("?.")) || (is(1, ":") && !before.is_some_and(|token| token.is("?"))) {
            continue;
        }
        if before.is_some_and(|token| ["let", "const", "for"].iter().any(|word| token.is_name(word)) || token.is("|")) {
            // A name of its own: nothing is known about it.
            return References { list: Vec::new(), any: true };
        }
        let by_name = is(1, ".") || is(1, "?.");
        let by_text = (is(1, "[") || is(1, "?[")) && is(3, "]");
        let id = at(2).filter(|id| if by_name { id.kind == Kind::Name && !is(3, "(") } else { by_text && id.kind == Kind::Text });
        match id {
            Some(id) => {
                let next = at(if by_name { 3 } else { 4 });
                let asks = next.is_some_and(|next| next.is("?.") || next.is("?[") || next.is("??"));
                found.list.push(Reference { id: *id, is_guarded: asks || compares(next) || compares(before) });
            }
            None => found.any = true,
        }
    }
    found
}
