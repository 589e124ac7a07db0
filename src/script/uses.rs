//! Which variables a workflow's files can read at all: the others are not made for every event.
//!
//! Looks at words alone, so it may find more than code reads, never less.

use super::scope::VARIABLES;

/// The parts of `event` beside its body, each made only where it is read.
pub(super) const PARTS: [&str; 10] = ["id", "source", "type", "time", "method", "path", "params", "query", "headers", "raw"];

/// What may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uses {
    /// A bit for each of [`PARTS`].
    parts: u16,
    /// A bit for each of [`VARIABLES`].
    variables: u16,
    /// A bit for each header that is read by its name. Names may share one, and are then made together.
    headers: u64,
}

impl Default for Uses {
    fn default() -> Self {
        Self::ALL
    }
}

impl Uses {
    /// Everything.
    pub const ALL: Self = Self { parts: u16::MAX, variables: u16::MAX, headers: u64::MAX };
    /// Nothing.
    pub const NOTHING: Self = Self { parts: 0, variables: 0, headers: 0 };

    /// What these texts may read.
    #[must_use]
    pub fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        texts.map(Self::of_text).fold(Self::NOTHING, Self::or)
    }

    /// What one or the other reads.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { parts: self.parts | other.parts, variables: self.variables | other.variables, headers: self.headers | other.headers }
    }

    /// Whether this part of `event` may be read.
    pub(super) fn part(self, name: &str) -> bool {
        self.parts & bit(&PARTS, name) != 0
    }

    /// Whether this header may be read.
    pub(super) fn header(self, name: &str) -> bool {
        self.headers & header_bit(name) != 0
    }

    /// Whether this variable may be read.
    #[must_use]
    pub fn variable(self, name: &str) -> bool {
        self.variables & bit(&VARIABLES, name) != 0
    }

    fn of_text(text: &str) -> Self {
        // An escape of YAML may hide a word, or a part of one.
        if text.contains('\\') {
            return Self::ALL;
        }
        let mut uses = Self::NOTHING;
        let mut rest = text;
        while let Some(begin) = rest.find(is_word) {
            let word_on = rest.get(begin..).unwrap_or_default();
            let (word, after) = word_on.split_at(word_on.find(|c| !is_word(c)).unwrap_or(word_on.len()));
            rest = after;
            let next = after.trim_start();
            // A key of YAML or of a map.
            if next.starts_with(':') && !next.starts_with("::") {
                continue;
            }
            uses.variables |= bit(&VARIABLES, word);
            if word == "event" {
                uses.parts |= part_after(next);
                uses.headers |= headers_after(next);
            }
        }
        uses
    }
}

/// Which part of `event` is read, by what stands after the word: all of them where it is not one by name.
fn part_after(next: &str) -> u16 {
    let Some((name, _)) = member(next) else { return u16::MAX };
    bit(&PARTS, name)
}

/// The name after a dot, and what follows it; nothing where that is no name, or one of a function, which is given all of it.
fn member(next: &str) -> Option<(&str, &str)> {
    let after = next.strip_prefix("?.").or_else(|| next.strip_prefix('.'))?.trim_start();
    let (name, rest) = after.split_at(after.find(|c| !is_word(c)).unwrap_or(after.len()));
    let is_function = rest.trim_start().starts_with(['(', '!', '/']);
    (!name.is_empty() && !is_function).then_some((name, rest))
}

/// Which headers are read: all of them where it is not one by name, as in `event.headers["x-id"]`.
fn headers_after(next: &str) -> u64 {
    let Some((name, after)) = member(next) else { return u64::MAX };
    if name != "headers" {
        return 0;
    }
    let named = || {
        let after = after.trim_start();
        let index = after.strip_prefix('[').or_else(|| after.strip_prefix("?["))?;
        let (name, after) = index.trim_start().strip_prefix('"')?.split_once('"')?;
        after.trim_start().starts_with(']').then(|| header_bit(name))
    };
    named().unwrap_or(u64::MAX)
}

/// FNV-1a, its first six bits.
fn header_bit(name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    1 << (hash >> 58)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn bit(names: &[&str], name: &str) -> u16 {
    names.iter().position(|known| *known == name).map_or(0, |index| 1 << index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, parts: &[&str], variables: &[&str]) {
        let uses = Uses::of(std::iter::once(text));
        let found: Vec<_> = PARTS.into_iter().filter(|part| uses.part(part)).collect();
        assert_eq!(found, parts, "{text}");
        let found: Vec<_> = VARIABLES.into_iter().filter(|name| uses.variable(name)).collect();
        assert_eq!(found, variables, "{text}");
    }

    #[test]
    fn parts_are_found_by_name() {
        check("if: event.body.amount > 10", &[], &["event"]);
        check("${event.headers[\"x\"]} ${event . id} ${event?.query}", &["id", "query", "headers"], &["event"]);
        check("key: event.body.event.id", &["id"], &["event"]);
        check("event.nothing", &[], &["event"]);
    }

    #[test]
    fn headers_are_found_by_name() {
        let uses = |text: &str| Uses::of(std::iter::once(text));
        for text in ["${event.headers[\"x-id\"]}", "event . headers ?[ \"x-id\" ]", "event?.headers[\"x-id\"] + event.id"] {
            let found = uses(text);
            assert!(found.header("x-id") && !found.header("content-type"), "{text}");
        }
        let both = uses("event.headers[\"x-id\"] + event.headers[\"content-type\"]");
        assert!(both.header("x-id") && both.header("content-type"));
        assert_eq!(uses("event.body.headers + event.headersome"), Uses { headers: 0, ..uses("event.body") });
    }

    #[test]
    fn whoever_takes_the_headers_whole_reads_all_of_them() {
        for text in [
            "event.headers",
            "event.headers[name]",
            "event.headers.keys()",
            "event.headers[\"x\" + name]",
            "event.headers[`x`]",
            "let h = event.headers; h[\"x\"]",
            "\"x-id\" in event.headers",
            "score(event)",
            "event[\"headers\"]",
            "event.get(\"headers\")",
            "event . keys ()",
            "event.to_json()",
            "event.score!()",
            "event. /* c */ headers[\"x\"]",
            "event.headers /* c */ [\"x\"]",
        ] {
            assert!(uses_all_headers(text), "{text}");
        }
    }

    fn uses_all_headers(text: &str) -> bool {
        Uses::of(std::iter::once(text)).headers == u64::MAX
    }

    #[test]
    fn whoever_takes_it_whole_reads_all() {
        for text in [
            "score(event)",
            "event.get(\"id\")",
            "event.keys()",
            "event. /* c */ id",
            "event[name]",
            "let e = event; e.id",
            "${event}",
            "event /* */ .id",
            "event",
        ] {
            check(text, &PARTS, &["event"]);
        }
    }

    #[test]
    fn where_words_may_be_hidden_all_is_read() {
        check("\"${\\x65vent.id}\"", &PARTS, &VARIABLES);
    }

    #[test]
    fn keys_are_no_variables() {
        check("run: child\nwith: {event: 1, input : 2}\nerror::text(item)", &[], &["error", "item"]);
        check("${run.id} #{run: index}", &[], &["run", "index"]);
    }
}
