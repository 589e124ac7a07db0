//! What the caller of a hook gets in place of the receipt: always the same, or what the run answers. A
//! caller that waits holds no worker: the run goes its own way, and is looked at when it has moved.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Intake, Receipt, Target};
use crate::domain::Value;
use crate::domain::event::{Event, EventHead, MatchResult};
use crate::domain::id::RunId;
use crate::domain::journal::{Fact, Outcome};
use crate::domain::response::Response;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Reply, Trigger};
use crate::script::Scope;
use crate::store::StoreError;
use crate::workflow::evaluate;

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
    pub runs: Vec<RunId>,
    until: Timestamp,
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
}

impl Intake {
    /// What the hook that took this event says about its answer.
    pub(super) fn reply(&self, receipt: &Receipt, event: &Event, targets: &[Target]) -> Replied {
        let said = |target: &Target| match target.trigger()? {
            Trigger::Webhook(hook) => hook.respond.clone(),
            Trigger::Form(_) | Trigger::Schedule(_) | Trigger::Event(_) | Trigger::Run(_) | Trigger::Manual => None,
        };
        let saying: Vec<(&Target, Reply)> = targets.iter().filter_map(|target| Some((target, said(target)?))).collect();
        match saying.first() {
            None => Replied::Receipt,
            Some((target, Reply::Fixed(respond))) => {
                // A repeat is answered like the first one, whose name it has.
                let head = EventHead { id: receipt.event, ..event.head.clone() };
                let mut scope = Scope::new(&Event::new(head, event.body.clone()));
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
                let waits = |workflow: &str| saying.iter().any(|(target, _)| *target.loaded.workflow.name == *workflow);
                let runs: Vec<RunId> = receipt.runs().filter(|(workflow, _)| waits(workflow)).map(|(_, run)| run).collect();
                let until = event.head.received.after(*within);
                if runs.is_empty() { Replied::Receipt } else { Replied::Wait(Waiting { runs, until }) }
            }
        }
    }

    /// Waits for an answer. Nothing when it takes too long, the server stops, or too many wait already.
    pub async fn answer(&self, waiting: &Waiting, stopping: &CancellationToken) -> Option<RunAnswer> {
        let caller = self.journal.answers().wait(waiting.runs.clone())?;
        let mut late = self.clock.sleep_until(waiting.until);
        loop {
            // Looked at after the wait has begun: nothing comes unseen.
            if let Some(answer) = self.known_answer(waiting).await {
                return Some(answer);
            }
            tokio::select! {
                biased;
                () = caller.told() => {}
                () = &mut late => return None,
                () = stopping.cancelled() => return None,
            }
        }
    }

    /// What has been answered by now, as it is stored.
    pub async fn known_answer(&self, waiting: &Waiting) -> Option<RunAnswer> {
        let mut found = self.stored_answer(&waiting.runs).await.unwrap_or_else(|error| {
            tracing::error!(error = %error, "the answer of a run cannot be read now; the caller gets the receipt when its time is over");
            None
        });
        match &mut found {
            Some(RunAnswer::Response(response)) => self.secrets.mask_text(&mut response.body),
            Some(RunAnswer::Output(output)) => self.secrets.mask_value(output),
            Some(RunAnswer::Failed(_)) | None => {}
        }
        found
    }

    /// The first `respond` counts; without one, how the runs ended, once all have.
    async fn stored_answer(&self, runs: &[RunId]) -> Result<Option<RunAnswer>, StoreError> {
        let (mut output, mut failed, mut ended) = (None, None, 0);
        for run in runs {
            for entry in self.journal.store().facts(*run).await? {
                match entry.fact {
                    Fact::Responded { response, .. } => return Ok(Some(RunAnswer::Response(Arc::unwrap_or_clone(response)))),
                    Fact::RunFinished { outcome: Outcome::Succeeded { output: last } } => {
                        output.get_or_insert_with(|| Arc::unwrap_or_clone(last));
                        ended += 1;
                    }
                    Fact::RunFinished { outcome: Outcome::Failed { .. } | Outcome::Canceled } => {
                        failed.get_or_insert(*run);
                        ended += 1;
                    }
                    _ => {}
                }
            }
        }
        if ended < runs.len() {
            return Ok(None);
        }
        Ok(output.map(RunAnswer::Output).or(failed.map(RunAnswer::Failed)))
    }
}

impl Received {
    /// The first run that the event started, if any.
    #[must_use]
    pub fn first_run(&self) -> Option<RunId> {
        self.receipt.matches.iter().find_map(|found| match found.result {
            MatchResult::Run(run) => Some(run),
            MatchResult::NotMatched(_) => None,
        })
    }
}
