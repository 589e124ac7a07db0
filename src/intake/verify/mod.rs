//! Who sent this? One file a family of schemes. Always over the raw bytes, in constant time, and
//! any of several secrets may match, so that they can be rotated.

mod certificates;
mod hmac;
mod key_pair;
mod mailgun;
mod paypal;
mod plain;
mod public_key;
mod sns;
mod standard;
mod time;
mod timed;
mod token;
mod twilio;
mod url;

pub use certificates::FetchCertificate;
pub(super) use sns::{Message, MessageKind};
pub(super) use timed::zoom_key;
pub(crate) use token::equal as same_secret;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use self::certificates::Certificates;
use crate::domain::secret::{Secret, Secrets};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Scheme, SecretName, Signed, Verify};
use crate::workflow::keys::{self, Form, Key};

/// Why a sender was not believed. The text is for the sender: it tells nothing about the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The header that proves it is not there.
    #[error("the header `{0}` is missing")]
    Missing(String),
    /// The header has another form than the scheme's.
    #[error("the header `{0}` is not in the form this hook expects")]
    Malformed(String),
    /// What proves it is in the body or the query, and is not there.
    #[error("{0} is missing, or not in the form this hook expects")]
    NoProof(&'static str),
    /// The proof does not fit.
    #[error(
        "the signature or token does not match: check that the sender uses this hook's secret and that nothing on the way changes the body"
    )]
    Mismatch,
    /// The proof does not fit, and the URL is a part of it.
    #[error(
        "the signature does not match: check that the sender uses this hook's secret, that the URL set at the sender is the one set here \
         (`url` of the hook, or `public_url` of the server), and that nothing on the way changes query and body"
    )]
    MismatchWithUrl,
    /// The request was signed too long ago, or in the future.
    #[error("the signature's timestamp is outside the window of {window_s} s: check the sender's clock")]
    Stale {
        /// The window, in seconds.
        window_s: u64,
    },
    /// What is to be fetched is not where the service keeps its own.
    #[error("the address of the certificate or the confirmation is not one of the service's own")]
    ForeignAddress,
    /// A message of another topic.
    #[error("the message is from a topic that this hook does not hear")]
    OtherTopic,
    /// No secret of the hook is known to this server.
    #[error("this hook has no secret configured on the server")]
    NoSecret,
    /// The URL is signed, and the server does not know its own.
    #[error("this hook has no URL configured on the server")]
    NoUrl,
    /// The certificate could not be fetched now.
    #[error("the sender's certificate could not be fetched: nothing was stored, send it again later")]
    Unfetched,
}

/// A request, as far as its sender is known by it.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'r> {
    /// In upper case.
    pub method: &'r str,
    /// Path and query, as sent.
    pub target: &'r str,
    /// Its headers.
    pub headers: &'r HeaderMap,
    /// The raw bytes.
    pub body: &'r Bytes,
    /// When it came.
    pub now: Timestamp,
}

/// A sender that was believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// What the sender never says twice: a request that says it again is a repeat.
    pub once: Option<Once>,
}

/// A text that comes once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The text.
    pub token: String,
    /// From then on a request that says it is too old in any case.
    pub until: Timestamp,
}

impl Once {
    /// A text that was signed with a time. It is forgotten later than the time is refused: nothing comes in between.
    fn new(token: String, signed: Timestamp, window: Duration) -> Self {
        Self { token, until: signed.after(window).after(Duration::from_secs(1)) }
    }
}

/// Knows senders.
pub struct Verifier {
    secrets: Arc<Secrets>,
    public_url: Option<String>,
    certificates: Certificates,
}

impl Verifier {
    /// With these secrets, at this address, and this way to certificates.
    #[must_use]
    pub fn new(secrets: Arc<Secrets>, public_url: Option<String>, fetch: Arc<dyn FetchCertificate>) -> Self {
        Self { secrets, public_url, certificates: Certificates::new(fetch) }
    }

    /// Checks a request against a hook's scheme.
    ///
    /// # Errors
    /// When the sender is not believed.
    pub async fn verify(&self, verify: &Verify, sent: &Sent<'_>) -> Result<Verified, Denied> {
        match verify {
            Verify::Signed(Signed { scheme: Scheme::AwsSns { topics }, .. }) => {
                Box::pin(sns::verify(topics, sent, &self.certificates)).await.map(|once| Verified { once: Some(once) })
            }
            Verify::Signed(Signed { scheme: Scheme::Paypal { webhook_id }, .. }) => {
                Box::pin(paypal::verify(webhook_id, sent, &self.certificates)).await.map(|once| Verified { once: Some(once) })
            }
            Verify::Signed(Signed { scheme: Scheme::Mailgun, secrets }) => {
                mailgun::verify(&self.keys(secrets, Form::Text)?, sent).map(|once| Verified { once: Some(once) })
            }
            other => self.verify_now(other, sent).map(|()| Verified::default()),
        }
    }

    /// Checks a request against a hook's scheme by its headers; nothing where those are not enough.
    pub(super) fn verify_head(&self, verify: &Verify, headers: &HeaderMap) -> Option<Result<Verified, Denied>> {
        let found = match verify {
            Verify::None => Ok(()),
            Verify::Bearer { secrets } => self.known(secrets).and_then(|known| token::bearer(&known, headers)),
            Verify::Basic { user, secrets } => self.known(secrets).and_then(|known| token::basic(user, &known, headers)),
            Verify::Header { name, secrets } => self.known(secrets).and_then(|known| token::header(name, &known, headers)),
            Verify::Signed(_) | Verify::Hmac(_) => return None,
        };
        Some(found.map(|()| Verified::default()))
    }

    /// The schemes for which everything is here.
    fn verify_now(&self, verify: &Verify, sent: &Sent<'_>) -> Result<(), Denied> {
        match verify {
            Verify::Signed(signed) => self.signed(signed, sent),
            Verify::Hmac(scheme) => hmac::verify(scheme, &self.known(&scheme.secrets)?, sent),
            Verify::None | Verify::Bearer { .. } | Verify::Basic { .. } | Verify::Header { .. } => {
                self.verify_head(verify, sent.headers).unwrap_or(Err(Denied::NoSecret)).map(drop)
            }
        }
    }

    fn signed(&self, Signed { scheme, secrets }: &Signed, sent: &Sent<'_>) -> Result<(), Denied> {
        let keys = || self.keys(secrets, keys::form(scheme));
        let called = |url: &Option<Arc<str>>| url::called(url.as_deref(), self.public_url.as_deref(), sent.target);
        match scheme {
            Scheme::StandardWebhooks => standard::verify([standard::PREFIX, standard::SVIX_PREFIX], &keys()?, sent),
            Scheme::Svix => standard::verify([standard::SVIX_PREFIX, standard::PREFIX], &keys()?, sent),
            Scheme::Stripe => timed::listed(&timed::STRIPE, &keys()?, sent),
            Scheme::Calendly => timed::listed(&timed::CALENDLY, &keys()?, sent),
            Scheme::Slack => timed::versioned(&timed::SLACK, &keys()?, sent),
            Scheme::Zoom => timed::versioned(&timed::ZOOM, &keys()?, sent),
            Scheme::Github | Scheme::Meta { .. } => plain::verify(&plain::GITHUB, &keys()?, sent),
            Scheme::Shopify => plain::verify(&plain::SHOPIFY, &keys()?, sent),
            Scheme::Typeform => plain::verify(&plain::TYPEFORM, &keys()?, sent),
            Scheme::Discord => key_pair::discord(&keys()?, sent),
            Scheme::Sendgrid => key_pair::sendgrid(&keys()?, sent),
            Scheme::Twilio { url } => twilio::verify(&called(url)?, &keys()?, sent),
            Scheme::Square { url } => url::square(&called(url)?, &keys()?, sent),
            Scheme::Hubspot { url } => url::hubspot(&called(url)?, &keys()?, sent),
            // These need more than a secret and come here from `verify` alone.
            Scheme::AwsSns { .. } | Scheme::Paypal { .. } | Scheme::Mailgun => Err(Denied::NoSecret),
        }
    }

    /// The values of those names that have one.
    pub(super) fn known(&self, names: &[SecretName]) -> Result<Vec<&Secret>, Denied> {
        let values = names.iter().filter_map(|name| self.secrets.get(&name.0)).filter(|secret| !secret.expose().is_empty());
        let values: Vec<_> = values.collect();
        if values.is_empty() { Err(Denied::NoSecret) } else { Ok(values) }
    }

    /// The same, in their scheme's form: one that has another form kept its workflow out when it was loaded.
    pub(super) fn keys(&self, names: &[SecretName], form: Form) -> Result<Vec<Key<'_>>, Denied> {
        let keys: Vec<_> = self.known(names)?.into_iter().filter_map(|secret| keys::read(form, secret).ok()).collect();
        if keys.is_empty() { Err(Denied::NoSecret) } else { Ok(keys) }
    }

    /// Fetches what a verified message asks to be fetched.
    pub(super) async fn confirm(&self, url: &str) -> Result<(), String> {
        self.certificates.fetch(url).await.map(|_answer| ())
    }
}

/// A header's value as text.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, Denied> {
    let value = headers.get(name).ok_or_else(|| Denied::Missing(name.to_owned()))?;
    value.to_str().ok().ok_or_else(|| Denied::Malformed(name.to_owned()))
}

fn malformed(name: &str) -> Denied {
    Denied::Malformed(name.to_owned())
}

#[cfg(test)]
mod tests;
