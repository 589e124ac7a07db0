//! Triggers as written.

use std::sync::Arc;
use std::time::Duration;

use super::{At, CodeText, FormFile, RespondFile};
use crate::domain::door::Door;
use crate::domain::run::Status;
use crate::domain::schedule::CatchUp;
use crate::domain::workflow::{SecretName, Verify};
use crate::workflow::file::BodySchemaFile;
use crate::workflow::yaml::Span;

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
    /// `manual`, and its `schema`.
    Manual(Option<BodySchemaFile>),
}

impl TriggerFile {
    /// Its `schema`.
    #[must_use]
    pub fn schema(&self) -> Option<&BodySchemaFile> {
        match self {
            Self::Webhook(webhook) => webhook.schema.as_ref(),
            Self::Form(form) => form.schema.as_ref(),
            Self::Manual(schema) => schema.as_ref(),
            Self::Schedule(_) | Self::Event(_) | Self::Run(_) => None,
        }
    }
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
    /// Where it says how.
    pub verify_span: Span,
    /// The secrets that `verify` names.
    pub secrets: Vec<At<SecretName>>,
    /// `dedupe`.
    pub dedupe: Option<DedupeFile>,
    /// `schema`.
    pub schema: Option<BodySchemaFile>,
    /// `limits.body`.
    pub body_limit_bytes: Option<usize>,
    /// `limits.rate`, `allow_from` and `cors`.
    pub door: Door,
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
