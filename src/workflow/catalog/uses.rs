//! Which modules a text mentions: every `name::`. Better one too many than one too few, since a
//! module that is missed would not be part of the revision.

use std::collections::BTreeSet;

/// Every name that stands before `::`, white space and comments between the two allowed.
pub(super) fn mentioned(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
        let (_, from) = rest.split_at(start);
        let end = from.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(from.len());
        let (name, after) = from.split_at(end);
        if skip_blank(after).starts_with("::") {
            found.insert(name.to_owned());
        }
        rest = after;
    }
    found
}

fn skip_blank(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        let after = if let Some(comment) = text.strip_prefix("//") {
            comment.split_once('\n').map(|(_, after)| after)
        } else {
            text.strip_prefix("/*").and_then(|comment| comment.split_once("*/")).map(|(_, after)| after)
        };
        match after {
            Some(after) => text = after,
            None => return text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_before_two_colons_are_found() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(mentioned(text).iter().map(String::as_str).collect::<Vec<_>>(), expected, "{text}");
        };
        check("lead::score(event.body) >= 80", &["lead"]);
        check("Hi ${a::b()} and ${ c ::d() }", &["a", "c"]);
        check("x1_y\n  /* not */ ::f()", &["x1_y"]);
        check("x1_y\n  // why\n  ::f()", &["why", "x1_y"]);
        check("a::b::c()", &["a", "b"]);
        check("1lead::f", &["lead"]);
        check("// see old::f", &["old"]);
        check("é::f lead:score https://x", &[]);
        check("a // b::c", &["b"]);
        check("a /* never closed", &[]);
    }
}
