//! Texts that look like the key of a well-known service. The forms are the ones that the services
//! give for scanners of repositories; each begins with a mark that nothing else begins with.

use super::Report;
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Node, Span};

/// A mark, and how many letters and digits have to follow it.
const MARKS: [(&str, usize); 20] = [
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("whsec_", 20),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 22),
    ("glpat-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xoxa-", 20),
    ("xapp-", 20),
    ("AKIA", 16),
    ("AIza", 35),
    ("SG.", 40),
    ("npm_", 36),
    ("sk-ant-", 20),
];
/// The first line of a private key (RFC 7468).
const PRIVATE_KEY: (&str, &str) = ("-----BEGIN ", "PRIVATE KEY-----");
/// How much of a key is shown.
const SHOWN_CHARS: usize = 4;

/// Adds every text of the tree that looks like a key.
pub fn check(node: &Node, report: &mut Report) {
    node.for_each_text(&mut |text| {
        for (start, end) in find(&text.raw) {
            let before = text.raw.get(..start).unwrap_or("");
            let down = small(before.matches('\n').count());
            let across = small(before.rsplit('\n').next().unwrap_or("").chars().count());
            let first = if down == 0 { text.place.column } else { text.place.next_column };
            let span = Span { line: text.place.line + down, column: first + across, length: small(end - start) };
            // Keys stand in one line; the places of folded texts are those of the whole text.
            tell(if text.place.rewritten { text.span } else { span }, report);
        }
    });
}

/// The same in a script.
pub(super) fn check_script(text: &str, report: &mut Report) {
    for (start, end) in find(text) {
        let before = text.get(..start).unwrap_or("");
        let line = small(before.matches('\n').count() + 1);
        let column = small(before.rsplit('\n').next().unwrap_or("").chars().count() + 1);
        tell(Span { line, column, length: small(end - start) }, report);
    }
}

/// A line with the keys in it made unreadable, of the same length.
#[must_use]
pub fn mask(line: &str) -> String {
    let found = find(line);
    if found.is_empty() {
        return line.to_owned();
    }
    let hidden = |at: usize| found.iter().any(|(start, end)| (start + SHOWN_CHARS..*end).contains(&at));
    line.char_indices().map(|(at, c)| if hidden(at) { '*' } else { c }).collect()
}

fn tell(span: Span, report: &mut Report) {
    let message = "this looks like a real key, and files like this one are shared";
    let help = "put it into the environment (HENCE_SECRET_NAME) or secrets.env, write `${secrets.NAME}` in `with`,\n\
                and have the service make a new one if this one was ever pushed";
    report.error(codes::SECRET_IN_THE_OPEN, span, message, help);
}

/// Start and end of every key, in bytes.
fn find(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (mark, least) in MARKS {
        for (start, _) in text.match_indices(mark) {
            let tail = text.get(start + mark.len()..).unwrap_or("");
            let len = tail.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.')).unwrap_or(tail.len());
            let begins = !text.get(..start).unwrap_or("").ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            if begins && least <= len {
                found.push((start, start + mark.len() + len));
            }
        }
    }
    for (start, _) in text.match_indices(PRIVATE_KEY.0) {
        let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("");
        if let Some(end) = line.find(PRIVATE_KEY.1) {
            found.push((start, start + end + PRIVATE_KEY.1.len()));
        }
    }
    found.sort_unstable();
    found
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(mask(text), expected);
    }

    #[test]
    fn keys_are_found_and_made_unreadable() {
        check("a sk_live_0123456789abcdef b", &format!("a sk_l{} b", "*".repeat(20)));
        check("AKIA0123456789ABCDEF", &format!("AKIA{}", "*".repeat(16)));
        check("é -----BEGIN RSA PRIVATE KEY-----", &format!("é ----{}", "*".repeat(27)));
    }

    #[test]
    fn other_texts_are_not() {
        for text in ["sk_live_", "xoxb-short", "task_live_0123456789abcdef", "ghp_${secrets.X}", "-----BEGIN CERTIFICATE-----", "AKIA"] {
            check(text, text);
        }
    }
}
