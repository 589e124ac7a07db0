//! Text as people are to read it: titles, templates, HTML, masks.

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::json::to_text;
use super::{Function, Outcome, fits, function, shown, size, wrong};

pub(super) const FUNCTIONS: &[Function] = &[
    function("title(text) -> text", "Every word with a capital.", r#""ada lovelace".title() => "Ada Lovelace""#, |e, n| {
        e.register_fn(n, title);
    }),
    function("capitalize(text) -> text", "The first character in upper case.", r#""hi there".capitalize() => "Hi there""#, |e, n| {
        e.register_fn(n, capitalize);
    }),
    function(
        "slug(text) -> text",
        "In lower case, everything but letters and digits turned into single hyphens.",
        r#""Grüße, Welt!".slug() => "grüße-welt""#,
        |e, n| {
            e.register_fn(n, slug);
        },
    ),
    function(
        "normalize_space(text) -> text",
        "Trimmed, and any white space in it one space.",
        r#"" a \n b ".normalize_space() => "a b""#,
        |e, n| {
            e.register_fn(n, |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" "));
        },
    ),
    function("only_digits(text) -> text", "Its digits 0 to 9 alone.", r#""+44 (0)20-7946".only_digits() => "440207946""#, |e, n| {
        e.register_fn(n, |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>());
    }),
    function(
        "format(template, values) -> text",
        "The template with `{}` replaced by the items of a list in turn, or `{key}` by the entries of a map. `{{` and `}}` stand for braces.",
        r#"format("{name}: {n}", #{name: "Ada", n: 2}) => "Ada: 2""#,
        |e, n| {
            e.register_fn(n, |context: NativeCallContext<'_>, template: &str, values: Array| format_list(&context, template, &values));
            e.register_fn(n, |context: NativeCallContext<'_>, template: &str, values: Map| format_map(&context, template, &values));
        },
    ),
    function(
        "escape_html(text) -> text",
        "Safe in HTML text and quoted attributes.",
        r#"escape_html("<a & 'b'>") => "&lt;a &amp; &#39;b&#39;&gt;""#,
        |e, n| {
            e.register_fn(n, escape_html);
        },
    ),
    function(
        "strip_html(text) -> text",
        "Without tags and comments, the five common entities read. To show text, not to make HTML safe: use `escape_html`.",
        r#"strip_html("<p>a &amp; <b>b</b></p>") => "a & b""#,
        |e, n| {
            e.register_fn(n, strip_html);
        },
    ),
    function(
        "mask(text, shown) -> text",
        "All but the last characters as `*`.",
        r#"mask("4242424242424242", 4) => "************4242""#,
        |e, n| {
            e.register_fn(n, mask);
        },
    ),
    function(
        "mask_email(text) -> text",
        "An e-mail address with its first character and its domain only.",
        r#"mask_email("ada@example.com") => "a***@example.com""#,
        |e, n| {
            e.register_fn(n, mask_email);
        },
    ),
    function(
        "is_email(text) -> bool",
        "Whether it has the form of one e-mail address: one `@`, something before it, a dotted domain after it.",
        r#"is_email("ada@example.com") => true"#,
        |e, n| {
            e.register_fn(n, is_email);
        },
    ),
    function(
        "email_domain(text) -> text",
        "What is after the `@`, in lower case; empty if there is none.",
        r#"email_domain("ada@Example.com") => "example.com""#,
        |e, n| {
            e.register_fn(n, |text: &str| text.rsplit_once('@').map_or(String::new(), |(_, domain)| domain.trim().to_lowercase()));
        },
    ),
];

fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut in_word = false;
    for c in text.chars() {
        if in_word {
            titled.extend(c.to_lowercase());
        } else {
            titled.extend(c.to_uppercase());
        }
        in_word = c.is_alphanumeric() || (in_word && matches!(c, '\'' | '’'));
    }
    titled
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

fn format_list(context: &NativeCallContext<'_>, template: &str, values: &Array) -> Outcome<String> {
    let mut values = values.iter();
    filled(context, template, |key| {
        if !key.is_empty() {
            return wrong(format!("format: {} is a name, and the values are a list; write `{{}}` or give a map", shown(key)));
        }
        values.next().map_or_else(|| wrong("format: there are more `{}` than values"), |value| text_of("the value", value))
    })
}

fn format_map(context: &NativeCallContext<'_>, template: &str, values: &Map) -> Outcome<String> {
    filled(context, template, |key| {
        values.get(key).map_or_else(|| wrong(format!("format: {} is missing in the map", shown(key))), |value| text_of(&shown(key), value))
    })
}

fn text_of(what: &str, value: &Dynamic) -> Outcome<String> {
    if value.is_unit() {
        return wrong(format!("format: {what} is missing; `??` gives it a default"));
    }
    to_text(value).or_else(|words| wrong(format!("format: {what} {words}")))
}

fn filled(context: &NativeCallContext<'_>, template: &str, mut value: impl FnMut(&str) -> Outcome<String>) -> Outcome<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            text.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            text.push('}');
            rest = after;
        } else if let Some((key, after)) = from.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            text.push_str(&value(key.trim())?);
            rest = after;
        } else {
            return wrong("format: a brace in the template has no partner; write `{{` or `}}` for the character itself");
        }
        fits(context, text.len())?;
    }
    text.push_str(rest);
    Ok(text)
}

fn escape_html(context: NativeCallContext<'_>, text: &str) -> Outcome<String> {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    fits(&context, escaped.len())?;
    Ok(escaped)
}

fn strip_html(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once('<') {
        kept.push_str(before);
        // `a < b` is no tag.
        if !tag.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            kept.push('<');
            rest = tag;
            continue;
        }
        let end = if tag.starts_with("!--") { "-->" } else { ">" };
        rest = tag.split_once(end).map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    // `&amp;` last: `&amp;lt;` stands for the text `&lt;`.
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")];
    entities.iter().fold(kept, |text, (entity, c)| text.replace(entity, c))
}

fn mask(text: &str, shown: i64) -> String {
    let hidden = text.chars().count().saturating_sub(size(shown));
    "*".repeat(hidden).chars().chain(text.chars().skip(hidden)).collect()
}

fn mask_email(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((user, domain)) => format!("{}***@{domain}", user.chars().next().map_or(String::new(), String::from)),
        None => mask(text, 0),
    }
}

fn is_email(text: &str) -> bool {
    let Some((user, domain)) = text.split_once('@') else { return false };
    let whole = !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';'));
    whole && !user.is_empty() && !domain.contains('@') && domain.contains('.') && domain.split('.').all(|label| !label.is_empty())
}
