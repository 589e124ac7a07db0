//! Text. Positions and lengths count characters.

use rhai::{Array, Dynamic, Engine, ImmutableString, NativeCallContext};

use super::super::json::{self, to_text};
use super::{Function, Outcome, count, fits, function, list_fits, size, wrong};

pub(super) const FUNCTIONS: &[Function] = &[
    function("len(text) -> number", "The number of characters; also `text.len`.", r#""héy".len() => 3"#, |e, n| {
        e.register_fn(n, len).register_get(n, |text: &mut ImmutableString| len(text));
    }),
    function(
        "is_empty(text) -> bool",
        "Whether it has no characters. `is_blank` also takes white space for nothing.",
        r#""".is_empty() => true"#,
        |e, n| {
            e.register_fn(n, |text: &str| text.is_empty()).register_get(n, |text: &mut ImmutableString| text.is_empty());
        },
    ),
    function("trim(text) -> text", "Without white space at both ends.", r#"" a b ".trim() => "a b""#, |e, n| {
        e.register_fn(n, |text: &str| text.trim().to_owned());
    }),
    function("trim_start(text) -> text", "Without white space at the start.", r#"" a ".trim_start() => "a ""#, |e, n| {
        e.register_fn(n, |text: &str| text.trim_start().to_owned());
    }),
    function("trim_end(text) -> text", "Without white space at the end.", r#"" a ".trim_end() => " a""#, |e, n| {
        e.register_fn(n, |text: &str| text.trim_end().to_owned());
    }),
    function("lower(text) -> text", "In lower case; also `to_lower`.", r#""Ada".lower() => "ada""#, |e, n| {
        e.register_fn(n, str::to_lowercase).register_fn("to_lower", str::to_lowercase);
    }),
    function("upper(text) -> text", "In upper case; also `to_upper`.", r#""Ada".upper() => "ADA""#, |e, n| {
        e.register_fn(n, str::to_uppercase).register_fn("to_upper", str::to_uppercase);
    }),
    function(
        "contains(text, part) -> bool",
        "Whether the part is in it. Also of a list, and of a map's keys.",
        r#""a-b".contains("-") => true"#,
        |e, n| {
            e.register_fn(n, |text: &str, part: &str| text.contains(part));
        },
    ),
    function("starts_with(text, part) -> bool", "Whether it begins with the part.", r#""+44 20".starts_with("+44") => true"#, |e, n| {
        e.register_fn(n, |text: &str, part: &str| text.starts_with(part));
    }),
    function("ends_with(text, part) -> bool", "Whether it ends with the part.", r#""a.pdf".ends_with(".pdf") => true"#, |e, n| {
        e.register_fn(n, |text: &str, part: &str| text.ends_with(part));
    }),
    function("index_of(text, part) -> number", "Where the part begins; -1 if it is not there.", r#""héy".index_of("y") => 2"#, |e, n| {
        e.register_fn(n, index_of);
    }),
    function(
        "count_of(text, part) -> number",
        "How many times the part is in it, without overlap.",
        r#""a-b-c".count_of("-") => 2"#,
        |e, n| {
            e.register_fn(n, count_of);
        },
    ),
    function(
        "sub_string(text, start, length?) -> text",
        "A part; a negative start counts from the end.",
        r#""hello".sub_string(1, 3) => "ell""#,
        |e, n| {
            e.register_fn(n, sub_string).register_fn(n, |text: &str, start: i64| sub_string(text, start, i64::MAX));
        },
    ),
    function(
        "truncate(text, length, ending?) -> text",
        "At most this many characters, the ending included, which is there only if something was cut.",
        r#""Hello world".truncate(6, "…") => "Hello…""#,
        |e, n| {
            e.register_fn(n, |text: &str, length: i64| sub_string(text, 0, length)).register_fn(n, truncate);
        },
    ),
    function(
        "split(text, separator) -> list",
        "The parts between separators; its characters for an empty one.",
        r#""a,b".split(",") => ["a", "b"]"#,
        |e, n| {
            e.register_fn(n, split);
        },
    ),
    function("lines(text) -> list", "Its lines.", r#""a\r\nb".lines() => ["a", "b"]"#, |e, n| {
        e.register_fn(n, |context: NativeCallContext<'_>, text: &str| listed(&context, text.lines()));
    }),
    function("words(text) -> list", "What is between white space.", r#"" a  b ".words() => ["a", "b"]"#, |e, n| {
        e.register_fn(n, |context: NativeCallContext<'_>, text: &str| listed(&context, text.split_whitespace()));
    }),
    function(
        "join(list, separator) -> text",
        "The items' texts with the separator between them.",
        r#"["a", 1].join("-") => "a-1""#,
        |e, n| {
            e.register_fn(n, join);
        },
    ),
    function("replace(text, find, with) -> text", "Every occurrence replaced.", r#""a.b.c".replace(".", "/") => "a/b/c""#, |e, n| {
        e.register_fn(n, replace);
    }),
    function(
        "remove_start(text, part) -> text",
        "Without the part at the start, if it is there.",
        r#""re: hi".remove_start("re: ") => "hi""#,
        |e, n| {
            e.register_fn(n, |text: &str, part: &str| text.strip_prefix(part).unwrap_or(text).to_owned());
        },
    ),
    function(
        "remove_end(text, part) -> text",
        "Without the part at the end, if it is there.",
        r#""a.pdf".remove_end(".pdf") => "a""#,
        |e, n| {
            e.register_fn(n, |text: &str, part: &str| text.strip_suffix(part).unwrap_or(text).to_owned());
        },
    ),
    function("repeat(text, times) -> text", "Several times in a row.", r#""ab".repeat(2) => "abab""#, |e, n| {
        e.register_fn(n, repeat);
    }),
    function("pad_start(text, length, with) -> text", "Filled up at the start.", r#""7".pad_start(3, "0") => "007""#, |e, n| {
        e.register_fn(n, |context: NativeCallContext<'_>, text: &str, length: i64, with: &str| {
            padding(&context, text, length, with).map(|fill| format!("{fill}{text}"))
        });
    }),
    function("pad_end(text, length, with) -> text", "Filled up at the end; also `pad`.", r#""a".pad_end(3, ".") => "a..""#, |e, n| {
        e.register_fn(n, pad_end).register_fn("pad", pad_end);
    }),
    function(
        "to_text(value) -> text",
        "A number, `true` or `false` as a text; a list or map as JSON.",
        r#"to_text(1.5) + to_text([1]) => "1.5[1]""#,
        |e, n| {
            e.register_fn(n, to_any_text);
        },
    ),
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

pub(super) fn listed<'t>(context: &NativeCallContext<'_>, parts: impl Iterator<Item = &'t str>) -> Outcome<Array> {
    let limit = context.engine().max_array_size();
    let list: Array = parts.take(limit.saturating_add(1)).map(|part| Dynamic::from(part.to_owned())).collect();
    list_fits(context, list.len())?;
    Ok(list)
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

fn count_of(text: &str, part: &str) -> i64 {
    if part.is_empty() { 0 } else { count(text.matches(part).count()) }
}

fn truncate(text: &str, length: i64, ending: &str) -> String {
    if len(text) <= length {
        return text.to_owned();
    }
    let kept = sub_string(text, 0, length.saturating_sub(len(ending)));
    sub_string(&format!("{kept}{ending}"), 0, length)
}

fn to_any_text(context: NativeCallContext<'_>, value: Dynamic) -> Outcome<String> {
    let text = if value.is_array() || value.is_map() {
        json::to_value(&value).map(|value| value.to_string())
    } else if value.is_unit() {
        Err("the value is missing; `??` gives it a default".to_owned())
    } else {
        to_text(&value)
    };
    let text = text.or_else(|words| wrong(format!("to_text: {words}")))?;
    fits(&context, text.len())?;
    Ok(text)
}
