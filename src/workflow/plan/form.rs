//! A form in the words of a plan.

use std::collections::BTreeSet;

use super::outline::set;
use super::words::{brief, duration};
use super::{RouteOutline, TriggerOutline, door};
use crate::domain::workflow::{Dedupe, Field, FieldKind, Form, Length, Uploads, Words};

/// How the sender of a form is known, where a route says so: it is for everybody.
const PUBLIC: &str = "form";

pub(super) fn form(form: &Form) -> TriggerOutline {
    let Form { path, redirect, honeypot, uploads, door, body_limit_bytes, dedupe, words, fields } = form;
    let methods = if fields.is_some() { vec!["GET".to_owned(), "POST".to_owned()] } else { vec!["POST".to_owned()] };
    let route = RouteOutline { path: format!("/forms/{path}"), methods, verify: PUBLIC.to_owned(), secrets: BTreeSet::new() };
    let Words { title, description, button, thanks } = words;
    let text = |text: &Option<std::sync::Arc<str>>| text.as_ref().map(|text| brief(text));
    let mut settings = set([
        ("redirect", text(redirect)),
        ("honeypot", text(honeypot)),
        ("uploads", uploads.as_ref().map(self::uploads)),
        ("limits.body", body_limit_bytes.map(|bytes| format!("{bytes} bytes"))),
        ("dedupe", dedupe.as_ref().map(|Dedupe { key: _, text, within }| format!("{} within {}", brief(text), duration(*within)))),
        ("title", text(title)),
        ("description", text(description)),
        ("button", text(button)),
        ("thanks", text(thanks)),
    ]);
    settings.extend(door::settings(door));
    settings.extend(fields.iter().flatten().map(|field| (format!("fields.{}", field.name), self::field(field))));
    let names = fields.as_ref().map(|fields| fields.iter().map(|field| &*field.name).collect::<Vec<_>>().join(", "));
    settings.extend(set([("fields", names.map(|names| brief(&names)))]));
    TriggerOutline { kind: "form".to_owned(), route: Some(route), schedule: None, settings }
}

fn uploads(uploads: &Uploads) -> String {
    let Uploads { max_bytes, count, types } = uploads;
    let types: Vec<String> = types.iter().map(ToString::to_string).collect();
    let types = if types.is_empty() { String::new() } else { format!(" of {}", types.join(", ")) };
    format!("{count} files{types}, {max_bytes} bytes each")
}

/// `email, required, label Your e-mail, max 100`
fn field(field: &Field) -> String {
    let Field { name: _, label, required, help, placeholder, value, kind } = field;
    let mut said = vec![kind.word().to_owned()];
    if *required {
        said.push("required".to_owned());
    }
    let texts = [("label", Some(label)), ("help", help.as_ref()), ("placeholder", placeholder.as_ref()), ("value", value.as_ref())];
    said.extend(texts.into_iter().filter_map(|(key, text)| Some(format!("{key} {}", brief(text?)))));
    let mut bounds = |min: Option<String>, max: Option<String>| {
        said.extend(min.map(|min| format!("min {min}")));
        said.extend(max.map(|max| format!("max {max}")));
    };
    match kind {
        FieldKind::Text(length) | FieldKind::Email(length) | FieldKind::Tel(length) | FieldKind::Textarea(length) => {
            let Length { min, max, pattern } = length;
            bounds(min.map(|min| min.to_string()), max.map(|max| max.to_string()));
            said.extend(pattern.as_ref().map(|pattern| format!("pattern {}", brief(&pattern.text))));
        }
        FieldKind::Number { min, max } => bounds(min.map(|min| min.to_string()), max.map(|max| max.to_string())),
        FieldKind::Date { min, max } => bounds(min.map(|min| min.to_string()), max.map(|max| max.to_string())),
        FieldKind::Select(choices) | FieldKind::Radio(choices) | FieldKind::Checkboxes(choices) => {
            let choices: Vec<String> = choices.iter().map(|choice| format!("{}: {}", choice.value, choice.label)).collect();
            said.push(format!("options {}", brief(&choices.join(", "))));
        }
        FieldKind::File { multiple } => said.extend(multiple.then(|| "multiple".to_owned())),
        FieldKind::Checkbox | FieldKind::Hidden => {}
    }
    said.join(", ")
}
