//! Who may come in, and how often.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So often.
    pub limit: u32,
    /// In this time.
    pub per: Duration,
    /// So often at once, after a while without any.
    pub burst: u32,
}

impl Rate {
    /// The same for a minute, in whole numbers. At least 1: less cannot be said.
    #[must_use]
    pub fn per_minute(&self) -> u64 {
        let minute = Duration::from_secs(60).as_nanos();
        let whole = u128::from(self.limit).saturating_mul(minute) / self.per.as_nanos().max(1);
        u64::try_from(whole).unwrap_or(u64::MAX).max(1)
    }
}

/// What a hook asks of a request before it is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Door {
    /// How many requests it takes, from all senders together.
    pub rate: Option<Rate>,
    /// Networks that senders come from; none means all.
    pub allow_from: Vec<IpNet>,
    /// Which pages of other sites may call it.
    pub cors: Option<Cors>,
}

/// What browsers are told about requests from pages of other sites (the Fetch standard's CORS protocol).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Which.
    pub origins: Origins,
    /// Headers that a page may send, in lower case; empty means those that it asks for.
    pub headers: Vec<Arc<str>>,
    /// How long a browser may remember.
    pub max_age: Duration,
}

/// Sites whose pages may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Every site.
    Any,
    /// These, as browsers write them: `https://www.example.com`.
    These(Vec<Arc<str>>),
}

impl Cors {
    /// Whether a page of this origin may call.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        match &self.origins {
            Origins::Any => true,
            Origins::These(origins) => origins.iter().any(|known| known.eq_ignore_ascii_case(origin)),
        }
    }
}

/// Which proxies are believed about the sender's address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies {
    /// Where they are.
    pub networks: Vec<IpNet>,
    /// The header that they set.
    pub header: ForwardedBy,
}

/// How a proxy tells who is behind it. One header alone is read: a proxy passes on what it does not set, and
/// anybody can write that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardedBy {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_told_by_the_minute() {
        let check = |limit: u32, per_s: u64, expected: u64| {
            assert_eq!(Rate { limit, per: Duration::from_secs(per_s), burst: 7 }.per_minute(), expected, "{limit} in {per_s} s");
        };
        check(600, 60, 600);
        check(10, 1, 600);
        check(100, 90, 66);
        check(10, 3_600, 1);
        check(0, 60, 1);
        check(u32::MAX, 0, u64::MAX);
    }
}
