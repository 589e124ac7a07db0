//! Triggers as written.

use std::sync::Arc;
use std::time::Duration;

use super::{At, CodeText, FormFile, RespondFile};
use crate::domain::run::Status;
use crate::domain::schedule::CatchUp;
use crate::domain::workflow::{SecretName, Verify};

/// One entry of `when`.
#[derive(Debug, Clone, PartialEq)]
pub enum TriggerFile {
    /// `webhook`.
    Webhook(Box<WebhookFile>),
    /// `form`.
    Form(Box<FormFile>),
    /// `schedule`.
    Schedule(ScheduleFile),
    /// `event`.
    Event(EventTriggerFile),
    /// `run`.
    Run(RunTriggerFile),
    /// `manual`.
    Manual,
}

/// An `event` trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct EventTriggerFile {
    /// `type`.
    pub kind: At<Arc<str>>,
    /// `if`.
    pub condition: Option<CodeText>,
}

/// A `run` trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct RunTriggerFile {
    /// `workflow`.
    pub workflow: At<Arc<str>>,
    /// `outcome`; every one when absent.
    pub outcomes: Vec<Status>,
}

/// A `webhook` trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookFile {
    /// `path`.
    pub path: At<Arc<str>>,
    /// `methods`, in upper case; `POST` when absent.
    pub methods: Vec<Arc<str>>,
    /// `verify`.
    pub verify: Verify,
    /// The secrets that `verify` names.
    pub secrets: Vec<At<SecretName>>,
    /// `dedupe`.
    pub dedupe: Option<DedupeFile>,
    /// `limits.body`.
    pub body_limit_bytes: Option<usize>,
    /// `respond`.
    pub respond: Option<ReplyFile>,
}

/// `respond` of a webhook.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplyFile {
    /// `wait`.
    Wait(Duration),
    /// `status`, `headers` and one of `json`, `xml`, `text`, `html`, `redirect`.
    Fixed(Box<RespondFile>),
}

/// `dedupe` of a webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct DedupeFile {
    /// `key`.
    pub key: CodeText,
    /// `within`.
    pub within: Duration,
}

/// A `schedule` trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleFile {
    /// Which of `cron`, `every`, `at`.
    pub rule: RuleFile,
    /// `timezone`.
    pub timezone: Option<At<Arc<str>>>,
    /// `catch_up`.
    pub catch_up: CatchUp,
}

/// When a schedule is due.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleFile {
    /// `cron`.
    Cron(At<Arc<str>>),
    /// `every`.
    Every(Duration),
    /// `at`.
    At(At<Arc<str>>),
}
