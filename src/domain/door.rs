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
