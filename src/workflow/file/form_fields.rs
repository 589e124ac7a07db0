//! `fields` of a form: what is filled in.

use std::sync::Arc;

use super::form::words;
use super::read::{boolean, choice, number, text, whole};
use super::{At, Fields, Report};
use crate::domain::workflow::{Choice, Field, FieldKind, Length, Pattern};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Entry, Kind, Node};

/// The most fields of one form, and the most options of one field.
pub(crate) const FIELDS: usize = 200;
/// The longest name of a field.
pub(crate) const FIELD_NAME_BYTES: usize = 64;
/// The longest text that a bound can name, in characters.
pub(crate) const LENGTH_LIMIT: u32 = 1_000_000;
const EXAMPLE: &str = "fields: {email: {type: email, required: true}, message: textarea}";

/// The words of `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Text,
    Email,
    Tel,
    Number,
    Date,
    Textarea,
    Select,
    Checkbox,
    Radio,
    File,
    Hidden,
}

pub(crate) const SORTS: [(&str, Sort); 11] = [
    ("text", Sort::Text),
    ("email", Sort::Email),
    ("tel", Sort::Tel),
    ("number", Sort::Number),
    ("date", Sort::Date),
    ("textarea", Sort::Textarea),
    ("select", Sort::Select),
    ("checkbox", Sort::Checkbox),
    ("radio", Sort::Radio),
    ("file", Sort::File),
    ("hidden", Sort::Hidden),
];

/// Whether a field may be called so. What begins with `_` is ours or the browser's.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= FIELD_NAME_BYTES
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

pub(super) fn read_fields(entry: &Entry, report: &mut Report) -> Option<Vec<Field>> {
    let Kind::Map(entries) = &entry.value.kind else {
        let message = format!("`fields` is a map of names, not {}", entry.value.kind_name());
        report.error(codes::WRONG_TYPE, entry.span, message, format!("write `{EXAMPLE}`"));
        return None;
    };
    if entries.is_empty() {
        report.error(codes::BAD_VALUE, entry.span, "`fields` is empty: there is nothing to fill in", format!("write `{EXAMPLE}`"));
        return None;
    }
    if FIELDS < entries.len() {
        report.error(codes::TOO_MANY, entry.span, format!("{} fields; the limit is {FIELDS}", entries.len()), "make two forms of it");
        return None;
    }
    Some(entries.iter().filter_map(|entry| read_field(entry, report)).collect())
}

fn read_field(entry: &Entry, report: &mut Report) -> Option<Field> {
    let name = Arc::clone(&entry.key);
    if !is_name(&name) {
        let message = format!("`{name}` cannot be the name of a field");
        let help = format!("use letters, digits and `_`, a letter first, at most {FIELD_NAME_BYTES}; `label` says what people read");
        report.error(codes::BAD_NAME, entry.span, message, help);
    }
    let label = titled(&name);
    if entry.value.as_text().is_some() {
        let sort = choice(&entry.value, &name, &SORTS, report)?;
        let kind = match sort {
            Sort::Text => FieldKind::Text(Length::default()),
            Sort::Email => FieldKind::Email(Length::default()),
            Sort::Tel => FieldKind::Tel(Length::default()),
            Sort::Textarea => FieldKind::Textarea(Length::default()),
            Sort::Number => FieldKind::Number { min: None, max: None },
            Sort::Date => FieldKind::Date { min: None, max: None },
            Sort::Checkbox => FieldKind::Checkbox,
            Sort::File => FieldKind::File { multiple: false },
            Sort::Select | Sort::Radio | Sort::Hidden => {
                let (key, example) = if sort == Sort::Hidden { ("value", "\"7\"") } else { ("options", "[small, large]") };
                let word = entry.value.as_text().unwrap_or_default();
                let help = format!("write `{name}: {{type: {word}, {key}: {example}}}`");
                report.error(codes::MISSING_KEY, entry.value.span, format!("a field of type `{word}` needs `{key}`"), help);
                return None;
            }
        };
        return Some(Field { name, label, required: false, help: None, placeholder: None, value: None, kind });
    }
    let mut fields = Fields::open_as(&entry.value, "a field", entry.span, &format!("{name}: {{type: email, required: true}}"), report)?;
    let sort = fields.optional("type").map_or(Some(Sort::Text), |node| choice(node, "type", &SORTS, report));
    // Of a sort that does not exist it is not known which keys it has: one problem is enough.
    let sort = sort?;
    let label = fields.optional("label").and_then(|node| words(node, "label", report)).unwrap_or(label);
    let kind = read_kind(&mut fields, sort, report);
    let is_hidden = sort == Sort::Hidden;
    let required = if is_hidden { None } else { fields.optional("required").and_then(|node| boolean(node, "required", report)) };
    let help = if is_hidden { None } else { fields.optional("help").and_then(|node| words(node, "help", report)) };
    let has_placeholder = matches!(sort, Sort::Text | Sort::Email | Sort::Tel | Sort::Number | Sort::Textarea);
    let placeholder = if has_placeholder { fields.optional("placeholder") } else { None };
    let placeholder = placeholder.and_then(|node| words(node, "placeholder", report));
    let value = read_value(&mut fields, sort, kind.as_ref(), report);
    fields.close(report);
    Some(Field { name, label, required: required.unwrap_or(false), help, placeholder, value, kind: kind? })
}

/// `first_name` → `First name`.
fn titled(name: &str) -> Arc<str> {
    let spaced = name.replace('_', " ");
    let mut chars = spaced.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}", chars.as_str()).trim_end().into()
}

fn read_kind(fields: &mut Fields<'_>, sort: Sort, report: &mut Report) -> Option<FieldKind> {
    Some(match sort {
        Sort::Text => FieldKind::Text(read_length(fields, report)),
        Sort::Email => FieldKind::Email(read_length(fields, report)),
        Sort::Tel => FieldKind::Tel(read_length(fields, report)),
        Sort::Textarea => FieldKind::Textarea(read_length(fields, report)),
        Sort::Number => {
            let mut bound = |key| fields.optional(key).and_then(|node| number(node, key, f64::MIN..=f64::MAX, report));
            let (min, max) = (bound("min"), bound("max"));
            in_order(min.zip(max).is_none_or(|(min, max)| min <= max), fields, report);
            FieldKind::Number { min, max }
        }
        Sort::Date => {
            let mut bound = |key| fields.optional(key).and_then(|node| day(node, key, report));
            let (min, max) = (bound("min"), bound("max"));
            in_order(min.zip(max).is_none_or(|(min, max)| min <= max), fields, report);
            FieldKind::Date { min, max }
        }
        Sort::Select => FieldKind::Select(read_options(fields, "a field of type `select`", report)?),
        Sort::Radio => FieldKind::Radio(read_options(fields, "a field of type `radio`", report)?),
        Sort::Checkbox if fields.has("options") => FieldKind::Checkboxes(read_options(fields, "a field of type `checkbox`", report)?),
        Sort::Checkbox => FieldKind::Checkbox,
        Sort::File => {
            let multiple = fields.optional("multiple").and_then(|node| boolean(node, "multiple", report));
            FieldKind::File { multiple: multiple.unwrap_or(false) }
        }
        Sort::Hidden => FieldKind::Hidden,
    })
}

fn read_length(fields: &mut Fields<'_>, report: &mut Report) -> Length {
    let mut bound = |key| fields.optional(key).and_then(|node| whole(node, key, 0..=LENGTH_LIMIT, report));
    let (min, max) = (bound("min"), bound("max"));
    in_order(min.zip(max).is_none_or(|(min, max)| min <= max), fields, report);
    let pattern = fields.optional("pattern").and_then(|node| {
        let At { value, span } = text(node, "pattern", report)?;
        Pattern::new(&value)
            .map_err(|why| {
                let message = format!("`pattern` cannot be used: {why}");
                report.error(
                    codes::BAD_VALUE,
                    span,
                    message,
                    "write a regular expression for the whole text, as in `pattern: \"[0-9]{5}\"`",
                );
            })
            .ok()
    });
    let size = |bound: Option<u32>| bound.and_then(|bound| usize::try_from(bound).ok());
    Length { min: size(min), max: size(max), pattern }
}

fn in_order(is_fine: bool, fields: &mut Fields<'_>, report: &mut Report) {
    if let Some(entry) = fields.entry("max").filter(|_| !is_fine) {
        report.error(codes::BAD_VALUE, entry.span, "`max` is less than `min`: nothing fits", "turn them round");
    }
}

fn day(node: &Node, key: &str, report: &mut Report) -> Option<jiff::civil::Date> {
    let At { value, span } = text(node, key, report)?;
    let found = read_day(&value);
    if found.is_none() {
        let message = format!("`{key}`: `{value}` is not a day");
        report.error(codes::BAD_TIME, span, message, format!("write `{key}: 2026-03-01`"));
    }
    found
}

/// `2026-03-01` and nothing else, as browsers send it.
pub(crate) fn read_day(text: &str) -> Option<jiff::civil::Date> {
    let is_written_so = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if is_written_so { text.parse().ok() } else { None }
}

/// `[small, large]`, or `{s: Small, l: Large}` where the event's word is another one than the page's.
fn read_options(fields: &mut Fields<'_>, what: &str, report: &mut Report) -> Option<Vec<Choice>> {
    let node = fields.required_by(what, "options", "[small, large]", report)?;
    let choices: Vec<Choice> = match &node.kind {
        Kind::List(items) => {
            let texts = items.iter().filter_map(|item| words(item, "options", report));
            texts.map(|text| Choice { label: Arc::clone(&text), value: text }).collect()
        }
        Kind::Map(entries) => {
            let read = |entry: &Entry| Some(Choice { value: Arc::clone(&entry.key), label: words(&entry.value, &entry.key, report)? });
            entries.iter().filter_map(read).collect()
        }
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text => {
            let message = format!("`options` is a list or a map, not {}", node.kind_name());
            report.error(codes::WRONG_TYPE, node.span, message, "write `options: [small, large]`, or `options: {s: Small, l: Large}`");
            return None;
        }
    };
    if choices.is_empty() && !report.has_errors() {
        report.error(codes::BAD_VALUE, node.span, "`options` is empty: there is nothing to choose", "write `options: [small, large]`");
    }
    if FIELDS < choices.len() {
        report.error(codes::TOO_MANY, node.span, format!("{} options; the limit is {FIELDS}", choices.len()), "leave some out");
    }
    for (index, choice) in choices.iter().enumerate() {
        if choices.iter().take(index).any(|other| other.value == choice.value) {
            report.error(codes::BAD_VALUE, node.span, format!("the option `{}` is there twice", choice.value), "take one of the two away");
        }
    }
    Some(choices)
}

fn read_value(fields: &mut Fields<'_>, sort: Sort, kind: Option<&FieldKind>, report: &mut Report) -> Option<Arc<str>> {
    let node = match sort {
        Sort::Hidden => fields.required_by("a field of type `hidden`", "value", "\"7\"", report)?,
        // What is a file's beginning, or a tick that nobody made?
        Sort::File | Sort::Checkbox => return None,
        Sort::Text | Sort::Email | Sort::Tel | Sort::Number | Sort::Date | Sort::Textarea | Sort::Select | Sort::Radio => {
            fields.optional("value")?
        }
    };
    let At { value, span } = text(node, "value", report)?;
    let choices = kind.map(FieldKind::choices).unwrap_or_default();
    if !choices.is_empty() && !choices.iter().any(|choice| choice.value == value) {
        let valid: Vec<&str> = choices.iter().map(|choice| &*choice.value).collect();
        let help = crate::workflow::words::suggest(&value, &valid);
        report.error(codes::BAD_VALUE, span, format!("`value`: `{value}` is none of the options"), help);
    }
    Some(value)
}
