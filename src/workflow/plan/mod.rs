//! What would change if a project were served in place of what a server serves now.
//!
//! Both sides are described in the same words (`outline`), the server's come as the answer of
//! `GET /api/inventory`; `compare` looks at nothing else. So it is pure, and neither values of
//! secrets nor what is in a `with` ever leave the server.

mod compare;
mod door;
mod form;
mod needs;
mod outline;
mod routes;
mod steps;
mod triggers;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::secret::{MASK, Secrets};

pub use compare::{Changed, Named, Plan, Workflows, compare};
pub use needs::{Connections, Missing, SecretNeeds};
pub use outline::outline;
pub use routes::RouteChange;
pub use steps::StepChange;
pub use triggers::{ScheduleChange, TriggerChange};
pub use words::duration as duration_words;
pub use words::{digest, is_digest};

/// Keys and what they are set to, as a person would read it; a long text or one of several lines is a digest.
pub type Settings = BTreeMap<String, String>;

/// What a server serves, in full: the answer of `GET /api/inventory`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Of the program.
    pub version: String,
    /// The server's clock, RFC 3339.
    pub time: String,
    /// What is served.
    pub project: Project,
    /// The names of the secrets that are set. Never their values.
    pub secrets: BTreeSet<String>,
    /// Runs that have not ended.
    pub runs: Runs,
}

/// What a project holds, as far as a plan compares it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Every good workflow, by name.
    pub workflows: Vec<WorkflowOutline>,
    /// What `hence.yaml` says.
    #[serde(default)]
    pub settings: SettingsOutline,
}

/// `hence.yaml`, as read at a server's start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsOutline {
    /// A digest of the file; nothing when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// By name.
    #[serde(default)]
    pub connections: Vec<ConnectionOutline>,
}

/// A connection, without its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionOutline {
    /// Its name.
    pub name: String,
    /// The connector it is for.
    pub connector: String,
    /// The secrets it names.
    #[serde(default)]
    pub secrets: BTreeSet<String>,
    /// A digest of its settings as written, secrets not filled in.
    #[serde(default)]
    pub digest: String,
}

/// A workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowOutline {
    /// Its name.
    pub name: String,
    /// Its file, below the project folder.
    pub file: String,
    /// Its content hash.
    pub revision: String,
    /// The scripts it uses, each with a digest.
    #[serde(default)]
    pub scripts: Settings,
    /// `when`.
    pub triggers: Vec<TriggerOutline>,
    /// The other keys of the workflow.
    #[serde(default)]
    pub settings: Settings,
    /// Every step, in the order of writing, those inside others and handlers included.
    pub steps: Vec<StepOutline>,
    /// The secrets that its triggers and steps name.
    #[serde(default)]
    pub secrets: BTreeSet<String>,
}

/// An entry of `when`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerOutline {
    /// `webhook`, `schedule`, …
    pub kind: String,
    /// Where requests reach it, if they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteOutline>,
    /// When it is due, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleOutline>,
    /// Its other keys.
    #[serde(default)]
    pub settings: Settings,
}

/// Where requests reach a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteOutline {
    /// From the root on: `/hooks/orders/{id}`.
    pub path: String,
    /// In upper case.
    pub methods: Vec<String>,
    /// How the sender is known; `none` is said out loud.
    pub verify: String,
    /// The secrets that it may be known by.
    #[serde(default)]
    pub secrets: BTreeSet<String>,
}

/// When a trigger is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleOutline {
    /// `cron 0 9 * * MON-FRI`, `every 15m`, `at 2027-01-01T00:00:00.000Z`.
    pub rule: String,
    /// The zone of a `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The next due times: RFC 3339, with the zone's offset.
    #[serde(default)]
    pub next: Vec<String>,
}

/// A step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOutline {
    /// Its address outside every loop.
    pub address: String,
    /// `call`, `script`, …
    pub kind: String,
    /// `CONNECTOR.ACTION` of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The connection that a call names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub using: Option<String>,
    /// Its other keys; steps inside it are steps of their own.
    #[serde(default)]
    pub settings: Settings,
}

/// Runs that have not ended, by revision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// How many there are of each revision.
    pub counts: Vec<RunCount>,
    /// Whether all were counted; the oldest ones otherwise.
    pub complete: bool,
}

/// Runs of one revision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunCount {
    /// The workflow's name.
    pub workflow: String,
    /// The revision they keep.
    pub revision: String,
    /// How many.
    pub runs: usize,
}

/// What becomes of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is new.
    Added,
    /// It is another.
    Changed,
    /// It is gone.
    Removed,
}

/// A key that is set to something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingChange {
    /// The key.
    pub key: String,
    /// What it was set to; nothing when it was not.
    pub before: Option<String>,
    /// What it is set to; nothing when it is not.
    pub after: Option<String>,
}

impl Project {
    /// Makes unreadable what looks like one of these secrets, in every text that somebody wrote.
    pub fn mask(&mut self, secrets: &Secrets) {
        for workflow in &mut self.workflows {
            let steps = workflow.steps.iter_mut().map(|step| &mut step.settings);
            let triggers = workflow.triggers.iter_mut().map(|trigger| &mut trigger.settings);
            for settings in steps.chain(triggers).chain([&mut workflow.settings]) {
                settings.values_mut().for_each(|text| secrets.mask_text(text));
            }
        }
    }
}

/// The keys in which two differ, by key.
fn setting_changes(before: &Settings, after: &Settings) -> Vec<SettingChange> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |key: &String| SettingChange { key: key.clone(), before: before.get(key).cloned(), after: after.get(key).cloned() };
    let differs = |change: &SettingChange| match (&change.before, &change.after) {
        (Some(before), Some(after)) => !alike(before, after),
        (None, Some(_)) | (Some(_), None) => true,
        (None, None) => false,
    };
    keys.into_iter().map(change).filter(differs).collect()
}

/// Whether two texts are the same, as far as can be seen: what is masked may stand for anything.
fn alike(a: &str, b: &str) -> bool {
    let fits = |masked: &str, text: &str| {
        let (Some((start, _)), Some((_, end))) = (masked.split_once(MASK), masked.rsplit_once(MASK)) else { return false };
        start.len() + end.len() <= text.len() && text.starts_with(start) && text.ends_with(end)
    };
    a == b || fits(a, b) || fits(b, a)
}
