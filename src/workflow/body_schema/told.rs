//! What does not fit, in words for whoever sent it. The value itself is not repeated.

use boon::{ErrorKind, Type, ValidationError};

use super::{Mismatch, TOLD};
use crate::domain::Value;

/// How a message begins whose rest is the library's, and may quote the value.
pub(super) const OTHER: &str = "does not fit";
/// The longest message.
const MESSAGE_BYTES: usize = 300;

/// Every place that does not fit, up to the bound.
pub(super) fn mismatches(error: &ValidationError<'_, '_>) -> Vec<Mismatch> {
    let mut found = Vec::new();
    collect(error, &mut found);
    found.sort();
    found.dedup();
    let more = found.len().saturating_sub(TOLD);
    if 0 < more {
        found.truncate(TOLD);
        found.push(Mismatch { path: String::new(), message: format!("has {more} more places that do not fit"), remembered: String::new() });
    }
    found
}

fn collect(error: &ValidationError<'_, '_>, found: &mut Vec<Mismatch>) {
    let path = || error.instance_location.to_string();
    let below = |name: &str| format!("{}/{}", path(), name.replace('~', "~0").replace('/', "~1"));
    let mut add = |path: String, message: &str| {
        let end = message.floor_char_boundary(MESSAGE_BYTES);
        let message = match message.get(..end) {
            Some(cut) if cut.len() < message.len() => format!("{cut}…"),
            _ => message.to_owned(),
        };
        found.push(Mismatch { path, message, remembered: String::new() });
    };
    match &error.kind {
        ErrorKind::Required { want } => want.iter().for_each(|name| add(below(name), "is missing")),
        ErrorKind::DependentRequired { prop, missing } | ErrorKind::Dependency { prop, missing } => {
            missing.iter().for_each(|name| add(below(name), &format!("is missing, and `{prop}` is there")));
        }
        ErrorKind::AdditionalProperties { got } => got.iter().for_each(|name| add(below(name), "is not allowed here")),
        ErrorKind::AnyOf => add(path(), "fits none of the choices of `anyOf`"),
        ErrorKind::OneOf(None) => add(path(), "fits none of the choices of `oneOf`"),
        ErrorKind::PropertyName { prop } => add(below(prop), "has a name that is not allowed"),
        ErrorKind::Group | ErrorKind::Schema { .. } | ErrorKind::Reference { .. } | ErrorKind::ContentSchema | ErrorKind::AllOf
            if !error.causes.is_empty() =>
        {
            error.causes.iter().for_each(|cause| collect(cause, found));
        }
        kind => add(path(), &message(kind)),
    }
}

fn message(kind: &ErrorKind<'_, '_>) -> String {
    match kind {
        ErrorKind::Type { got, want } => {
            let want: Vec<&str> = want.iter().map(sort).collect();
            format!("is {}, expected {}", sort(*got), want.join(" or "))
        }
        ErrorKind::Enum { want } => format!("is none of {}", want.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")),
        ErrorKind::Const { want } => format!("is not {want}"),
        ErrorKind::Format { want, .. } => format!("is not a valid {want}"),
        ErrorKind::Pattern { want, .. } => format!("does not match the pattern `{want}`"),
        ErrorKind::MinLength { got, want } => format!("has {got} characters, the least is {want}"),
        ErrorKind::MaxLength { got, want } => format!("has {got} characters, the most is {want}"),
        ErrorKind::MinItems { got, want } => format!("has {got} items, the least is {want}"),
        ErrorKind::MaxItems { got, want } => format!("has {got} items, the most is {want}"),
        ErrorKind::AdditionalItems { got } => format!("has {got} items too many"),
        ErrorKind::UniqueItems { got: [a, b] } => format!("has equal items at {a} and {b}"),
        ErrorKind::MinProperties { got, want } => format!("has {got} keys, the least is {want}"),
        ErrorKind::MaxProperties { got, want } => format!("has {got} keys, the most is {want}"),
        ErrorKind::Minimum { want, .. } => format!("is less than {want}"),
        ErrorKind::Maximum { want, .. } => format!("is more than {want}"),
        ErrorKind::ExclusiveMinimum { want, .. } => format!("is not more than {want}"),
        ErrorKind::ExclusiveMaximum { want, .. } => format!("is not less than {want}"),
        ErrorKind::MultipleOf { want, .. } => format!("is no multiple of {want}"),
        ErrorKind::FalseSchema => "is not allowed here".to_owned(),
        ErrorKind::Not => "fits what it must not fit (`not`)".to_owned(),
        ErrorKind::OneOf(_) => "fits more than one of the choices of `oneOf`".to_owned(),
        ErrorKind::Contains | ErrorKind::MinContains { .. } => "has too few items of the sort that `contains` asks for".to_owned(),
        ErrorKind::MaxContains { .. } => "has too many items of the sort that `contains` asks for".to_owned(),
        other => format!("{OTHER}: {other}"),
    }
}

fn sort(kind: Type) -> &'static str {
    match kind {
        Type::Null => "null",
        Type::Boolean => "true or false",
        Type::Number => "a number",
        Type::Integer => "a whole number",
        Type::String => "a text",
        Type::Array => "a list",
        Type::Object => "a map",
    }
}
