//! XML and values, one shape both ways: an attribute is `@name`, text beside others `#text`, repeated elements are a list.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{ATTRIBUTES, DEPTH, XmlError, read};
pub use write::{XmlShapeError, write, write_as};

/// The key of an element's text, where there are attributes or elements beside it.
const TEXT: &str = "#text";
/// What begins the key of an attribute.
const ATTRIBUTE: char = '@';

/// Whether XML 1.0 allows the character at all.
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether a text can be the name of an element or attribute, with a prefix or without.
fn is_name(name: &str) -> bool {
    let starts = |c: char| c.is_alphabetic() || c == '_' || c == ':';
    name.starts_with(starts) && name.chars().all(|c| starts(c) || c.is_numeric() || matches!(c, '-' | '.' | '·' | '\u{300}'..='\u{36f}'))
}
