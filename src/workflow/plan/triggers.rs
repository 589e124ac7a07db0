//! Which triggers are new, other or gone, and when schedules are due from then on.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Change, ScheduleOutline, SettingChange, Settings, TriggerOutline, WorkflowOutline, setting_changes};
use crate::workflow::compile::path::shape;

/// What becomes of a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TriggerChange {
    /// New, other or gone.
    pub change: Change,
    /// `webhook POST /hooks/leads`, `schedule cron 0 9 * * * UTC`, `manual`, …
    pub trigger: String,
    /// What it says otherwise, of one that stays.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<SettingChange>,
}

/// What becomes of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScheduleChange {
    /// New, other or gone.
    pub change: Change,
    /// Its workflow.
    pub workflow: String,
    /// When it is due; of one that is gone, when it was.
    pub rule: String,
    /// When it was due, of one that stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The next due times, of one that is not gone: RFC 3339, with the zone's offset.
    pub next: Vec<String>,
}

/// A trigger before and after; one of the two is there.
pub(super) type Pair<'t> = (Option<&'t TriggerOutline>, Option<&'t TriggerOutline>);

/// Finds for each trigger the one that it was. A webhook with another path is another one; a schedule with another rule is not.
pub(super) fn pairs<'t>(before: Option<&'t WorkflowOutline>, after: Option<&'t WorkflowOutline>) -> Vec<Pair<'t>> {
    fn all(workflow: Option<&WorkflowOutline>) -> Vec<&TriggerOutline> {
        workflow.map(|workflow| workflow.triggers.iter().collect()).unwrap_or_default()
    }
    let (mut left, open) = (all(before), all(after));
    let mut take = |fits: &dyn Fn(&TriggerOutline) -> bool| left.iter().position(|other| fits(other)).map(|found| left.remove(found));
    let exact: Vec<Pair<'t>> = open.into_iter().map(|trigger| (take(&|other| same(other, trigger)), Some(trigger))).collect();
    let loose = |(before, after): Pair<'t>| match (before, after) {
        (None, Some(trigger)) if trigger.route.is_none() => {
            (take(&|other| other.route.is_none() && other.kind == trigger.kind), Some(trigger))
        }
        pair => pair,
    };
    let mut pairs: Vec<Pair<'t>> = exact.into_iter().map(loose).collect();
    pairs.extend(left.into_iter().map(|gone| (Some(gone), None)));
    pairs
}

fn same(a: &TriggerOutline, b: &TriggerOutline) -> bool {
    let place = |trigger: &TriggerOutline| trigger.route.as_ref().map(|route| shape(&route.path).0);
    let due = |trigger: &TriggerOutline| trigger.schedule.as_ref().map(when);
    let exactly = a.route.is_some() || a.schedule.is_some() || a.settings == b.settings;
    a.kind == b.kind && place(a) == place(b) && due(a) == due(b) && exactly
}

/// The triggers that change.
pub(super) fn changes(pairs: &[Pair<'_>]) -> Vec<TriggerChange> {
    pairs.iter().filter_map(change).collect()
}

fn change(pair: &Pair<'_>) -> Option<TriggerChange> {
    let whole = |change, trigger| TriggerChange { change, trigger: words(trigger), settings: Vec::new() };
    match pair {
        (Some(before), Some(after)) => {
            let settings = setting_changes(&said(before), &said(after));
            (!settings.is_empty()).then(|| TriggerChange { change: Change::Changed, trigger: words(after), settings })
        }
        (Some(gone), None) => Some(whole(Change::Removed, gone)),
        (None, Some(added)) => Some(whole(Change::Added, added)),
        (None, None) => None,
    }
}

/// The schedules that change. One that is missed or overlaps in another way is due as before.
pub(super) fn schedule_changes(workflow: &str, pairs: &[Pair<'_>]) -> Vec<ScheduleChange> {
    let schedule = |trigger: &Option<&TriggerOutline>| trigger.and_then(|trigger| trigger.schedule.clone());
    let change = |pair: &Pair<'_>| {
        let (before, after) = (schedule(&pair.0), schedule(&pair.1));
        let was = before.as_ref().map(when);
        let (change, of) = match (before, after) {
            (Some(_), Some(after)) if was.as_ref() == Some(&when(&after)) => return None,
            (Some(_), Some(after)) => (Change::Changed, after),
            (Some(gone), None) => (Change::Removed, ScheduleOutline { next: Vec::new(), ..gone }),
            (None, Some(added)) => (Change::Added, added),
            (None, None) => return None,
        };
        let before = was.filter(|_| change == Change::Changed);
        Some(ScheduleChange { change, workflow: workflow.to_owned(), rule: when(&of), before, next: of.next })
    };
    pairs.iter().filter_map(change).collect()
}

/// `cron 0 9 * * * Europe/Berlin`
fn when(schedule: &ScheduleOutline) -> String {
    let zone = schedule.timezone.as_ref().map(|zone| format!(" {zone}")).unwrap_or_default();
    format!("{}{zone}", schedule.rule)
}

pub(super) fn words(trigger: &TriggerOutline) -> String {
    let route = trigger.route.as_ref().map(|route| format!(" {} {}", route.methods.join(", "), route.path));
    let due = trigger.schedule.as_ref().map(|schedule| format!(" {}", when(schedule)));
    format!("{}{}{}", trigger.kind, route.unwrap_or_default(), due.unwrap_or_default())
}

/// `github (GITHUB_SECRET)`
pub(super) fn verified(verify: &str, secrets: &BTreeSet<String>) -> String {
    let names: Vec<&str> = secrets.iter().map(String::as_str).collect();
    if names.is_empty() { verify.to_owned() } else { format!("{verify} ({})", names.join(", ")) }
}

/// Everything that a trigger says.
fn said(trigger: &TriggerOutline) -> Settings {
    let route = trigger.route.iter().flat_map(|route| {
        [("path", route.path.clone()), ("methods", route.methods.join(", ")), ("verify", verified(&route.verify, &route.secrets))]
    });
    let due = trigger.schedule.iter().map(|schedule| ("due", when(schedule)));
    let own = route.chain(due).map(|(key, value)| (key.to_owned(), value));
    trigger.settings.clone().into_iter().chain(own).collect()
}
