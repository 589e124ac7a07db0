//! "Did you mean": the valid word closest to a mistyped one.

/// How many edits a word may be away from what was meant.
const MAX_EDITS: usize = 3;

/// The choice that `word` was most likely meant to be, if one is close enough to be worth saying.
#[must_use]
pub fn nearest<'c>(word: &str, choices: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase();
    // A short word becomes any other in three edits, so the bound grows with the word.
    let most = (word.chars().count() / 3).clamp(1, MAX_EDITS);
    choices
        .into_iter()
        .map(|choice| (strsim::damerau_levenshtein(&word, &choice.to_lowercase()), choice))
        .filter(|(edits, _)| *edits <= most)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, choice)| choice)
}

/// `; did you mean …?`, or nothing.
#[must_use]
pub(super) fn hint<'c>(word: &str, choices: impl IntoIterator<Item = &'c str>) -> String {
    nearest(word, choices).map(|choice| format!("; did you mean `{choice}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let check = |word, expected| assert_eq!(nearest(word, ["get", "post", "delete", "request", "headers"]), expected, "{word}");
        check("pots", Some("post"));
        check("GET", Some("get"));
        check("reqest", Some("request"));
        check("header", Some("headers"));
        check("xyz", None);
        check("", None);
    }
}
