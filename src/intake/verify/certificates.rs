//! The certificates that services publish: where those are, and who waits for one that is fetched.

mod shelf;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use http::Uri;
use tokio::sync::Semaphore;

use self::shelf::Shelf;
use super::Denied;
use super::public_key::rsa_key;
use crate::domain::time::Timestamp;

/// The most that are fetched at once, of those that no message was ever signed with.
const FETCHES: usize = 4;
/// The most that wait for that.
const WAITING: usize = 32;
/// The longest name of a certificate's file.
const FILE_NAME_BYTES: usize = 200;

/// Fetches what a service publishes: a certificate, or the page that confirms a subscription.
pub trait FetchCertificate: Send + Sync {
    /// The text at a URL, which was compared with the service's own hosts. The error says why there is none.
    fn fetch(&self, url: &str) -> BoxFuture<'_, Result<String, String>>;
}

/// The keys of services' certificates, by address.
pub(super) struct Certificates {
    fetch: Arc<dyn FetchCertificate>,
    shelf: Mutex<Shelf>,
    /// Addresses that are looked at now.
    looking: Mutex<BTreeMap<String, Looking>>,
    gate: Semaphore,
}

/// An address that is looked at by one, for all who wait for the same.
struct Looking {
    turn: Arc<tokio::sync::Mutex<()>>,
    requests: usize,
    /// Not held up by others, so not counted with them.
    is_proven: bool,
}

/// One who waits for what is at an address.
struct Waiting<'c> {
    certificates: &'c Certificates,
    url: &'c str,
    turn: Arc<tokio::sync::Mutex<()>>,
    is_proven: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut looking = lock(&self.certificates.looking);
        if let Some(found) = looking.get_mut(self.url) {
            found.requests = found.requests.saturating_sub(1);
            if found.requests == 0 {
                looking.remove(self.url);
            }
        }
    }
}

impl Certificates {
    pub(super) fn new(fetch: Arc<dyn FetchCertificate>) -> Self {
        Self { fetch, shelf: Mutex::default(), looking: Mutex::default(), gate: Semaphore::new(FETCHES) }
    }

    /// The text at a URL.
    pub(super) async fn fetch(&self, url: &str) -> Result<String, String> {
        self.fetch.fetch(url).await
    }

    /// The RSA key of the certificate at a URL, remembered or fetched.
    pub(super) async fn rsa_key(&self, url: &str, now: Timestamp) -> Result<Arc<[u8]>, Denied> {
        if let Some(found) = self.known(url, now) {
            return found;
        }
        let waiting = self.wait_for(url)?;
        let _turn = waiting.turn.lock().await;
        // Somebody else may have fetched it meanwhile.
        if let Some(found) = self.known(url, now) {
            return found;
        }
        // Anybody can name addresses that answer slowly: what is known to be the service's own does not wait behind them.
        let _permit = if waiting.is_proven { None } else { Some(self.gate.acquire().await.ok().ok_or(Denied::Unfetched)?) };
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
        lock(&self.shelf).put(url, key.clone(), now);
        key.ok_or(Denied::Unfetched)
    }

    /// Remembers that a message was signed with the certificate at a URL.
    pub(super) fn proven(&self, url: &str) {
        lock(&self.shelf).prove(url);
    }

    fn known(&self, url: &str, now: Timestamp) -> Option<Result<Arc<[u8]>, Denied>> {
        lock(&self.shelf).find(url, now).map(|key| key.ok_or(Denied::Unfetched))
    }

    /// A place among those who wait, if there is one.
    fn wait_for<'c>(&'c self, url: &'c str) -> Result<Waiting<'c>, Denied> {
        let is_proven = lock(&self.shelf).is_proven(url);
        let mut looking = lock(&self.looking);
        let others = looking.values().filter(|other| !other.is_proven).count();
        if FETCHES + WAITING <= others && !is_proven && !looking.contains_key(url) {
            return Err(Denied::Unfetched);
        }
        let found = looking.entry(url.to_owned()).or_insert_with(|| Looking { turn: Arc::default(), requests: 0, is_proven });
        found.requests = found.requests.saturating_add(1);
        Ok(Waiting { certificates: self, url, turn: Arc::clone(&found.turn), is_proven })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    !name.is_empty() && name.len() <= FILE_NAME_BYTES && !name.contains("..") && name.bytes().all(is_plain)
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

    #[test]
    fn a_name_is_a_name_and_no_way() {
        for (name, expected) in [("CERT-1.pem", true), ("", false), ("..", false), ("a/b", false), ("a%2fb", false), ("a?b", false)] {
            assert_eq!(is_file_name(name), expected, "{name}");
        }
        assert!(is_file_name(&"a".repeat(FILE_NAME_BYTES)) && !is_file_name(&"a".repeat(FILE_NAME_BYTES + 1)));
    }
}
