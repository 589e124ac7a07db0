//! `verify`: how a webhook's sender is known.

use std::sync::Arc;

use super::read::{list, text};
use super::{At, Fields, Report, hmac, verify_scheme};
use crate::domain::workflow::{SecretName, Verify};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Entry, Kind, Node, Span};

/// The ways to know a sender, one of which a map names.
pub(crate) const KINDS: [&str; 5] = ["scheme", "hmac", "bearer", "basic", "header"];
/// The most secrets one webhook may accept.
pub(crate) const SECRETS: usize = 16;
const EXAMPLES: &str = "write one of\n`verify: {scheme: github, secret: NAME}`\n`verify: {hmac: {header: X-Signature, secret: NAME}}`\n\
`verify: {bearer: NAME}`\n`verify: {basic: {user: hooks, secret: NAME}}`\n`verify: {header: {name: X-Token, secret: NAME}}`\n`verify: none`";

/// A webhook's check and the secrets it names, with their places.
pub(super) struct Verified {
    /// The check.
    pub(super) verify: Verify,
    /// What it needs.
    pub(super) secrets: Vec<At<SecretName>>,
    /// Where it says how.
    pub(super) span: Span,
}

/// Reads `verify`.
pub(super) fn read(node: &Node, report: &mut Report) -> Option<Verified> {
    if node.kind == Kind::Text && &*node.raw == "none" {
        let help = "anybody who knows the address can start a run; name a scheme and a secret unless that is meant";
        report.warning(codes::UNSIGNED_HOOK, node.span, "the sender of this webhook is not checked", help);
        return Some(Verified { verify: Verify::None, secrets: Vec::new(), span: node.span });
    }
    let Kind::Map(entries) = &node.kind else {
        let message = format!("`verify` is `none` or a map, not {}", node.kind_name());
        report.error(codes::WRONG_TYPE, node.span, message, EXAMPLES);
        return None;
    };
    let [first, ..] = entries.as_slice() else {
        report.error(codes::MISSING_KEY, node.span, "`verify` is empty", EXAMPLES);
        return None;
    };
    let mut fields = Fields::open(node, "`verify`", first.span, report)?;
    let kinds: Vec<&Entry> = KINDS.into_iter().filter_map(|key| fields.entry(key)).collect();
    let found = match kinds.as_slice() {
        [only] => read_kind(only, &mut fields, report),
        [_, second, ..] => {
            let message = format!("`verify` has one kind; `{}` is a second one", second.key);
            report.error(codes::BAD_VALUE, second.span, message, EXAMPLES);
            return None;
        }
        [] => {
            if fields.unknown().next().is_none() {
                report.error(codes::MISSING_KEY, node.span, "`verify` does not say how", EXAMPLES);
            }
            None
        }
    };
    fields.close(report);
    found
}

fn read_kind(entry: &Entry, fields: &mut Fields<'_>, report: &mut Report) -> Option<Verified> {
    match &*entry.key {
        "scheme" => verify_scheme::read(entry, fields, report),
        "hmac" => hmac::read(entry, report),
        "bearer" => {
            let secrets = read_bearer(entry, report)?;
            Some(Verified { verify: Verify::Bearer { secrets: names(&secrets) }, secrets, span: entry.span })
        }
        "basic" => {
            let example = "basic: {user: hooks, secret: NAME}";
            let mut inner = Fields::open_as(&entry.value, "`basic`", entry.span, example, report)?;
            let user = inner.required("user", "hooks", report).and_then(|node| user_name(node, report));
            let secrets = read_secrets(&mut inner, report);
            inner.close(report);
            let (user, secrets) = (user?, secrets?);
            Some(Verified { verify: Verify::Basic { user, secrets: names(&secrets) }, secrets, span: entry.span })
        }
        _ => {
            let mut inner = Fields::open(&entry.value, "`header`", entry.span, report)?;
            let name = inner.required("name", "X-Token", report).and_then(|node| header_name(node, "name", report));
            let secrets = read_secrets(&mut inner, report);
            inner.close(report);
            let (name, secrets) = (name?, secrets?);
            Some(Verified { verify: Verify::Header { name, secrets: names(&secrets) }, secrets, span: entry.span })
        }
    }
}

fn read_bearer(entry: &Entry, report: &mut Report) -> Option<Vec<At<SecretName>>> {
    if entry.value.as_text().is_some() {
        return secret(&entry.value, report).map(|name| vec![name]);
    }
    let mut inner = Fields::open(&entry.value, "`bearer`", entry.span, report)?;
    let secrets = read_secrets(&mut inner, report);
    inner.close(report);
    secrets
}

/// RFC 7617, section 2: the first colon ends the name.
fn user_name(node: &Node, report: &mut Report) -> Option<Arc<str>> {
    let user = text(node, "user", report)?.value;
    if user.is_empty() || user.contains(':') || user.chars().any(char::is_control) {
        let message = format!("`user`: `{user}` cannot be the name of a user here");
        report.error(codes::BAD_NAME, node.span, message, "write a name without colons, as in `user: hooks`");
        return None;
    }
    Some(user)
}

/// `secret: NAME` or `secrets: [NAME, NAME]`.
pub(super) fn read_secrets(fields: &mut Fields<'_>, report: &mut Report) -> Option<Vec<At<SecretName>>> {
    match (fields.entry("secret"), fields.entry("secrets")) {
        (Some(one), None) => secret(&one.value, report).map(|name| vec![name]),
        (None, Some(many)) => {
            let items = list(&many.value, "secrets", report)?;
            if items.is_empty() || SECRETS < items.len() {
                let message = format!("`secrets` has {} entries; it takes from 1 to {SECRETS}", items.len());
                report.error(codes::BAD_VALUE, many.value.span, message, "write `secrets: [NEW_NAME, OLD_NAME]`");
                return None;
            }
            items.iter().map(|item| secret(item, report)).collect()
        }
        (Some(_), Some(many)) => {
            report.error(codes::BAD_VALUE, many.span, "`secret` and `secrets` exclude each other", "keep `secrets: [NAME, NAME]`");
            None
        }
        (None, None) => {
            report.error(codes::MISSING_KEY, fields.span(), "the secret's name is missing", "add `secret: NAME`");
            None
        }
    }
}

/// The text is never shown: somebody may have put the secret itself here.
pub(super) fn secret(node: &Node, report: &mut Report) -> Option<At<SecretName>> {
    let found = text(node, "secret", report)?;
    let mut chars = found.value.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !first || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let help = "write the name alone, as in `secret: LEADS_SECRET`; the value comes from the environment (HENCE_SECRET_LEADS_SECRET) \
or `secrets.env`, never from this file";
        report.error(codes::BAD_NAME, node.span, "this is not the name of a secret", help);
        return None;
    }
    Some(At { value: SecretName(found.value), span: found.span })
}

/// A header's name (RFC 9110 §5.1), in lower case.
pub(super) fn header_name(node: &Node, key: &str, report: &mut Report) -> Option<Arc<str>> {
    let name = text(node, key, report)?.value;
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        let message = format!("`{key}`: `{name}` is not the name of a header");
        report.error(codes::BAD_NAME, node.span, message, "write a name such as `X-Signature`");
        return None;
    }
    Some(name.to_ascii_lowercase().into())
}

/// The names without their places.
pub(super) fn names(secrets: &[At<SecretName>]) -> Vec<SecretName> {
    secrets.iter().map(|secret| secret.value.clone()).collect()
}

/// An empty place, for helpers that need one.
pub(super) fn value_span(entry: Option<&Entry>, otherwise: Span) -> Span {
    entry.map_or(otherwise, |entry| entry.value.span)
}
