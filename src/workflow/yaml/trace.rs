//! Where a character of a scalar stands in the file, when the scalar is not written as it reads:
//! folded over lines, with escapes or doubled quotes.

use super::Place;

/// The line and column of the character that stands at `line` and `column` when the content is laid out from `place`.
#[must_use]
pub fn trace(source: &str, place: Place, content: &str, line: u32, column: u32) -> (u32, u32) {
    if !place.rewritten {
        return (line, column);
    }
    let down = usize::try_from(line.saturating_sub(place.line)).unwrap_or(0);
    let first = if down == 0 { place.column } else { place.next_column };
    let before: usize = content.split_inclusive('\n').take(down).map(|line| line.chars().count()).sum();
    let index = before + usize::try_from(column.saturating_sub(first)).unwrap_or(0);
    walk(source, place, content, index).unwrap_or((line, column))
}

struct Cursor<'s> {
    rest: &'s str,
    line: u32,
    column: u32,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn step(&mut self) {
        let mut chars = self.rest.chars();
        match chars.next() {
            Some('\n') => (self.line, self.column) = (self.line + 1, 1),
            Some(_) => self.column += 1,
            None => {}
        }
        self.rest = chars.as_str();
    }

    fn steps(&mut self, count: usize) {
        (0..count).for_each(|_| self.step());
    }

    /// A backslash that ends a line joins it to the next one: no character of the content stands for it.
    fn join_lines(&mut self, quote: Option<char>) {
        while quote == Some('"') && (self.rest.starts_with("\\\n") || self.rest.starts_with("\\\r\n")) {
            self.step();
            self.skip_blank();
        }
    }

    fn skip_blank(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.step();
        }
    }
}

fn walk(source: &str, place: Place, content: &str, index: usize) -> Option<(u32, u32)> {
    let (line, column) = (usize::try_from(place.line).ok()?, usize::try_from(place.column).ok()?);
    let start: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let row = source.get(start..)?;
    let in_row = row.char_indices().nth(column - 1).map_or(row.len(), |(at, _)| at);
    let quote = row.get(..in_row)?.chars().next_back().filter(|c| matches!(c, '"' | '\''));
    let mut at = Cursor { rest: row.get(in_row..)?, line: place.line, column: place.column };
    for wanted in content.chars().take(index) {
        at.join_lines(quote);
        let found = at.peek()?;
        match (quote, found) {
            (Some('"'), '\\') => at.steps(escape_chars(at.rest)),
            (Some('\''), '\'') => at.steps(2),
            // Blanks that end a line are folded: one of the content stands for all of them.
            (_, ' ' | '\t' | '\r' | '\n') if wanted.is_whitespace() && folds(at.rest) => at.skip_blank(),
            _ if found == wanted => at.step(),
            // A further line break of the content belongs to blanks that are behind already.
            _ => {}
        }
    }
    at.join_lines(quote);
    Some((at.line, at.column))
}

/// Whether only blanks stand before the end of the line.
fn folds(rest: &str) -> bool {
    rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n')
}

/// How many characters an escape of a double-quoted scalar has (YAML 1.2.2, §5.7).
fn escape_chars(rest: &str) -> usize {
    match rest.chars().nth(1) {
        Some('x') => 4,
        Some('u') => 6,
        Some('U') => 10,
        Some(_) => 2,
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::{Kind, Node, parse};
    use super::*;

    fn scalar(text: &str) -> Node {
        let (node, _) = parse(&Arc::from("a.yaml"), text);
        let Some(Kind::Map(mut entries)) = node.map(|node| node.kind) else { panic!("{text}") };
        entries.remove(0).value
    }

    /// The `!` of the content is looked for where the tracing says it is.
    fn check(text: &str) {
        let node = scalar(text);
        let (line, column) = node.raw.split_once('!').map_or((0, 0), |(before, _)| {
            let down = before.matches('\n').count();
            let last = before.rsplit('\n').next().unwrap_or_default().chars().count();
            (down, last)
        });
        let first = if line == 0 { node.place.column } else { node.place.next_column };
        let laid_out = (node.place.line + u32::try_from(line).unwrap(), first + u32::try_from(column).unwrap());
        let (line, column) = trace(text, node.place, &node.raw, laid_out.0, laid_out.1);
        let found = text.lines().nth(line as usize - 1).and_then(|row| row.chars().nth(column as usize - 1));
        assert_eq!(found, Some('!'), "{text:?}: {line}:{column}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "a: [>|'\"]?[a-c '\"\\\\\n]{0,30}['\"]?\n", line in 0u32..9, column in 0u32..50) {
            if let (Some(Kind::Map(entries)), _) = { let (node, problems) = parse(&Arc::from("a.yaml"), &text); (node.map(|node| node.kind), problems) } {
                let node = &entries[0].value;
                let place = Place { rewritten: true, ..node.place };
                let (line, _) = trace(&text, place, &node.raw, line, column);
                prop_assert!(line < 60);
            }
        }
    }

    #[test]
    fn every_style_is_traced() {
        check("a: x !");
        check("a: x\n   y\n     !");
        check("a: >-\n  x\n  y !\n");
        check("a: >-\n  x\n\n\n  y !\n");
        check("a: >\n  x\n    kept\n    more !\n  y\n");
        check("a: |\n  x\n    y !\n");
        check("a: 'it''s !'");
        check("a: 'x\n\n\n  it''s\n  !'");
        check("a: \"q\\\"u\\x41o\\u00e9\\n !\"");
        check("a: \"x\n   y\n   !\"");
        check("é: \"ü\\t!\"");
        check("a: \"x \\\n   y !\"");
    }
}
