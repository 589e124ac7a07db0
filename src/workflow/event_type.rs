//! `event.type` of what arrives at a hook: the sender's own word, where the scheme says where that stands.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::file::read::EVENT_TYPE_BYTES;
use crate::domain::workflow::{Scheme, Signed, Verify};

/// Of a batch whose events have several types.
const MIXED: &str = "mixed";

/// The places in a body at which services say what it is. All else is passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body<'b> {
    #[serde(borrow, rename = "type")]
    kind: Word<'b>,
    #[serde(borrow)]
    event: Inner<'b>,
    #[serde(borrow, rename = "event-data")]
    event_data: Option<Data<'b>>,
    #[serde(borrow)]
    event_type: Word<'b>,
    #[serde(borrow)]
    object: Word<'b>,
}

/// What stands under `event`: the type itself, or a map with it.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Inner<'b> {
    Map {
        #[serde(borrow, rename = "type")]
        kind: Word<'b>,
    },
    Word(#[serde(borrow)] Word<'b>),
    #[default]
    None,
}

#[derive(Deserialize)]
struct Data<'b> {
    #[serde(borrow, default)]
    event: Word<'b>,
}

/// One event of a batch.
#[derive(Deserialize)]
struct Item<'b> {
    #[serde(borrow, default)]
    event: Word<'b>,
    #[serde(borrow, default, rename = "subscriptionType")]
    subscription_type: Word<'b>,
}

/// A text or a number; anything else says nothing.
#[derive(Deserialize)]
#[serde(untagged)]
enum Word<'b> {
    Text(#[serde(borrow)] Cow<'b, str>),
    Number(u64),
    Other(IgnoredAny),
}

impl Default for Word<'_> {
    fn default() -> Self {
        Self::Other(IgnoredAny)
    }
}

impl<'b> Word<'b> {
    fn text(self) -> Option<Cow<'b, str>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// The type of an event, as its sender says it; nothing where the scheme has none, or it is no word.
pub fn event_type<'h>(verify: &Verify, header: impl Fn(&str) -> Option<&'h str>, body: &[u8]) -> Option<String> {
    let Verify::Signed(Signed { scheme, .. }) = verify else { return None };
    let named = |name: &str| header(name).map(|value| Cow::Owned(value.to_owned()));
    let found: Option<Cow<'_, str>> = match scheme {
        Scheme::Github => named("x-github-event"),
        Scheme::Shopify => named("x-shopify-topic"),
        Scheme::AwsSns { .. } => named("x-amz-sns-message-type").or_else(|| read(body)?.kind.text()),
        Scheme::StandardWebhooks | Scheme::Svix | Scheme::Stripe | Scheme::Square { .. } => read(body)?.kind.text(),
        Scheme::Slack => slack(body),
        Scheme::Discord => discord(body),
        Scheme::Mailgun => read(body)?.event_data?.event.text(),
        Scheme::Zoom | Scheme::Calendly => match read(body)?.event {
            Inner::Word(word) => word.text(),
            Inner::Map { .. } | Inner::None => None,
        },
        Scheme::Meta { .. } => read(body)?.object.text(),
        Scheme::Typeform | Scheme::Paypal { .. } => read(body)?.event_type.text(),
        Scheme::Sendgrid => common(body, |item| item.event),
        Scheme::Hubspot { .. } => common(body, |item| item.subscription_type),
        Scheme::Twilio { .. } => None,
    };
    found.map(Cow::into_owned).filter(|kind| is_word(kind))
}

/// It is shown in lists and compared in conditions: a text of any length would be no type.
fn is_word(kind: &str) -> bool {
    !kind.is_empty() && kind.len() <= EVENT_TYPE_BYTES && !kind.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn read(body: &[u8]) -> Option<Body<'_>> {
    serde_json::from_slice(body).ok()
}

/// The Events API puts the event inside (`event_callback`); commands and interactions are forms.
fn slack(body: &[u8]) -> Option<Cow<'_, str>> {
    if let Some(Body { kind, event, .. }) = read(body) {
        return match event {
            Inner::Map { kind: inner } => inner.text().or(kind.text()),
            Inner::Word(_) | Inner::None => kind.text(),
        };
    }
    let mut pairs = form_urlencoded::parse(body);
    pairs.find_map(|(key, value)| match &*key {
        "command" => Some(Cow::Borrowed("slash_command")),
        "payload" => read(value.as_bytes())?.kind.text().map(|kind| Cow::Owned(kind.into_owned())),
        _ => None,
    })
}

/// Webhook events have a word inside, interactions a number (Discord, "Interaction Type").
fn discord(body: &[u8]) -> Option<Cow<'_, str>> {
    let Body { kind, event, .. } = read(body)?;
    if let Inner::Map { kind } = event {
        return kind.text();
    }
    let Word::Number(number) = kind else { return None };
    let word = match number {
        2 => "application_command",
        3 => "message_component",
        4 => "application_command_autocomplete",
        5 => "modal_submit",
        _ => return None,
    };
    Some(Cow::Borrowed(word))
}

/// The type of all events of a batch.
fn common<'b>(body: &'b [u8], kind: impl Fn(Item<'b>) -> Word<'b>) -> Option<Cow<'b, str>> {
    let items: Vec<Item<'b>> = serde_json::from_slice(body).ok()?;
    let mut kinds = items.into_iter().map(|item| kind(item).text());
    let first = kinds.next()??;
    Some(if kinds.all(|kind| kind.as_ref() == Some(&first)) { first } else { Cow::Borrowed(MIXED) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_says_what_it_sends() {
        let check = |scheme: Scheme, body: &str, expected: Option<&str>| {
            let verify = Verify::Signed(Signed { scheme: scheme.clone(), secrets: Vec::new() });
            let header = |name: &str| (name == "x-github-event" || name == "x-shopify-topic").then_some("orders/paid");
            assert_eq!(event_type(&verify, header, body.as_bytes()).as_deref(), expected, "{scheme:?} {body}");
        };
        check(Scheme::Github, "{", Some("orders/paid"));
        check(Scheme::Shopify, "{}", Some("orders/paid"));
        check(
            Scheme::Stripe,
            r#"{"id": "evt_1", "object": "event", "type": "charge.failed", "data": {"type": "x"}}"#,
            Some("charge.failed"),
        );
        check(Scheme::Stripe, r#"{"type": {"a": 1}}"#, None);
        check(Scheme::Stripe, r#"{"type": "a b"}"#, None);
        check(Scheme::Stripe, &format!(r#"{{"type": "{}"}}"#, "x".repeat(101)), None);
        check(Scheme::Svix, r#"{"type": "caf\u00e9.opened"}"#, Some("café.opened"));
        check(Scheme::StandardWebhooks, "[]", None);
        check(Scheme::StandardWebhooks, "\u{1}", None);
        check(Scheme::Slack, r#"{"type": "event_callback", "event": {"type": "app_mention"}}"#, Some("app_mention"));
        check(Scheme::Slack, r#"{"type": "app_rate_limited"}"#, Some("app_rate_limited"));
        check(Scheme::Slack, "token=a&command=%2Fdeploy", Some("slash_command"));
        check(Scheme::Slack, "payload=%7B%22type%22%3A%22block_actions%22%7D", Some("block_actions"));
        check(Scheme::Zoom, r#"{"event": "meeting.started"}"#, Some("meeting.started"));
        check(Scheme::Calendly, r#"{"event": "invitee.created", "payload": {}}"#, Some("invitee.created"));
        check(Scheme::Mailgun, r#"{"signature": {}, "event-data": {"event": "opened"}}"#, Some("opened"));
        check(Scheme::Mailgun, r#"{"event-data": 1}"#, None);
        check(Scheme::Typeform, r#"{"event_type": "form_response"}"#, Some("form_response"));
        check(Scheme::Paypal { webhook_id: "a".into() }, r#"{"event_type": "PAYMENT.SALE.COMPLETED"}"#, Some("PAYMENT.SALE.COMPLETED"));
        check(Scheme::Sendgrid, r#"[{"event": "open"}, {"event": "open"}]"#, Some("open"));
        check(Scheme::Sendgrid, r#"[{"event": "open"}, {"event": "click"}]"#, Some("mixed"));
        check(Scheme::Sendgrid, "[]", None);
        check(Scheme::Hubspot { url: None }, r#"[{"subscriptionType": "contact.creation"}]"#, Some("contact.creation"));
        check(Scheme::Discord, r#"{"type": 2}"#, Some("application_command"));
        check(Scheme::Discord, r#"{"type": 1, "event": {"type": "ENTITLEMENT_CREATE"}}"#, Some("ENTITLEMENT_CREATE"));
        check(Scheme::Twilio { url: None }, "{}", None);
    }
}
