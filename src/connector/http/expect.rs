//! Which statuses count as success.

use std::ops::RangeInclusive;

use super::input::{bad, scalar, sort};
use crate::domain::Value;
use crate::domain::failure::Failure;

/// Statuses that count as success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expect(Vec<RangeInclusive<u16>>);

impl Expect {
    /// One status or range or a list of them; 200 to 299 when absent.
    pub(super) fn read(written: Option<&Value>) -> Result<Self, Failure> {
        let Some(written) = written else { return Ok(Self(vec![200..=299])) };
        let entries = written.as_array().map_or_else(|| std::slice::from_ref(written), Vec::as_slice);
        if entries.is_empty() {
            return Err(bad("`expect` is an empty list: name a status, or leave it out for 2xx"));
        }
        entries.iter().map(range).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn holds(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

fn range(entry: &Value) -> Result<RangeInclusive<u16>, Failure> {
    let wrong = |what: &str| bad(format!("`expect`: {what} is not a status: expected `200`, `2xx` or `200..=299`"));
    let text = scalar(entry).ok_or_else(|| wrong(sort(entry)))?;
    let status = |text: &str| text.trim().parse::<u16>().ok().filter(|status| (100..=599).contains(status));
    let bounds = |low: &str, high: &str, less: u16| Some(status(low)?..=status(high)? - less).filter(|range| !range.is_empty());
    let found = if let Some((low, high)) = text.split_once("..=") {
        bounds(low, high, 0)
    } else if let Some((low, high)) = text.split_once("..") {
        bounds(low, high, 1)
    } else if let Some(hundred) = text.trim().strip_suffix("xx").or_else(|| text.trim().strip_suffix("XX")) {
        status(&format!("{hundred}00")).map(|low| low..=low + 99)
    } else {
        status(&text).map(|one| one..=one)
    };
    found.ok_or_else(|| wrong(&format!("`{text}`")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn statuses_and_ranges_are_read() {
        let check = |written: Value, holds: &[u16], not: &[u16]| {
            let expect = Expect::read(Some(&written)).unwrap();
            assert!(holds.iter().all(|s| expect.holds(*s)) && !not.iter().any(|s| expect.holds(*s)), "{written}");
        };
        check(json!(404), &[404], &[200, 403]);
        check(json!("404"), &[404], &[200]);
        check(json!(["2xx", 409]), &[200, 299, 409], &[300, 199, 408]);
        check(json!("200..=204"), &[200, 204], &[205]);
        check(json!(["200..204"]), &[203], &[204]);
        assert!(Expect::read(None).unwrap().holds(299) && !Expect::read(None).unwrap().holds(300));
    }

    #[test]
    fn what_is_no_status_is_refused() {
        for written in
            [json!([]), json!(99), json!("x"), json!("600"), json!("204..=200"), json!("100..100"), json!({}), json!([[]]), json!("9xx")]
        {
            assert!(Expect::read(Some(&written)).is_err(), "{written}");
        }
    }
}
