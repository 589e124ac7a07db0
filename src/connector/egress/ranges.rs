//! Which addresses are not the public internet, and what to call them.
//!
//! Sources: the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and the RFCs
//! named there), and the metadata addresses that the cloud providers publish.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What sort of special address this is; `None` for a public one.
#[must_use]
pub(super) fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => special_v6(v6),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        // AWS, GCP, Azure, DigitalOcean; Alibaba; Oracle; Azure's host agent, which is a public address elsewhere.
        [169, 254, 169, 254] | [100, 100, 100, 200] | [192, 0, 0, 192] | [168, 63, 129, 16] => "cloud metadata",
        [127, ..] => "loopback",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "private",
        [169, 254, ..] => "link-local",
        [100, 64..=127, ..] => "carrier-grade NAT",
        [0, ..] => "\"this network\"",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "documentation",
        [198, 18..=19, ..] => "benchmarking",
        [224..=239, ..] => "multicast",
        [255, 255, 255, 255] => "broadcast",
        [192, 0, 0, _] | [192, 88, 99, _] | [240..=255, ..] => "reserved",
        _ => return None,
    })
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] => "cloud metadata",
        // IPv4-mapped, IPv4-compatible, and NAT64: what counts is the IPv4 address inside.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => return special_v4(v4(high, low)),
        [0x64, 0xff9b, 1, ..] => "local NAT64",
        [0x2002, high, low, ..] => return special_v4(v4(high, low)),
        // Teredo: the server's address plain, the client's with all bits turned over.
        [0x2001, 0, server_high, server_low, _, _, client_high, client_low] => {
            return special_v4(v4(server_high, server_low)).or_else(|| special_v4(v4(!client_high, !client_low)));
        }
        [0x2001, 2, 0, ..] => "benchmarking",
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => "documentation",
        [0x2001, 0..=0x01ff, ..] | [0x0100, 0, 0, 0, ..] | [0x5f00, ..] => "reserved",
        [0xfc00..=0xfdff, ..] => "unique-local",
        [0xfe80..=0xfebf, ..] => "link-local",
        [0xfec0..=0xfeff, ..] => "site-local",
        [0xff00..=0xffff, ..] => "multicast",
        // ISATAP (RFC 5214) carries an IPv4 address at the end of any prefix.
        [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] => return special_v4(v4(high, low)),
        _ => return None,
    })
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_range_is_known_at_both_ends() {
        let check = |text: &str, expected| assert_eq!(special(text.parse().unwrap()), expected, "{text}");
        for (range, name) in [
            ("0.0.0.0 0.255.255.255", "\"this network\""),
            ("10.0.0.0 10.255.255.255", "private"),
            ("100.64.0.0 100.127.255.255", "carrier-grade NAT"),
            ("127.0.0.0 127.255.255.255", "loopback"),
            ("169.254.0.0 169.254.255.255", "link-local"),
            ("172.16.0.0 172.31.255.255", "private"),
            ("192.0.0.0 192.0.0.255", "reserved"),
            ("192.0.2.0 192.0.2.255", "documentation"),
            ("192.168.0.0 192.168.255.255", "private"),
            ("198.18.0.0 198.19.255.255", "benchmarking"),
            ("198.51.100.0 198.51.100.255", "documentation"),
            ("203.0.113.0 203.0.113.255", "documentation"),
            ("224.0.0.0 239.255.255.255", "multicast"),
            ("240.0.0.0 255.255.255.254", "reserved"),
            ("169.254.169.254 100.100.100.200", "cloud metadata"),
            ("fc00:: fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique-local"),
            ("fe80:: febf:ffff::1", "link-local"),
            ("ff00:: ffff::1", "multicast"),
            ("2001:db8:: 2001:db8:ffff::1", "documentation"),
            ("::ffff:10.0.0.1 ::10.0.0.1", "private"),
            ("64:ff9b::10.0.0.1 2002:a00:1::", "private"),
            ("2001:0:a00:1::ffff:ffff 2001:0:808:808::f5ff:fffe", "private"),
            ("fe80:1::1 fe80::", "link-local"),
            ("2606::5efe:a00:1 2606::200:5efe:a00:1", "private"),
        ] {
            range.split(' ').for_each(|address| check(address, Some(name)));
        }
        check("255.255.255.255", Some("broadcast"));
        check("::1", Some("loopback"));
        check("::", Some("unspecified"));
        check("fd00:ec2::254", Some("cloud metadata"));
    }

    #[test]
    fn the_neighbours_of_the_ranges_are_public() {
        for text in "1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 \
                     172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 8.8.8.8 \
                     2606:4700::1111 2001:4860:4860::8888 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1"
            .split_whitespace()
        {
            assert_eq!(special(text.parse().unwrap()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_special_address_stays_special_inside_ipv6(bits: u32) {
            let inner = Ipv4Addr::from_bits(bits);
            let mapped = special(IpAddr::V6(inner.to_ipv6_mapped()));
            prop_assert_eq!(mapped, special(IpAddr::V4(inner)));
        }
    }
}
