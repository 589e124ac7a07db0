//! A document as a value. Nothing is resolved that stands outside it: a document type is refused, and with it every entity
//! that XML itself does not define.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::{ATTRIBUTE, TEXT, is_char, is_name};
use crate::domain::{Map, Value};

/// How deep elements may be nested.
pub const DEPTH: usize = 64;
/// The most attributes of one element.
pub const ATTRIBUTES: usize = 256;

/// White space, as XML has it.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Why a text is no document, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at line {line} column {column}")]
pub struct XmlError {
    /// What is wrong.
    pub message: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// Reads a document: a map of the root element's name to what is in it. Names keep their prefixes; all values are texts.
///
/// # Errors
/// When it is not well-formed, has a document type, or is beyond a bound: what, and where.
pub fn read(document: &str) -> Result<Value, XmlError> {
    let mut reader = Reader::from_str(document);
    reader.config_mut().check_comments = true;
    if let Some(at) = document.find(|c| !is_char(c)) {
        let shown = document.get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
        return Err(error(document, at, format!("the character U+{:04X} is not allowed in XML", u32::from(shown))));
    }
    let mut build = Build::default();
    loop {
        let before = position(reader.buffer_position());
        let event = match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => event,
            Err(found) => return Err(error(document, position(reader.error_position()), found.to_string())),
        };
        build.take(event).map_err(|message| error(document, before, message))?;
    }
    build.finish().map_err(|message| error(document, document.len(), message))
}

/// An element that has begun.
struct Open {
    name: String,
    content: Map,
    text: String,
}

#[derive(Default)]
struct Build {
    open: Vec<Open>,
    root: Option<(String, Value)>,
}

impl Build {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Start(tag) => self.begin(&tag),
            Event::Empty(tag) => {
                self.begin(&tag)?;
                self.end()
            }
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = resolve(&reference)?;
                self.text(character.encode_utf8(&mut [0; 4]))
            }
            Event::DocType(_) => Err("a document type (`<!DOCTYPE`) is not read: send the document without it".to_owned()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn begin(&mut self, tag: &BytesStart<'_>) -> Result<(), String> {
        let name = tag.name().0.to_owned();
        if !is_name(&name) {
            return Err(format!("`{name}` is not the name of an element"));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(format!("`<{name}>` follows the end of the document: it has one root element"));
        }
        if DEPTH <= self.open.len() {
            return Err(format!("elements are nested deeper than {DEPTH}, the limit"));
        }
        let content = attributes(tag)?;
        self.open.push(Open { name, content, text: String::new() });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(Open { name, mut content, text }) = self.open.pop() else { return Err("an element ends that has not begun".to_owned()) };
        let text = text.trim_matches(SPACE);
        let value = if content.is_empty() {
            Value::String(text.to_owned())
        } else {
            if !text.is_empty() {
                content.insert(TEXT.to_owned(), text.into());
            }
            Value::Object(content)
        };
        match self.open.last_mut() {
            Some(parent) => add(&mut parent.content, name, value),
            None => self.root = Some((name, value)),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        match self.open.last_mut() {
            Some(open) => open.text.push_str(text),
            None if text.trim_start_matches('\u{feff}').trim_matches(SPACE).is_empty() => {}
            None => return Err("text stands outside the root element".to_owned()),
        }
        Ok(())
    }

    fn finish(self) -> Result<Value, String> {
        if let Some(open) = self.open.last() {
            return Err(format!("the document ends before `</{}>`", open.name));
        }
        let (name, value) = self.root.ok_or_else(|| "there is no element in it".to_owned())?;
        Ok(Value::Object([(name, value)].into_iter().collect()))
    }
}

/// A second element of a name makes a list of both.
fn add(content: &mut Map, name: String, value: Value) {
    match content.get_mut(&name) {
        None => drop(content.insert(name, value)),
        Some(Value::Array(items)) => items.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

fn attributes(tag: &BytesStart<'_>) -> Result<Map, String> {
    let mut found = Map::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let name = attribute.key.0;
        if !is_name(name) {
            return Err(format!("`{name}` is not the name of an attribute"));
        }
        if ATTRIBUTES <= found.len() {
            return Err(format!("an element has more than {ATTRIBUTES} attributes, the limit"));
        }
        if attribute.value.contains('<') {
            return Err(format!("the value of `{name}` has a `<`: write `&lt;`"));
        }
        let value: Cow<'_, str> = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
        if let Some(bad) = value.chars().find(|c| !is_char(*c)) {
            return Err(format!("the character U+{:04X} is not allowed in XML", u32::from(bad)));
        }
        found.insert(format!("{ATTRIBUTE}{name}"), value.into_owned().into());
    }
    Ok(found)
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, String> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return if is_char(character) { Ok(character) } else { Err(format!("U+{:04X} is not allowed in XML", u32::from(character))) };
    }
    let name = reference.xml10_content();
    match &*name {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(format!("`&{name};` is not defined: XML itself has `&lt; &gt; &amp; &apos; &quot;`, others are written as characters")),
    }
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn error(document: &str, at: usize, message: String) -> XmlError {
    let before = document.get(..document.floor_char_boundary(at.min(document.len()))).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    XmlError { message, line, column }
}
