//! Why a condition is true or false: its parts, each with what came of it and the values it looked at.

use std::ops::Range;
use std::sync::Arc;

use super::ambient;
use super::program::{Piece, Program, What};
use super::scope::{self, Scope};
use super::split::{How, Split, split};
use crate::domain::Value;
use crate::domain::failure::Failure;
use crate::domain::secret::Secrets;
use crate::domain::workflow::Code;

/// How much of a value is shown, in bytes of its JSON. A longer one is shown as the beginning of that text.
pub const VALUE_SHOWN_BYTES: usize = 500;
/// How much of a part's text is shown, in bytes.
pub const TEXT_SHOWN_BYTES: usize = 1_000;

/// A condition taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The condition itself; it came out as the program says.
    pub part: Part,
    /// Why its parts are not shown, when there would be some.
    pub whole: Option<Whole>,
}

/// Why a condition is shown as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Whole {
    /// It has too many parts.
    #[error("it has too many parts to be shown one by one")]
    Large,
    /// Evaluated again, other chances would be drawn.
    #[error("it draws chance, so looking at its parts again would not show what they were")]
    Chance,
    /// It took more work than the limits of one evaluation allow, or does not come apart.
    #[error("its parts could not be looked at one by one within the limits of one evaluation")]
    Limits,
}

/// A part of a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// As written, up to [`TEXT_SHOWN_BYTES`].
    pub text: String,
    /// What it is.
    pub kind: PartKind,
    /// What came of it.
    pub outcome: Outcome,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq)]
pub enum PartKind {
    /// `a && b`: true when all are.
    All(Vec<Part>),
    /// `a || b`: true when one is.
    Any(Vec<Part>),
    /// `!(…)`: true when it is not.
    Not(Box<Part>),
    /// A single test, and values it looked at.
    Test(Vec<Operand>),
}

/// What came of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is true.
    True,
    /// It is false.
    False,
    /// It cannot be evaluated: where and why.
    Failed(String),
    /// What stands before it had decided already.
    NotLookedAt,
}

/// An expression in a test, and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    /// As written, up to [`TEXT_SHOWN_BYTES`].
    pub text: String,
    /// Its value, secrets masked; a text when it is shortened.
    pub value: Value,
    /// Only the beginning of its JSON is shown.
    pub shortened: bool,
}

impl From<&Result<bool, Failure>> for Outcome {
    fn from(result: &Result<bool, Failure>) -> Self {
        match result {
            Ok(true) => Self::True,
            Ok(false) => Self::False,
            Err(failure) => Self::Failed(failure.message.clone()),
        }
    }
}

impl Outcome {
    /// Whether the two are the same but for words.
    fn agrees(&self, other: &Self) -> bool {
        matches!((self, other), (Self::True, Self::True) | (Self::False, Self::False) | (Self::Failed(_), Self::Failed(_)))
    }
}

impl Program {
    /// Takes a condition apart that came out as `found`, by looking at its parts again: all of them together
    /// may use as much as one evaluation. What does not surely add up to `found` is shown as a whole.
    pub fn explain(&self, code: Code, found: &Result<bool, Failure>, scope: &mut Scope, secrets: &Arc<Secrets>) -> Explained {
        let mut outcome = Outcome::from(found);
        if let Outcome::Failed(message) = &mut outcome {
            secrets.mask_text(message);
        }
        let masks = Arc::clone(secrets);
        let taken = self.evaluate(code, scope, move |program, what, scope| {
            let What::Piece(piece) = what else { return Ok((String::new(), Err(Whole::Limits))) };
            Ok((shown(&piece.source, &(0..piece.source.len())), Looker { program, piece, secrets: &masks }.look(scope)))
        });
        let (text, parts) = taken.unwrap_or_else(|_failure| (String::new(), Err(Whole::Limits)));
        match parts {
            Ok(part) if part.outcome.agrees(&outcome) => Explained { part, whole: None },
            Ok(_) => Explained { part: Part { text, kind: PartKind::Test(Vec::new()), outcome }, whole: Some(Whole::Limits) },
            Err(whole) => Explained { part: Part { text, kind: PartKind::Test(Vec::new()), outcome }, whole: Some(whole) },
        }
    }
}

struct Looker<'p> {
    program: &'p Program,
    piece: &'p Piece,
    secrets: &'p Secrets,
}

impl Looker<'_> {
    fn look(&self, scope: &mut Scope) -> Result<Part, Whole> {
        let split = split(&self.piece.source).ok_or(Whole::Large)?;
        let part = self.part(&split, true, scope).ok_or(Whole::Limits)?;
        if ambient::has_drawn() { Err(Whole::Chance) } else { Ok(part) }
    }

    /// Nothing if a part does not compile by itself: then it is none.
    fn part(&self, split: &Split, is_looked_at: bool, scope: &mut Scope) -> Option<Part> {
        let text = shown(&self.piece.source, &split.range);
        let (kind, outcome) = match &split.how {
            How::All(splits) => {
                let (parts, outcome) = self.until(splits, &Outcome::False, is_looked_at, scope)?;
                (PartKind::All(parts), outcome)
            }
            How::Any(splits) => {
                let (parts, outcome) = self.until(splits, &Outcome::True, is_looked_at, scope)?;
                (PartKind::Any(parts), outcome)
            }
            How::Not(split) => {
                let part = self.part(split, is_looked_at, scope)?;
                let outcome = match &part.outcome {
                    Outcome::True => Outcome::False,
                    Outcome::False => Outcome::True,
                    Outcome::Failed(_) | Outcome::NotLookedAt => part.outcome.clone(),
                };
                (PartKind::Not(Box::new(part)), outcome)
            }
            How::Test(_) if !is_looked_at => (PartKind::Test(Vec::new()), Outcome::NotLookedAt),
            How::Test(values) => {
                let mut outcome = Outcome::from(&self.program.piece_truth(&self.compile(&split.range)?, scope));
                scope.tidy();
                if let Outcome::Failed(message) = &mut outcome {
                    self.secrets.mask_text(message);
                }
                let is_told = |range: &&Range<usize>| **range != split.range || matches!(outcome, Outcome::Failed(_));
                (PartKind::Test(values.iter().filter(is_told).filter_map(|range| self.operand(range, scope)).collect()), outcome)
            }
        };
        Some(Part { text, kind, outcome })
    }

    /// Parts one after the other, until one is `decisive` or fails.
    fn until(&self, splits: &[Split], decisive: &Outcome, mut is_looked_at: bool, scope: &mut Scope) -> Option<(Vec<Part>, Outcome)> {
        let undecided = if *decisive == Outcome::True { Outcome::False } else { Outcome::True };
        let mut outcome = if is_looked_at { undecided } else { Outcome::NotLookedAt };
        let mut parts = Vec::with_capacity(splits.len());
        for split in splits {
            let part = self.part(split, is_looked_at, scope)?;
            if is_looked_at && (part.outcome == *decisive || matches!(part.outcome, Outcome::Failed(_))) {
                outcome = part.outcome.clone();
                is_looked_at = false;
            }
            parts.push(part);
        }
        Some((parts, outcome))
    }

    fn compile(&self, range: &Range<usize>) -> Option<Piece> {
        let source = self.piece.source.get(range.clone())?;
        let ast = self.program.engine.0.rhai.compile_expression_with_scope(&scope::names(&[]), source).ok()?;
        Some(Piece { ast, source: source.into(), origin: self.piece.origin.within(&self.piece.source, range.start) })
    }

    /// Nothing if it has no value, or none that can be shown: the test says what is wrong.
    fn operand(&self, range: &Range<usize>, scope: &mut Scope) -> Option<Operand> {
        let value = self.program.piece_value(&self.compile(range)?, scope);
        scope.tidy();
        let (value, shortened) = shorten(value.ok()?, self.secrets);
        Some(Operand { text: shown(&self.piece.source, range), value, shortened })
    }
}

/// A value with its secrets masked, or the beginning of its JSON when that is longer than [`VALUE_SHOWN_BYTES`], and whether it is.
#[must_use]
pub fn shorten(mut value: Value, secrets: &Secrets) -> (Value, bool) {
    // The whole secret has to be there to be found, so this comes before anything is cut.
    secrets.mask_value(&mut value);
    let json = value.to_string();
    let is_long = VALUE_SHOWN_BYTES < json.len();
    (if is_long { Value::String(cut(&json, VALUE_SHOWN_BYTES)) } else { value }, is_long)
}

fn shown(source: &str, range: &Range<usize>) -> String {
    let text = source.get(range.clone()).unwrap_or("").trim();
    if text.len() <= TEXT_SHOWN_BYTES { text.to_owned() } else { cut(text, TEXT_SHOWN_BYTES) }
}

fn cut(text: &str, limit_bytes: usize) -> String {
    let end = (0..=limit_bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or(""))
}
