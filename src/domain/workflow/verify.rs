//! How a webhook's sender is known.

use std::sync::Arc;
use std::time::Duration;

/// The name of a secret, as in `secrets.NAME`. Never its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(pub Arc<str>);

/// How a webhook's sender is known.
#[derive(Debug, Clone, PartialEq)]
pub enum Verify {
    /// Not at all; said out loud wherever the hook is shown.
    None,
    /// As a service signs what it sends.
    Signed(Signed),
    /// A signature header of another shape.
    Hmac(Hmac),
    /// `Authorization: Bearer …`.
    Bearer {
        /// Any of these.
        secrets: Vec<SecretName>,
    },
    /// `Authorization: Basic …`.
    Basic {
        /// The user's name.
        user: Arc<str>,
        /// Any of these is the password.
        secrets: Vec<SecretName>,
    },
    /// A header with a fixed secret value.
    Header {
        /// The header's name, in lower case.
        name: Arc<str>,
        /// Any of these.
        secrets: Vec<SecretName>,
    },
}

impl Verify {
    /// Every secret that it names.
    #[must_use]
    pub fn secrets(&self) -> Vec<&SecretName> {
        match self {
            Self::None => Vec::new(),
            Self::Signed(Signed { scheme, secrets }) => secrets.iter().chain(scheme.token()).collect(),
            Self::Hmac(hmac) => hmac.secrets.iter().collect(),
            Self::Bearer { secrets } | Self::Basic { user: _, secrets } | Self::Header { name: _, secrets } => secrets.iter().collect(),
        }
    }

    /// Its kind in one word: that of the scheme, if it has one.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Signed(signed) => signed.scheme.name(),
            Self::Hmac(_) => "hmac",
            Self::Bearer { .. } => "bearer",
            Self::Basic { .. } => "basic",
            Self::Header { .. } => "header",
        }
    }
}

/// A service's own way to sign, and what it is checked with.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// Whose.
    pub scheme: Scheme,
    /// Any of these may have signed: shared secrets or public keys. Empty where the service publishes certificates.
    pub secrets: Vec<SecretName>,
}

/// How a service signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// The Standard Webhooks specification.
    StandardWebhooks,
    /// The same with headers of its own.
    Svix,
    /// Stripe.
    Stripe,
    /// GitHub.
    Github,
    /// Slack.
    Slack,
    /// Twilio, which signs the URL.
    Twilio {
        /// Set at the sender; nothing means `public_url` and the path.
        url: Option<Arc<str>>,
    },
    /// Shopify.
    Shopify,
    /// SendGrid's event webhook.
    Sendgrid,
    /// Square, which signs the URL.
    Square {
        /// Set at the sender; nothing means `public_url` and the path.
        url: Option<Arc<str>>,
    },
    /// Discord.
    Discord,
    /// HubSpot, version 3, which signs the URL.
    Hubspot {
        /// Set at the sender; nothing means `public_url` and the path.
        url: Option<Arc<str>>,
    },
    /// Amazon SNS.
    AwsSns {
        /// Anybody can have a topic of his own send here: only these are heard.
        topics: Vec<Arc<str>>,
    },
    /// Mailgun.
    Mailgun,
    /// Zoom.
    Zoom,
    /// Facebook, Instagram, WhatsApp.
    Meta {
        /// What its first request brings to be let in.
        verify_token: SecretName,
    },
    /// Typeform.
    Typeform,
    /// Calendly.
    Calendly,
    /// PayPal.
    Paypal {
        /// A part of what is signed.
        webhook_id: Arc<str>,
    },
}

impl Scheme {
    /// As a workflow names it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::StandardWebhooks => "standard-webhooks",
            Self::Svix => "svix",
            Self::Stripe => "stripe",
            Self::Github => "github",
            Self::Slack => "slack",
            Self::Twilio { .. } => "twilio",
            Self::Shopify => "shopify",
            Self::Sendgrid => "sendgrid",
            Self::Square { .. } => "square",
            Self::Discord => "discord",
            Self::Hubspot { .. } => "hubspot",
            Self::AwsSns { .. } => "aws-sns",
            Self::Mailgun => "mailgun",
            Self::Zoom => "zoom",
            Self::Meta { .. } => "meta",
            Self::Typeform => "typeform",
            Self::Calendly => "calendly",
            Self::Paypal { .. } => "paypal",
        }
    }

    /// The URL as the sender knows it, of a scheme that signs it: nothing inside means `public_url` and the path.
    #[must_use]
    pub fn url(&self) -> Option<Option<&Arc<str>>> {
        if let Self::Twilio { url } | Self::Square { url } | Self::Hubspot { url } = self { Some(url.as_ref()) } else { None }
    }

    /// The secret of its first request, where that is one of its own.
    fn token(&self) -> Option<&SecretName> {
        if let Self::Meta { verify_token } = self { Some(verify_token) } else { None }
    }
}

/// A keyed hash of the request in a header.
#[derive(Debug, Clone, PartialEq)]
pub struct Hmac {
    /// Which hash.
    pub algorithm: HmacAlgorithm,
    /// The header that holds the signature, in lower case.
    pub header: Arc<str>,
    /// How the signature is written.
    pub encoding: SignatureEncoding,
    /// What stands before the signature in the header.
    pub prefix: Arc<str>,
    /// What is signed: literal text, the body and the timestamp, in this order.
    pub signs: Vec<SignedPart>,
    /// The header that holds the timestamp (Unix seconds), in lower case.
    pub timestamp_header: Option<Arc<str>>,
    /// How far the timestamp may be from now, in both directions.
    pub tolerance: Duration,
    /// Any of these may have signed.
    pub secrets: Vec<SecretName>,
}

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// Only for senders that offer nothing better.
    Sha1,
    /// The usual one.
    Sha256,
    /// The long one.
    Sha512,
}

/// How signature bytes are written in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureEncoding {
    /// Base 16, either case.
    Hex,
    /// Standard base 64 with padding.
    Base64,
}

/// A part of what an HMAC signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedPart {
    /// These characters.
    Text(Arc<str>),
    /// The raw body.
    Body,
    /// The timestamp header's value, as sent.
    Timestamp,
}
