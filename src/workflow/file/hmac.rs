//! `verify: {hmac: …}`: a signature header of any shape.

use std::sync::Arc;
use std::time::Duration;

use super::read::{choice, some_duration, text};
use super::verify::{Verified, header_name, names, read_secrets, value_span};
use super::{Fields, Report};
use crate::domain::workflow::{Hmac, HmacAlgorithm, SignatureEncoding, SignedPart, Verify};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Entry, Span};

const ALGORITHMS: [(&str, HmacAlgorithm); 3] =
    [("sha256", HmacAlgorithm::Sha256), ("sha512", HmacAlgorithm::Sha512), ("sha1", HmacAlgorithm::Sha1)];
const ENCODINGS: [(&str, SignatureEncoding); 2] = [("hex", SignatureEncoding::Hex), ("base64", SignatureEncoding::Base64)];
/// How far a timestamp may be off when `tolerance` is not given.
const TOLERANCE: Duration = Duration::from_secs(300);

/// Reads the map below `hmac`.
pub(super) fn read(entry: &Entry, report: &mut Report) -> Option<Verified> {
    let mut fields = Fields::open(&entry.value, "`hmac`", entry.span, report)?;
    let algorithm = fields.optional("algorithm").and_then(|node| choice(node, "algorithm", &ALGORITHMS, report));
    let header = fields.required("header", "X-Signature", report).and_then(|node| header_name(node, "header", report));
    let encoding = fields.optional("encoding").and_then(|node| choice(node, "encoding", &ENCODINGS, report));
    let prefix = fields.optional("prefix").and_then(|node| text(node, "prefix", report));
    let signs_entry = fields.entry("signs");
    let signs = match signs_entry {
        Some(entry) => text(&entry.value, "signs", report).and_then(|text| read_signs(&text.value, entry.value.span, report)),
        None => Some(vec![SignedPart::Body]),
    };
    let timestamp_entry = fields.entry("timestamp_header");
    let timestamp_header = timestamp_entry.and_then(|entry| header_name(&entry.value, "timestamp_header", report));
    let tolerance = fields.optional("tolerance").and_then(|node| some_duration(node, "tolerance", report));
    let secrets = read_secrets(&mut fields, report);
    fields.close(report);
    let (header, signs, secrets) = (header?, signs?, secrets?);
    let signs_time = signs.contains(&SignedPart::Timestamp);
    if signs_time && timestamp_entry.is_none() {
        let span = value_span(signs_entry, entry.span);
        report.error(
            codes::MISSING_KEY,
            span,
            "`signs` has a timestamp, and no header is said to hold it",
            "add `timestamp_header: X-Timestamp`",
        );
        return None;
    }
    if let (false, Some(entry)) = (signs_time, timestamp_entry) {
        let message = "the timestamp is not signed, so it proves nothing";
        report.error(codes::BAD_VALUE, entry.span, message, "put `${timestamp}` into `signs`, or take `timestamp_header` out");
        return None;
    }
    let verify = Verify::Hmac(Hmac {
        algorithm: algorithm.unwrap_or(HmacAlgorithm::Sha256),
        header,
        encoding: encoding.unwrap_or(SignatureEncoding::Hex),
        prefix: prefix.map_or_else(|| Arc::from(""), |prefix| prefix.value),
        signs,
        timestamp_header,
        tolerance: tolerance.unwrap_or(TOLERANCE),
        secrets: names(&secrets),
    });
    Some(Verified { verify, secrets, span: entry.span })
}

fn read_signs(text: &str, span: Span, report: &mut Report) -> Option<Vec<SignedPart>> {
    let help = "`signs` is text with `${body}` and, if the sender signs a time, `${timestamp}`, as in \"${timestamp}.${body}\"";
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if !before.is_empty() {
            parts.push(SignedPart::Text(before.into()));
        }
        let (hole, after) = after.split_once('}').unwrap_or((after, ""));
        match hole.trim() {
            "body" => parts.push(SignedPart::Body),
            "timestamp" => parts.push(SignedPart::Timestamp),
            other => {
                report.error(codes::BAD_VALUE, span, format!("`signs` cannot hold `${{{other}}}`"), help);
                return None;
            }
        }
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(SignedPart::Text(rest.into()));
    }
    if !parts.contains(&SignedPart::Body) {
        report.error(codes::BAD_VALUE, span, "`signs` leaves the body out, so anybody could change it", help);
        return None;
    }
    Some(parts)
}
