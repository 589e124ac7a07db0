//! Secrets in the forms in which services hand them out: read when a workflow is loaded, so that a wrong one
//! is found before the first request, and again when a request is verified.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::domain::secret::Secret;
use crate::domain::workflow::Scheme;

/// Base 64 (RFC 4648, section 4), with or without padding: senders' libraries take both.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));
/// `AlgorithmIdentifier` and the head of the bit string of a P-256 public key (RFC 5480, section 2): the point follows.
const P256_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
    0x07, 0x03, 0x42, 0x00,
];
/// An uncompressed point: its mark and two coordinates.
const P256_POINT_BYTES: usize = 65;
const P256_POINT_MARK: u8 = 4;
const ED25519_KEY_BYTES: usize = 32;

/// How a secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Any text, used as it is.
    Text,
    /// `whsec_` or nothing and base 64, or `whpk_` and the base 64 of an Ed25519 public key (Standard Webhooks, "Signature scheme").
    StandardWebhooks,
    /// `whsec_…`, used as it is (<https://docs.stripe.com/webhooks/signature>).
    Stripe,
    /// The hex of an Ed25519 public key (Discord, "Setting Up an Endpoint").
    Ed25519,
    /// A P-256 public key, the base 64 of its DER or PEM (SendGrid, "Getting started with the Event Webhook security features").
    P256,
}

/// A secret that can be verified with.
#[derive(Clone, PartialEq, Eq)]
pub enum Key<'s> {
    /// Both sides have it.
    Shared(Cow<'s, [u8]>),
    /// A public key of Ed25519.
    Ed25519(Vec<u8>),
    /// A public key of ECDSA over P-256, an uncompressed point.
    P256(Vec<u8>),
}

/// Why a secret cannot be one of its scheme. Shows nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongForm {
    /// What is wrong.
    pub what: &'static str,
    /// What would be right.
    pub right: &'static str,
}

/// The form of a scheme's secrets.
#[must_use]
pub fn form(scheme: &Scheme) -> Form {
    match scheme {
        Scheme::StandardWebhooks | Scheme::Svix => Form::StandardWebhooks,
        Scheme::Stripe => Form::Stripe,
        Scheme::Discord => Form::Ed25519,
        Scheme::Sendgrid => Form::P256,
        Scheme::Github
        | Scheme::Slack
        | Scheme::Twilio { .. }
        | Scheme::Shopify
        | Scheme::Square { .. }
        | Scheme::Hubspot { .. }
        | Scheme::AwsSns { .. }
        | Scheme::Mailgun
        | Scheme::Zoom
        | Scheme::Meta { .. }
        | Scheme::Typeform
        | Scheme::Calendly
        | Scheme::Paypal { .. } => Form::Text,
    }
}

/// Reads a secret.
///
/// # Errors
/// When it has another form.
pub fn read(form: Form, secret: &Secret) -> Result<Key<'_>, WrongForm> {
    let text = secret.expose();
    if text.is_empty() {
        return Err(WrongForm { what: "it is empty", right: "give it a value, or take it out of the workflow" });
    }
    match form {
        Form::Text => Ok(Key::Shared(Cow::Borrowed(text.as_bytes()))),
        Form::StandardWebhooks => standard_webhooks(text.trim()),
        Form::Stripe => stripe(text),
        Form::Ed25519 => {
            let key = hex(text.trim()).filter(|key| key.len() == ED25519_KEY_BYTES);
            let right = "take the Public Key that the Developer Portal shows on the page General Information: 64 hexadecimal digits";
            key.map(Key::Ed25519).ok_or(WrongForm { what: "it is not a public key of Ed25519 in hexadecimal digits", right })
        }
        Form::P256 => p256(text),
    }
}

fn standard_webhooks(text: &str) -> Result<Key<'static>, WrongForm> {
    const RIGHT: &str = "take it as the sender shows it: `whsec_` and base 64 for a shared secret, `whpk_` and base 64 for a public key";
    if text.starts_with("whsk_") {
        let what = "it is a private key, which the sender alone may have";
        return Err(WrongForm { what, right: "take the public key, which begins with `whpk_`" });
    }
    if let Some(key) = text.strip_prefix("whpk_") {
        let key = base64(key).filter(|key| key.len() == ED25519_KEY_BYTES);
        return key.map(Key::Ed25519).ok_or(WrongForm { what: "what stands behind `whpk_` is not the base 64 of 32 bytes", right: RIGHT });
    }
    let secret = base64(text.strip_prefix("whsec_").unwrap_or(text)).filter(|secret| !secret.is_empty());
    let secret = secret.ok_or(WrongForm { what: "it is not base 64", right: RIGHT })?;
    Ok(Key::Shared(Cow::Owned(secret)))
}

fn stripe(text: &str) -> Result<Key<'_>, WrongForm> {
    let right = "take the signing secret of the webhook endpoint, which begins with `whsec_`";
    if ["sk_", "rk_", "pk_"].iter().any(|prefix| text.starts_with(prefix)) {
        return Err(WrongForm { what: "it is a key of the API", right });
    }
    if !text.starts_with("whsec_") {
        return Err(WrongForm { what: "it does not begin with `whsec_`", right });
    }
    Ok(Key::Shared(Cow::Borrowed(text.as_bytes())))
}

fn p256(text: &str) -> Result<Key<'static>, WrongForm> {
    let right = "take the Verification Key of the signed event webhook: the base 64 of a public key, or the same as PEM";
    let wrong = WrongForm { what: "it is not a public key of P-256", right };
    let body = text.replace("-----BEGIN PUBLIC KEY-----", "").replace("-----END PUBLIC KEY-----", "");
    // In a file of one line a secret, line breaks are often written as two characters.
    let body: String = body.replace("\\n", "").split_whitespace().collect();
    let der = base64(&body).ok_or(wrong)?;
    let point = der.strip_prefix(P256_HEAD.as_slice()).ok_or(wrong)?;
    if point.len() != P256_POINT_BYTES || point.first() != Some(&P256_POINT_MARK) {
        return Err(wrong);
    }
    Ok(Key::P256(point.to_vec()))
}

/// Bytes written in base 64.
#[must_use]
pub fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// Bytes written in base 16, either case.
#[must_use]
pub fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: Form, text: &str, expected: Result<Key<'_>, &str>) {
        let secret = Secret::new(text);
        let found = read(form, &secret).map_err(|wrong| wrong.what);
        assert!(found == expected, "{form:?} {text}: {:?}", found.err());
    }

    fn shared(bytes: &[u8]) -> Result<Key<'_>, &'static str> {
        Ok(Key::Shared(Cow::Borrowed(bytes)))
    }

    #[test]
    fn secrets_are_read_in_their_services_forms() {
        check(Form::Text, "It's a Secret", shared(b"It's a Secret"));
        check(Form::Text, "", Err("it is empty"));
        check(Form::StandardWebhooks, "whsec_AQID", shared(&[1, 2, 3]));
        check(Form::StandardWebhooks, "AQID", shared(&[1, 2, 3]));
        check(Form::StandardWebhooks, "whsec_AQI", shared(&[1, 2]));
        check(Form::StandardWebhooks, "whsec_AQI=\n", shared(&[1, 2]));
        check(Form::StandardWebhooks, "whsec_", Err("it is not base 64"));
        check(Form::StandardWebhooks, "whsec_not-base-64", Err("it is not base 64"));
        check(Form::StandardWebhooks, "whsk_AQID", Err("it is a private key, which the sender alone may have"));
        check(Form::StandardWebhooks, "whpk_AQID", Err("what stands behind `whpk_` is not the base 64 of 32 bytes"));
        check(Form::StandardWebhooks, &format!("whpk_{}=", "A".repeat(43)), Ok(Key::Ed25519(vec![0; 32])));
        check(Form::Stripe, "whsec_abc", shared(b"whsec_abc"));
        check(Form::Stripe, "sk_live_abc", Err("it is a key of the API"));
        check(Form::Stripe, "abc", Err("it does not begin with `whsec_`"));
        check(Form::Ed25519, &"0A".repeat(32), Ok(Key::Ed25519(vec![10; 32])));
        for wrong in ["0A", &"0g".repeat(32), &"0".repeat(63), &"é".repeat(32)] {
            check(Form::Ed25519, wrong, Err("it is not a public key of Ed25519 in hexadecimal digits"));
        }
    }

    #[test]
    fn a_public_key_of_p_256_is_der_or_pem() {
        // openssl ecparam -name prime256v1 -genkey | openssl ec -pubout
        let text =
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfFdhhb8zlQDzUYMx4wnVtHBoYzk9EcQ4wMLJuFNPzQgC1yYZC7SC6C5nlmRD2JmKGcYN5K1lIcFpC5VB7yyIvw==";
        let Ok(Key::P256(point)) = read(Form::P256, &Secret::new(text)) else { panic!() };
        assert_eq!((point.len(), point[0], point[1]), (65, 4, 0x7c));
        let (head, tail) = text.split_at(64);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n", head, tail);
        for pem in [pem.clone(), pem.replace('\n', "\\n"), pem.replace('\n', "\r\n")] {
            check(Form::P256, &pem, Ok(Key::P256(point.clone())));
        }
        let rsa = "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK";
        for wrong in ["x", rsa, head, &text.replacen('E', "F", 3)] {
            check(Form::P256, wrong, Err("it is not a public key of P-256"));
        }
    }
}
