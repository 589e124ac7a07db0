//! One value at a time: text, durations, sizes, numbers, choices, code.

use std::sync::Arc;
use std::time::Duration;

use super::{At, CodeText, Report};
use crate::domain::time::parse_duration;
use crate::workflow::problem::codes;
use crate::workflow::words;
use crate::workflow::yaml::{Kind, Node};

fn wrong(node: &Node, key: &str, expected: &str, help: impl Into<String>, report: &mut Report) {
    report.error(codes::WRONG_TYPE, node.span, format!("`{key}` is {expected}, not {}", node.kind_name()), help);
}

/// Text; a number or `true` is taken as written.
pub(crate) fn text(node: &Node, key: &str, report: &mut Report) -> Option<At<Arc<str>>> {
    if node.as_text().is_none() {
        let help = match key {
            "emit" => "write `emit: order.paid`; its body stands beside it, as in `with: {order: 7}`".to_owned(),
            "run" => "write `run: send-letter`; what it is given stands beside it, as in `with: {order: 7}`".to_owned(),
            _ => format!("write `{key}: some text`"),
        };
        wrong(node, key, "text", help, report);
        return None;
    }
    Some(At { value: Arc::clone(&node.raw), span: node.span })
}

/// A bare expression, a script or a text with holes.
pub(crate) fn code(node: &Node, key: &str, report: &mut Report) -> Option<CodeText> {
    if node.as_text().is_none_or(|text| text.trim().is_empty()) {
        let (what, help) = match key {
            "fail" => ("text", "write what went wrong, as in `fail: \"no customer ${event.body.number}\"`".to_owned()),
            "to" | "message" | "xml" | "text" | "html" | "redirect" => {
                ("text", format!("write `{key}: \"some text, ${{event.body.name}}\"`; `${{ }}` holds an expression"))
            }
            _ => ("code", format!("write an expression, as in `{key}: event.body.amount > 10`; quotes help with special characters")),
        };
        wrong(node, key, what, help, report);
        return None;
    }
    Some(CodeText { text: Arc::clone(&node.raw), span: node.span, place: node.place })
}

/// The longest type of an event.
pub(crate) const EVENT_TYPE_BYTES: usize = 100;

/// The type of an event that workflows emit: `order.paid`.
pub(crate) fn event_type(node: &Node, key: &str, report: &mut Report) -> Option<At<Arc<str>>> {
    let found = text(node, key, report)?;
    let fine = found.value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && found.value.len() <= EVENT_TYPE_BYTES
        && found.value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/'));
    if !fine {
        let message = format!("`{}` cannot be the type of an event", found.value);
        let help = format!("use letters, digits, `.`, `-`, `_` and `/`, at most {EVENT_TYPE_BYTES}, as in `{key}: order.paid`");
        report.error(codes::BAD_NAME, found.span, message, help);
    }
    fine.then_some(found)
}

/// `250ms`, `10s`, `1h30m`.
pub(crate) fn duration(node: &Node, key: &str, report: &mut Report) -> Option<Duration> {
    let Some(text) = node.as_text() else {
        wrong(node, key, "a duration", format!("write `{key}: 10s`"), report);
        return None;
    };
    match parse_duration(text) {
        Ok(duration) => Some(duration),
        Err(error) => {
            report.error(codes::BAD_DURATION, node.span, format!("`{key}`: {error}"), format!("write `{key}: 10s`"));
            None
        }
    }
}

/// The same, and more than nothing.
pub(crate) fn some_duration(node: &Node, key: &str, report: &mut Report) -> Option<Duration> {
    let found = duration(node, key, report)?;
    if found.is_zero() {
        report.error(codes::BAD_DURATION, node.span, format!("`{key}` must be longer than nothing"), format!("write `{key}: 10s`"));
        return None;
    }
    Some(found)
}

/// `64KiB`, `1MiB`, or a number of bytes.
pub(crate) fn size(node: &Node, key: &str, report: &mut Report) -> Option<usize> {
    let Some(text) = node.as_text() else {
        wrong(node, key, "a size", format!("write `{key}: 1MiB`"), report);
        return None;
    };
    let found = parse_size(text).filter(|bytes| *bytes != 0);
    if found.is_none() {
        let message = format!("`{key}`: `{text}` is not a size");
        report.error(codes::BAD_SIZE, node.span, message, format!("write a number and a unit, as in `{key}: 64KiB` or `{key}: 1MiB`"));
    }
    found
}

/// Reads `64KiB`, `1MiB`, `10kB`, `512` as bytes.
#[must_use]
pub fn parse_size(text: &str) -> Option<usize> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: usize = match unit.trim_start() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

/// `true` or `false`.
pub(crate) fn boolean(node: &Node, key: &str, report: &mut Report) -> Option<bool> {
    if let Kind::Bool(value) = node.kind {
        return Some(value);
    }
    wrong(node, key, "`true` or `false`", format!("write `{key}: true`"), report);
    None
}

/// A number in a range.
pub(crate) fn number(node: &Node, key: &str, range: std::ops::RangeInclusive<f64>, report: &mut Report) -> Option<f64> {
    let help = || format!("write a number from {} to {}", range.start(), range.end());
    let found = match node.kind {
        Kind::Int(_) | Kind::Float(_) => node.raw.parse::<f64>().ok(),
        Kind::Null | Kind::Bool(_) | Kind::Text | Kind::List(_) | Kind::Map(_) => {
            wrong(node, key, "a number", help(), report);
            return None;
        }
    };
    let fits = found.filter(|number| range.contains(number));
    if fits.is_none() {
        report.error(codes::BAD_VALUE, node.span, format!("`{key}`: {} is out of range", node.raw), help());
    }
    fits
}

/// A whole number in a range.
pub(crate) fn whole(node: &Node, key: &str, range: std::ops::RangeInclusive<u32>, report: &mut Report) -> Option<u32> {
    let help = || format!("write a whole number from {} to {}", range.start(), range.end());
    let Kind::Int(number) = node.kind else {
        wrong(node, key, "a whole number", help(), report);
        return None;
    };
    let fits = u32::try_from(number).ok().filter(|number| range.contains(number));
    if fits.is_none() {
        report.error(codes::BAD_VALUE, node.span, format!("`{key}`: {number} is out of range"), help());
    }
    fits
}

/// One of a few words.
pub(crate) fn choice<T: Copy>(node: &Node, key: &str, choices: &[(&str, T)], report: &mut Report) -> Option<T> {
    let text = text(node, key, report)?;
    let found = choices.iter().find(|(word, _)| *word == &*text.value).map(|(_, value)| *value);
    if found.is_none() {
        let valid: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        report.error(
            codes::BAD_VALUE,
            node.span,
            format!("`{key}`: `{}` is none of the choices", text.value),
            words::suggest(&text.value, &valid),
        );
    }
    found
}

/// A list's items.
pub(crate) fn list<'n>(node: &'n Node, key: &str, report: &mut Report) -> Option<&'n [Node]> {
    if let Kind::List(items) = &node.kind {
        return Some(items);
    }
    wrong(node, key, "a list", "begin each entry with `- `", report);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_written() {
        let check = |text, expected| assert_eq!(parse_size(text), expected, "{text}");
        check("512", Some(512));
        check("64KiB", Some(65_536));
        check("1 MiB", Some(1 << 20));
        check("10kB", Some(10_000));
        check("1.5MiB", None);
        check("KiB", None);
        check("-1", None);
        check("1mib", None);
        check("99999999999999999999", None);
        check("99999999999999GiB", None);
    }
}
