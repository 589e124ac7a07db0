//! What a plain scalar is: the core schema of YAML 1.2 (§10.3.2), and where a scalar's content begins.

use serde_saphyr::granit_parser::{ScalarStyle, Span as Marks};

use super::{Kind, Place, Span};

/// The kind of a scalar that is written without quotes.
///
/// A number that JSON could not write the same way is text: `+4412345`, `007`, `.inf` and a whole
/// number of more than 63 bits are a phone number, a postcode, a word and a card number.
pub(super) fn resolve(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => number(text).unwrap_or(Kind::Text),
    }
}

fn number(text: &str) -> Option<Kind> {
    if let Some(digits) = text.strip_prefix("0x") {
        return digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| i64::from_str_radix(digits, 16).ok().map(Kind::Int))?;
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return digits.bytes().all(|b| b.is_ascii_digit()).then(|| i64::from_str_radix(digits, 8).ok().map(Kind::Int))?;
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let mut bytes = digits.bytes();
    let (first, second) = (bytes.next()?, bytes.next());
    if !first.is_ascii_digit() || (first == b'0' && second.is_some_and(|b| b.is_ascii_digit())) {
        return None;
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().map(Kind::Int);
    }
    let float_like = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let float: f64 = text.parse().ok().filter(|_| float_like)?;
    float.is_finite().then_some(Kind::Float(float))
}

/// A parser's mark as a place.
pub(super) fn span(marks: &Marks) -> Span {
    let (start, end) = (marks.start, marks.end);
    let length = if start.line() == end.line() { end.col().saturating_sub(start.col()).max(1) } else { 1 };
    Span { line: small(start.line()), column: small(start.col() + 1), length: small(length) }
}

/// Where a scalar's content begins.
pub(super) fn place(marks: &Marks, style: ScalarStyle, content: &str) -> Place {
    let (line, column) = (small(marks.start.line()), small(marks.start.col() + 1));
    let lines = marks.start.line() != marks.end.line();
    let last_line = small(marks.end.line());
    match style {
        ScalarStyle::Plain => Place { line, column, next_column: column, last_line, rewritten: lines },
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
            let written = marks.end.col().saturating_sub(marks.start.col() + 2);
            let rewritten = lines || written != content.chars().count();
            Place { line, column: column + 1, next_column: column + 1, last_line, rewritten }
        }
        // The mark stands on the first line that is not blank; blank ones before it are content too.
        ScalarStyle::Literal | ScalarStyle::Folded => {
            let blank = content.bytes().take_while(|b| *b == b'\n').count();
            let line = line.saturating_sub(small(blank)).max(1);
            Place { line, column, next_column: column, last_line, rewritten: style == ScalarStyle::Folded }
        }
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
