//! `form`: where it stands, what it takes, and what its pages say.

use std::sync::Arc;

use super::door::read_cors;
use super::read::{list, size, text, whole};
use super::triggers::{read_dedupe, read_limits};
use super::{At, Fields, FormFile, Report, body_schema, form_fields};
use crate::domain::door::Door;
use crate::domain::workflow::{Field, FieldKind, FileType, Uploads, Words};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Entry, Kind, Node};

/// The largest file where `uploads` does not say, in bytes.
const UPLOAD_BYTES: usize = 5 << 20;
/// The most files at once where `uploads` does not say.
const UPLOADS: usize = 10;
/// The most files at once.
pub(crate) const UPLOADS_LIMIT: u32 = 100;
/// The most entries of `types`.
pub(crate) const SORTS: usize = 100;
/// The longest address or text of a page, in bytes.
pub(crate) const TEXT_BYTES: usize = 2_000;

pub(super) fn read_form(entry: &Entry, report: &mut Report) -> Option<FormFile> {
    let mut fields = Fields::open_as(&entry.value, "`form`", entry.span, "form: {path: contact, redirect: /thanks}", report)?;
    let path = fields.required("path", "contact", report).and_then(|node| text(node, "path", report));
    let redirect = fields.optional("redirect").and_then(|node| read_redirect(node, report));
    let filled = fields.entry("fields").and_then(|entry| form_fields::read_fields(entry, report));
    let honeypot = fields.optional("honeypot").and_then(|node| read_honeypot(node, filled.as_deref(), report));
    let mut uploads = fields.entry("uploads").and_then(|entry| read_uploads(entry, report));
    let cors = fields.entry("cors").and_then(|entry| read_cors(entry, report));
    let (body_limit_bytes, rate) = fields.entry("limits").and_then(|entry| read_limits(entry, report)).unwrap_or_default();
    // A form is for everybody.
    let door = Door { rate, allow_from: Vec::new(), cors };
    let schema = fields.optional("schema").and_then(|node| body_schema::read(node, report));
    let dedupe = fields.entry("dedupe").and_then(|entry| read_dedupe(entry, report));
    let is_served = fields.has("fields");
    let words = read_words(&mut fields, is_served, report);
    let takes_files = filled.iter().flatten().any(|field| matches!(field.kind, FieldKind::File { .. }));
    if takes_files {
        uploads.get_or_insert(Uploads { max_bytes: UPLOAD_BYTES, count: UPLOADS, types: Vec::new() });
    } else if let (Some(entry), true) = (fields.entry("uploads"), filled.is_some()) {
        let message = "`uploads` says which files are taken, and none of the `fields` is a file";
        report.error(codes::BAD_VALUE, entry.span, message, "add a field, as in `photo: {type: file}`, or take `uploads` away");
    }
    fields.close(report);
    Some(FormFile { path: path?, redirect, honeypot, uploads, door, schema, body_limit_bytes, dedupe, words, fields: filled })
}

/// A path on this server or an address elsewhere; nothing that a browser would take for something else.
fn read_redirect(node: &Node, report: &mut Report) -> Option<Arc<str>> {
    let At { value, span } = text(node, "redirect", report)?;
    if let Err(why) = check_redirect(&value) {
        let help = "write a path, as in `redirect: /thanks`, or a whole address, as in `redirect: https://www.example.com/thanks`";
        report.error(codes::BAD_VALUE, span, format!("`redirect`: {why}"), help);
        return None;
    }
    Some(value)
}

fn check_redirect(address: &str) -> Result<(), String> {
    if TEXT_BYTES < address.len() {
        return Err(format!("an address has at most {TEXT_BYTES} bytes"));
    }
    if let Some(bad) = address.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '\\' | '"' | '<' | '>')) {
        return Err(format!("`{}` has no place in an address; write it as `%…`", bad.escape_default()));
    }
    if address.starts_with("//") {
        return Err("an address that begins with `//` leads to another server".to_owned());
    }
    if address.starts_with('/') {
        return Ok(());
    }
    check_origin(address.split_inclusive("//").chain([""]).take(2).collect::<String>().as_str(), address)
}

/// `https://www.example.com:8443`, the beginning of `address`.
fn check_origin(scheme: &str, address: &str) -> Result<(), String> {
    let rest = ["https://", "http://"].into_iter().find_map(|known| address.strip_prefix(known));
    let Some(rest) = rest else {
        return Err(format!("`{}` is neither a path nor an address with `https://`", if scheme.is_empty() { address } else { scheme }));
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let name = host.split(':').next().unwrap_or_default();
    let is_port = host.split_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_ok());
    if name.is_empty() || !is_port || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')) {
        return Err(format!("`{host}` is not the name of a server"));
    }
    Ok(())
}

fn read_honeypot(node: &Node, fields: Option<&[Field]>, report: &mut Report) -> Option<Arc<str>> {
    let At { value, span } = text(node, "honeypot", report)?;
    if !form_fields::is_name(&value) {
        let message = format!("`honeypot`: `{value}` cannot be the name of a field");
        report.error(codes::BAD_NAME, span, message, "use letters, digits and `_`, a letter first, as in `honeypot: website`");
        return None;
    }
    if fields.into_iter().flatten().any(|field| field.name == value) {
        let message = format!("`{value}` is one of the `fields`: people fill it in, and nothing they send would be kept");
        report.error(codes::BAD_VALUE, span, message, "give the honeypot a name of its own; it is added to the form unseen");
        return None;
    }
    Some(value)
}

fn read_uploads(entry: &Entry, report: &mut Report) -> Option<Uploads> {
    let mut fields =
        Fields::open_as(&entry.value, "`uploads`", entry.span, "uploads: {max: 5MiB, types: [image/png, application/pdf]}", report)?;
    let max_bytes = fields.optional("max").and_then(|node| size(node, "max", report)).unwrap_or(UPLOAD_BYTES);
    let count = fields.optional("count").and_then(|node| whole(node, "count", 1..=UPLOADS_LIMIT, report));
    let types = fields.optional("types").map(|node| read_types(node, report)).unwrap_or_default();
    fields.close(report);
    let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(UPLOADS);
    Some(Uploads { max_bytes, count, types })
}

/// A text, or a list of them: not empty, and not too many.
fn texts<'n>(node: &'n Node, key: &str, example: &str, report: &mut Report) -> &'n [Node] {
    let items = if node.kind == Kind::Text { std::slice::from_ref(node) } else { list(node, key, report).unwrap_or_default() };
    if items.is_empty() && matches!(node.kind, Kind::List(_)) {
        report.error(codes::BAD_VALUE, node.span, format!("`{key}` is empty"), format!("write `{key}: [{example}]`, or take it away"));
    }
    if SORTS < items.len() {
        report.error(codes::TOO_MANY, node.span, format!("{} entries; the limit is {SORTS}", items.len()), "leave some out");
        return &[];
    }
    items
}

fn read_types(node: &Node, report: &mut Report) -> Vec<FileType> {
    texts(node, "types", "image/png", report).iter().filter_map(|item| read_type(item, report)).collect()
}

fn read_type(node: &Node, report: &mut Report) -> Option<FileType> {
    let At { value, span } = text(node, "types", report)?;
    let is_token = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&^_.+-".contains(c));
    let lower = value.to_ascii_lowercase();
    let found = match (lower.strip_prefix('.'), lower.split_once('/')) {
        (Some(ending), _) if is_token(ending) && !ending.contains('.') => Some(FileType::Ending(ending.into())),
        (None, Some((family, "*"))) if is_token(family) => Some(FileType::Family(family.into())),
        (None, Some((family, kind))) if is_token(family) && is_token(kind) => Some(FileType::Exact(lower.as_str().into())),
        _ => None,
    };
    if found.is_none() {
        let help = "write a content type, as in `image/png` or `image/*`, or an ending, as in `.csv`";
        report.error(codes::BAD_VALUE, span, format!("`types`: `{value}` is not a sort of files"), help);
    }
    found
}

fn read_words(fields: &mut Fields<'_>, is_served: bool, report: &mut Report) -> Words {
    for key in ["title", "description", "button"] {
        if let Some(entry) = fields.entry(key).filter(|_| !is_served) {
            let message = format!("`{key}` is said on the page of a form, and this one has no page");
            report.error(codes::BAD_VALUE, entry.span, message, "add `fields`, and the form is served, or take this away");
        }
    }
    let mut word = |key: &'static str| fields.optional(key).and_then(|node| words(node, key, report));
    Words { title: word("title"), description: word("description"), button: word("button"), thanks: word("thanks") }
}

/// A text that people read.
pub(super) fn words(node: &Node, key: &str, report: &mut Report) -> Option<Arc<str>> {
    let At { value, span } = text(node, key, report)?;
    if value.trim().is_empty() || TEXT_BYTES < value.len() {
        let message = if TEXT_BYTES < value.len() { format!("is longer than {TEXT_BYTES} bytes") } else { "is empty".to_owned() };
        report.error(codes::BAD_VALUE, span, format!("`{key}` {message}"), format!("write `{key}: some text`"));
        return None;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_stays_here_or_names_a_server() {
        for (address, fine) in [
            ("/thanks", true),
            ("/thanks?a=1#b", true),
            ("https://www.example.com/thanks", true),
            ("http://localhost:3000", true),
            ("thanks", false),
            ("//evil.example", false),
            ("/\\evil.example", false),
            ("javascript:alert(1)", false),
            ("https://", false),
            ("https:///a", false),
            ("https://user@example.com/", false),
            ("https://example.com:99999/", false),
            ("data:text/html,x", false),
            ("/a b", false),
            ("/a\r\nSet-Cookie: x", false),
            ("", false),
        ] {
            assert_eq!(check_redirect(address).is_ok(), fine, "{address}: {:?}", check_redirect(address));
        }
    }
}
