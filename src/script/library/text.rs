//! Text. Positions and lengths count characters.

use rhai::{Array, Dynamic, Engine, ImmutableString, NativeCallContext};

use super::super::json::to_text;
use super::{Function, Outcome, fits, function, list_fits, wrong};

pub(super) const FUNCTIONS: &[Function] = &[
    function("len", "len(text) -> number", "The number of characters; also `text.len`.", |e, n| {
        e.register_fn(n, len).register_get(n, |text: &mut ImmutableString| len(text));
    }),
    function("is_empty", "is_empty(text) -> bool", "Whether it has no characters.", |e, n| {
        e.register_fn(n, |text: &str| text.is_empty()).register_get(n, |text: &mut ImmutableString| text.is_empty());
    }),
    function("trim", "trim(text) -> text", "Without white space at both ends.", |e, n| {
        e.register_fn(n, |text: &str| text.trim().to_owned());
    }),
    function("lower", "lower(text) -> text", "In lower case.", |e, n| {
        e.register_fn(n, str::to_lowercase).register_fn("to_lower", str::to_lowercase);
    }),
    function("upper", "upper(text) -> text", "In upper case.", |e, n| {
        e.register_fn(n, str::to_uppercase).register_fn("to_upper", str::to_uppercase);
    }),
    function("contains", "contains(text, part) -> bool", "Whether the part is in it.", |e, n| {
        e.register_fn(n, |text: &str, part: &str| text.contains(part));
    }),
    function("starts_with", "starts_with(text, part) -> bool", "Whether it begins with the part.", |e, n| {
        e.register_fn(n, |text: &str, part: &str| text.starts_with(part));
    }),
    function("ends_with", "ends_with(text, part) -> bool", "Whether it ends with the part.", |e, n| {
        e.register_fn(n, |text: &str, part: &str| text.ends_with(part));
    }),
    function("index_of", "index_of(text, part) -> number", "Where the part begins, from 0; -1 if it is not there.", |e, n| {
        e.register_fn(n, index_of);
    }),
    function("sub_string", "sub_string(text, start, length) -> text", "A part; a negative start counts from the end.", |e, n| {
        e.register_fn(n, sub_string).register_fn(n, |text: &str, start: i64| sub_string(text, start, i64::MAX));
    }),
    function("truncate", "truncate(text, length) -> text", "At most this many characters.", |e, n| {
        e.register_fn(n, |text: &str, length: i64| sub_string(text, 0, length));
    }),
    function("split", "split(text, separator) -> list", "The parts between separators; its characters for an empty one.", |e, n| {
        e.register_fn(n, split);
    }),
    function("lines", "lines(text) -> list", "Its lines.", |e, n| {
        e.register_fn(n, |context: NativeCallContext<'_>, text: &str| listed(&context, text.lines()));
    }),
    function("join", "join(list, separator) -> text", "The items' texts with the separator between them.", |e, n| {
        e.register_fn(n, join);
    }),
    function("replace", "replace(text, find, with) -> text", "Every occurrence replaced.", |e, n| {
        e.register_fn(n, replace);
    }),
    function("repeat", "repeat(text, times) -> text", "Several times in a row.", |e, n| {
        e.register_fn(n, repeat);
    }),
    function("pad_start", "pad_start(text, length, with) -> text", "Filled up at the start.", |e, n| {
        e.register_fn(n, |context: NativeCallContext<'_>, text: &str, length: i64, with: &str| {
            padding(&context, text, length, with).map(|fill| format!("{fill}{text}"))
        });
    }),
    function("pad_end", "pad_end(text, length, with) -> text", "Filled up at the end; also `pad`.", |e, n| {
        e.register_fn(n, pad_end).register_fn("pad", pad_end);
    }),
    function(
        "parse_int",
        "parse_int(text) -> number",
        "The whole number that it is; `parse_int(text, radix)` for a radix from 2 to 36.",
        |e, n| {
            e.register_fn(n, |text: &str| parse_int(text, 10)).register_fn(n, parse_int);
        },
    ),
    function("parse_float", "parse_float(text) -> number", "The float that it is.", |e, n| {
        e.register_fn(n, parse_float);
    }),
    function("slug", "slug(text) -> text", "In lower case, everything but letters and digits turned into single hyphens.", |e, n| {
        e.register_fn(n, slug);
    }),
];

/// `+` of a text and a number, `true` or `false`.
pub(super) fn register_operators(engine: &mut Engine) {
    macro_rules! plus {
        ($($type:ty),*) => {$(
            engine.register_fn("+", |left: ImmutableString, right: $type| glued(&left.into(), &right.into()));
            engine.register_fn("+", |left: $type, right: ImmutableString| glued(&left.into(), &right.into()));
        )*};
    }
    plus!(i64, f64, bool);
}

fn glued(left: &Dynamic, right: &Dynamic) -> Outcome<String> {
    match (to_text(left), to_text(right)) {
        (Ok(left), Ok(right)) => Ok(format!("{left}{right}")),
        (Err(words), _) | (_, Err(words)) => wrong(words),
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn size(n: i64) -> usize {
    usize::try_from(n.max(0)).unwrap_or(usize::MAX)
}

fn len(text: &str) -> i64 {
    count(text.chars().count())
}

fn index_of(text: &str, part: &str) -> i64 {
    text.split_once(part).map_or(-1, |(before, _)| len(before))
}

fn sub_string(text: &str, start: i64, length: i64) -> String {
    let start = if start < 0 { len(text).saturating_add(start) } else { start };
    text.chars().skip(size(start)).take(size(length)).collect()
}

fn listed<'t>(context: &NativeCallContext<'_>, parts: impl Iterator<Item = &'t str>) -> Outcome<Array> {
    let limit = context.engine().max_array_size();
    let list: Array = parts.take(limit.saturating_add(1)).map(Dynamic::from_text).collect();
    list_fits(context, list.len())?;
    Ok(list)
}

trait FromText {
    fn from_text(text: &str) -> Self;
}

impl FromText for Dynamic {
    fn from_text(text: &str) -> Self {
        text.into()
    }
}

fn split(context: NativeCallContext<'_>, text: &str, separator: &str) -> Outcome<Array> {
    if separator.is_empty() {
        return listed(&context, text.split("").filter(|part| !part.is_empty()));
    }
    listed(&context, text.split(separator))
}

fn join(context: NativeCallContext<'_>, list: Array, separator: &str) -> Outcome<String> {
    let mut joined = String::new();
    for (index, item) in list.iter().enumerate() {
        if 0 < index {
            joined.push_str(separator);
        }
        match to_text(item) {
            Ok(text) => joined.push_str(&text),
            Err(words) => return wrong(format!("join: item {index} {words}")),
        }
        fits(&context, joined.len())?;
    }
    Ok(joined)
}

fn replace(context: NativeCallContext<'_>, text: &str, find: &str, with: &str) -> Outcome<String> {
    if find.is_empty() {
        return wrong("replace: what to find is empty; give it at least one character");
    }
    // The size is known before anything is made: Rhai's own `replace` asks for gigabytes first.
    let found = text.matches(find).count();
    let bytes = (text.len() - found * find.len()).saturating_add(found.saturating_mul(with.len()));
    fits(&context, bytes)?;
    Ok(text.replace(find, with))
}

fn repeat(context: NativeCallContext<'_>, text: &str, times: i64) -> Outcome<String> {
    fits(&context, text.len().saturating_mul(size(times)))?;
    Ok(text.repeat(size(times)))
}

fn padding(context: &NativeCallContext<'_>, text: &str, length: i64, with: &str) -> Outcome<String> {
    let missing = size(length).saturating_sub(text.chars().count());
    if missing == 0 {
        return Ok(String::new());
    }
    if with.is_empty() {
        return wrong("pad: what to fill up with is empty; give it at least one character");
    }
    fits(context, missing.saturating_add(text.len()))?;
    let fill: String = with.chars().cycle().take(missing).collect();
    fits(context, fill.len().saturating_add(text.len()))?;
    Ok(fill)
}

fn pad_end(context: NativeCallContext<'_>, text: &str, length: i64, with: &str) -> Outcome<String> {
    padding(&context, text, length, with).map(|fill| format!("{text}{fill}"))
}

fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

// Rhai's own two repeat the text in their errors, and it may be anything out of a body.
fn parse_int(text: &str, radix: i64) -> Outcome<i64> {
    let Some(radix) = u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix)) else {
        return wrong("parse_int: expected a radix from 2 to 36");
    };
    i64::from_str_radix(text.trim(), radix).or_else(|_| wrong("parse_int: this text is not a whole number"))
}

fn parse_float(text: &str) -> Outcome<f64> {
    text.trim().parse().or_else(|_| wrong("parse_float: this text is not a number"))
}
