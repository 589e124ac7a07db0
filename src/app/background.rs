//! What goes on beside requests and runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::retention;
use super::steady::Steady;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::id::EventId;
use crate::intake::Intake;
use crate::store::Journal;

/// Starts it.
pub(super) fn spawn(
    tasks: &TaskTracker,
    intake: &Arc<Intake>,
    config: &Config,
    without_event: mpsc::Receiver<EventId>,
    stopping: &CancellationToken,
) {
    let (journal, current, clock) = (Arc::clone(&intake.journal), Arc::clone(&intake.current), Arc::clone(&intake.clock));
    tasks.spawn(Arc::clone(intake).run_schedules(stopping.clone()));
    tasks.spawn(Arc::clone(intake).forget_given_up(without_event, stopping.clone()));
    tasks.spawn(forget_keys(Arc::clone(&journal), Arc::clone(&clock), stopping.clone()));
    tasks.spawn(retention::Upkeep::new(journal, current, clock, config.retention).run(stopping.clone()));
}

/// Forgets dedupe keys whose window has ended.
async fn forget_keys(journal: Arc<Journal>, clock: Arc<dyn Clock>, stopping: CancellationToken) {
    const EVERY: Duration = Duration::from_secs(60);
    const AT_ONCE: usize = 2_000;
    let mut steady = Steady::new("dedupe keys");
    loop {
        let is_steady = tokio::select! {
            () = stopping.cancelled() => return,
            is_steady = steady.pause(&*clock, EVERY) => is_steady,
        };
        if !is_steady {
            continue;
        }
        loop {
            match journal.store().forget_keys(clock.now(), AT_ONCE).await {
                Ok(AT_ONCE) if !stopping.is_cancelled() => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(error = %error, "dedupe keys could not be forgotten; tried again later");
                    break;
                }
            }
        }
    }
}
