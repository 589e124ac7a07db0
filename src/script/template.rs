//! Values with `${ }` in their texts.

use super::program::Piece;
use super::{CompileError, Origin};
use crate::domain::Value;

/// A value as written, before its holes are compiled.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplateSource {
    /// A text, with or without holes. `$${` stands for `${`.
    Text {
        /// The text.
        text: String,
        /// Where its first character is.
        origin: Origin,
    },
    /// Anything that is taken as it is.
    Literal(Value),
    /// A list.
    List(Vec<TemplateSource>),
    /// A map.
    Map(Vec<(String, TemplateSource)>),
}

/// The code in a text's holes, and where in the text each begins, in bytes.
#[must_use]
pub fn holes(text: &str) -> Vec<(&str, usize)> {
    split(text)
        .into_iter()
        .filter_map(|found| match found {
            Found::Hole { source, offset } => Some((source, offset)),
            Found::Text(_) | Found::Unclosed { .. } => None,
        })
        .collect()
}

#[derive(Debug)]
pub(super) struct Template(pub(super) Node);

#[derive(Debug)]
pub(super) enum Node {
    Literal(Value),
    /// A text that is one hole: the value keeps its type.
    Whole(Hole),
    Text(Vec<Part>),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

#[derive(Debug)]
pub(super) enum Part {
    Literal(String),
    Hole(Hole),
}

#[derive(Debug)]
pub(super) struct Hole {
    /// As written, for errors.
    pub(super) source: String,
    pub(super) piece: Piece,
}

/// How much of a hole's source an error shows, in characters.
const SHOWN_CHARS: usize = 80;

impl Template {
    /// Compiles every hole with `compile`; all errors are collected.
    pub(super) fn new(
        source: &TemplateSource,
        compile: &mut impl FnMut(&str, Origin) -> Result<Piece, CompileError>,
    ) -> Result<Self, Vec<CompileError>> {
        let mut errors = Vec::new();
        let node = node(source, compile, &mut errors);
        if errors.is_empty() { Ok(Self(node)) } else { Err(errors) }
    }
}

impl Node {
    /// As it was written, up to the order of keys.
    pub(super) fn written(&self) -> Value {
        let hole = |hole: &Hole| format!("${{{}}}", hole.piece.source);
        let literal = |text: &str| text.replace("${", "$${");
        match self {
            Self::Literal(Value::String(text)) => Value::String(literal(text)),
            Self::Literal(value) => value.clone(),
            Self::Whole(whole) => Value::String(hole(whole)),
            Self::Text(parts) => {
                let part = |part: &Part| match part {
                    Part::Literal(text) => literal(text),
                    Part::Hole(found) => hole(found),
                };
                Value::String(parts.iter().map(part).collect())
            }
            Self::List(items) => items.iter().map(Self::written).collect(),
            Self::Map(entries) => Value::Object(entries.iter().map(|(key, node)| (key.clone(), node.written())).collect()),
        }
    }
}

fn node(
    source: &TemplateSource,
    compile: &mut impl FnMut(&str, Origin) -> Result<Piece, CompileError>,
    errors: &mut Vec<CompileError>,
) -> Node {
    match source {
        TemplateSource::Literal(value) => Node::Literal(value.clone()),
        TemplateSource::List(items) => Node::List(items.iter().map(|item| node(item, compile, errors)).collect()),
        TemplateSource::Map(entries) => Node::Map(entries.iter().map(|(key, entry)| (key.clone(), node(entry, compile, errors))).collect()),
        TemplateSource::Text { text, origin } => text_node(text, origin, compile, errors),
    }
}

fn text_node(
    text: &str,
    origin: &Origin,
    compile: &mut impl FnMut(&str, Origin) -> Result<Piece, CompileError>,
    errors: &mut Vec<CompileError>,
) -> Node {
    let mut parts = Vec::new();
    for found in split(text) {
        match found {
            Found::Text(literal) => match parts.last_mut() {
                Some(Part::Literal(before)) => before.push_str(literal),
                _ => parts.push(Part::Literal(literal.to_owned())),
            },
            Found::Hole { source, offset } => match compile(source, origin.within(text, offset)) {
                Ok(piece) => parts.push(Part::Hole(Hole { source: source.trim().chars().take(SHOWN_CHARS).collect(), piece })),
                Err(error) => errors.push(error),
            },
            Found::Unclosed { offset } => {
                let message = format!("{}: this `${{` has no closing `}}`; write `$${{` for the two characters themselves", origin.field);
                errors.push(origin.within(text, offset).error(message));
            }
        }
    }
    if let [Part::Hole(_)] = parts.as_slice()
        && let Some(Part::Hole(hole)) = parts.pop()
    {
        return Node::Whole(hole);
    }
    match parts.as_slice() {
        [] => Node::Literal(Value::String(String::new())),
        [Part::Literal(literal)] => Node::Literal(Value::String(literal.clone())),
        _ => Node::Text(parts),
    }
}

#[derive(Debug, PartialEq)]
enum Found<'t> {
    Text(&'t str),
    Hole { source: &'t str, offset: usize },
    Unclosed { offset: usize },
}

fn split(text: &str) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        let after = from.get(2..).unwrap_or("");
        if let Some(kept) = before.strip_suffix('$') {
            found.push(Found::Text(kept));
            found.push(Found::Text("${"));
            rest = after;
            continue;
        }
        if !before.is_empty() {
            found.push(Found::Text(before));
        }
        let Some((source, tail)) = hole_end(after).and_then(|end| Some((after.get(..end)?, after.get(end + 1..)?))) else {
            found.push(Found::Unclosed { offset: text.len() - from.len() });
            return found;
        };
        found.push(Found::Hole { source, offset: text.len() - after.len() });
        rest = tail;
    }
    if !rest.is_empty() {
        found.push(Found::Text(rest));
    }
    found
}

/// What the scanner is inside of.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    /// Braces of code.
    Braces,
    /// A backtick string, which may hold `${ }` of its own.
    Backticks,
}

/// Where the hole that `code` begins in ends: the byte of its `}`. Braces in strings, characters and
/// comments do not count.
fn hole_end(code: &str) -> Option<usize> {
    let mut open = vec![Inside::Braces];
    let mut at = 0;
    loop {
        let rest = code.get(at..)?;
        let first = rest.chars().next()?;
        let step = match (open.last()?, first) {
            (Inside::Backticks, '`') => {
                open.pop();
                1
            }
            (Inside::Backticks, '$') if rest.starts_with("${") => {
                open.push(Inside::Braces);
                2
            }
            (Inside::Backticks, _) => first.len_utf8(),
            (Inside::Braces, '}') => {
                open.pop();
                if open.is_empty() {
                    return Some(at);
                }
                1
            }
            (Inside::Braces, '{') => {
                open.push(Inside::Braces);
                1
            }
            (Inside::Braces, '`') => {
                open.push(Inside::Backticks);
                1
            }
            (Inside::Braces, _) => token_len(rest, first)?,
        };
        at += step;
    }
}

/// The length of what has to be taken as a whole at the start of `rest`; nothing if it has no end.
fn token_len(rest: &str, first: char) -> Option<usize> {
    match first {
        '"' | '\'' => quoted_len(rest, first),
        '#' => Some(raw_string_len(rest)?.unwrap_or(1)),
        '/' if rest.starts_with("//") => Some(rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => comment_len(rest),
        _ => Some(first.len_utf8()),
    }
}

fn quoted_len(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}

/// `#"…"#`, with any number of `#`. `Some(None)` when it is none: `#{` begins a map.
fn raw_string_len(rest: &str) -> Option<Option<usize>> {
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let (fence, tail) = rest.split_at(hashes);
    let Some(content) = tail.strip_prefix('"') else { return Some(None) };
    let end = content.find(&format!("\"{fence}"))?;
    Some(Some(hashes + 1 + end + 1 + hashes))
}

/// Block comments nest.
fn comment_len(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        let here = rest.get(at..)?;
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += here.chars().next()?.len_utf8();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = split(text)
            .into_iter()
            .map(|found| match found {
                Found::Text(text) => text.to_owned(),
                Found::Hole { source, offset } => {
                    assert_eq!(text.get(offset..offset + source.len()), Some(source));
                    format!("<{source}>")
                }
                Found::Unclosed { offset } => format!("!{offset}"),
            })
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn holes_are_found() {
        check("", &[]);
        check("plain $ {x} }", &["plain $ {x} }"]);
        check("${a}", &["<a>"]);
        check("Hi ${ a.b }, ${c}!", &["Hi ", "< a.b >", ", ", "<c>", "!"]);
        check("$${a} ${b}", &["", "${", "a} ", "<b>"]);
        check("$ ${b}", &["$ ", "<b>"]);
    }

    #[test]
    fn braces_in_code_do_not_end_a_hole() {
        check("${#{a: #{b: 1}}.a}x", &["<#{a: #{b: 1}}.a>", "x"]);
        check(r#"${"}" + '}' + "\"}"}x"#, &[r#"<"}" + '}' + "\"}">"#, "x"]);
        check("${`a}${ `}` + b }}`}x", &["<`a}${ `}` + b }}`>", "x"]);
        check("${a /* } /* } */ } */ + b}x", &["<a /* } /* } */ } */ + b>", "x"]);
        check("${a // }\n + b}x", &["<a // }\n + b>", "x"]);
        check(r###"${##"}"#"##}x"###, &[r###"<##"}"#"##>"###, "x"]);
        check("${'\\''}x", &["<'\\''>", "x"]);
    }

    #[test]
    fn what_is_not_closed_is_told() {
        for text in ["a ${", "a ${b", "a ${\"}", "a ${`}", "a ${/* }", "a ${#\"}\"", "a ${{}", "a ${'}", "a ${b // }"] {
            check(text, &["a ", "!2"]);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_nothing_is_lost(text in r#"([a-z$\{}"'`/*\\#\n ]|é)*"#) {
            let kept: usize = split(&text).iter().map(|found| match found {
                Found::Text(text) => text.len(),
                Found::Hole { source, .. } => source.len() + 3,
                Found::Unclosed { offset } => text.len() - offset,
            }).sum();
            // Each `$${` loses its first character.
            let escapes = text.matches("$${").count();
            proptest::prop_assert!(kept <= text.len() && text.len() - kept <= escapes);
        }
    }
}
