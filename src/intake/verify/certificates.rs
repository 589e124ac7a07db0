//! The certificates that services publish: where those are, and how long they are kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use tokio::sync::Semaphore;

use super::Denied;
use super::public_key::rsa_key;
use crate::domain::time::Timestamp;

/// How long a certificate is used before it is fetched again.
const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// How long one that could not be had is not asked for again.
const MISSING_KEPT: Duration = Duration::from_secs(30);
/// The most certificates that are remembered.
const KNOWN: usize = 64;
/// The most that are fetched at once.
const FETCHES: usize = 4;

/// Fetches what a service publishes: a certificate, or the page that confirms a subscription.
pub trait FetchCertificate: Send + Sync {
    /// The text at a URL, which was compared with the service's own hosts. The error says why there is none.
    fn fetch(&self, url: &str) -> BoxFuture<'_, Result<String, String>>;
}

struct Known {
    /// Nothing where there was none.
    key: Option<Arc<[u8]>>,
    until: Timestamp,
}

/// The keys of services' certificates, by address.
pub(super) struct Certificates {
    fetch: Arc<dyn FetchCertificate>,
    known: Mutex<BTreeMap<String, Known>>,
    gate: Semaphore,
}

impl Certificates {
    pub(super) fn new(fetch: Arc<dyn FetchCertificate>) -> Self {
        Self { fetch, known: Mutex::default(), gate: Semaphore::new(FETCHES) }
    }

    /// The text at a URL.
    pub(super) async fn fetch(&self, url: &str) -> Result<String, String> {
        self.fetch.fetch(url).await
    }

    /// The RSA key of the certificate at a URL, remembered or fetched.
    pub(super) async fn rsa_key(&self, url: &str, now: Timestamp) -> Result<Arc<[u8]>, Denied> {
        let known = |found: Option<Option<Arc<[u8]>>>| found.map(|key| key.ok_or(Denied::Unfetched));
        if let Some(found) = known(self.known(url, now)) {
            return found;
        }
        let _permit = self.gate.acquire().await.ok().ok_or(Denied::Unfetched)?;
        // Somebody else may have fetched it meanwhile.
        if let Some(found) = known(self.known(url, now)) {
            return found;
        }
        let fetched = self.fetch.fetch(url).await.and_then(|pem| {
            rsa_key(&pem).map(Arc::<[u8]>::from).ok_or_else(|| "what is there is not a certificate with an RSA key".to_owned())
        });
        let key = match fetched {
            Ok(key) => Some(key),
            Err(why) => {
                tracing::warn!(error = %why, "the certificate of a hook's sender could not be fetched: what it sends is answered 503");
                None
            }
        };
        self.remember(url, key.clone(), now);
        key.ok_or(Denied::Unfetched)
    }

    fn known(&self, url: &str, now: Timestamp) -> Option<Option<Arc<[u8]>>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(url).filter(|known| now < known.until).map(|known| known.key.clone())
    }

    fn remember(&self, url: &str, key: Option<Arc<[u8]>>, now: Timestamp) {
        let until = now.after(if key.is_some() { KEPT } else { MISSING_KEPT });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| now < known.until);
        // What could not be had goes first: anybody can name addresses at which there is nothing.
        while KNOWN <= known.len() {
            let Some(first) = known.iter().min_by_key(|(_, known)| known.until).map(|(url, _)| url.clone()) else { break };
            known.remove(&first);
        }
        known.insert(url.to_owned(), Known { key, until });
    }
}

/// Host and path of a URL that is `https`, without a user, a port and a fragment.
pub(super) fn place(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?;
    let is_plain = uri.scheme_str() == Some("https") && authority.as_str() == authority.host() && !url.contains('#');
    is_plain.then(|| (authority.host().to_ascii_lowercase(), uri.path_and_query().map_or("/", |path| path.as_str()).to_owned()))
}

/// Whether the last part of a path is a file's name and nothing that leads elsewhere or makes it another address.
pub(super) fn is_file_name(name: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    !name.is_empty() && !name.contains("..") && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_only_when_nothing_hides_in_it() {
        let check = |url: &str, expected: Option<(&str, &str)>| {
            assert_eq!(place(url), expected.map(|(host, path)| (host.to_owned(), path.to_owned())), "{url}");
        };
        check("https://API.paypal.com/v1/a?b", Some(("api.paypal.com", "/v1/a?b")));
        check("https://a.test", Some(("a.test", "/")));
        for wrong in
            ["http://a.test/", "https://a.test:444/", "https://u@a.test/", "https://u:p@a.test/", "https://a.test/#b", "/a", "a.test", ""]
        {
            check(wrong, None);
        }
    }
}
