//! Due times become events. Each slot is accepted together with the schedule's cursor and under a
//! dedupe key of its own, so it fires once whatever happens around it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Arrival, Dedupe, Intake, Refusal, Target, dedupe_key};
use crate::domain::event::Source;
use crate::domain::time::Timestamp;
use crate::domain::workflow::ScheduleTrigger;
use crate::store::{Cursor, StoreError};

/// How many missed slots of one schedule are taken in at a time.
const SLOTS_AT_ONCE: usize = 100;
/// How long a slot's dedupe key is remembered: the cursor is what counts, this is a second net.
const SLOT_REMEMBERED: Duration = Duration::from_secs(7 * 86_400);
/// How long to wait before a slot is tried again that the store would not take.
const TRY_AGAIN: Duration = Duration::from_secs(1);

impl Intake {
    /// Fires what is due until told to stop.
    pub async fn run_schedules(self: Arc<Self>, stop: CancellationToken) {
        let mut changed = self.current.subscribe();
        let mut cursors: HashMap<Arc<str>, Timestamp> = HashMap::new();
        loop {
            changed.mark_unchanged();
            let next = match self.fire_due(&mut cursors).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(error = %error, "a due time could not be taken in; it is tried again");
                    Some(self.clock.now().after(TRY_AGAIN))
                }
            };
            let due = async {
                match next {
                    Some(next) => self.clock.sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = due => {}
                change = changed.changed() => if change.is_err() { return },
            }
        }
    }

    /// Takes in every slot that is due; says when the next one is.
    async fn fire_due(&self, cursors: &mut HashMap<Arc<str>, Timestamp>) -> Result<Option<Timestamp>, StoreError> {
        let catalog = self.current.get();
        // Looked at once: what comes due while slots are taken in is found at the next look, which is then at once.
        let now = self.clock.now();
        let mut next: Option<Timestamp> = None;
        for (loaded, trigger) in catalog.schedules() {
            let target = Target { loaded: Arc::clone(loaded), trigger: *trigger };
            let Some(trigger) = loaded.schedule(*trigger) else { continue };
            let name: Arc<str> = format!("{} {}", target.loaded.workflow.name, trigger.schedule.rule).into();
            let mut last = self.cursor(cursors, &name).await?;
            loop {
                let slots = trigger.schedule.due(last, now, SLOTS_AT_ONCE);
                for slot in &slots {
                    self.fire(&target, trigger, &name, *slot).await?;
                    last = *slot;
                    cursors.insert(Arc::clone(&name), last);
                }
                if slots.len() < SLOTS_AT_ONCE {
                    break;
                }
            }
            // Slots that `catch_up` passes over lie behind: look from now on.
            let due = trigger.schedule.rule.next_after(last.max(now));
            next = [next, due].into_iter().flatten().min();
        }
        Ok(next)
    }

    async fn cursor(&self, cursors: &mut HashMap<Arc<str>, Timestamp>, name: &Arc<str>) -> Result<Timestamp, StoreError> {
        if let Some(at) = cursors.get(name) {
            return Ok(*at);
        }
        let at = match self.journal.store().cursor(name).await? {
            Some(at) => at,
            None => {
                let now = self.clock.now();
                self.journal.begin_schedule(Cursor { name: Arc::clone(name), slot: now }).await?;
                now
            }
        };
        cursors.insert(Arc::clone(name), at);
        Ok(at)
    }

    async fn fire(&self, target: &Target, trigger: &ScheduleTrigger, name: &Arc<str>, slot: Timestamp) -> Result<(), StoreError> {
        let mut head = self.head(Source::Schedule, "schedule");
        trigger.name.to_string().clone_into(&mut head.path);
        "application/json".clone_into(&mut head.content_type);
        let missed = TRY_AGAIN.saturating_mul(60) < head.received.since(slot);
        let body = serde_json::json!({"schedule": trigger.name, "due": slot.to_string(), "missed": missed}).to_string();
        let dedupe = Dedupe::Key(dedupe_key(&["schedule", name, &slot.0.to_string()], slot.after(SLOT_REMEMBERED)));
        let cursor = Some(Cursor { name: Arc::clone(name), slot });
        match self.submit(Arrival { head, body: body.into(), dedupe, cursor, topic: None }, std::slice::from_ref(target)).await {
            Ok(receipt) => {
                tracing::info!(workflow.name = %target.loaded.workflow.name, event.id = %receipt.event, due = %slot, "schedule fired");
                Ok(())
            }
            Err(Refusal::Store(error)) => Err(error),
            Err(refusal) => {
                tracing::error!(workflow.name = %target.loaded.workflow.name, due = %slot, error = %refusal, "a due time was refused; please report this");
                Ok(())
            }
        }
    }
}
