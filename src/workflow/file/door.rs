//! Who may come in, and how often: `rate`, `burst`, `allow_from`, `cors`, and lists of networks in `hence.yaml`.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::read::{list, some_duration, text, whole};
use super::{Fields, Report};
use crate::domain::door::{Cors, Door, Origins, Rate};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Entry, Kind, Node};

/// The most that a rate may be.
pub(crate) const RATE_LIMIT: u32 = 1_000_000;
/// The longest time that a rate counts over.
const RATE_PER_LIMIT: Duration = Duration::from_secs(24 * 3_600);
/// The most networks or origins of one list.
pub(crate) const DOOR_LIST: usize = 100;
/// How long browsers remember where nobody says.
const MAX_AGE: Duration = Duration::from_secs(600);

/// `allow_from` and `cors` of a webhook; its rate stands in `limits`.
pub(super) fn read_door(fields: &mut Fields<'_>, report: &mut Report) -> Door {
    let allow_from = fields.optional("allow_from").map(|node| read_networks(node, "allow_from", report)).unwrap_or_default();
    let cors = fields.entry("cors").and_then(|entry| read_cors(entry, report));
    Door { rate: None, allow_from, cors }
}

/// `rate: {limit: 100, per: 1m}` and `burst`.
pub(crate) fn read_rate(fields: &mut Fields<'_>, report: &mut Report) -> Option<Rate> {
    let (rate, burst) = (fields.entry("rate"), fields.entry("burst"));
    let burst = match (rate, burst) {
        (None, Some(burst)) => {
            report.error(codes::MISSING_KEY, burst.span, "`burst` needs `rate`", "add `rate: {limit: 100, per: 1m}`");
            return None;
        }
        (_, burst) => burst.and_then(|entry| whole(&entry.value, "burst", 1..=RATE_LIMIT, report)),
    };
    let entry = rate?;
    let mut fields = Fields::open_as(&entry.value, "`rate`", entry.span, "rate: {limit: 100, per: 1m}", report)?;
    let limit = fields.required("limit", "100", report).and_then(|node| whole(node, "limit", 1..=RATE_LIMIT, report));
    let per = fields.required("per", "1m", report).and_then(|node| read_per(node, report));
    fields.close(report);
    let limit = limit?;
    Some(Rate { limit, per: per?, burst: burst.unwrap_or(limit) })
}

fn read_per(node: &Node, report: &mut Report) -> Option<Duration> {
    let per = some_duration(node, "per", report)?;
    if RATE_PER_LIMIT < per {
        report.error(codes::BAD_DURATION, node.span, "`per` is at most 1d", "write `per: 1m`");
        return None;
    }
    Some(per)
}

/// A list of networks and addresses: `[203.0.113.0/24, "2001:db8::/32", 192.0.2.7]`.
pub(crate) fn read_networks(node: &Node, key: &'static str, report: &mut Report) -> Vec<IpNet> {
    let items = some_items(node, key, "a list without networks would let nobody in; name one, or take the key away", report);
    items.iter().filter_map(|item| network(item, key, report)).collect()
}

fn network(node: &Node, key: &'static str, report: &mut Report) -> Option<IpNet> {
    let found = text(node, key, report)?;
    let parsed: Option<IpNet> =
        found.value.parse().ok().or_else(|| found.value.parse().ok().map(|address: std::net::IpAddr| address.into()));
    match parsed {
        Some(network) if network.trunc() == network => Some(network),
        Some(network) => {
            let message = format!("`{key}`: `{}` is an address with the length of a network", found.value);
            report.error(
                codes::BAD_VALUE,
                found.span,
                message,
                format!("write `{}` for the network, or the address alone", network.trunc()),
            );
            None
        }
        None => {
            let message = format!("`{key}`: `{}` is no network", found.value);
            report.error(
                codes::BAD_VALUE,
                found.span,
                message,
                "write a network as in `203.0.113.0/24`, or an address; names of hosts are not looked up",
            );
            None
        }
    }
}

fn some_items<'n>(node: &'n Node, key: &'static str, empty: &str, report: &mut Report) -> &'n [Node] {
    let items = if node.kind == Kind::Text { std::slice::from_ref(node) } else { list(node, key, report).unwrap_or_default() };
    if items.is_empty() && matches!(node.kind, Kind::List(_)) {
        report.error(codes::BAD_VALUE, node.span, format!("`{key}` is empty"), empty);
    }
    if DOOR_LIST < items.len() {
        report.error(
            codes::TOO_MANY,
            node.span,
            format!("{} entries of `{key}`; the limit is {DOOR_LIST}", items.len()),
            "name larger networks, or fewer sites",
        );
        return &[];
    }
    items
}

pub(super) fn read_cors(entry: &Entry, report: &mut Report) -> Option<Cors> {
    let mut fields = Fields::open_as(&entry.value, "`cors`", entry.span, "cors: {origins: [https://www.example.com]}", report)?;
    let origins = fields.required("origins", "[https://www.example.com]", report).map(|node| read_origins(node, report));
    let headers = fields.optional("headers").map(|node| read_headers(node, report)).unwrap_or_default();
    let max_age = fields.optional("max_age").and_then(|node| some_duration(node, "max_age", report)).unwrap_or(MAX_AGE);
    fields.close(report);
    Some(Cors { origins: origins??, headers, max_age })
}

fn read_origins(node: &Node, report: &mut Report) -> Option<Origins> {
    let items = some_items(node, "origins", "name a site, as in `https://www.example.com`, or write `\"*\"` for all", report);
    if let [only] = items
        && only.as_text() == Some("*")
    {
        return Some(Origins::Any);
    }
    let origins: Vec<Arc<str>> = items.iter().filter_map(|item| origin(item, report)).collect();
    (!origins.is_empty()).then_some(Origins::These(origins))
}

/// An origin as browsers write it: scheme, host, and the port where it is not the scheme's own.
fn origin(node: &Node, report: &mut Report) -> Option<Arc<str>> {
    let found = text(node, "origins", report)?;
    let lower = found.value.to_ascii_lowercase();
    let rest = ["https://", "http://"].into_iter().find_map(|scheme| lower.strip_prefix(scheme));
    let fine = rest.is_some_and(is_host_and_port);
    if !fine {
        let message = format!("`origins`: `{}` is no site", found.value);
        let help = "write scheme and host and nothing after them, as in `https://www.example.com`; `\"*\"` alone stands for all";
        report.error(codes::BAD_VALUE, found.span, message, help);
    }
    fine.then(|| lower.into())
}

/// `www.example.com`, `localhost:3000`, `[::1]:8080`: what a header and a page's policy may hold.
fn is_host_and_port(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = port.is_none_or(|port| !port.starts_with('+') && port.parse::<u16>().is_ok());
    let is_name = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    is_port && (is_name || address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()))
}

fn read_headers(node: &Node, report: &mut Report) -> Vec<Arc<str>> {
    let items = some_items(node, "headers", "name one, or take the key away", report);
    let header = |item: &Node| {
        let found = text(item, "headers", report)?;
        let name = found.value.to_ascii_lowercase();
        if http::HeaderName::try_from(name.as_str()).is_err() {
            report.error(
                codes::BAD_VALUE,
                found.span,
                format!("`headers`: `{}` is no name of a header", found.value),
                "write a name, as in `x-shop`",
            );
            return None;
        }
        Some(name.into())
    };
    items.iter().filter_map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::is_host_and_port;

    #[test]
    fn a_site_is_a_host_and_perhaps_a_port() {
        for (text, fine) in [
            ("www.example.com", true),
            ("localhost:3000", true),
            ("192.0.2.7:80", true),
            ("[::1]", true),
            ("[2001:db8::7]:8443", true),
            ("", false),
            (":80", false),
            ("a:", false),
            ("a:+80", false),
            ("a:65536", false),
            ("a/", false),
            ("a/b", false),
            ("a?b", false),
            ("a#b", false),
            ("a;script-src", false),
            ("user@a", false),
            ("[a]", false),
            ("[::1", false),
            ("::1", false),
        ] {
            assert_eq!(is_host_and_port(text), fine, "{text}");
        }
    }
}
