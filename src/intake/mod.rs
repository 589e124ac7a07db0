//! The only door in. Whatever happens outside comes through [`Intake::submit`]: matched against
//! the workflows' conditions, stored with the runs it starts, and only then acknowledged.

mod admission;
pub mod approve;
pub mod cloudevents;
pub mod form;
mod handshake;
pub mod limits;
mod refusal;
mod remembered;
pub mod replay;
mod reply;
pub mod schedule;
pub mod verify;
pub mod webhook;

use std::collections::HashMap;
use std::sync::Arc;

use crate::clock::{Clock, Ids};
use crate::domain::event::{Event, EventHead, Match, MatchResult};
use crate::domain::id::{EventId, RunId};
use crate::domain::secret::Secrets;
use crate::domain::time::Timestamp;
use crate::domain::workflow::Trigger;
use crate::script::{Scope, Uses, check_body};
use crate::store::{Accept, Accepted, Caller, CommitError, Cursor, DedupeKey, Journal};
use crate::workflow::catalog::{Current, Loaded};
use crate::workflow::matching;
use crate::workflow::start;

pub use admission::Admitted;
pub use refusal::Refusal;
pub use reply::{Received, Replied, RunAnswer, Taken, Waiting};

/// Takes events in.
pub struct Intake {
    /// Where they are stored.
    pub journal: Arc<Journal>,
    /// The workflows that may be concerned.
    pub current: Arc<Current>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Names for events and runs.
    pub ids: Arc<Ids>,
    /// What must not be shown.
    pub secrets: Arc<Secrets>,
    /// Knows senders.
    pub verifier: verify::Verifier,
    /// The largest body, in bytes, where a hook does not say.
    pub body_limit_bytes: usize,
    /// What the front door counts.
    pub door: limits::FrontDoor,
    /// What forms need besides.
    pub forms: form::Forms,
    /// The links of `approve`.
    pub links: Arc<approve::Links>,
    /// The workflows that runs began with.
    pub find_revision: approve::FindRevision,
}

/// A workflow whose trigger concerns an event.
#[derive(Debug, Clone)]
pub struct Target {
    /// The workflow.
    pub loaded: Arc<Loaded>,
    /// Which of its triggers.
    pub trigger: usize,
}

impl Target {
    /// The trigger itself.
    #[must_use]
    pub fn trigger(&self) -> Option<&Trigger> {
        self.loaded.workflow.triggers.get(self.trigger)
    }
}

/// What the sender of an accepted event is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// The event's name; the first one's when this was a repeat.
    pub event: EventId,
    /// What came of it.
    pub matches: Vec<Match>,
    /// It was here before; nothing was stored.
    pub duplicate: bool,
}

impl Receipt {
    /// The runs it started.
    pub fn runs(&self) -> impl Iterator<Item = (&str, RunId)> {
        self.matches.iter().filter_map(|m| match m.result {
            MatchResult::Run(run) => Some((&*m.workflow, run)),
            MatchResult::NotMatched(_) => None,
        })
    }
}

/// What arrived, before it has a name.
#[derive(Debug)]
pub struct Arrival {
    /// All but id and matches, which are filled in.
    pub head: EventHead,
    /// The raw bytes.
    pub body: bytes::Bytes,
    /// A repeat of this key is not taken in again.
    pub dedupe: Dedupe,
    /// A schedule's cursor, moved together with the event.
    pub cursor: Option<Cursor>,
    /// What runs that wait for it know it by.
    pub topic: Option<Arc<str>>,
}

/// What was taken in, durably.
struct Stored {
    receipt: Receipt,
    event: Arc<Event>,
    /// Whoever sent it waits for what its runs say.
    caller: Option<Caller>,
}

/// How a repeat is recognised.
#[derive(Debug, Clone, PartialEq)]
pub enum Dedupe {
    /// Not at all, or as the hook says.
    Hook,
    /// As the hook says, or by this key where it does not.
    HookOr(DedupeKey),
    /// By this key.
    Key(DedupeKey),
    /// By this key and as the hook says.
    HookAnd(DedupeKey),
}

impl Intake {
    /// A head for something that arrives now.
    #[must_use]
    pub fn head(&self, source: crate::domain::event::Source, kind: &str) -> EventHead {
        let received = self.clock.now();
        EventHead::new(self.ids.event(received), source, kind, received)
    }

    /// Matches, stores, and says what came of it. Durable on return.
    ///
    /// # Errors
    /// When the body cannot be read or the store would not take it. Nothing is stored then.
    pub async fn submit(&self, arrival: Arrival, targets: &[Target]) -> Result<Receipt, Refusal> {
        self.take_in(arrival, targets).await.map(|stored| stored.receipt)
    }

    /// The same, with the event as it was read, and with who waits for an answer.
    async fn take_in(&self, arrival: Arrival, targets: &[Target]) -> Result<Stored, Refusal> {
        let accept = self.considered(arrival, targets)?;
        self.store(accept, targets).await
    }

    async fn store(&self, accept: Accept, targets: &[Target]) -> Result<Stored, Refusal> {
        let event = Arc::clone(&accept.event);
        let caller = self.listen(targets, &accept.runs);
        let accepted = self.journal.accept(accept).await?;
        Ok(Stored { receipt: receipt(&event, accepted), event, caller })
    }

    /// The same for several, all or none.
    async fn take_in_all(&self, arrivals: Vec<Arrival>, targets: &[Target]) -> Result<Vec<Receipt>, Refusal> {
        let mut accepts: Vec<Accept> = Vec::with_capacity(arrivals.len());
        for arrival in arrivals {
            accepts.push(self.considered(arrival, targets)?);
            // A thousand conditions take a while: others are served between them.
            tokio::task::yield_now().await;
        }
        tell_apart(&mut accepts);
        let events: Vec<Arc<Event>> = accepts.iter().map(|accept| Arc::clone(&accept.event)).collect();
        let accepted = self.journal.accept_all(accepts).await?;
        Ok(events.iter().zip(accepted).map(|(event, accepted)| receipt(event, accepted)).collect())
    }

    /// What is to be stored of an arrival.
    fn considered(&self, arrival: Arrival, targets: &[Target]) -> Result<Accept, Refusal> {
        let Arrival { head, body, dedupe, cursor, topic } = arrival;
        let mut event = Event::new(head, body);
        let uses = targets.iter().map(|target| target.loaded.uses).fold(Uses::NOTHING, Uses::or);
        check_body(&event, uses)?;
        for target in targets {
            target.loaded.check_body(target.trigger, &event).map_err(Refusal::DoesNotFit)?;
        }
        let mut scope = None;
        let mut own = |event: &Event| targets.iter().find_map(|target| hook_key(&mut scope, target, event));
        let dedupe: Vec<DedupeKey> = match dedupe {
            Dedupe::Key(key) => vec![key],
            Dedupe::Hook => own(&event).into_iter().collect(),
            Dedupe::HookOr(key) => vec![own(&event).unwrap_or(key)],
            Dedupe::HookAnd(key) => own(&event).into_iter().chain([key]).collect(),
        };
        let concerned = targets.iter().map(|target| (&*target.loaded, target.trigger()));
        let new_id = || self.ids.run(event.head.received);
        let (runs, matches) = start::consider_all_in(scope, concerned, &event, new_id, &self.secrets);
        event.head.matches = matches;
        Ok(Accept { event: Arc::new(event), dedupe, runs, cursor, topic })
    }

    /// Starts a workflow by hand. `event` is the body, JSON.
    ///
    /// # Errors
    /// When there is no such workflow, it has no `manual` trigger, or the store would not take it.
    pub async fn start(&self, workflow: &str, event: bytes::Bytes) -> Result<Receipt, Refusal> {
        let catalog = self.current.get();
        let loaded = catalog.get(workflow).ok_or_else(|| Refusal::NoWorkflow(workflow.to_owned()))?;
        let trigger = loaded.workflow.triggers.iter().position(|trigger| matches!(trigger, Trigger::Manual));
        let trigger = trigger.ok_or_else(|| Refusal::NotManual(workflow.to_owned()))?;
        let mut head = self.head(crate::domain::event::Source::Manual, "manual");
        "application/json".clone_into(&mut head.content_type);
        let target = Target { loaded: Arc::clone(loaded), trigger };
        self.submit(Arrival { head, body: event, dedupe: Dedupe::Hook, cursor: None, topic: None }, &[target]).await
    }

    /// Records that a run is to end. Says whether it was still open.
    ///
    /// # Errors
    /// When there is no such run, or the store would not take it.
    pub async fn cancel(&self, run: RunId) -> Result<bool, Refusal> {
        self.journal.cancel(run).await.map_err(|error| match error {
            CommitError::Store(error) => Refusal::Store(error),
            CommitError::Unknown(_) | CommitError::Fenced(_) | CommitError::Conflict { .. } | CommitError::NoEvent(_) => {
                Refusal::NoRun(run)
            }
        })
    }
}

fn receipt(event: &Event, accepted: Accepted) -> Receipt {
    match accepted {
        Accepted::New { matches, .. } => Receipt { event: event.head.id, matches, duplicate: false },
        Accepted::Duplicate { event, matches } => Receipt { event, matches, duplicate: true },
    }
}

/// The key of a hook's `dedupe` may be the same for all events of a batch, as a header is: it is then the batch that is known by it,
/// and each event in it by its source and id besides.
fn tell_apart(accepts: &mut [Accept]) {
    let mut first: HashMap<[u8; 32], (String, String)> = HashMap::new();
    for accept in accepts {
        let attribute = |name| accept.event.head.cloudevent.get(name).map(ToString::to_string).unwrap_or_default();
        let named = (attribute("source"), attribute("id"));
        for key in &mut accept.dedupe {
            let known = first.entry(key.hash).or_insert_with(|| named.clone());
            if *known != named {
                let hash: String = key.hash.iter().map(|byte| format!("{byte:02x}")).collect();
                key.hash = start::hash_of(&["batch", &hash, &named.0, &named.1]);
            }
        }
    }
}

/// The key that the hook's `dedupe` gives. An event whose key cannot be had is taken in all the
/// same: one run too many is better than an event lost.
fn hook_key(scope: &mut Option<Scope>, target: &Target, event: &Event) -> Option<DedupeKey> {
    let (door, path) = match target.trigger()? {
        Trigger::Webhook(hook) => ("hook", &hook.path),
        Trigger::Form(form) => ("form", &form.path),
        Trigger::Schedule(_) | Trigger::Event(_) | Trigger::Run(_) | Trigger::Manual => return None,
    };
    let dedupe = target.loaded.dedupe(target.trigger)?;
    match matching::dedupe_key_in(scope, &target.loaded, target.trigger, event)? {
        Ok(key) => Some(dedupe_key(&[door, path, &key], event.head.received.after(dedupe.within))),
        Err(error) => {
            tracing::warn!(workflow.name = %target.loaded.workflow.name, event.id = %event.head.id, error = %error,
                "the dedupe key could not be evaluated; the event is taken in without one");
            None
        }
    }
}

fn dedupe_key(parts: &[&str], until: Timestamp) -> DedupeKey {
    DedupeKey { hash: start::hash_of(parts), until }
}
