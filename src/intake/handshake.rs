//! Questions that services ask before they send, or now and then: answered, and never stored. Where the service signs the question,
//! it is verified first, like everything else.

use http::HeaderMap;
use serde::Deserialize;
use serde_json::json;

use super::limits::Senders;
use super::verify::{Denied, Message, MessageKind, Sent, same_secret, zoom_key};
use super::{Intake, Refusal};
use crate::domain::Value;
use crate::domain::response::Response;
use crate::domain::workflow::{Scheme, SecretName, Signed, Verify};
use crate::workflow::catalog::Route;
use crate::workflow::keys::{Form, Key};

/// The longest text of a question that is sent back.
const ECHO_BYTES: usize = 1_024;
const CONFIRM_LATER: &str = "the subscription could not be confirmed: nothing was stored, send it again later";

impl Intake {
    /// The answer to a question that comes in another way than events do, with GET or OPTIONS; nothing where the request is no question.
    ///
    /// # Errors
    /// When it is one, and whoever asks does not know the word.
    pub fn greet(&self, method: &str, path: &str, query: &str, headers: &HeaderMap) -> Option<Result<Response, Refusal>> {
        match method {
            "OPTIONS" => self.allow_origin(path, headers).map(Ok),
            "GET" => self.meta_challenge(path, query),
            _ => None,
        }
    }

    /// CloudEvents, "HTTP 1.1 Web Hooks for Event Delivery", section 4: may this origin send here? Whoever it is, each of its
    /// events is verified like any other.
    fn allow_origin(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        let origin = headers.get("webhook-request-origin")?.to_str().ok().filter(|origin| origin.len() <= ECHO_BYTES)?;
        let catalog = self.current.get();
        let found = catalog.route(path)?;
        let methods: Vec<&str> = found.route.methods().collect();
        let hooks = methods.iter().flat_map(|method| found.route.hooks(method));
        let rates = hooks.filter_map(|hook| hook.webhook()?.door.rate).chain(self.door.senders.as_ref().map(Senders::rate));
        // Whole requests a minute, or as many as one likes.
        let rate = rates.map(|rate| rate.per_minute()).min().map_or("*".to_owned(), |rate| rate.to_string());
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers =
            vec![header("webhook-allowed-origin", origin), header("webhook-allowed-rate", &rate), header("allow", &methods.join(", "))];
        Some(Response { status: 200, headers, content_type: String::new(), body: String::new() })
    }

    /// <https://developers.facebook.com/docs/graph-api/webhooks/getting-started>, "Verification Requests".
    fn meta_challenge(&self, path: &str, query: &str) -> Option<Result<Response, Refusal>> {
        let catalog = self.current.get();
        let found = catalog.route(path)?;
        let token = verify_token(found.route)?;
        let part = |name: &str| form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let challenge = part("hub.challenge").filter(|challenge| challenge.len() <= ECHO_BYTES)?;
        if part("hub.mode").as_deref() != Some("subscribe") {
            return None;
        }
        let given = part("hub.verify_token").unwrap_or_default();
        let known = self.verifier.known(std::slice::from_ref(token));
        let denied = match known {
            Err(denied) => denied,
            Ok(known) if known.iter().any(|secret| same_secret(secret.expose(), &given)) => return Some(Ok(text(challenge))),
            Ok(_) => Denied::Mismatch,
        };
        Some(Err(super::webhook::unverified(&Verify::None, denied)))
    }

    /// The answer to a verified request that is a question; nothing where it is an event.
    ///
    /// # Errors
    /// When the answer needs another service, and that cannot be reached.
    pub(super) async fn answer_question(&self, verify: &Verify, sent: &Sent<'_>) -> Result<Option<Response>, Refusal> {
        let Verify::Signed(Signed { scheme, secrets }) = verify else { return Ok(None) };
        Ok(match scheme {
            Scheme::Slack => slack(sent),
            Scheme::Zoom => zoom(&self.verifier.keys(secrets, Form::Text).unwrap_or_default(), sent),
            Scheme::Discord => discord(sent),
            Scheme::AwsSns { .. } => Box::pin(self.subscription(sent)).await?,
            Scheme::StandardWebhooks
            | Scheme::Svix
            | Scheme::Stripe
            | Scheme::Github
            | Scheme::Twilio { .. }
            | Scheme::Shopify
            | Scheme::Sendgrid
            | Scheme::Square { .. }
            | Scheme::Hubspot { .. }
            | Scheme::Mailgun
            | Scheme::Meta { .. }
            | Scheme::Typeform
            | Scheme::Calendly
            | Scheme::Paypal { .. } => None,
        })
    }

    /// <https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html>: a subscription counts when its URL was visited.
    async fn subscription(&self, sent: &Sent<'_>) -> Result<Option<Response>, Refusal> {
        let Some(message) = Message::read(sent.body) else { return Ok(None) };
        match message.kind {
            MessageKind::Notification => return Ok(None),
            MessageKind::UnsubscribeConfirmation => {
                tracing::warn!(topic = message.topic(), "an SNS topic says that it will send no more");
            }
            MessageKind::SubscriptionConfirmation => {
                let url = message.confirmation();
                let url = url.ok_or_else(|| super::webhook::unverified(&Verify::None, Denied::ForeignAddress))?;
                if let Err(error) = self.verifier.confirm(url).await {
                    tracing::warn!(topic = message.topic(), error = %error, "the subscription of an SNS topic could not be confirmed");
                    return Err(Refusal::Unfetched(CONFIRM_LATER));
                }
                tracing::info!(topic = message.topic(), "the subscription of an SNS topic is confirmed");
            }
        }
        Ok(Some(text(String::new())))
    }
}

/// The word of the hook at a route that Meta asks with.
fn verify_token(route: &Route) -> Option<&SecretName> {
    let hooks = route.methods().flat_map(|method| route.hooks(method));
    hooks.filter_map(|hook| hook.webhook()).find_map(|webhook| match &webhook.verify {
        Verify::Signed(Signed { scheme: Scheme::Meta { verify_token }, .. }) => Some(verify_token),
        Verify::Signed(_) | Verify::None | Verify::Hmac(_) | Verify::Bearer { .. } | Verify::Basic { .. } | Verify::Header { .. } => None,
    })
}

/// <https://docs.slack.dev/reference/events/url_verification>
fn slack(sent: &Sent<'_>) -> Option<Response> {
    #[derive(Deserialize)]
    struct Question {
        r#type: String,
        challenge: String,
    }
    let Question { r#type, challenge } = serde_json::from_slice(sent.body).ok()?;
    (r#type == "url_verification" && challenge.len() <= ECHO_BYTES).then(|| answer(&json!({"challenge": challenge})))
}

/// <https://developers.zoom.us/docs/api/webhooks/>, "Validate your webhook endpoint".
fn zoom(keys: &[Key<'_>], sent: &Sent<'_>) -> Option<Response> {
    #[derive(Deserialize)]
    struct Question {
        event: String,
        payload: Payload,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Payload {
        plain_token: String,
    }
    let Question { event, payload: Payload { plain_token } } = serde_json::from_slice(sent.body).ok()?;
    if event != "endpoint.url_validation" || ECHO_BYTES < plain_token.len() {
        return None;
    }
    let Key::Shared(secret) = zoom_key(keys, sent)? else { return None };
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let tag = ring::hmac::sign(&key, plain_token.as_bytes());
    let encrypted: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Some(answer(&json!({"plainToken": plain_token, "encryptedToken": encrypted})))
}

/// <https://docs.discord.com/developers/interactions/overview>, "Acknowledging PING requests", and
/// <https://docs.discord.com/developers/events/webhook-events>, "Responding to events": there a PING has the type 0, and 1 is an event.
fn discord(sent: &Sent<'_>) -> Option<Response> {
    #[derive(Deserialize)]
    struct Question {
        r#type: u64,
        event: Option<Value>,
    }
    match serde_json::from_slice(sent.body).ok()? {
        Question { r#type: 1, event: None } => Some(answer(&json!({"type": 1}))),
        Question { r#type: 0, event: None } => {
            Some(Response { status: 204, headers: Vec::new(), content_type: String::new(), body: String::new() })
        }
        Question { .. } => None,
    }
}

fn answer(body: &Value) -> Response {
    Response { status: 200, headers: Vec::new(), content_type: "application/json".to_owned(), body: body.to_string() }
}

fn text(body: String) -> Response {
    Response { status: 200, headers: Vec::new(), content_type: "text/plain; charset=utf-8".to_owned(), body }
}
