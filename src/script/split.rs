//! A condition → its parts: what `&&`, `||` and `!` join, down to single tests. Rhai keeps the text of
//! an expression's parts to itself, so this goes by tokens. What is not surely one of these stays whole.

use std::ops::Range;

use super::scan::{Kind, Token, scan};
use super::scope::VARIABLES;

/// The most parts that a condition is taken apart into.
pub(super) const PARTS: usize = 64;
/// The most values that are looked at for one test.
const VALUES: usize = 8;
/// How deep parentheses and `!` are followed.
const DEPTH: usize = 64;

/// A part of a condition. Ranges are bytes of its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    /// Its text.
    pub(super) range: Range<usize>,
    /// What it is.
    pub(super) how: How,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    /// `a && b && …`
    All(Vec<Split>),
    /// `a || b || …`
    Any(Vec<Split>),
    /// `!(a && b)`
    Not(Box<Split>),
    /// Anything else, and the expressions in it whose values tell why it is so.
    Test(Vec<Range<usize>>),
}

/// Takes a condition that compiles apart. Nothing when it has too many parts.
pub(super) fn split(source: &str) -> Option<Split> {
    let tokens = scan(source);
    let mut parts = 0;
    let split = part(&Region { source, tokens: &tokens, range: 0..source.len() }, 0, &mut parts);
    (parts <= PARTS).then_some(split)
}

/// Some of the tokens, and the bytes they stand in.
struct Region<'s> {
    source: &'s str,
    tokens: &'s [Token<'s>],
    range: Range<usize>,
}

/// A token outside all brackets, and its place among the tokens.
type Flat<'s> = (usize, &'s Token<'s>);

impl<'s> Region<'s> {
    /// From after one token to before another.
    fn between(&self, after: Option<usize>, before: Option<usize>) -> Option<Self> {
        let (first, start) = match after {
            Some(index) => (index + 1, self.tokens.get(index).map(|token| token.at + token.text.len())?),
            None => (0, self.range.start),
        };
        let (end, stop) = match before {
            Some(index) => (index, self.tokens.get(index)?.at),
            None => (self.tokens.len(), self.range.end),
        };
        Some(Self { source: self.source, tokens: self.tokens.get(first..end)?, range: start..stop })
    }

    /// The bytes without the space around them.
    fn trimmed(&self) -> Range<usize> {
        let text = self.source.get(self.range.clone()).unwrap_or("");
        let start = self.range.start + text.len() - text.trim_start().len();
        start..start + text.trim().len()
    }

    /// The tokens outside all brackets; nothing if there is one that makes this more than operators between operands.
    fn flat(&self) -> Option<Vec<Flat<'s>>> {
        let (mut flat, mut depth) = (Vec::new(), 0_usize);
        for (index, token) in self.tokens.iter().enumerate() {
            if closes(token) {
                depth = depth.checked_sub(1)?;
            }
            if depth == 0 {
                if !is_plain(token) {
                    return None;
                }
                flat.push((index, token));
            }
            if opens(token) {
                depth += 1;
            }
        }
        (depth == 0).then_some(flat)
    }

    /// What is inside, if one pair of parentheses is around it all.
    fn inside(&self) -> Option<Self> {
        let last = self.tokens.len().checked_sub(1)?;
        if !self.tokens.first()?.is("(") || !self.tokens.get(last)?.is(")") {
            return None;
        }
        let mut depth = 0_usize;
        for (index, token) in self.tokens.iter().enumerate() {
            if opens(token) {
                depth += 1;
            } else if closes(token) {
                depth = depth.checked_sub(1)?;
                if depth == 0 && index != last {
                    return None;
                }
            }
        }
        self.between(Some(0), Some(last))
    }

    /// What stands between the tokens at these places.
    fn apart(&self, at: &[usize]) -> Option<Vec<Self>> {
        let starts = std::iter::once(None).chain(at.iter().copied().map(Some));
        let ends = at.iter().copied().map(Some).chain([None]);
        let regions: Vec<Self> = starts.zip(ends).map(|(start, end)| self.between(start, end)).collect::<Option<_>>()?;
        regions.iter().all(|region| !region.tokens.is_empty()).then_some(regions)
    }
}

fn opens(token: &Token<'_>) -> bool {
    ["(", "[", "?[", "{", "#{", "${"].iter().any(|symbol| token.is(symbol))
}

fn closes(token: &Token<'_>) -> bool {
    [")", "]", "}"].iter().any(|symbol| token.is(symbol))
}

/// Whether a token outside brackets leaves an expression one of operators and operands. `|` and `^` bind as
/// loosely as `||`, `&` as `&&`; a block or a closure may reach to the end.
fn is_plain(token: &Token<'_>) -> bool {
    const SYMBOLS: [&str; 28] = [
        "&&", "||", "!", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "**", "<<", ">>", "??", "..", "..=", ".", "?.", "::",
        "(", "[", "?[", "#{", "${",
    ];
    const WORDS: [&str; 18] = [
        "if", "else", "switch", "while", "loop", "do", "until", "for", "fn", "let", "const", "return", "throw", "try", "catch", "break",
        "continue", "private",
    ];
    match token.kind {
        Kind::Symbol => SYMBOLS.iter().any(|symbol| token.is(symbol)) || closes(token),
        Kind::Name => !WORDS.contains(&token.text),
        Kind::Text | Kind::Number => true,
    }
}

fn part(region: &Region<'_>, depth: usize, parts: &mut usize) -> Split {
    if let Some(inside) = region.inside().filter(|inside| depth < DEPTH && !inside.tokens.is_empty()) {
        return part(&inside, depth + 1, parts);
    }
    *parts += 1;
    let range = region.trimmed();
    let flat = region.flat().filter(|_| depth < DEPTH && *parts <= PARTS).unwrap_or_default();
    let places = |symbol: &str| -> Vec<usize> { flat.iter().filter(|(_, token)| token.is(symbol)).map(|(index, _)| *index).collect() };
    let (or, and) = (places("||"), places("&&"));
    let at = if or.is_empty() { &and } else { &or };
    if !at.is_empty() {
        let Some(regions) = region.apart(at) else { return Split { range, how: How::Test(Vec::new()) } };
        let splits = regions.iter().map(|region| part(region, depth + 1, parts)).collect();
        return Split { range, how: if or.is_empty() { How::All(splits) } else { How::Any(splits) } };
    }
    if let Some(negated) = negated(region, &flat) {
        let mut inner_parts = *parts;
        let inner = part(&negated, depth + 1, &mut inner_parts);
        // `!` of a single test is shown as one.
        if !matches!(inner.how, How::Test(_)) {
            *parts = inner_parts;
            return Split { range, how: How::Not(Box::new(inner)) };
        }
    }
    Split { how: How::Test(values(region, &flat)), range }
}

/// What `!` is put before, if that is all there is.
fn negated<'s>(region: &Region<'s>, flat: &[Flat<'s>]) -> Option<Region<'s>> {
    let (_, first) = flat.first()?;
    let is_operand = |token: &Token<'_>| token.kind != Kind::Symbol || is_link(token) || opens(token) || closes(token);
    let negations = flat.iter().take_while(|(_, token)| token.is("!")).count();
    let rest = flat.get(negations..)?;
    (first.is("!") && rest.iter().all(|(_, token)| is_operand(token) && !token.is_name("in"))).then(|| region.between(Some(0), None))?
}

fn is_link(token: &Token<'_>) -> bool {
    [".", "?.", "::"].iter().any(|symbol| token.is(symbol))
}

/// The expressions in a test whose values say most: both sides of a comparison, what is negated, or else what it reads of the variables.
fn values(region: &Region<'_>, flat: &[Flat<'_>]) -> Vec<Range<usize>> {
    let comparisons: Vec<usize> = flat.iter().filter(|(_, token)| is_comparison(token)).map(|(index, _)| *index).collect();
    let sides = match comparisons.as_slice() {
        [at] => {
            // `!in` is one operator.
            let is_not_in = at.checked_sub(1).and_then(|before| region.tokens.get(before)).is_some_and(|before| before.is("!"))
                && region.tokens.get(*at).is_some_and(|token| token.is_name("in"));
            [region.between(None, Some(if is_not_in { at - 1 } else { *at })), region.between(Some(*at), None)]
        }
        [] => [negated(region, flat), None],
        _ => [None, None],
    };
    let telling: Vec<&Region<'_>> = sides.iter().flatten().filter(|side| says_something(side)).collect();
    if telling.is_empty() {
        return reads(region);
    }
    let mut values: Vec<Range<usize>> = Vec::new();
    for side in telling {
        values.push(side.trimmed());
        // What has a default does not show whether that stands there.
        if side.tokens.iter().any(|token| token.is("??")) {
            values.extend(reads(side));
        }
    }
    values.truncate(VALUES);
    values
}

fn is_comparison(token: &Token<'_>) -> bool {
    ["==", "!=", "<", "<=", ">", ">="].iter().any(|symbol| token.is(symbol)) || token.is_name("in")
}

/// Whether there is more to it than what is written.
fn says_something(side: &Region<'_>) -> bool {
    side.tokens.iter().any(|token| token.kind == Kind::Name && !token.is_name("true") && !token.is_name("false"))
}

/// The chains that begin with a variable: `event.body.email`. Behind the first closure or block a name may mean something else.
fn reads(region: &Region<'_>) -> Vec<Range<usize>> {
    let hides = |token: &Token<'_>| token.is("|") || token.is("||") || ["let", "const", "for", "fn", "catch"].contains(&token.text);
    let end = region.tokens.iter().position(hides).unwrap_or(region.tokens.len());
    let tokens = region.tokens.get(..end).unwrap_or_default();
    let mut found: Vec<Range<usize>> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let is_begin = token.kind == Kind::Name
            && VARIABLES.contains(&token.text)
            && !index.checked_sub(1).and_then(|before| tokens.get(before)).is_some_and(is_link);
        let chain = is_begin.then(|| chain(tokens.get(index..).unwrap_or_default())).flatten();
        let text = |range: &Range<usize>| region.source.get(range.clone());
        if let Some(chain) = chain.filter(|chain| found.len() < VALUES && !found.iter().any(|known| text(known) == text(chain))) {
            found.push(chain);
        }
    }
    found
}

/// A variable and the properties after it; nothing without properties. A method is none.
fn chain(tokens: &[Token<'_>]) -> Option<Range<usize>> {
    let first = tokens.first()?;
    let (mut next, mut end) = (1, None);
    loop {
        let is = |ahead: usize, symbol: &str| tokens.get(next + ahead).is_some_and(|token| token.is(symbol));
        let kind = |ahead: usize| tokens.get(next + ahead).map(|token| token.kind);
        let length = if (is(0, ".") || is(0, "?.")) && kind(1) == Some(Kind::Name) && !is(2, "(") && !is(2, "::") {
            2
        } else if (is(0, "[") || is(0, "?[")) && matches!(kind(1), Some(Kind::Text | Kind::Number)) && is(2, "]") {
            3
        } else {
            break;
        };
        next += length;
        end = tokens.get(next - 1).map(|token| token.at + token.text.len());
    }
    end.map(|end| first.at..end)
}
