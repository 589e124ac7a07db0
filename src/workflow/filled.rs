//! A form as somebody filled it in: checked field by field, and made the body of an event.

use serde_json::json;

use super::file::form_fields::read_day;
use crate::domain::file::EventFile;
use crate::domain::workflow::{Field, FieldKind, Form, Length};
use crate::domain::{Map, Value};

/// What is wrong with one field, in words for the person who filled it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Which.
    pub field: String,
    /// What would be right.
    pub message: String,
    /// Where in the event's body, of what a schema says: a JSON pointer (RFC 6901), empty for the whole of it.
    pub path: Option<String>,
}

impl Wrong {
    /// What is wrong with this field.
    #[must_use]
    pub fn new(field: String, message: String) -> Self {
        Self { field, message, path: None }
    }
}

/// Said of a file under a name at which none is asked for.
pub const NO_FILE_HERE: &str = "This form does not ask for a file here.";

/// Whether a form takes files under this name.
#[must_use]
pub fn asks_for_file(form: &Form, name: &str) -> bool {
    form.fields.is_none() || form.field(name).is_some_and(|field| matches!(field.kind, FieldKind::File { .. }))
}

/// Makes the body of an event of what was sent. A form with `fields` gives its own fields alone, each in its own type: a
/// number is a number, a tick is true or false, and of what several can be chosen there is always a list. A form without gives
/// what came, as text; what came several times is a list.
///
/// # Errors
/// The fields that are not as the form wants them, in the form's order.
pub fn check(form: &Form, pairs: &[(String, String)], files: &[EventFile]) -> Result<Map, Vec<Wrong>> {
    let Some(fields) = &form.fields else { return Ok(as_sent(form, pairs)) };
    let (mut body, mut wrong) = (Map::new(), Vec::new());
    for field in fields {
        let found = match &field.kind {
            FieldKind::File { multiple } => file(field, *multiple, files).map(|()| None),
            FieldKind::Hidden => Ok(field.value.as_deref().map(Value::from)),
            _ => value(field, pairs).map(Some),
        };
        match found {
            Ok(found) => body.extend(found.map(|value| (field.name.to_string(), value))),
            Err(message) => wrong.push(Wrong::new(field.name.to_string(), message)),
        }
    }
    for file in files {
        if !asks_for_file(form, &file.field) {
            wrong.push(Wrong::new(file.field.clone(), NO_FILE_HERE.to_owned()));
        }
    }
    if wrong.is_empty() { Ok(body) } else { Err(wrong) }
}

fn as_sent(form: &Form, pairs: &[(String, String)]) -> Map {
    let mut body = Map::new();
    for (name, value) in pairs.iter().filter(|(name, _)| Some(name.as_str()) != form.honeypot.as_deref()) {
        match body.get_mut(name) {
            None => drop(body.insert(name.clone(), json!(value))),
            Some(Value::Array(values)) => values.push(json!(value)),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    body
}

fn file(field: &Field, multiple: bool, files: &[EventFile]) -> Result<(), String> {
    let count = files.iter().filter(|file| file.field == *field.name).count();
    match count {
        0 if field.required => Err("Choose a file.".to_owned()),
        0 | 1 => Ok(()),
        _ if multiple => Ok(()),
        _ => Err("Choose one file only.".to_owned()),
    }
}

fn value(field: &Field, pairs: &[(String, String)]) -> Result<Value, String> {
    let sent: Vec<&str> = pairs.iter().filter(|(name, _)| *name == *field.name).map(|(_, value)| value.as_str()).collect();
    let first = sent.first().copied().unwrap_or_default();
    match &field.kind {
        FieldKind::Text(length) => line(field, first, length).map(Value::from),
        FieldKind::Email(length) => {
            let text = line(field, first.trim(), length)?;
            if text.is_empty() || is_email(&text) { Ok(text.into()) } else { Err("Write an address such as ada@example.com.".to_owned()) }
        }
        FieldKind::Tel(length) => {
            let text = line(field, first.trim(), length)?;
            if text.is_empty() || is_tel(&text) { Ok(text.into()) } else { Err("Write a number such as +44 20 7946 0018.".to_owned()) }
        }
        FieldKind::Textarea(length) => {
            let text = first.replace("\r\n", "\n").replace('\r', "\n");
            let text: String = text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect();
            measured(field, text, length).map(Value::from)
        }
        FieldKind::Number { min, max } => number(field, first.trim(), *min, *max),
        FieldKind::Date { min, max } => {
            if first.is_empty() {
                return given(field, "Choose a day.").map(|()| Value::from(""));
            }
            let day = read_day(first).ok_or("Write a day such as 2026-03-01.")?;
            if let Some(min) = min.filter(|min| day < *min) {
                return Err(format!("Choose {min} or a later day."));
            }
            if let Some(max) = max.filter(|max| *max < day) {
                return Err(format!("Choose {max} or an earlier day."));
            }
            Ok(first.into())
        }
        FieldKind::Select(choices) | FieldKind::Radio(choices) => {
            if first.is_empty() {
                return given(field, "Choose one of these.").map(|()| Value::from(""));
            }
            let is_there = choices.iter().any(|choice| *choice.value == *first);
            if is_there { Ok(first.into()) } else { Err("Choose one of these.".to_owned()) }
        }
        FieldKind::Checkbox => {
            let ticked = !first.is_empty();
            if ticked || !field.required { Ok(ticked.into()) } else { Err("Tick this box.".to_owned()) }
        }
        FieldKind::Checkboxes(choices) => {
            if sent.is_empty() {
                given(field, "Choose at least one of these.")?;
            }
            if sent.iter().any(|value| !choices.iter().any(|choice| *choice.value == **value)) {
                return Err("Choose from these.".to_owned());
            }
            // In the form's order, each once.
            let chosen = choices.iter().filter(|choice| sent.contains(&&*choice.value));
            Ok(chosen.map(|choice| json!(choice.value)).collect())
        }
        FieldKind::File { .. } | FieldKind::Hidden => Ok(Value::Null),
    }
}

fn given(field: &Field, message: &str) -> Result<(), String> {
    if field.required { Err(message.to_owned()) } else { Ok(()) }
}

/// A line has no line breaks, and no characters that nobody can type: they would end up in headers and subjects.
fn line(field: &Field, text: &str, length: &Length) -> Result<String, String> {
    measured(field, text.chars().filter(|c| !c.is_control()).collect(), length)
}

fn measured(field: &Field, text: String, length: &Length) -> Result<String, String> {
    if text.trim().is_empty() {
        return given(field, "Fill this in.").map(|()| String::new());
    }
    let chars = text.chars().count();
    let unit = |count: usize| if count == 1 { "character" } else { "characters" };
    if let Some(min) = length.min.filter(|min| chars < *min) {
        return Err(format!("Write at least {min} {}; these are {chars}.", unit(min)));
    }
    if let Some(max) = length.max.filter(|max| *max < chars) {
        return Err(format!("Write at most {max} {}; these are {chars}.", unit(max)));
    }
    if length.pattern.as_ref().is_some_and(|pattern| !pattern.fits(&text)) {
        let hint = field.help.as_ref().map(|help| format!(": {help}")).unwrap_or_default();
        return Err(format!("This does not look as it should{hint}"));
    }
    Ok(text)
}

/// HTML, "valid floating-point number"; a whole one stays whole.
fn number(field: &Field, text: &str, min: Option<f64>, max: Option<f64>) -> Result<Value, String> {
    if text.is_empty() {
        return given(field, "Write a number.").map(|()| Value::Null);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let found =
        text.parse::<f64>().ok().filter(|number| is_plain && number.is_finite()).ok_or("Write a number, with digits and a point.")?;
    if let Some(min) = min.filter(|min| found < *min) {
        return Err(format!("Write a number from {min} on."));
    }
    if let Some(max) = max.filter(|max| *max < found) {
        return Err(format!("Write a number up to {max}."));
    }
    Ok(text.parse::<i64>().map_or_else(|_| json!(found), Value::from))
}

/// HTML, "valid e-mail address".
fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.split_once('@') else { return false };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    !local.is_empty()
        && local.chars().all(|c| c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c))
        && host.split('.').all(is_label)
}

/// Digits, and what people write between them.
fn is_tel(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || "+-()/. #*x".contains(c))
}

#[cfg(test)]
mod tests;
