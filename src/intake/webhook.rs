//! `POST /hooks/…`: which hook, who sent it, and the event it is.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};

use super::admission::{Admitted, Counted};
use super::cloudevents::{self, CloudEvent, Message};
use super::form::Unpacked;
use super::limits::Left;
use super::verify::{Denied, Once, Sent};
use super::{Arrival, Dedupe, Intake, Received, Refusal, Stored, Taken, Target, dedupe_key};
use crate::domain::door::{Door, Rate};
use crate::domain::event::{EventHead, Source};
use crate::domain::workflow::{Scheme, Signed, Trigger, Verify, Webhook};
use crate::workflow::event_type::event_type;
use crate::workflow::matching::{self, NoHook};

/// Headers that carry credentials: never stored, never in `event.headers`.
const CREDENTIALS: [header::HeaderName; 3] = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE];

/// A hook that was found for a request, before its body is read.
#[derive(Debug)]
pub struct Hook {
    targets: Vec<Target>,
    used: Option<Arc<AtomicU64>>,
    method: String,
    path: String,
    params: Vec<(String, String)>,
    /// The largest body it takes.
    pub body_limit_bytes: usize,
}

impl Hook {
    /// Its path, as a workflow writes it.
    #[must_use]
    pub fn name(&self) -> Option<Arc<str>> {
        self.webhook().map(|hook| Arc::clone(&hook.path))
    }

    /// Who may come in. Hooks on one path and method say the same: the catalog sees to that.
    #[must_use]
    pub fn door(&self) -> Option<&Door> {
        self.webhook().map(|hook| &hook.door)
    }

    /// Its rate, and what has been used of it.
    pub(super) fn rate(&self) -> Option<(&Rate, &AtomicU64)> {
        self.door()?.rate.as_ref().zip(self.used.as_deref())
    }

    /// How its senders are known. Hooks on one path and method verify alike: the catalog sees to that.
    pub(super) fn verify(&self) -> &Verify {
        self.webhook().map_or(&Verify::None, |hook| &hook.verify)
    }

    fn webhook(&self) -> Option<&Webhook> {
        self.targets.iter().find_map(webhook)
    }
}

impl Intake {
    /// Finds the hook for a path below `/hooks/` and a method.
    ///
    /// # Errors
    /// When there is none.
    pub fn hook(&self, method: &str, path: &str) -> Result<Hook, Refusal> {
        let catalog = self.current.get();
        let found = matching::route(&catalog, method, path).map_err(|none| match none {
            NoHook::Path => Refusal::NoHook(path.to_owned()),
            NoHook::Method(allowed) => Refusal::Method { method: method.to_owned(), allowed },
        })?;
        let hooks = found.route.hooks(method);
        // Each workflow names the parts of the path as it likes: the event has the names of all.
        let mut params: Vec<(String, String)> = hooks.iter().flat_map(|hook| found.params(hook)).collect();
        params.sort_unstable();
        params.dedup();
        let targets: Vec<Target> = hooks.iter().map(|hook| Target { loaded: Arc::clone(&hook.loaded), trigger: hook.trigger }).collect();
        let limits = targets.iter().filter_map(webhook).filter_map(|hook| hook.body_limit_bytes);
        let body_limit_bytes = limits.max().unwrap_or(self.body_limit_bytes);
        let used = hooks.first().map(|hook| Arc::clone(&hook.used));
        Ok(Hook { targets, used, method: method.to_owned(), path: path.to_owned(), params, body_limit_bytes })
    }

    /// Verifies a request to a hook and takes it in. Durable on return. `target` is path and query as they were sent. Says what the hook
    /// still takes, where it has a rate.
    ///
    /// # Errors
    /// When it cannot be verified, cannot be read, or the store would not take it. Nothing is stored then.
    pub async fn receive(
        &self,
        mut admitted: Admitted,
        target: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<(Taken, Option<Left>), Refusal> {
        let method = std::mem::take(&mut admitted.hook.method);
        let mut unpacked = Unpacked::of_stranger(admitted.hook.verify(), headers, &body).await?;
        let (seen, proven) = unpacked.as_ref().map_or((headers, &body), |unpacked| (&unpacked.headers, &unpacked.texts));
        let sent = Sent { method: &method, target, headers: seen, body: proven, now: self.clock.now() };
        let (mut hook, Counted { verified, left }) = self.verified(admitted, &sent).await?;
        let scheme = hook.verify();
        if let Some(coding) = headers.get(header::CONTENT_ENCODING).filter(|coding| !coding.is_empty() && *coding != "identity") {
            let coding = String::from_utf8_lossy(coding.as_bytes());
            return Err(Refusal::Unsupported(format!("the body is compressed (`{coding}`), and is not unpacked here: send it as it is")));
        }
        if let Some(answer) = self.answer_question(scheme, &sent).await? {
            return Ok((Taken::Question(answer), left));
        }
        if unpacked.is_none() {
            unpacked = Unpacked::of(headers, &body).await?;
        }
        let (headers, body) = unpacked.as_ref().map_or((headers, body), |unpacked| (&unpacked.headers, unpacked.texts.clone()));
        let (mut common, message) = self.read(scheme, target, headers, &body)?;
        (common.method, common.path, common.params) = (method, std::mem::take(&mut hook.path), std::mem::take(&mut hook.params));
        let arrival = match message {
            Message::Plain => {
                let written = hook.name().unwrap_or_default();
                let dedupe = match verified.once {
                    None => Dedupe::Hook,
                    Some(Once { token, until }) => Dedupe::HookAnd(dedupe_key(&["once", &written, &token], until)),
                };
                Arrival { head: common, body, dedupe, cursor: None, topic: None }
            }
            Message::One(event) => cloud_arrival(common, event),
            Message::Batch(events) => {
                let left = self.admit_batch(&hook, events.len(), &common)?;
                let named = |head: EventHead| EventHead { id: self.ids.event(head.received), ..head };
                let arrivals = events.into_iter().map(|event| cloud_arrival(named(common.clone()), event)).collect();
                return self.take_in_all(arrivals, &hook.targets).await.map(|receipts| (Taken::Batch(receipts), left));
            }
        };
        let Stored { receipt, event, caller } = match unpacked {
            None => self.take_in(arrival, &hook.targets).await?,
            Some(unpacked) => self.take_in_unpacked(arrival, unpacked, &hook.targets).await?,
        };
        let reply = self.reply(&receipt, &event, &hook.targets, caller).await?;
        Ok((Taken::One(Received { receipt, reply }), left))
    }

    /// What a verified request says, and whether that is a CloudEvent, or several.
    fn read(&self, scheme: &Verify, target: &str, headers: &HeaderMap, body: &Bytes) -> Result<(EventHead, Message), Refusal> {
        let kind = event_type(scheme, |name| headers.get(name).and_then(|value| value.to_str().ok()), body);
        let content_type = match headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default() {
            _ if is_json_said_otherwise(scheme) => "application/json",
            said => said,
        };
        let message = match cloud_event_in(scheme) {
            CloudEventIn::Nothing => Message::Plain,
            CloudEventIn::Body => cloudevents::read(&HeaderMap::new(), content_type, body)?,
            CloudEventIn::All => cloudevents::read(headers, content_type, body)?,
        };
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let mut head = self.head(Source::Webhook, kind.as_deref().unwrap_or("webhook"));
        head.headers = kept_headers(headers, scheme);
        content_type.clone_into(&mut head.content_type);
        head.query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Ok((head, message))
    }
}

/// Why a request to a hook is refused.
pub(super) fn unverified(scheme: &Verify, denied: Denied) -> Refusal {
    if denied == Denied::Unfetched {
        return Refusal::Unfetched("the sender's certificate could not be fetched: nothing was stored, send it again later");
    }
    let challenge = match scheme {
        Verify::Basic { .. } => Some("Basic realm=\"hence\""),
        Verify::Bearer { .. } => Some("Bearer realm=\"hence\""),
        Verify::None | Verify::Signed(_) | Verify::Hmac(_) | Verify::Header { .. } => None,
    };
    Refusal::Unverified { denied, challenge }
}

/// Where a CloudEvent may be in what a sender sends. What is not signed may be somebody else's.
enum CloudEventIn {
    Nothing,
    Body,
    All,
}

fn cloud_event_in(scheme: &Verify) -> CloudEventIn {
    match scheme {
        Verify::None | Verify::Bearer { .. } | Verify::Basic { .. } | Verify::Header { .. } => CloudEventIn::All,
        // Headers are not signed, or only those that the scheme names.
        Verify::Hmac(_) | Verify::Signed(Signed { scheme: Scheme::StandardWebhooks, .. }) => CloudEventIn::Body,
        // These services have forms of their own.
        Verify::Signed(_) => CloudEventIn::Nothing,
    }
}

/// SNS sends JSON as `text/plain`.
fn is_json_said_otherwise(scheme: &Verify) -> bool {
    matches!(scheme, Verify::Signed(Signed { scheme: Scheme::AwsSns { .. }, .. }))
}

/// How long a CloudEvent is remembered by its source and id where the hook has no `dedupe`.
const CLOUD_EVENT_REMEMBERED: Duration = Duration::from_secs(24 * 3_600);

fn cloud_arrival(mut head: EventHead, event: CloudEvent) -> Arrival {
    event.text("type").clone_into(&mut head.kind);
    let key = ["cloudevent", &head.path, event.text("source"), event.text("id")];
    let dedupe = Dedupe::HookOr(dedupe_key(&key, head.received.after(CLOUD_EVENT_REMEMBERED)));
    let CloudEvent { attributes, content_type, body } = event;
    (head.cloudevent, head.content_type) = (attributes, content_type);
    Arrival { head, body, dedupe, cursor: None, topic: None }
}

fn webhook(target: &Target) -> Option<&Webhook> {
    match target.trigger()? {
        Trigger::Webhook(hook) => Some(hook),
        Trigger::Form(_) | Trigger::Schedule(_) | Trigger::Event(_) | Trigger::Run(_) | Trigger::Manual => None,
    }
}

pub(super) fn kept_headers(headers: &HeaderMap, scheme: &Verify) -> Vec<(String, String)> {
    let secret = match scheme {
        Verify::Header { name, .. } => Some(&**name),
        Verify::None | Verify::Signed(_) | Verify::Hmac(_) | Verify::Bearer { .. } | Verify::Basic { .. } => None,
    };
    let kept = headers.iter().filter(|(name, _)| !CREDENTIALS.contains(name) && Some(name.as_str()) != secret);
    kept.map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}
