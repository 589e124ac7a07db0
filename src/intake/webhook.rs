//! `POST /hooks/…`: which hook, who sent it, and the event it is.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, header};

use super::{Arrival, Dedupe, Intake, Received, Refusal, Taken, Target, verify};
use crate::domain::event::Source;
use crate::domain::workflow::{Trigger, Verify, Webhook};
use crate::workflow::matching::{self, NoHook};

/// Headers that carry credentials: never stored, never in `event.headers`.
const CREDENTIALS: [header::HeaderName; 3] = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE];

/// A hook that was found for a request, before its body is read.
#[derive(Debug)]
pub struct Hook {
    targets: Vec<Target>,
    method: String,
    path: String,
    params: Vec<(String, String)>,
    /// The largest body it takes.
    pub body_limit_bytes: usize,
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
        Ok(Hook { targets, method: method.to_owned(), path: path.to_owned(), params, body_limit_bytes })
    }

    /// Verifies a request to a hook and takes it in. Durable on return.
    ///
    /// # Errors
    /// When it cannot be verified, cannot be read, or the store would not take it. Nothing is stored then.
    pub async fn receive(&self, hook: Hook, query: &str, headers: &HeaderMap, body: Bytes) -> Result<Received, Refusal> {
        let now = self.clock.now();
        // Hooks on one path and method verify alike: the catalog sees to that.
        let scheme = hook.targets.iter().find_map(webhook).map_or(&Verify::None, |hook| &hook.verify);
        verify::verify(scheme, &self.secrets, headers, &body, now).map_err(Refusal::Unverified)?;
        let kind = match scheme {
            Verify::Github { .. } => headers.get("x-github-event").and_then(|value| value.to_str().ok()),
            Verify::None | Verify::Hmac(_) | Verify::Bearer { .. } | Verify::Header { .. } => None,
        };
        let mut head = self.head(Source::Webhook, kind.unwrap_or("webhook"));
        head.headers = kept_headers(headers, scheme);
        head.content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        head.query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let Hook { targets, method, path, params, .. } = hook;
        head.method = method;
        head.path = path;
        head.params = params;
        let arrival = Arrival { head, body, dedupe: Dedupe::Hook, cursor: None, topic: None };
        let Taken { receipt, event, caller } = self.take_in(arrival, &targets).await?;
        let reply = self.reply(&receipt, &event, &targets, caller);
        Ok(Received { receipt, reply })
    }
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
        Verify::None | Verify::Github { .. } | Verify::Hmac(_) | Verify::Bearer { .. } => None,
    };
    let kept = headers.iter().filter(|(name, _)| !CREDENTIALS.contains(name) && Some(name.as_str()) != secret);
    kept.map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}
