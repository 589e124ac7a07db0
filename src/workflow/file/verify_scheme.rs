//! `verify: {scheme: …}`: the services' own schemes, and what each needs beside a secret.

use std::sync::Arc;

use super::read::{list, text};
use super::verify::{Verified, names, read_secrets, secret};
use super::{At, Fields, Report};
use crate::domain::workflow::{Scheme, SecretName, Signed, Verify};
use crate::workflow::problem::codes;
use crate::workflow::words;
use crate::workflow::yaml::{Entry, Kind, Node};

/// Every scheme there is.
pub(crate) const SCHEMES: [&str; 18] = [
    "standard-webhooks",
    "svix",
    "stripe",
    "github",
    "slack",
    "twilio",
    "shopify",
    "sendgrid",
    "square",
    "discord",
    "hubspot",
    "aws-sns",
    "mailgun",
    "zoom",
    "meta",
    "typeform",
    "calendly",
    "paypal",
];
/// Those that sign the URL: they take `url`.
pub(crate) const WITH_URL: [&str; 3] = ["twilio", "square", "hubspot"];
/// Those whose service publishes certificates: they take no secret.
pub(crate) const WITHOUT_SECRET: [&str; 2] = ["aws-sns", "paypal"];
/// The keys that only some schemes take, and which those are.
pub(crate) const KEYS: [(&str, &[&str]); 4] =
    [("url", &WITH_URL), ("topics", &["aws-sns"]), ("webhook_id", &["paypal"]), ("verify_token", &["meta"])];
/// The most topics one webhook may hear.
pub(crate) const TOPICS: usize = 32;
/// The longest URL, topic or id.
const TEXT_BYTES: usize = 2_048;

/// Reads `scheme` and the keys beside it.
pub(super) fn read(entry: &Entry, fields: &mut Fields<'_>, report: &mut Report) -> Option<Verified> {
    let written = text(&entry.value, "scheme", report)?;
    let Some(name) = SCHEMES.into_iter().find(|scheme| *scheme == &*written.value) else {
        let message = format!("`{}` is not a signature scheme", written.value);
        report.error(codes::UNKNOWN_SCHEME, written.span, message, words::suggest(&written.value, &SCHEMES));
        // Its keys are those of the scheme that was meant.
        for key in ["secret", "secrets"].into_iter().chain(KEYS.map(|(key, _)| key)) {
            fields.entry(key);
        }
        return None;
    };
    for (key, _) in KEYS.iter().filter(|(_, schemes)| !schemes.contains(&name)) {
        refuse(name, key, "take it out", fields, report);
    }
    let mut secrets = Vec::new();
    if WITHOUT_SECRET.contains(&name) {
        let help = "take it out: what this service sends is checked with the certificate that it publishes";
        ["secret", "secrets"].into_iter().for_each(|key| refuse(name, key, help, fields, report));
    } else {
        secrets = read_secrets(fields, report)?;
    }
    let signing = names(&secrets);
    let scheme = scheme(name, fields, &mut secrets, report)?;
    Some(Verified { verify: Verify::Signed(Signed { scheme, secrets: signing }), secrets, span: written.span })
}

fn refuse(scheme: &str, key: &'static str, help: &str, fields: &mut Fields<'_>, report: &mut Report) {
    if let Some(entry) = fields.entry(key) {
        report.error(codes::UNKNOWN_KEY, entry.span, format!("the scheme `{scheme}` has no `{key}`"), help);
    }
}

fn scheme(name: &str, fields: &mut Fields<'_>, secrets: &mut Vec<At<SecretName>>, report: &mut Report) -> Option<Scheme> {
    let mut url = || match fields.optional("url") {
        Some(node) => read_url(node, report).map(Some),
        None => Some(None),
    };
    Some(match name {
        "standard-webhooks" => Scheme::StandardWebhooks,
        "svix" => Scheme::Svix,
        "stripe" => Scheme::Stripe,
        "github" => Scheme::Github,
        "slack" => Scheme::Slack,
        "twilio" => Scheme::Twilio { url: url()? },
        "shopify" => Scheme::Shopify,
        "sendgrid" => Scheme::Sendgrid,
        "square" => Scheme::Square { url: url()? },
        "discord" => Scheme::Discord,
        "hubspot" => Scheme::Hubspot { url: url()? },
        "aws-sns" => Scheme::AwsSns { topics: read_topics(fields, report)? },
        "mailgun" => Scheme::Mailgun,
        "zoom" => Scheme::Zoom,
        "meta" => {
            let help = "add `verify_token: NAME`, a secret of your own that you also enter at Meta";
            let token = required(name, fields, "verify_token", help, report)?;
            let token = secret(token, report)?;
            let verify_token = token.value.clone();
            secrets.push(token);
            Scheme::Meta { verify_token }
        }
        "typeform" => Scheme::Typeform,
        "calendly" => Scheme::Calendly,
        "paypal" => {
            let help = "add `webhook_id: 8PT597110X687430LKGECATA`, as PayPal shows it beside the webhook; it is a part of what is signed";
            let node = required(name, fields, "webhook_id", help, report)?;
            Scheme::Paypal { webhook_id: bounded(node, "webhook_id", report)? }
        }
        _ => return None,
    })
}

fn required<'n>(scheme: &str, fields: &mut Fields<'n>, key: &'static str, help: &str, report: &mut Report) -> Option<&'n Node> {
    let found = fields.optional(key);
    if found.is_none() {
        report.error(codes::MISSING_KEY, fields.span(), format!("the scheme `{scheme}` needs `{key}`"), help);
    }
    found
}

fn bounded(node: &Node, key: &str, report: &mut Report) -> Option<Arc<str>> {
    let found = text(node, key, report)?;
    if found.value.is_empty() || TEXT_BYTES < found.value.len() {
        let message = format!("`{key}` has {} bytes; it takes from 1 to {TEXT_BYTES}", found.value.len());
        report.error(codes::BAD_VALUE, found.span, message, format!("write `{key}: …` as the service shows it"));
        return None;
    }
    Some(found.value)
}

/// The URL that is set at the sender, to the letter.
fn read_url(node: &Node, report: &mut Report) -> Option<Arc<str>> {
    let url = bounded(node, "url", report)?;
    let uri = url.parse::<http::Uri>().ok();
    let is_whole = uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some());
    if !is_whole || url.contains('#') {
        let help = "write the whole URL as it is set at the sender, without a fragment: `url: https://hence.example.com/hooks/leads`";
        report.error(codes::BAD_VALUE, node.span, format!("`{url}` cannot be `url`"), help);
        return None;
    }
    Some(url)
}

fn read_topics(fields: &mut Fields<'_>, report: &mut Report) -> Option<Vec<Arc<str>>> {
    const EXAMPLE: &str = "arn:aws:sns:eu-central-1:123456789012:orders";
    let help = format!("add `topics: [\"{EXAMPLE}\"]`: anybody with an AWS account can send signed messages from a topic of his own");
    let node = required("aws-sns", fields, "topics", &help, report)?;
    let items = if node.kind == Kind::Text { std::slice::from_ref(node) } else { list(node, "topics", report)? };
    if items.is_empty() || TOPICS < items.len() {
        let message = format!("`topics` has {} entries; it takes from 1 to {TOPICS}", items.len());
        report.error(codes::BAD_VALUE, node.span, message, format!("write `topics: [\"{EXAMPLE}\"]`"));
        return None;
    }
    items.iter().map(|item| read_topic(item, report)).collect()
}

/// `arn:PARTITION:sns:REGION:ACCOUNT:NAME`.
fn read_topic(node: &Node, report: &mut Report) -> Option<Arc<str>> {
    let arn = bounded(node, "topics", report)?;
    let parts: Vec<&str> = arn.split(':').collect();
    if !matches!(parts.as_slice(), ["arn", _, "sns", region, account, name] if ![region, account, name].iter().any(|part| part.is_empty()))
    {
        let help = "write it as AWS shows it, as in `arn:aws:sns:eu-central-1:123456789012:orders`";
        report.error(codes::BAD_VALUE, node.span, format!("`{arn}` is not the ARN of an SNS topic"), help);
        return None;
    }
    Some(arn)
}
