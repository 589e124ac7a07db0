//! Parts of a workflow in a person's words. They are also what is compared, so equal parts have equal words.

use std::time::Duration;

use ring::digest::{SHA256, digest as hash};

use crate::domain::retry::Retry;
use crate::domain::schedule::{CatchUp, Rule};
use crate::domain::time::format_duration;
use crate::domain::workflow::{Hmac, HmacAlgorithm, Scheme, SignatureEncoding, Signed, SignedPart, Verify};
use crate::workflow::lint::mask;

/// A longer text is not shown.
const SHOWN_CHARS: usize = 200;
/// Bytes of a hash that are shown: enough to tell two texts apart.
const DIGEST_BYTES: usize = 8;
/// What a digest begins with.
const DIGEST: &str = "sha256:";
/// `verify` of a route that anybody may call.
pub(super) const UNVERIFIED: &str = "none";

/// A text of any length in a few characters.
#[must_use]
pub fn digest(text: &str) -> String {
    let hash = hash(&SHA256, text.as_bytes());
    let hex: String = hash.as_ref().iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect();
    format!("{DIGEST}{hex}")
}

/// Whether a text stands for another one.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.starts_with(DIGEST)
}

/// A text as it is, if it is short and has one line.
pub(super) fn brief(text: &str) -> String {
    let text = text.trim();
    if text.contains('\n') || SHOWN_CHARS < text.chars().count() { digest(text) } else { mask(text) }
}

/// `1h30m`
pub fn duration(span: Duration) -> String {
    format_duration(span)
}

/// `6 attempts, 2s × 2 up to 10m`
pub(super) fn retry(retry: &Retry) -> String {
    let Retry { attempts, first, factor, max } = retry;
    match attempts {
        1 => "1 attempt".to_owned(),
        more => format!("{more} attempts, {} × {factor} up to {}", duration(*first), duration(*max)),
    }
}

/// `cron 0 9 * * MON-FRI`
pub(super) fn rule(rule: &Rule) -> String {
    match rule {
        Rule::Cron(cron) => format!("cron {}", cron.text),
        Rule::Every(period) => format!("every {}", duration(*period)),
        Rule::At(at) => format!("at {at}"),
    }
}

pub(super) fn catch_up(catch_up: CatchUp) -> &'static str {
    match catch_up {
        CatchUp::None => "none",
        CatchUp::Last => "last",
        CatchUp::All => "all",
    }
}

/// How a sender is known; by which secrets is said apart.
pub(super) fn verify(verify: &Verify) -> String {
    match verify {
        Verify::None => UNVERIFIED.to_owned(),
        Verify::Bearer { secrets: _ } => verify.word().to_owned(),
        Verify::Signed(Signed { scheme, secrets: _ }) => self::scheme(scheme),
        Verify::Hmac(hmac) => self::hmac(hmac),
        Verify::Basic { user, secrets: _ } => format!("basic as {user}"),
        Verify::Header { name, secrets: _ } => format!("header {name}"),
    }
}

fn scheme(scheme: &Scheme) -> String {
    let more = match scheme {
        Scheme::Twilio { url } | Scheme::Square { url } | Scheme::Hubspot { url } => {
            url.as_ref().map(|url| format!(" for {}", brief(url))).unwrap_or_default()
        }
        Scheme::AwsSns { topics } => format!(" from {}", topics.join(", ")),
        Scheme::Paypal { webhook_id } => format!(" for the webhook {webhook_id}"),
        Scheme::Meta { verify_token } => format!(" with the verify token {}", verify_token.0),
        Scheme::StandardWebhooks
        | Scheme::Svix
        | Scheme::Stripe
        | Scheme::Github
        | Scheme::Slack
        | Scheme::Shopify
        | Scheme::Sendgrid
        | Scheme::Discord
        | Scheme::Mailgun
        | Scheme::Zoom
        | Scheme::Typeform
        | Scheme::Calendly => String::new(),
    };
    format!("{}{more}", scheme.name())
}

fn hmac(hmac: &Hmac) -> String {
    let Hmac { algorithm, header, encoding, prefix, signs, timestamp_header, tolerance, secrets: _ } = hmac;
    let algorithm = match algorithm {
        HmacAlgorithm::Sha1 => "sha1",
        HmacAlgorithm::Sha256 => "sha256",
        HmacAlgorithm::Sha512 => "sha512",
    };
    let encoding = match encoding {
        SignatureEncoding::Hex => "hex",
        SignatureEncoding::Base64 => "base64",
    };
    let signs: String = signs
        .iter()
        .map(|part| match part {
            SignedPart::Text(text) => text,
            SignedPart::Body => "${body}",
            SignedPart::Timestamp => "${timestamp}",
        })
        .collect();
    let prefix = if prefix.is_empty() { String::new() } else { format!(" after `{prefix}`") };
    let time = timestamp_header.as_ref().map(|header| format!(", {header} within {}", duration(*tolerance))).unwrap_or_default();
    format!("hmac {algorithm} {encoding} in {header}{prefix} of `{signs}`{time}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::parse_duration;
    use crate::domain::workflow::SecretName;

    #[test]
    fn durations_read_as_they_are_written() {
        for text in ["250ms", "10s", "5m", "1h30m", "7d", "1d1h1m1s1ms", "0s"] {
            assert_eq!(parse_duration(text).map(duration).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_scheme_says_what_it_is_checked_against() {
        let check = |scheme: Scheme, expected: &str| {
            assert_eq!(verify(&Verify::Signed(Signed { scheme, secrets: Vec::new() })), expected);
        };
        check(Scheme::Stripe, "stripe");
        check(Scheme::Twilio { url: None }, "twilio");
        check(Scheme::Square { url: Some("https://a.test/b".into()) }, "square for https://a.test/b");
        check(Scheme::AwsSns { topics: vec!["arn:a".into(), "arn:b".into()] }, "aws-sns from arn:a, arn:b");
        check(Scheme::Paypal { webhook_id: "8PT".into() }, "paypal for the webhook 8PT");
        check(Scheme::Meta { verify_token: SecretName("TOKEN".into()) }, "meta with the verify token TOKEN");
        assert_eq!(verify(&Verify::Basic { user: "hooks".into(), secrets: Vec::new() }), "basic as hooks");
    }

    #[test]
    fn a_long_text_or_one_of_several_lines_is_a_digest() {
        assert_eq!(brief(" event.body.a > 1 "), "event.body.a > 1");
        assert!(brief("a\nb").starts_with("sha256:"));
        assert!(brief(&"x".repeat(SHOWN_CHARS + 1)).starts_with("sha256:"));
        assert_eq!(digest(""), "sha256:e3b0c44298fc1c14");
    }

    #[test]
    fn a_key_in_the_open_is_not_shown() {
        assert_eq!(brief("event.body.t == \"AKIA0123456789ABCDEF\""), format!("event.body.t == \"AKIA{}\"", "*".repeat(16)));
    }
}
