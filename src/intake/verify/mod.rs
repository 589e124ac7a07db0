//! Who sent this? One file a family of schemes. Always over the raw bytes, in constant time, and
//! any of several secrets may match, so that they can be rotated.

mod hmac;
mod token;

pub(crate) use token::equal as same_secret;

use http::HeaderMap;

use crate::domain::secret::{Secret, Secrets};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{SecretName, Verify};

/// Why a sender was not believed. The text is for the sender: it tells nothing about the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The header that proves it is not there.
    #[error("the header `{0}` is missing")]
    Missing(String),
    /// The header has another form than the scheme's.
    #[error("the header `{0}` is not in the form this hook expects")]
    Malformed(String),
    /// The proof does not fit.
    #[error(
        "the signature or token does not match: check that the sender uses this hook's secret and that nothing on the way changes the body"
    )]
    Mismatch,
    /// The request was signed too long ago, or in the future.
    #[error("the signature's timestamp is outside the window of {window_s} s: check the sender's clock")]
    Stale {
        /// The window, in seconds.
        window_s: u64,
    },
    /// No secret of the hook is known to this server.
    #[error("this hook has no secret configured on the server")]
    NoSecret,
}

/// Checks a request against a hook's scheme.
///
/// # Errors
/// When the sender is not believed.
pub fn verify(scheme: &Verify, secrets: &Secrets, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Denied> {
    match scheme {
        Verify::None => Ok(()),
        Verify::Github { secrets: names } => hmac::github(&known(secrets, names)?, headers, body),
        Verify::Hmac(scheme) => hmac::verify(scheme, &known(secrets, &scheme.secrets)?, headers, body, now),
        Verify::Bearer { secrets: names } => token::bearer(&known(secrets, names)?, headers),
        Verify::Header { name, secrets: names } => token::header(name, &known(secrets, names)?, headers),
    }
}

/// The values of those names that have one.
fn known<'s>(secrets: &'s Secrets, names: &[SecretName]) -> Result<Vec<&'s Secret>, Denied> {
    let values: Vec<_> = names.iter().filter_map(|name| secrets.get(&name.0)).filter(|secret| !secret.expose().is_empty()).collect();
    if values.is_empty() { Err(Denied::NoSecret) } else { Ok(values) }
}

/// A header's value as text.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, Denied> {
    let value = headers.get(name).ok_or_else(|| Denied::Missing(name.to_owned()))?;
    value.to_str().ok().ok_or_else(|| Denied::Malformed(name.to_owned()))
}

#[cfg(test)]
mod tests;
