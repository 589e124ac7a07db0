//! What form of an answer the other side asks for (RFC 9110, section 12.5.1).

use http::{HeaderMap, header};

/// The most media ranges that are looked at.
const RANGES: usize = 32;

/// How well a media range fits a media type. What says more counts before what says less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Any,
    Kind,
    Exact,
}

/// The one of `offers` that is asked for most; the first one where nothing is asked for, several are asked for alike, or none fits.
#[must_use]
pub fn best<'o>(headers: &HeaderMap, offers: &[&'o str]) -> &'o str {
    let first = offers.first().copied().unwrap_or_default();
    let mut accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    if accepts.peek().is_none() {
        return first;
    }
    let ranges: Vec<(&str, u16)> = accepts.flat_map(|value| value.split(',')).filter_map(range).take(RANGES).collect();
    // Between two that are asked for alike, the one that was named counts before the one that is only allowed.
    let mut best: (&str, Option<(u16, Fit)>) = (first, None);
    for offer in offers {
        let found = ranges.iter().filter_map(|(range, quality)| Some((fit(range, offer)?, *quality))).max_by_key(|(fit, _)| *fit);
        let rank = found.filter(|(_, quality)| *quality != 0).map(|(fit, quality)| (quality, fit));
        if best.1 < rank {
            best = (offer, rank);
        }
    }
    best.0
}

/// A media range without its parameters, and its quality in thousandths. Nothing when it cannot be read.
fn range(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| range.contains('/'))?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((range, weight.map_or(Some(1000), quality)?))
}

/// `1`, `0.5`, `0.125`, in thousandths.
fn quality(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let whole: u16 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    if 3 < decimals.len() || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    Some(whole * 1000 + decimals).filter(|quality| *quality <= 1000)
}

fn fit(range: &str, offer: &str) -> Option<Fit> {
    if range.eq_ignore_ascii_case(offer) {
        return Some(Fit::Exact);
    }
    match range.split_once('/')? {
        ("*", "*") => Some(Fit::Any),
        (kind, "*") if offer.split('/').next().is_some_and(|offered| offered.eq_ignore_ascii_case(kind)) => Some(Fit::Kind),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const JSON: &str = "application/json";
    const XML: &str = "application/xml";

    fn asked(accepts: &[&str]) -> &'static str {
        let mut headers = HeaderMap::new();
        for accept in accepts {
            headers.append(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        }
        best(&headers, &[JSON, XML, "text/xml"])
    }

    fn check(accepts: &[&str], expected: &str) {
        assert_eq!(asked(accepts), expected, "{accepts:?}");
    }

    #[test]
    fn what_is_asked_for_most_is_answered() {
        check(&[], JSON);
        check(&[""], JSON);
        check(&["*/*"], JSON);
        check(&["application/*"], JSON);
        check(&[XML], XML);
        check(&["Application/XML; charset=utf-8"], XML);
        check(&["text/xml"], "text/xml");
        check(&["text/*"], "text/xml");
        check(&["application/json;q=0.5, application/xml;q=0.6"], XML);
        check(&["application/xml;q=0.5, application/json;q=0.501"], JSON);
        check(&["application/json, application/xml"], JSON);
        check(&["application/xml, application/json"], JSON);
        check(&["application/json;q=0.1", "application/xml; Q=0.2"], XML);
        check(&["*/*, application/json;q=0"], XML);
        check(&["*/*, application/xml"], XML);
        check(&["application/xml;q=0.9, */*"], JSON);
        check(&["application/*;q=0.3, application/json;q=0.1"], XML);
        check(&["image/png"], JSON);
        check(&["application/xml;q=0"], JSON);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        check(&["application/xml;q=2, application/json;q=0.1"], JSON);
        check(&["application/xml;q=0.1234"], JSON);
        check(&["application/xml;q=x"], JSON);
        check(&["xml, ;;, /, q=1"], JSON);
        check(&["application/xml;level=1;q=1.000"], XML);
        check(&[&format!("{}application/xml", "text/plain,".repeat(RANGES))], JSON);
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_one_of_the_offers_is_answered(accept in "[ -~]{0,60}") {
            prop_assert!([JSON, XML, "text/xml"].contains(&asked(&[&accept])));
        }
    }
}
