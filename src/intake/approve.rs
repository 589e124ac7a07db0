//! A person's answer to `approve`: the signed link, what it asks, and the event that the answer is.
//!
//! A link is `PUBLIC_URL/approve/RUN/QUESTION/SIGNATURE`. The question is named by its place among the facts
//! of the run, so that a step that asks anew has another link; the signature is HMAC-SHA256 (RFC 2104) over both,
//! in base64url (RFC 4648, section 5). Whoever has the link may answer: there is nothing else to steal or to forge.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::BoxFuture;
use ring::hmac;
use serde::Deserialize;
use serde_json::json;

use super::{Arrival, Dedupe, Intake, Refusal, dedupe_key};
use crate::domain::event::Source;
use crate::domain::failure::FailureKind;
use crate::domain::id::{Revision, RunId};
use crate::domain::journal::{Address, Entry, Fact};
use crate::domain::next::{Next, Task, next};
use crate::domain::run::{Run, Status, approval_topic};
use crate::domain::time::Timestamp;
use crate::store::{RunHead, StoreError, TopicKey};
use crate::workflow::catalog::Loaded;

/// The most characters of a comment.
pub const COMMENT_CHARS: usize = 2_000;
/// The most characters of the name of whoever answers.
pub const WHO_CHARS: usize = 200;
/// How many events are looked at for an answer: topics with the same hash are rare.
const ANSWERS_LOOKED_AT: usize = 100;

/// Finds the workflow of a run; nothing when it is not stored or does not compile any more.
pub type FindRevision = Box<dyn Fn(Arc<str>, Revision) -> BoxFuture<'static, Result<Option<Arc<Loaded>>, StoreError>> + Send + Sync>;

/// Makes links and knows its own again.
pub struct Links {
    key: hmac::Key,
    public_url: String,
}

impl Links {
    /// Links below this URL, signed with this key.
    #[must_use]
    pub fn new(key: &[u8], public_url: String) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), public_url }
    }

    /// The address at which the question of a run is answered.
    #[must_use]
    pub fn link(&self, run: RunId, question: u32) -> String {
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, &signed(run, question)));
        format!("{}/approve/{run}/{question}/{signature}", self.public_url)
    }

    fn is_ours(&self, run: RunId, question: u32, signature: &str) -> bool {
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        hmac::verify(&self.key, &signed(run, question), &signature).is_ok()
    }
}

fn signed(run: RunId, question: u32) -> Vec<u8> {
    [&b"hence approve 1\0"[..], &run.to_bytes(), &question.to_be_bytes()].concat()
}

/// The parts of a link, as somebody wrote them.
#[derive(Debug, Clone, Deserialize)]
pub struct LinkParts {
    run: String,
    question: String,
    signature: String,
}

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Yes.
    Approve,
    /// No.
    Deny,
}

/// A person's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Yes or no.
    pub decision: Decision,
    /// Who says so; nothing means the one who was asked.
    pub who: String,
    /// Why.
    pub comment: String,
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Whose.
    pub run: RunId,
    /// Its workflow.
    pub workflow: Arc<str>,
    /// The step that asks.
    pub step: Address,
    /// Who is asked.
    pub to: String,
    /// What.
    pub message: String,
    /// Since when.
    pub asked: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Whether it can be answered.
    pub standing: Standing,
}

/// Where a question stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Nobody has answered.
    Open,
    /// Somebody has, and that counts.
    Decided {
        /// Who.
        who: String,
        /// `approved` or `denied`.
        what: String,
        /// Why.
        comment: String,
        /// When.
        when: Timestamp,
    },
    /// Nobody has, and nobody can any more; why.
    Over(String),
}

impl Intake {
    /// The question that a link leads to.
    ///
    /// # Errors
    /// When the link is not one of ours, or the store cannot be read.
    pub async fn question(&self, link: &LinkParts) -> Result<Question, Refusal> {
        self.question_at(link, self.clock.now()).await
    }

    /// Takes an answer in. Durable on return. The first one counts: the question that comes back says which.
    ///
    /// # Errors
    /// When the link is not one of ours, or the store would not take it.
    pub async fn decide(&self, link: &LinkParts, answer: Answer) -> Result<Question, Refusal> {
        let mut head = self.head(Source::Approval, "approval");
        let question = self.question_at(link, head.received).await?;
        if question.standing != Standing::Open {
            return Ok(question);
        }
        let place = link.question.parse().ok().ok_or(Refusal::NoQuestion)?;
        let topic = approval_topic(question.run, place);
        "application/json".clone_into(&mut head.content_type);
        topic.to_string().clone_into(&mut head.path);
        let what = match answer.decision {
            Decision::Approve => "approved",
            Decision::Deny => "denied",
        };
        let who = if answer.who.is_empty() { &question.to } else { &answer.who };
        let body = json!({"who": who, "what": what, "comment": answer.comment}).to_string().into();
        // Nothing is answered after the end of the question's time, so a key is not needed for longer.
        let dedupe = Dedupe::Key(dedupe_key(&["approval", &topic], question.until));
        self.submit(Arrival { head, body, dedupe, cursor: None, topic: Some(topic) }, &[]).await?;
        self.question(link).await
    }

    /// The questions that a run waits for now: their places among its facts, and the links that answer them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open_questions(&self, head: &RunHead, facts: &[Entry]) -> Result<Vec<(Address, String)>, StoreError> {
        if head.status.is_final() || !facts.iter().any(|entry| matches!(entry.fact, Fact::ApprovalAsked { .. })) {
            return Ok(Vec::new());
        }
        let open = self.listening(head, facts, self.clock.now()).await?;
        Ok(open.into_iter().map(|(step, question)| (step, self.links.link(head.id, question))).collect())
    }

    async fn question_at(&self, link: &LinkParts, now: Timestamp) -> Result<Question, Refusal> {
        let (run, place) = (link.run.parse::<RunId>(), link.question.parse::<u32>());
        let (Ok(run), Ok(place)) = (run, place) else { return Err(Refusal::NoQuestion) };
        if !self.links.is_ours(run, place, &link.signature) {
            return Err(Refusal::NoQuestion);
        }
        let store = self.journal.store();
        let head = store.run(run).await?.ok_or(Refusal::NoQuestion)?;
        let facts = store.facts(run).await?;
        let asked = usize::try_from(place).ok().and_then(|place| facts.get(place));
        let Some(Entry { at, fact: Fact::ApprovalAsked { step, to, message, until } }) = asked else { return Err(Refusal::NoQuestion) };
        let standing = self.standing(&head, &facts, place, step, *until, now).await?;
        let (workflow, step, to, message) = (Arc::clone(&head.workflow), step.clone(), to.clone(), message.clone());
        Ok(Question { run, workflow, step, to, message, asked: *at, until: *until, standing })
    }

    async fn standing(
        &self,
        head: &RunHead,
        facts: &[Entry],
        place: u32,
        step: &Address,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Standing, StoreError> {
        let after = facts.iter().skip(usize::try_from(place).unwrap_or(usize::MAX).saturating_add(1));
        let ended = after.filter(|entry| entry.fact.step() == Some(step)).find_map(|entry| match &entry.fact {
            Fact::StepFailed { error, .. } => Some(error),
            _ => None,
        });
        // What became of the step goes before what somebody said too late.
        if ended.is_none_or(|error| error.kind == FailureKind::Denied)
            && let Some(decided) = self.decided(head.id, place).await?
        {
            return Ok(decided);
        }
        Ok(match ended {
            Some(error) if error.kind == FailureKind::Expired => Standing::Over(too_late(until)),
            _ if head.status.is_final() => Standing::Over(has_ended(head.status).to_owned()),
            _ if until <= now => Standing::Over(too_late(until)),
            Some(_) => Standing::Over("The run does not wait for this answer any more.".to_owned()),
            None if self.listening(head, facts, now).await?.iter().any(|(_, open)| *open == place) => Standing::Open,
            None => Standing::Over("The run does not wait for this answer any more.".to_owned()),
        })
    }

    /// The answer that was taken in, whether or not the run has looked at it.
    async fn decided(&self, run: RunId, place: u32) -> Result<Option<Standing>, StoreError> {
        let store = self.journal.store();
        let topic = approval_topic(run, place);
        for posted in store.posted(TopicKey::of(&topic), 0, ANSWERS_LOOKED_AT).await? {
            let event = store.event(posted.event).await?;
            let Some(event) = event.filter(|event| event.head.source == Source::Approval && *event.head.path == *topic) else { continue };
            let body: serde_json::Value = serde_json::from_slice(&event.body).unwrap_or_default();
            let text = |key: &str| body.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            let (who, what, comment) = (text("who"), text("what"), text("comment"));
            return Ok(Some(Standing::Decided { who, what, comment, when: event.head.received }));
        }
        Ok(None)
    }

    /// The questions that the run would listen to the answers of.
    async fn listening(&self, head: &RunHead, facts: &[Entry], now: Timestamp) -> Result<Vec<(Address, u32)>, StoreError> {
        let Some(loaded) = (self.find_revision)(Arc::clone(&head.workflow), head.revision).await? else { return Ok(Vec::new()) };
        // A journal that cannot be is told where the run is driven.
        let Ok(run) = Run::replay(head.id, head.accepted, facts.iter().cloned()) else { return Ok(Vec::new()) };
        let listens = match next(&loaded.workflow, &run, now) {
            Next::Perform { waits, .. } | Next::Wait(waits) => waits.listens,
            Next::Finish(_) => Vec::new(),
        };
        let open = listens.into_iter().filter_map(|todo| match todo.task {
            Task::Listen(awaiting) if awaiting.until.is_none_or(|until| now < until) => Some((todo.address, awaiting.question?)),
            _ => None,
        });
        Ok(open.collect())
    }
}

fn too_late(until: Timestamp) -> String {
    format!("The time to answer ended at {}.", minutes(until))
}

fn has_ended(status: Status) -> &'static str {
    match status {
        Status::Canceled => "The run was canceled.",
        Status::Failed => "The run has failed and does not wait for an answer any more.",
        Status::Succeeded | Status::Queued | Status::Running | Status::Waiting => {
            "The run has ended and does not wait for an answer any more."
        }
    }
}

/// `2026-03-01 09:00 UTC`
#[must_use]
pub fn minutes(time: Timestamp) -> String {
    let text = time.to_string();
    let (day, clock) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} UTC", clock.get(..5).unwrap_or(clock))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Parts;

    #[test]
    fn a_link_is_ours_as_it_is_and_in_no_other_form() {
        let run = |chance| RunId::new(Parts { time_ms: 7, counter: 0, chance, shard: 0 });
        let links = Links::new(&[7; 32], "https://hence.example.com/auto".to_owned());
        let link = links.link(run(1), 12);
        let signature = link.strip_prefix(&format!("https://hence.example.com/auto/approve/{}/12/", run(1))).unwrap_or_default();
        assert_eq!(signature.len(), 43, "{link}");
        assert!(links.is_ours(run(1), 12, signature));
        let other = Links::new(&[8; 32], String::new());
        for (links, run, question, signature) in [
            (&other, run(1), 12, signature.to_owned()),
            (&links, run(2), 12, signature.to_owned()),
            (&links, run(1), 13, signature.to_owned()),
            (&links, run(1), 12, signature.to_lowercase()),
            (&links, run(1), 12, format!("{signature}=")),
            (&links, run(1), 12, signature.chars().skip(1).collect()),
            (&links, run(1), 12, String::new()),
        ] {
            assert!(!links.is_ours(run, question, &signature), "{run} {question} {signature}");
        }
    }

    #[test]
    fn times_are_shown_in_minutes() {
        assert_eq!(minutes(Timestamp(1_772_355_659_999)), "2026-03-01 09:00 UTC");
    }
}
