//! The front door in `hence.yaml`: bounds of the listener, `tls`, `trusted_proxies`.

use std::path::PathBuf;
use std::time::Duration;

use super::FrontLimits;
use super::tls::TlsWritten;
use crate::domain::door::{ForwardedBy, TrustedProxies};
use crate::workflow::file::door::{read_networks, read_rate};
use crate::workflow::file::read::{choice, duration, size, text};
use crate::workflow::file::{At, Fields, Report};
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
    let mut rate = |key: &'static str, what: &'static str, report: &mut Report| {
        let entry = fields.entry(key)?;
        let example = format!("{key}: {{rate: {{limit: 100, per: 1m}}}}");
        let mut fields = Fields::open_as(&entry.value, what, entry.span, &example, report)?;
        let found = read_rate(&mut fields, report);
        fields.close(report);
        found
    };
    limits.sender = rate("sender", "`sender`", report);
    limits.unverified = rate("unverified", "`unverified`", report).unwrap_or(limits.unverified);
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

pub(super) fn read_tls(entry: &Entry, report: &mut Report) -> Option<TlsWritten> {
    let mut fields = Fields::open_as(&entry.value, "`tls`", entry.span, "tls: {cert: tls/cert.pem, key: tls/key.pem}", report)?;
    let mut path = |key: &'static str, example: &str, report: &mut Report| {
        let found = fields.required(key, example, report).and_then(|node| text(node, key, report));
        found.map(|found| At { value: PathBuf::from(&*found.value), span: found.span })
    };
    let (cert, key) = (path("cert", "tls/cert.pem", report), path("key", "tls/key.pem", report));
    fields.close(report);
    Some(TlsWritten { cert: cert?, key: key? })
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

#[cfg(test)]
mod tests {
    use super::super::file::{self, FILE};
    use super::*;
    use crate::domain::door::Rate;

    fn read(text: &str) -> (file::ConfigFile, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        let (file, problems) = file::read(folder.path());
        (file, problems.iter().map(|problem| format!("{}: {}", problem.code, problem.message)).collect())
    }

    #[test]
    fn bounds_of_the_front_door_are_read() {
        let text = "limits: {headers: 64KiB, uri: 4KiB, bodies: 1GiB, connections: 100, head_timeout: 5s, body_timeout: 1m,\n  \
                    idle_timeout: 2m, write_timeout: 10s, sender: {rate: {limit: 5, per: 1s}, burst: 20},\n  \
                    unverified: {rate: {limit: 30, per: 1m}, burst: 10}}\n";
        let (file, problems) = read(text);
        assert_eq!(problems, [""; 0]);
        let seconds = Duration::from_secs;
        let expected = FrontLimits {
            headers_bytes: 64 << 10,
            uri_bytes: 4 << 10,
            bodies_bytes: 1 << 30,
            connections: 100,
            head_timeout: seconds(5),
            body_timeout: seconds(60),
            idle_timeout: seconds(120),
            write_timeout: seconds(10),
            sender: Some(Rate { limit: 5, per: seconds(1), burst: 20 }),
            unverified: Rate { limit: 30, per: seconds(60), burst: 10 },
        };
        assert_eq!(file.limits.front, expected);
    }

    #[test]
    fn what_cannot_be_a_bound_is_told() {
        let check = |text: &str, expected: &str| {
            let (_, problems) = read(text);
            assert!(problems.len() == 1 && problems.iter().any(|problem| problem.contains(expected)), "{text}: {problems:?}");
        };
        check("limits: {headers: 1KiB}", "bad-size: `headers` is from 8KiB to 1MiB");
        check("limits: {headers: 1GiB}", "bad-size: `headers` is from 8KiB to 1MiB");
        check("limits: {connections: 0}", "bad-value");
        check("limits: {head_timeout: 10ms}", "bad-duration: `head_timeout` is at least 1s");
        check("limits: {idle_timeout: 0s}", "bad-duration");
        check("limits: {sender: 5}", "wrong-type: `sender`");
        check("limits: {sender: {burst: 5}}", "missing-key: `burst` needs `rate`");
        check("limits: {unverified: 5}", "wrong-type: `unverified`");
        check("limits: {sender: {rate: {limit: 5}}}", "missing-key: `rate` needs `per`");
        check("limits: {heads: 5}", "unknown-key");
    }

    #[test]
    fn proxies_are_a_list_or_name_their_header() {
        let check = |text: &str, networks: usize, header: ForwardedBy| {
            let (file, problems) = read(text);
            assert_eq!((file.trusted_proxies.networks.len(), file.trusted_proxies.header), (networks, header), "{text}");
            assert_eq!(problems, [""; 0], "{text}");
        };
        check("trusted_proxies: [10.0.0.0/8, '2001:db8::/32', 192.0.2.1]", 3, ForwardedBy::XForwardedFor);
        check("trusted_proxies: 10.0.0.1", 1, ForwardedBy::XForwardedFor);
        check("trusted_proxies: {from: [10.0.0.0/8], header: forwarded}", 1, ForwardedBy::Forwarded);
        let wrong = |text: &str, expected: &str| {
            let (_, problems) = read(text);
            assert!(problems.iter().any(|problem| problem.contains(expected)), "{text}: {problems:?}");
        };
        wrong("trusted_proxies: []", "bad-value: `trusted_proxies` is empty");
        wrong("trusted_proxies: [proxy.internal]", "bad-value: `trusted_proxies`: `proxy.internal` is no network");
        wrong("trusted_proxies: {header: forwarded}", "missing-key");
        wrong("trusted_proxies: {from: [10.0.0.0/8], header: x-real-ip}", "bad-value");
    }

    #[test]
    fn a_certificate_needs_its_key() {
        let (file, problems) = read("tls: {cert: a.pem, key: b.pem}\n");
        let named = file.tls.map(|written| (written.cert.value, written.key.value));
        assert_eq!((named, problems), (Some(("a.pem".into(), "b.pem".into())), vec![]));
        let (file, problems) = read("tls: {cert: a.pem}\n");
        assert!(file.tls.is_none() && problems.iter().any(|problem| problem.contains("`tls` needs `key`")), "{problems:?}");
    }
}
