//! Services that publish certificates: where those are, how long they are kept, and PayPal's scheme. SNS' is next door.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use tokio::sync::Semaphore;

use super::public_key::rsa_key;
use super::{Denied, Sent, malformed, text};
use crate::domain::time::Timestamp;
use crate::workflow::keys::base64;

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

const ID: &str = "paypal-transmission-id";
const TIME: &str = "paypal-transmission-time";
const SIGNATURE: &str = "paypal-transmission-sig";
const CERTIFICATE: &str = "paypal-cert-url";
const ALGORITHM: &str = "paypal-auth-algo";
/// Where PayPal keeps its certificates, sandbox included.
const HOSTS: &str = ".paypal.com";
const PATH: &str = "/v1/notifications/certs/";

/// `ID|TIME|WEBHOOK_ID|CRC32`, by SHA-256 with RSA: <https://developer.paypal.com/api/rest/webhooks/rest/>, "Self verification method".
/// PayPal names no window for the time and sends again for three days.
pub(super) async fn paypal(webhook_id: &str, sent: &Sent<'_>, certificates: &Certificates) -> Result<(), Denied> {
    let header = |name| text(sent.headers, name);
    let (id, time, url) = (header(ID)?, header(TIME)?, header(CERTIFICATE)?);
    let signature = base64(header(SIGNATURE)?).ok_or_else(|| malformed(SIGNATURE))?;
    if !header(ALGORITHM)?.eq_ignore_ascii_case("SHA256withRSA") {
        return Err(malformed(ALGORITHM));
    }
    place(url).filter(|(host, path)| host.ends_with(HOSTS) && path.starts_with(PATH)).ok_or(Denied::ForeignCertificate)?;
    let key = certificates.rsa_key(url, sent.now).await?;
    let message = format!("{id}|{time}|{webhook_id}|{}", crc32(sent.body));
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key);
    key.verify(message.as_bytes(), &signature).ok().ok_or(Denied::Mismatch)
}

/// CRC-32 (ISO 3309), as in zip files.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_that_of_zip_files() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

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
