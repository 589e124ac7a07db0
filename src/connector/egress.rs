//! The egress guard: which addresses may be called at all.
//!
//! Addresses that are not on the public internet are refused unless `egress.allow` names them. A
//! literal address is checked before the request, a name when it is resolved to connect: the address
//! that was checked is the one that is dialled, so a name that changes its mind gains nothing.

mod ranges;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::domain::failure::{Failure, FailureKind};

/// Stands for "a port that no rule names" where rules are matched.
pub const ANY_OTHER_PORT: u16 = 0;

/// What may be called beyond the public internet.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    rules: Arc<[Rule]>,
}

/// An address that the guard refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct Refused {
    /// The host as the URL names it.
    pub host: String,
    /// The address it stands for.
    pub address: IpAddr,
}

/// A name that has no address.
#[derive(Debug, thiserror::Error)]
#[error("the name `{host}` cannot be resolved ({source}): check the spelling and this machine's DNS")]
pub struct Unresolved {
    /// The name.
    pub host: String,
    /// What the resolver says.
    pub source: std::io::Error,
}

/// Why a host cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The guard refused every address.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is no address.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
}

impl Egress {
    /// Reads `egress.allow`: networks (`10.0.0.0/8`), addresses and host names, each with `:port` if
    /// only that port is meant (`[fd00::1]:5432` for IPv6).
    ///
    /// # Errors
    /// Names the entry that cannot be read and says what would be right.
    pub fn new(allow: &[String]) -> Result<Self, String> {
        Ok(Self { rules: allow.iter().map(|entry| Rule::read(entry)).collect::<Result<_, _>>()? })
    }

    /// The ports that rules name. Rules without a port hold for every port.
    #[must_use]
    pub fn ports(&self) -> BTreeSet<u16> {
        self.rules.iter().filter_map(|rule| rule.port).collect()
    }

    /// Checks the scheme, and the address if the URL has a literal one. Names are checked by [`Egress::addresses`].
    ///
    /// # Errors
    /// `EgressRefused`, or `BadInput` for a URL that is not `http` or `https`.
    pub fn check_url(&self, url: &Url) -> Result<(), Failure> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Failure::new(
                FailureKind::BadInput,
                format!("URLs that begin with `{}:` cannot be called: only http:// and https:// can", url.scheme()),
            ));
        }
        let host = url.host_str().unwrap_or_default();
        match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(address) => {
                self.check(host, address, url.port_or_known_default().unwrap_or(ANY_OTHER_PORT)).map_err(|refused| refused.failure())
            }
            Err(_not_literal) => Ok(()),
        }
    }

    /// The addresses of a name that may be called at this port.
    ///
    /// # Errors
    /// When the name has no address, or only refused ones.
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Unreachable> {
        let found = tokio::net::lookup_host((host, port)).await;
        let found = found.map_err(|source| Unresolved { host: host.to_owned(), source })?;
        let mut refused = None;
        let mut allowed = Vec::new();
        for address in found {
            match self.check(host, address.ip(), port) {
                Ok(()) => allowed.push(address),
                Err(refusal) => refused = Some(refusal),
            }
        }
        match (allowed.is_empty(), refused) {
            (false, _) => Ok(allowed),
            (true, Some(refused)) => Err(refused.into()),
            (true, None) => {
                let source = std::io::Error::new(std::io::ErrorKind::NotFound, "it has no address");
                Err(Unresolved { host: host.to_owned(), source }.into())
            }
        }
    }

    fn check(&self, host: &str, address: IpAddr, port: u16) -> Result<(), Refused> {
        if ranges::special(address).is_none() || self.rules.iter().any(|rule| rule.covers(host, address, port)) {
            return Ok(());
        }
        Err(Refused { host: host.to_owned(), address })
    }
}

impl Refused {
    /// As a step's failure.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure::new(FailureKind::EgressRefused, self.message())
    }

    fn message(&self) -> String {
        let sort = ranges::special(self.address).unwrap_or("refused");
        let literal = self.host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        let address = self.address;
        let (what, entry) = if literal {
            (format!("{address} is a {sort} address"), address.to_string())
        } else {
            (format!("`{}` is at {address}, a {sort} address", self.host), self.host.clone())
        };
        format!(
            "{what}, and calls to it are refused: if this is meant, add `{entry}` to `egress.allow` in hence.yaml and restart the server"
        )
    }
}

/// The guard as an HTTP client's resolver. The client does not tell it the port, so there is one for
/// each port that rules name, and one for all others.
#[derive(Debug, Clone)]
pub struct GuardedResolver {
    /// The rules.
    pub egress: Egress,
    /// The port that the client using it connects to, or [`ANY_OTHER_PORT`].
    pub port: u16,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = guard.egress.addresses(name.as_str(), guard.port).await;
            // Unwrapped, so that whoever reads the client's error finds the cause by its type.
            let mut found = found.map_err(|problem| -> Box<dyn Error + Send + Sync> {
                match problem {
                    Unreachable::Refused(refused) => refused.into(),
                    Unreachable::Unresolved(unresolved) => unresolved.into(),
                }
            })?;
            // Port 0 lets the client put in the one of the URL.
            found.iter_mut().for_each(|address| address.set_port(0));
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    target: Target,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Net(IpNet),
    Host(String),
}

impl Rule {
    fn read(entry: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "egress.allow: `{entry}` {why}: expected a network (`10.0.0.0/8`), an address or a host name, each with `:port` if only \
                 that port is meant"
            )
        };
        let text = entry.trim();
        if text.contains("://") {
            return Err(wrong("is a URL"));
        }
        let (target, port) = split_port(text).ok_or_else(|| wrong("has a `[` without its `]`"))?;
        let port = match port.map(str::parse) {
            None => None,
            Some(Ok(0)) | Some(Err(_)) => return Err(wrong("has a port that is not a number from 1 to 65535")),
            Some(Ok(port)) => Some(port),
        };
        if target.contains('/') {
            let net: IpNet = target.parse().map_err(|_not_net| wrong("is not a network"))?;
            if net.addr() != net.network() {
                return Err(wrong(&format!("has bits set beyond its prefix, did you mean `{}`", net.trunc())));
            }
            return Ok(Self { target: Target::Net(net), port });
        }
        if let Ok(address) = target.parse::<IpAddr>() {
            return Ok(Self { target: Target::Net(address.to_canonical().into()), port });
        }
        let host = Url::parse(&format!("http://{target}/")).ok();
        let host = host.as_ref().and_then(Url::host_str).filter(|_| target.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)));
        match host {
            // The URL parser reads `127.1` or `0x7f000001` as the addresses that they are.
            Some(host) => Ok(match host.parse::<IpAddr>() {
                Ok(address) => Self { target: Target::Net(address.into()), port },
                Err(_is_name) => Self { target: Target::Host(host.trim_end_matches('.').to_owned()), port },
            }),
            None => Err(wrong("is not a host name")),
        }
    }

    fn covers(&self, host: &str, address: IpAddr, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
            && match &self.target {
                Target::Net(net) => net.contains(&address) || net.contains(&address.to_canonical()),
                Target::Host(name) => host.trim_end_matches('.').eq_ignore_ascii_case(name),
            }
    }
}

/// Cuts `:port` off; an IPv6 address has to be in brackets to have one.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        return Some((inside, after.strip_prefix(':')));
    }
    Some(match text.split_once(':') {
        // More than one colon: a bare IPv6 address.
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (text, None),
    })
}
