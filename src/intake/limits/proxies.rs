//! The sender's address: that of the connection, or the one that a trusted proxy tells.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::domain::door::{ForwardedBy, TrustedProxies};

/// The address of who sent a request that came over a connection from `peer`. Each proxy adds the address that it was called from
/// at the end, so the list is read from there: the first one that is not a trusted proxy itself is the sender.
#[must_use]
pub fn sender(proxies: &TrustedProxies, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let peer = peer.to_canonical();
    let trusted = |address: IpAddr| proxies.networks.iter().any(|network| network.contains(&address));
    if !trusted(peer) {
        return peer;
    }
    let name = match proxies.header {
        ForwardedBy::XForwardedFor => "x-forwarded-for",
        ForwardedBy::Forwarded => "forwarded",
    };
    let mut nearest = peer;
    let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
    for element in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let address = match proxies.header {
            ForwardedBy::XForwardedFor => address(element),
            ForwardedBy::Forwarded => forwarded_for(element).and_then(address),
        };
        // `unknown`, a made-up name, nonsense: whoever is nearest answers for it.
        let Some(address) = address else { return nearest };
        if !trusted(address) {
            return address;
        }
        nearest = address;
    }
    nearest
}

/// The `for` of one element of `Forwarded` (RFC 7239, section 4).
fn forwarded_for(element: &str) -> Option<&str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, value)| value.trim().trim_matches('"')).next()
}

/// `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let found = bare.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(found.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: ForwardedBy, peer: &str, lines: &[(&'static str, &str)], expected: &str) {
        let networks = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8:f::/48".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let found = sender(&TrustedProxies { networks, header }, peer.parse().unwrap(), &headers);
        assert_eq!(found.to_string(), expected, "{peer} {lines:?}");
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let check = |peer, value, expected| check(ForwardedBy::XForwardedFor, peer, &[("x-forwarded-for", value)], expected);
        check("192.0.2.1", "198.51.100.7", "192.0.2.1");
        check("10.1.1.1", "198.51.100.7", "198.51.100.7");
        check("::ffff:10.1.1.1", "198.51.100.7", "198.51.100.7");
        check("10.1.1.1", "198.51.100.7:4711", "198.51.100.7");
        check("2001:db8:f::1", "[2001:db8::7]:80", "2001:db8::7");
        check("2001:db8:f::1", "2001:db8::7", "2001:db8::7");
    }

    #[test]
    fn what_a_sender_writes_before_the_proxy_is_not_believed() {
        let check = |value, expected| check(ForwardedBy::XForwardedFor, "10.1.1.1", &[("x-forwarded-for", value)], expected);
        check("127.0.0.1, 198.51.100.7", "198.51.100.7");
        check("127.0.0.1, 198.51.100.7, 10.2.2.2", "198.51.100.7");
        check("10.3.3.3, 10.2.2.2", "10.3.3.3");
        check("198.51.100.7, unknown", "10.1.1.1");
        check("198.51.100.7, , 10.2.2.2", "10.2.2.2");
        check("", "10.1.1.1");
    }

    #[test]
    fn several_lines_are_one_list() {
        let lines = [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-for", "198.51.100.7, 10.9.9.9")];
        check(ForwardedBy::XForwardedFor, "10.1.1.1", &lines, "198.51.100.7");
    }

    #[test]
    fn the_other_header_is_not_looked_at() {
        let both = [("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=198.51.100.7;proto=https")];
        check(ForwardedBy::Forwarded, "10.1.1.1", &both, "198.51.100.7");
        check(ForwardedBy::XForwardedFor, "10.1.1.1", &both, "127.0.0.1");
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_has_it() {
        let check = |value, expected| check(ForwardedBy::Forwarded, "10.1.1.1", &[("forwarded", value)], expected);
        check("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17");
        check("for=192.0.2.43, for=198.51.100.17;by=203.0.113.60;proto=http;host=example.com", "198.51.100.17");
        check("for=192.0.2.43, for=unknown", "10.1.1.1");
        check("for=192.0.2.43, for=_hidden", "10.1.1.1");
        check("proto=https", "10.1.1.1");
    }
}
