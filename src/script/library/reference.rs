//! `docs/reference/functions.md`, made from the tables.

use std::fmt::Write as _;

use super::SUBJECTS;

const BEGINNING: &str = "\
# Functions

What every expression, `${ }` and script can call. A function can be called in two ways: `lower(name)` and `name.lower()` are the same.
`?` marks an argument that can be left out. A missing value is `()`; `a ?? b` is `b` when `a` is missing, and `a?.b` is missing when `a` is.

All functions are pure: the same run gives the same values again, after a crash too. `now()` is the time of the run's last recorded
fact, and `uuid()` and `random()` derive from run and step. Every function is bounded: a text has at most 1 MiB, a list at most
100,000 items.

This page is made from the tables in `src/script/library/`, and a test evaluates every example in it. For the examples the run's
moment is `2026-03-01T09:00:00.123Z`.
";

/// The page.
#[must_use]
pub fn reference() -> String {
    let mut page = BEGINNING.to_owned();
    for subject in SUBJECTS {
        put(&mut page, format_args!("\n## {}\n\n", subject.title));
        if !subject.about.is_empty() {
            put(&mut page, format_args!("{}\n\n", subject.about));
        }
        page.push_str("| Function | What it gives | Example |\n|---|---|---|\n");
        for function in subject.functions {
            let example = function.example.replace(" => ", " → ");
            put(&mut page, format_args!("| {} | {} | {} |\n", code(function.signature), function.about, code(&example)));
        }
    }
    page
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    let written = page.write_fmt(text);
    debug_assert!(written.is_ok(), "a String takes everything");
}

/// A code span in a table, where `|` has to be escaped, and one with backticks in it needs two around it.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}
