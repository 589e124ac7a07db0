//! What the caller of a hook gets in place of the receipt: always the same, or what the run answers. A
//! caller that waits holds no worker: the run goes its own way, and is looked at when it has moved.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Intake, Receipt, Refusal, Target};
use crate::domain::Value;
use crate::domain::admission::NewRun;
use crate::domain::event::{Event, EventHead};
use crate::domain::failure::FailureKind;
use crate::domain::id::RunId;
use crate::domain::journal::Outcome;
use crate::domain::response::Response;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Reply, Trigger};
use crate::script::Scope;
use crate::store::{Caller, Said, StoreError};
use crate::workflow::evaluate;

/// What a request to a hook held.
#[derive(Debug)]
pub enum Taken {
    /// One event.
    One(Received),
    /// A batch of CloudEvents, each with its receipt, in their order.
    Batch(Vec<Receipt>),
    /// None: the service asks something, and nothing is stored.
    Question(Response),
}

/// What came of a request to a hook.
#[derive(Debug)]
pub struct Received {
    /// What was stored.
    pub receipt: Receipt,
    /// What the caller gets.
    pub reply: Replied,
}

/// What the caller of a hook gets.
#[derive(Debug)]
pub enum Replied {
    /// The receipt.
    Receipt,
    /// Always the same.
    Fixed(Response),
    /// What one of these runs answers.
    Wait(Waiting),
}

/// The runs that may answer, and until when.
#[derive(Debug)]
pub struct Waiting {
    /// Never empty.
    runs: Vec<RunId>,
    until: Timestamp,
    /// Listens since before the runs were stored: whatever they say is heard.
    caller: Option<Caller>,
}

/// What runs answer.
#[derive(Debug)]
pub enum RunAnswer {
    /// A step `respond` of one of them.
    Response(Response),
    /// They have ended without such a step: the output of the first that succeeded.
    Output(Value),
    /// None succeeded; the first of them.
    Failed(RunId),
    /// The same, and that one did not begin: what it was given is not the `input` that its workflow declares, and why.
    BadInput(RunId, String),
}

impl Intake {
    /// What the hook that took this event says about its answer.
    ///
    /// # Errors
    /// When it was a repeat, and what it repeats cannot be read now: it is answered alike when it is sent again.
    pub(super) async fn reply(
        &self,
        receipt: &Receipt,
        event: &Event,
        targets: &[Target],
        caller: Option<Caller>,
    ) -> Result<Replied, Refusal> {
        Ok(match targets.iter().find_map(|target| Some((target, said(target)?))) {
            None => Replied::Receipt,
            Some((target, Reply::Fixed(respond))) => {
                let first = self.first_event(receipt, event).await?;
                let mut scope = Scope::new(first.as_ref().unwrap_or(event));
                evaluate::answer(&target.loaded.program, respond, &mut scope).map_or_else(
                    |mut error| {
                        self.secrets.mask_text(&mut error.message);
                        tracing::warn!(workflow.name = %target.loaded.workflow.name, event.id = %receipt.event, error = %error.message,
                            "the answer could not be evaluated; the event is stored, and the caller gets the receipt");
                        Replied::Receipt
                    },
                    Replied::Fixed,
                )
            }
            Some((_, Reply::Wait(within))) => {
                let runs: Vec<RunId> = receipt.runs().filter(|(workflow, _)| may_answer(targets, workflow)).map(|(_, run)| run).collect();
                let until = event.head.received.after(*within);
                if runs.is_empty() { Replied::Receipt } else { Replied::Wait(Waiting { runs, until, caller }) }
            }
        })
    }

    /// The event that was stored, where this one is its repeat: both are answered alike. Of one that is gone, its name is left.
    async fn first_event(&self, receipt: &Receipt, event: &Event) -> Result<Option<Event>, StoreError> {
        if !receipt.duplicate {
            return Ok(None);
        }
        let first = self.journal.store().event(receipt.event).await.inspect_err(|error| {
            tracing::error!(event.id = %receipt.event, error = %error, "the event cannot be read now; its repeat is answered 503");
        })?;
        Ok(Some(first.unwrap_or_else(|| Event::new(EventHead { id: receipt.event, ..event.head.clone() }, event.body.clone()))))
    }

    /// Begins to wait for those of these runs that the caller of their hook wants to hear of, before they are stored.
    pub(super) fn listen(&self, targets: &[Target], runs: &[NewRun]) -> Option<Caller> {
        if !targets.iter().any(|target| matches!(said(target), Some(Reply::Wait(_)))) {
            return None;
        }
        let runs: Vec<RunId> = runs.iter().filter(|run| may_answer(targets, &run.workflow)).map(|run| run.id).collect();
        if runs.is_empty() { None } else { self.journal.answers().wait(runs) }
    }

    /// Waits for an answer. Nothing when it takes too long, the server stops, or too many wait already.
    pub async fn answer(&self, waiting: Waiting, stopping: &CancellationToken) -> Option<RunAnswer> {
        let Waiting { runs, until, caller } = waiting;
        let mut heard = Heard::new(runs);
        let mut caller = match caller {
            Some(caller) if caller.runs() == heard.runs => caller,
            // The event went into a run that was there before, which may have said something.
            _ => {
                let caller = self.journal.answers().wait(heard.runs.clone())?;
                if let Some(answer) = self.look(&mut heard).await {
                    return Some(answer);
                }
                caller
            }
        };
        let mut late = self.clock.sleep_until(until);
        loop {
            tokio::select! {
                biased;
                (run, said) = caller.said() => if let Some(answer) = heard.take(run, said) {
                    return Some(self.masked(answer));
                },
                () = &mut late => return None,
                () = stopping.cancelled() => return None,
            }
        }
    }

    /// What has been answered by now, as it is stored.
    ///
    /// # Errors
    /// When it cannot be read now: what is there is not told to be missing.
    pub async fn known_answer(&self, waiting: Waiting) -> Result<Option<RunAnswer>, Refusal> {
        let found = self.stored_answer(&mut Heard::new(waiting.runs)).await.inspect_err(|error| {
            tracing::error!(error = %error, "the answer of a run cannot be read now; the repeat is answered 503");
        })?;
        Ok(found.map(|answer| self.masked(answer)))
    }

    async fn look(&self, heard: &mut Heard) -> Option<RunAnswer> {
        match self.stored_answer(heard).await {
            Ok(found) => found.map(|answer| self.masked(answer)),
            Err(error) => {
                tracing::error!(error = %error, "the answer of a run cannot be read now; the caller gets the receipt when its time is over");
                None
            }
        }
    }

    fn masked(&self, mut answer: RunAnswer) -> RunAnswer {
        match &mut answer {
            RunAnswer::Response(response) => self.secrets.mask_text(&mut response.body),
            RunAnswer::Output(output) => self.secrets.mask_value(output),
            // It was masked before it was stored.
            RunAnswer::Failed(_) | RunAnswer::BadInput(..) => {}
        }
        answer
    }

    async fn stored_answer(&self, heard: &mut Heard) -> Result<Option<RunAnswer>, StoreError> {
        for run in heard.runs.clone() {
            for said in self.journal.store().facts(run).await?.iter().filter_map(|entry| Said::of(&entry.fact)) {
                if let Some(answer) = heard.take(run, said) {
                    return Ok(Some(answer));
                }
            }
        }
        Ok(None)
    }
}

/// What the trigger says about the answer.
fn said(target: &Target) -> Option<&Reply> {
    match target.trigger()? {
        Trigger::Webhook(hook) => hook.respond.as_ref(),
        Trigger::Form(_) | Trigger::Schedule(_) | Trigger::Event(_) | Trigger::Run(_) | Trigger::Manual => None,
    }
}

fn may_answer(targets: &[Target], workflow: &str) -> bool {
    targets.iter().any(|target| said(target).is_some() && *target.loaded.workflow.name == *workflow)
}

/// What the runs have said so far.
struct Heard {
    runs: Vec<RunId>,
    ended: Vec<(RunId, Outcome)>,
}

impl Heard {
    fn new(runs: Vec<RunId>) -> Self {
        Self { runs, ended: Vec::new() }
    }

    /// The first `respond` counts; without one, how the runs ended, once all have.
    fn take(&mut self, run: RunId, said: Said) -> Option<RunAnswer> {
        match said {
            Said::Response(response) => return Some(RunAnswer::Response(Arc::unwrap_or_clone(response))),
            Said::Ended(outcome) => {
                if self.ended.iter().all(|(ended, _)| *ended != run) {
                    self.ended.push((run, outcome));
                }
            }
        }
        if self.ended.len() < self.runs.len() {
            return None;
        }
        // In the order in which the runs were started.
        self.ended.sort_by_key(|(run, _)| self.runs.iter().position(|known| known == run));
        let mut failed = None;
        for (run, outcome) in self.ended.drain(..) {
            match outcome {
                Outcome::Succeeded { output } => return Some(RunAnswer::Output(Arc::unwrap_or_clone(output))),
                Outcome::Failed { step: None, error } if error.kind == FailureKind::BadInput => {
                    failed.get_or_insert(RunAnswer::BadInput(run, error.message));
                }
                Outcome::Failed { .. } | Outcome::Canceled => drop(failed.get_or_insert(RunAnswer::Failed(run))),
            }
        }
        failed
    }
}
