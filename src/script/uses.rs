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
}

impl Default for Uses {
    fn default() -> Self {
        Self::ALL
    }
}

impl Uses {
    /// Everything.
    pub const ALL: Self = Self { parts: u16::MAX, variables: u16::MAX };
    /// Nothing.
    pub const NOTHING: Self = Self { parts: 0, variables: 0 };

    /// What these texts may read.
    #[must_use]
    pub fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        texts.map(Self::of_text).fold(Self::NOTHING, Self::or)
    }

    /// What one or the other reads.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { parts: self.parts | other.parts, variables: self.variables | other.variables }
    }

    /// Whether this part of `event` may be read.
    pub(super) fn part(self, name: &str) -> bool {
        self.parts & bit(&PARTS, name) != 0
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
            }
        }
        uses
    }
}

/// Which part of `event` is read, by what stands after the word: all of them where it is not one by name.
fn part_after(next: &str) -> u16 {
    let Some(member) = next.strip_prefix("?.").or_else(|| next.strip_prefix('.')) else { return u16::MAX };
    let member = member.trim_start();
    bit(&PARTS, member.split(|c| !is_word(c)).next().unwrap_or_default())
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
    fn whoever_takes_it_whole_reads_all() {
        for text in ["score(event)", "event[name]", "let e = event; e.id", "${event}", "event /* */ .id", "event"] {
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
