//! A value as a document.

use super::{ATTRIBUTE, TEXT, is_char, is_name};
use crate::domain::{Map, Value};

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
/// How deep maps and lists may be nested.
const DEPTH: usize = 128;

/// Why a value has no form in XML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct XmlShapeError(String);

fn no(why: impl Into<String>) -> XmlShapeError {
    XmlShapeError(why.into())
}

/// Writes a map with one key: the root element and what is in it. Elements come in the order of their names.
///
/// # Errors
/// When it is another value, or something in it has no form in XML.
pub fn write(value: &Value) -> Result<String, XmlShapeError> {
    let root = value.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next());
    match root {
        Some((name, inner)) if !inner.is_array() => write_as(name, inner),
        _ => Err(no("a document has one root element: give a map with one key, its name, as in `{order: {id: 7}}`")),
    }
}

/// Writes what is in a root element of this name.
///
/// # Errors
/// When something in it has no form in XML.
pub fn write_as(root: &str, value: &Value) -> Result<String, XmlShapeError> {
    let mut out = String::from(DECLARATION);
    if value.is_array() {
        // A list has no element of its own: each item gets one.
        let items: Map = [("item".to_owned(), value.clone())].into_iter().collect();
        element(root, &Value::Object(items), 0, &mut out)?;
    } else {
        element(root, value, 0, &mut out)?;
    }
    Ok(out)
}

fn element(name: &str, value: &Value, depth: usize, out: &mut String) -> Result<(), XmlShapeError> {
    if !is_name(name) {
        return Err(no(format!("`{name}` cannot be the name of an element: begin it with a letter, without spaces")));
    }
    if DEPTH < depth {
        return Err(no(format!("lists and maps are nested deeper than {DEPTH}, the limit")));
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| match item {
            Value::Array(_) => Err(no(format!("`{name}` is a list in a list, which has no form in XML: give the inner one a name"))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => element(name, item, depth + 1, out),
        }),
        Value::Object(map) => {
            out.push('<');
            out.push_str(name);
            let inner = map.iter().filter(|(key, _)| !key.starts_with(ATTRIBUTE));
            for (key, value) in map.iter().filter_map(|(key, value)| Some((key.strip_prefix(ATTRIBUTE)?, value))) {
                attribute(key, value, out)?;
            }
            if inner.clone().next().is_none() {
                out.push_str("/>");
                return Ok(());
            }
            out.push('>');
            for (key, value) in inner {
                if key == TEXT {
                    escape(&scalar(key, value)?, out)?;
                } else {
                    element(key, value, depth + 1, out)?;
                }
            }
            close(name, out);
            Ok(())
        }
        Value::Null => {
            out.push('<');
            out.push_str(name);
            out.push_str("/>");
            Ok(())
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push('<');
            out.push_str(name);
            out.push('>');
            escape(&scalar(name, value)?, out)?;
            close(name, out);
            Ok(())
        }
    }
}

fn close(name: &str, out: &mut String) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn attribute(name: &str, value: &Value, out: &mut String) -> Result<(), XmlShapeError> {
    if !is_name(name) {
        return Err(no(format!("`@{name}` cannot be the name of an attribute: begin it with a letter, without spaces")));
    }
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    let mut text = String::new();
    escape(&scalar(&format!("{ATTRIBUTE}{name}"), value)?, &mut text)?;
    // In an attribute a reader makes spaces of these.
    out.push_str(&text.replace('\n', "&#10;").replace('\t', "&#9;"));
    out.push('"');
    Ok(())
}

fn scalar(key: &str, value: &Value) -> Result<String, XmlShapeError> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Array(_) | Value::Object(_) => Err(no(format!("`{key}` is a list or a map; an attribute and `{TEXT}` are text"))),
    }
}

fn escape(text: &str, out: &mut String) -> Result<(), XmlShapeError> {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // A reader would make a line feed of it.
            '\r' => out.push_str("&#13;"),
            c if is_char(c) => out.push(c),
            c => return Err(no(format!("the character U+{:04X} is not allowed in XML", u32::from(c)))),
        }
    }
    Ok(())
}
