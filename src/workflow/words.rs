//! The nearest valid word, for "did you mean …?".

/// The choice nearest to `word`, if one is near enough to be meant.
#[must_use]
pub fn nearest<'c>(word: &str, choices: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    within((word.chars().count() / 2).clamp(1, 3), word, choices)
}

/// The choice that `word` is a slip of the pen from: nearer than [`nearest`], for words that may be meant as they are.
#[must_use]
pub fn slip<'c>(word: &str, choices: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    within((word.chars().count() / 4).min(2), word, choices).filter(|found| *found != word)
}

fn within<'c>(allowed: usize, word: &str, choices: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase();
    choices
        .into_iter()
        .map(|choice| (distance(&word, &choice.to_lowercase()), choice))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, choice)| choice)
}

/// Help for a word that is none of `choices`.
#[must_use]
pub fn suggest(word: &str, choices: &[&str]) -> String {
    if choices.is_empty() {
        return "nothing can stand here".to_owned();
    }
    match nearest(word, choices.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? valid here: {}", list(choices)),
        None => format!("valid here: {}", list(choices)),
    }
}

/// `a`, `b`, `c` as text.
#[must_use]
pub fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Longer words are never compared letter by letter.
const COMPARED_CHARS: usize = 64;

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours.
/// Damerau, "A technique for computer detection and correction of spelling errors", 1964.
#[must_use]
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if COMPARED_CHARS < a.len().max(b.len()) {
        return usize::MAX;
    }
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i.checked_sub(1).and_then(|i| a.get(i)) == Some(y) && j.checked_sub(1).and_then(|j| b.get(j)) == Some(x);
            if let (true, Some(j)) = (swapped, j.checked_sub(1)) {
                best = best.min(at(&before, j) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found() {
        let check = |word, expected| assert_eq!(nearest(word, ["retry", "timeout", "on_error", "id", "if", "with"]), expected, "{word}");
        check("retries", Some("retry"));
        check("rerty", Some("retry"));
        check("time_out", Some("timeout"));
        check("on-error", Some("on_error"));
        check("wiht", Some("with"));
        check("Timeout", Some("timeout"));
        check("banana", None);
        check("", None);
    }

    #[test]
    fn a_slip_is_nearer() {
        let check = |word, expected| assert_eq!(slip(word, ["order.placed", "a"]), expected, "{word}");
        check("order.plcaed", Some("order.placed"));
        check("order.place", Some("order.placed"));
        check("order.closed", None);
        check("b", None);
        check("a", None);
    }

    #[test]
    fn a_swap_counts_once() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
