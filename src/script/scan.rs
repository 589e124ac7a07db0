//! Rhai text → tokens. Rhai's own parser keeps names and places to itself, so this reads them: strings,
//! characters and comments are taken as a whole, and code inside backtick strings is code.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or a keyword.
    Name,
    /// A string or a character; its text is what stands between the quotes, as written.
    Text,
    /// A number.
    Number,
    /// Anything else.
    Symbol,
}

/// A piece of code that stands for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'t> {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its text.
    pub(crate) text: &'t str,
    /// Where its text begins, in bytes.
    pub(crate) at: usize,
}

impl Token<'_> {
    /// Whether it is this symbol.
    pub(crate) fn is(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// Whether it is this name or keyword.
    pub(crate) fn is_name(&self, name: &str) -> bool {
        self.kind == Kind::Name && self.text == name
    }
}

/// Symbols of several characters, longer ones first.
const SYMBOLS: [&str; 33] = [
    "..=", "===", "!==", "**=", "<<=", ">>=", "::", "?.", "?[", "??", "==", "!=", ">=", "<=", "&&", "||", "=>", "->", "..", "+=", "-=",
    "*=", "/=", "%=", "|=", "&=", "^=", "<<", ">>", "**", "#{", "${", "++",
];

/// The tokens of a code. What is not closed reaches to the end.
pub(crate) fn scan(code: &str) -> Vec<Token<'_>> {
    let mut scanner = Scanner { code, at: 0, tokens: Vec::new(), open: Vec::new() };
    while let Some(first) = scanner.rest().chars().next() {
        scanner.token(first);
    }
    scanner.tokens
}

struct Scanner<'t> {
    code: &'t str,
    at: usize,
    tokens: Vec<Token<'t>>,
    /// For each open brace, whether it belongs to a backtick string.
    open: Vec<bool>,
}

impl<'t> Scanner<'t> {
    fn rest(&self) -> &'t str {
        self.code.get(self.at..).unwrap_or("")
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        self.tokens.push(Token { kind, text: self.code.get(start..end).unwrap_or(""), at: start });
    }

    fn take(&mut self, kind: Kind, len: usize) {
        self.push(kind, self.at, self.at + len);
        self.at += len;
    }

    fn token(&mut self, first: char) {
        let rest = self.rest();
        match first {
            c if c.is_whitespace() => self.at += c.len_utf8(),
            '"' | '\'' => self.quoted(first),
            '`' => {
                self.at += 1;
                self.backticks();
            }
            '/' if rest.starts_with("//") => self.at += rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => self.at += comment_len(rest),
            '#' if rest.trim_start_matches('#').starts_with('"') => self.raw_string(),
            c if c.is_ascii_digit() => self.take(Kind::Number, number_len(rest)),
            c if is_word(c) => self.take(Kind::Name, rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
            '}' => {
                self.take(Kind::Symbol, 1);
                if self.open.pop() == Some(true) {
                    self.backticks();
                }
            }
            _ => {
                let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
                let len = symbol.map_or(first.len_utf8(), |symbol| symbol.len());
                if first == '{' || symbol == Some(&"#{") || symbol == Some(&"${") {
                    self.open.push(false);
                }
                self.take(Kind::Symbol, len);
            }
        }
    }

    fn quoted(&mut self, quote: char) {
        let start = self.at + 1;
        let mut escaped = false;
        for (at, c) in self.rest().char_indices().skip(1) {
            if !escaped && c == quote {
                self.push(Kind::Text, start, self.at + at);
                self.at += at + 1;
                return;
            }
            escaped = !escaped && c == '\\';
        }
        self.push(Kind::Text, start, self.code.len());
        self.at = self.code.len();
    }

    /// Goes on inside a backtick string, to its end or to the code inside it.
    fn backticks(&mut self) {
        let rest = self.rest();
        let end = rest.find('`').unwrap_or(rest.len());
        let hole = rest.find("${").filter(|hole| *hole < end);
        self.push(Kind::Text, self.at, self.at + hole.unwrap_or(end));
        match hole {
            Some(hole) => {
                self.at += hole;
                self.take(Kind::Symbol, 2);
                self.open.push(true);
            }
            None => self.at = (self.at + end + 1).min(self.code.len()),
        }
    }

    /// `#"…"#`, with any number of `#`.
    fn raw_string(&mut self) {
        let rest = self.rest();
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let fence = format!("\"{}", "#".repeat(hashes));
        let start = self.at + hashes + 1;
        let len = self.code.get(start..).and_then(|content| content.find(&fence)).unwrap_or(self.code.len().saturating_sub(start));
        self.push(Kind::Text, start, start + len);
        self.at = (start + len + fence.len()).min(self.code.len());
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn number_len(rest: &str) -> usize {
    let mut chars = rest.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let fraction = c == '.' && chars.peek().is_some_and(|(_, next)| next.is_ascii_digit());
        if !is_word(c) && !fraction {
            return at;
        }
    }
    rest.len()
}

/// Block comments nest.
fn comment_len(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(here) = rest.get(at..).filter(|here| !here.is_empty()) {
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: &[&str]) {
        let shown: Vec<String> = scan(code)
            .iter()
            .map(|token| {
                assert_eq!(code.get(token.at..token.at + token.text.len()), Some(token.text));
                if token.kind == Kind::Text { format!("'{}'", token.text) } else { token.text.to_owned() }
            })
            .collect();
        assert_eq!(shown, expected, "{code}");
    }

    #[test]
    fn tokens_are_found() {
        check("steps.a?.b ?? 1.5", &["steps", ".", "a", "?.", "b", "??", "1.5"]);
        check("a::f(x,1..=5)", &["a", "::", "f", "(", "x", ",", "1", "..=", "5", ")"]);
        check("a == \"it's \\\" b\" && 'c'", &["a", "==", "'it's \\\" b'", "&&", "'c'"]);
        check("a // steps.b\n+ /* c /* d */ e */ f", &["a", "+", "f"]);
        check("##\"a\"# b\"## + #{a: 1}", &["'a\"# b'", "+", "#{", "a", ":", "1", "}"]);
    }

    #[test]
    fn code_in_backticks_is_code() {
        check("`a ${b + `c ${d}`} e` f", &["'a '", "${", "b", "+", "'c '", "${", "d", "}", "''", "}", "' e'", "f"]);
        check("`${#{a: 1}.a}`", &["''", "${", "#{", "a", ":", "1", "}", ".", "a", "}", "''"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(code in "([a-z0-9${}\"'`/*\\\\#. \n]|é)*") {
            for token in scan(&code) {
                proptest::prop_assert_eq!(code.get(token.at..token.at + token.text.len()), Some(token.text));
            }
        }
    }
}
