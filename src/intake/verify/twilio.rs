//! Twilio signs the URL and what the form says, or the URL with a hash of the body in it:
//! <https://www.twilio.com/docs/usage/webhooks/webhooks-security>.

use std::borrow::Cow;
use std::collections::BTreeSet;

use http::Uri;
use http::header::CONTENT_TYPE;
use ring::{digest, hmac};

use super::hmac::{any_signed, secrets};
use super::token::same;
use super::{Denied, Sent, malformed, text};
use crate::workflow::keys::{Key, base64, hex};

const SIGNATURE: &str = "x-twilio-signature";
/// Names the algorithm where it is not the first one, as in `key=…,algorithm=HMAC_SHA256`.
const SETTINGS: &str = "x-twilio-webhooks-signature-settings";
const BODY_HASH: &str = "bodySHA256";

/// Checks a request to a URL.
pub(super) fn verify(url: &str, keys: &[Key<'_>], sent: &Sent<'_>) -> Result<(), Denied> {
    let signature = base64(text(sent.headers, SIGNATURE)?).ok_or_else(|| malformed(SIGNATURE))?;
    let algorithm = algorithm(sent)?;
    let said = said(url, sent)?;
    // Twilio's own libraries try the URL with the port and without: what it signs is not always the same.
    let matches = ports(url).iter().any(|url| any_signed(algorithm, secrets(keys), &[&signature], &[url.as_bytes(), &said]).is_ok());
    if matches { Ok(()) } else { Err(Denied::MismatchWithUrl) }
}

fn algorithm(sent: &Sent<'_>) -> Result<hmac::Algorithm, Denied> {
    let Some(value) = sent.headers.get(SETTINGS) else { return Ok(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY) };
    let value = value.to_str().ok().ok_or_else(|| malformed(SETTINGS))?;
    let pairs = value.split(',').filter_map(|pair| pair.split_once('='));
    let named = pairs.map(|(name, value)| (name.trim(), value.trim())).find(|(name, _)| *name == "algorithm");
    match named {
        None | Some((_, "HMAC_SHA1" | "")) => Ok(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        Some((_, "HMAC_SHA256")) => Ok(hmac::HMAC_SHA256),
        Some(_) => Err(malformed(SETTINGS)),
    }
}

/// What is signed behind the URL. A body that is neither a form nor hashed in the URL is signed by nobody.
fn said(url: &str, sent: &Sent<'_>) -> Result<Vec<u8>, Denied> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    if let Some((_, hash)) = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == BODY_HASH) {
        let hash = hex(&hash).ok_or(Denied::NoProof("`bodySHA256` in the query"))?;
        let own = digest::digest(&digest::SHA256, sent.body);
        return if same(own.as_ref(), &hash) { Ok(Vec::new()) } else { Err(Denied::Mismatch) };
    }
    if sent.body.is_empty() {
        return Ok(Vec::new());
    }
    let kind = sent.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return Err(Denied::NoProof("`bodySHA256` in the query"));
    }
    // By name, then by value, each pair once, as Twilio's libraries have it.
    let pairs: BTreeSet<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(sent.body).collect();
    Ok(pairs.iter().flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()]).collect::<Vec<_>>().concat())
}

/// The URL as it is, and with the default port of its scheme, or without a port.
fn ports(url: &str) -> Vec<String> {
    let mut urls = vec![url.to_owned()];
    let Ok(uri) = url.parse::<Uri>() else { return urls };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return urls };
    let host = match authority.port() {
        Some(_) => authority.as_str().rsplit_once(':').map_or(authority.as_str(), |(host, _)| host).to_owned(),
        None => format!("{}:{}", authority.as_str(), if scheme == "https" { 443 } else { 80 }),
    };
    urls.extend(url.strip_prefix(&format!("{scheme}://{authority}")).map(|rest| format!("{scheme}://{host}{rest}")));
    urls
}
