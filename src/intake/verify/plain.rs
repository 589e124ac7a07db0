//! HMAC-SHA256 over the body alone, in one header. Nothing in it says when: a repeat is known by `dedupe` alone.

use super::hmac::{decode, shared};
use super::{Denied, Sent, malformed, text};
use crate::domain::workflow::SignatureEncoding;
use crate::workflow::keys::Key;

/// Where a service writes its signature, and how.
pub(super) struct Plain {
    header: &'static str,
    prefix: &'static str,
    encoding: SignatureEncoding,
}

/// <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>, and in the same way Meta:
/// <https://developers.facebook.com/docs/graph-api/webhooks/getting-started>, "Validating Payloads".
pub(super) const GITHUB: Plain = Plain { header: "x-hub-signature-256", prefix: "sha256=", encoding: SignatureEncoding::Hex };
/// <https://shopify.dev/docs/apps/build/webhooks/subscribe/https>, "Validate the origin of your webhook".
pub(super) const SHOPIFY: Plain = Plain { header: "x-shopify-hmac-sha256", prefix: "", encoding: SignatureEncoding::Base64 };
/// <https://www.typeform.com/developers/webhooks/secure-your-webhooks/>
pub(super) const TYPEFORM: Plain = Plain { header: "typeform-signature", prefix: "sha256=", encoding: SignatureEncoding::Base64 };

/// Checks one of them.
pub(super) fn verify(scheme: &Plain, keys: &[Key<'_>], sent: &Sent<'_>) -> Result<(), Denied> {
    let Plain { header, prefix, encoding } = scheme;
    let written = text(sent.headers, header)?.strip_prefix(prefix).ok_or_else(|| malformed(header))?;
    let signature = decode(*encoding, written).ok_or_else(|| malformed(header))?;
    shared(keys, &[&signature], &[sent.body])
}
