//! The front door in `hence.yaml`: bounds of the listener, `tls`, `trusted_proxies`.

use std::path::PathBuf;
use std::time::Duration;

use super::{FrontLimits, TlsFiles};
use crate::domain::door::{ForwardedBy, TrustedProxies};
use crate::workflow::file::door::{read_networks, read_rate};
use crate::workflow::file::read::{choice, duration, size, text};
use crate::workflow::file::{Fields, Report};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Entry, Kind, Node};

/// What a head must have room for, and the most that one may take: each connection has so much of its own.
const HEADERS_BYTES: std::ops::RangeInclusive<usize> = 8_192..=(1 << 20);
/// The listener looks at its connections once a second.
const SHORTEST: Duration = Duration::from_secs(1);

pub(super) fn read_limits(fields: &mut Fields<'_>, limits: &mut FrontLimits, report: &mut Report) {
    if let Some(node) = fields.optional("headers") {
        limits.headers_bytes = headers(node, report).unwrap_or(limits.headers_bytes);
    }
    let mut bytes = |key: &'static str, report: &mut Report| fields.optional(key).and_then(|node| size(node, key, report));
    limits.uri_bytes = bytes("uri", report).unwrap_or(limits.uri_bytes);
    limits.bodies_bytes = bytes("bodies", report).unwrap_or(limits.bodies_bytes);
    let mut time = |key: &'static str, report: &mut Report| fields.optional(key).and_then(|node| timeout(node, key, report));
    limits.head_timeout = time("head_timeout", report).unwrap_or(limits.head_timeout);
    limits.body_timeout = time("body_timeout", report).unwrap_or(limits.body_timeout);
    limits.idle_timeout = time("idle_timeout", report).unwrap_or(limits.idle_timeout);
    limits.write_timeout = time("write_timeout", report).unwrap_or(limits.write_timeout);
    if let Some(entry) = fields.entry("sender")
        && let Some(mut fields) = Fields::open_as(&entry.value, "`sender`", entry.span, "sender: {rate: {limit: 100, per: 1m}}", report)
    {
        limits.sender = read_rate(&mut fields, report);
        fields.close(report);
    }
}

fn headers(node: &Node, report: &mut Report) -> Option<usize> {
    let bytes = size(node, "headers", report)?;
    if !HEADERS_BYTES.contains(&bytes) {
        report.error(codes::BAD_SIZE, node.span, "`headers` is from 8KiB to 1MiB", "write `headers: 32KiB`");
        return None;
    }
    Some(bytes)
}

fn timeout(node: &Node, key: &'static str, report: &mut Report) -> Option<Duration> {
    let found = duration(node, key, report)?;
    if found < SHORTEST {
        report.error(codes::BAD_DURATION, node.span, format!("`{key}` is at least 1s"), format!("write `{key}: 10s`"));
        return None;
    }
    Some(found)
}

pub(super) fn read_tls(entry: &Entry, report: &mut Report) -> Option<TlsFiles> {
    let mut fields = Fields::open_as(&entry.value, "`tls`", entry.span, "tls: {cert: tls/cert.pem, key: tls/key.pem}", report)?;
    let mut path = |key: &'static str, example: &str, report: &mut Report| {
        let found = fields.required(key, example, report).and_then(|node| text(node, key, report));
        found.map(|found| PathBuf::from(&*found.value))
    };
    let (cert, key) = (path("cert", "tls/cert.pem", report), path("key", "tls/key.pem", report));
    fields.close(report);
    Some(TlsFiles { cert: cert?, key: key? })
}

/// A list of networks, or `{from, header}`.
pub(super) fn read_proxies(entry: &Entry, report: &mut Report) -> TrustedProxies {
    if !matches!(entry.value.kind, Kind::Map(_)) {
        let networks = read_networks(&entry.value, "trusted_proxies", report);
        return TrustedProxies { networks, header: ForwardedBy::default() };
    }
    let example = "trusted_proxies: {from: [10.0.0.0/8], header: x-forwarded-for}";
    let Some(mut fields) = Fields::open_as(&entry.value, "`trusted_proxies`", entry.span, example, report) else {
        return TrustedProxies::default();
    };
    let from = fields.required("from", "[10.0.0.0/8]", report);
    let networks = from.map(|node| read_networks(node, "from", report)).unwrap_or_default();
    let headers = [("x-forwarded-for", ForwardedBy::XForwardedFor), ("forwarded", ForwardedBy::Forwarded)];
    let header = fields.optional("header").and_then(|node| choice(node, "header", &headers, report)).unwrap_or_default();
    fields.close(report);
    TrustedProxies { networks, header }
}
