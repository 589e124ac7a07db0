//! Regular expressions, in time linear to the text (the `regex` crate).

use std::sync::{Mutex, PoisonError};

use regex::{Captures, Regex, RegexBuilder};
use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::ambient;
use super::{Function, Outcome, count, fits, function, list_fits, shown, wrong};

pub(super) const ABOUT: &str = "\
The syntax is that of the Rust crate `regex`: as in other languages, but without look-around and back-references, so that no pattern
can take more than linear time. `(?i)` at the start ignores case, `(?s)` lets `.` match line ends. Write patterns in backticks or
raw texts (`#\"\\d+\"#`) and `\\` need not be doubled. A pattern has at most 1,000 characters, a text 128 KiB.";

pub(super) const FUNCTIONS: &[Function] = &[
    function(
        "matches(text, pattern) -> bool",
        "Whether the pattern is somewhere in it; `^` and `$` tie it to the ends.",
        r##""AB-12".matches(#"^[A-Z]+-\d+$"#) => true"##,
        |e, n| {
            e.register_fn(n, |text: &str, pattern: &str| Outcome::Ok(compiled(pattern)?.is_match(searched(text)?)));
        },
    ),
    function(
        "find_match(text, pattern) -> text",
        "The first match; `()` if there is none.",
        r##""order 42, 43".find_match(#"\d+"#) => "42""##,
        |e, n| {
            e.register_fn(n, find_match);
        },
    ),
    function("find_all(text, pattern) -> list", "All matches.", r##""order 42, 43".find_all(#"\d+"#) => ["42", "43"]"##, |e, n| {
        e.register_fn(n, find_all);
    }),
    function(
        "captures(text, pattern) -> map",
        "The groups of the first match by number, `\"0\"` being all of it, and by name; `()` if there is none.",
        r##""AB-12".captures(#"(?<kind>[A-Z]+)-(\d+)"#) => #{"0": "AB-12", "1": "AB", "2": "12", kind: "AB"}"##,
        |e, n| {
            e.register_fn(n, captures);
        },
    ),
    function(
        "replace_regex(text, pattern, with) -> text",
        "Every match replaced; `$1` and `${name}` stand for groups, `$$` for `$`.",
        r##""2026-03-01".replace_regex(#"(\d+)-(\d+)-(\d+)"#, "$3.$2.$1") => "01.03.2026""##,
        |e, n| {
            e.register_fn(n, replace_regex);
        },
    ),
    function(
        "split_regex(text, pattern) -> list",
        "The parts between matches.",
        r##""a, b;c".split_regex(#"[,;]\s*"#) => ["a", "b", "c"]"##,
        |e, n| {
            e.register_fn(n, split_regex);
        },
    ),
];

/// Bounds on one compiled pattern.
const PATTERN_CHARS: usize = 1_000;
const COMPILED_BYTES: usize = 128 << 10;
const LAZY_BYTES: usize = 256 << 10;
const NESTING: u32 = 32;
/// A search can take time in proportion to text times pattern, and nothing can stop it on its way.
const TEXT_BYTES: usize = 128 << 10;
/// Compiled patterns that are kept.
const KEPT: usize = 64;

/// The last patterns used, the latest at the end.
static COMPILED: Mutex<Vec<Regex>> = Mutex::new(Vec::new());

fn compiled(pattern: &str) -> Outcome<Regex> {
    let mut kept = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(index) = kept.iter().position(|regex| regex.as_str() == pattern) {
        let regex = kept.remove(index);
        kept.push(regex.clone());
        return Ok(regex);
    }
    drop(kept);
    let regex = compile(pattern)?;
    let mut kept = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if KEPT <= kept.len() {
        kept.remove(0);
    }
    kept.push(regex.clone());
    Ok(regex)
}

fn compile(pattern: &str) -> Outcome<Regex> {
    let chars = pattern.chars().count();
    if PATTERN_CHARS < chars {
        return wrong(format!("the pattern has {chars} characters, over the limit of {PATTERN_CHARS}"));
    }
    let mut builder = RegexBuilder::new(pattern);
    builder.size_limit(COMPILED_BYTES).dfa_size_limit(LAZY_BYTES).nest_limit(NESTING);
    match builder.build() {
        Ok(regex) => Ok(regex),
        Err(regex::Error::CompiledTooBig(_)) => wrong(format!(
            "the pattern {} is over the limit when compiled; use smaller counts, or `[0-9]` and `[A-Za-z]` for `\\d` and `\\w`",
            shown(pattern)
        )),
        Err(error) => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or("").trim_start_matches("error: ");
            wrong(format!("{} is not a pattern: {reason}", shown(pattern)))
        }
    }
}

fn searched(text: &str) -> Outcome<&str> {
    watched()?;
    if TEXT_BYTES < text.len() {
        return wrong(format!("the text has {} bytes, over the limit of {TEXT_BYTES} for a search by pattern", text.len()));
    }
    Ok(text)
}

/// Before a search and between two matches the watch over time gets a look: the sum of many searches is not linear.
fn watched() -> Outcome<()> {
    ambient::check_time().map_or(Ok(()), |words| Err(rhai::EvalAltResult::ErrorTerminated(words.into(), rhai::Position::NONE).into()))
}

fn find_match(text: &str, pattern: &str) -> Outcome<Dynamic> {
    Ok(compiled(pattern)?.find(searched(text)?).map_or(Dynamic::UNIT, |found| found.as_str().into()))
}

fn find_all(context: NativeCallContext<'_>, text: &str, pattern: &str) -> Outcome<Array> {
    let mut all = Array::new();
    for found in compiled(pattern)?.find_iter(searched(text)?) {
        watched()?;
        all.push(found.as_str().into());
        list_fits(&context, all.len())?;
    }
    Ok(all)
}

fn captures(text: &str, pattern: &str) -> Outcome<Dynamic> {
    let regex = compiled(pattern)?;
    let Some(found) = regex.captures(searched(text)?) else { return Ok(Dynamic::UNIT) };
    let mut map = Map::new();
    for (index, name) in regex.capture_names().enumerate() {
        let group = found.get(index).map_or(Dynamic::UNIT, |group| group.as_str().into());
        if let Some(name) = name {
            map.insert(name.into(), group.clone());
        }
        map.insert(count(index).to_string().into(), group);
    }
    Ok(map.into())
}

fn replace_regex(context: NativeCallContext<'_>, text: &str, pattern: &str, with: &str) -> Outcome<String> {
    let mut replaced = String::new();
    let mut from = 0;
    for found in compiled(pattern)?.captures_iter(searched(text)?) {
        watched()?;
        let (start, end) = found.get(0).map_or((from, from), |all| (all.start(), all.end()));
        replaced.push_str(text.get(from..start).unwrap_or(""));
        fits(&context, replaced.len().saturating_add(expanded_bytes(&found, with)))?;
        found.expand(with, &mut replaced);
        from = end;
    }
    replaced.push_str(text.get(from..).unwrap_or(""));
    fits(&context, replaced.len())?;
    Ok(replaced)
}

/// At most how long the replacement gets: each `$` may stand for all of the match.
fn expanded_bytes(found: &Captures<'_>, with: &str) -> usize {
    let all = found.get(0).map_or(0, |all| all.len());
    with.len().saturating_add(with.matches('$').count().saturating_mul(all))
}

fn split_regex(context: NativeCallContext<'_>, text: &str, pattern: &str) -> Outcome<Array> {
    let mut parts = Array::new();
    for part in compiled(pattern)?.split(searched(text)?) {
        watched()?;
        parts.push(part.into());
        list_fits(&context, parts.len())?;
    }
    Ok(parts)
}
