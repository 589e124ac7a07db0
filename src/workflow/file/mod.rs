//! A workflow as on disk: every field typed, nothing yet compiled. Reading collects all problems.

mod blocks;
mod body_schema;
pub(crate) mod door;
mod fields;
mod form;
pub(crate) mod form_fields;
mod hmac;
pub(crate) mod keep;
pub(crate) mod read;
mod report;
mod requests;
mod retry;
mod start;
mod steps;
mod triggers;
mod verify;
mod verify_scheme;
mod workflow;
mod written;

/// Bounds and words that the schema names too.
pub(crate) mod limits {
    pub(crate) use super::blocks::{PARALLEL_LIMIT, ROUNDS_LIMIT};
    pub(crate) use super::door::{DOOR_LIST, RATE_LIMIT};
    pub(crate) use super::form::{SORTS as FORM_LISTS, TEXT_BYTES, UPLOADS_LIMIT};
    pub(crate) use super::form_fields::{FIELD_NAME_BYTES, FIELDS, LENGTH_LIMIT, SORTS as FIELD_SORTS};
    pub(crate) use super::read::EVENT_TYPE_BYTES;
    pub(crate) use super::retry::{ATTEMPTS, FACTOR};
    pub(crate) use super::start::{BATCH_LIMIT, CONCURRENCY_LIMIT, INPUTS, THROTTLE_LIMIT};
    pub(crate) use super::steps::BRANCHES_LIMIT;
    pub(crate) use super::triggers::{METHODS, OUTCOMES};
    pub(crate) use super::verify::{KINDS, SECRETS};
    pub(crate) use super::verify_scheme::{KEYS, SCHEMES, TOPICS, WITHOUT_SECRET};
}

pub use body_schema::{BodySchemaFile, SCHEMA_HELP};
pub use fields::Fields;
pub use read::parse_size;
pub use report::Report;
pub use retry::read_retry;
pub use workflow::read_workflow;
pub use written::{
    ApproveFile, At, CallFile, ChildFile, CodeText, ConcurrencyFile, DedupeFile, EmitFile, EventTriggerFile, FormFile, GatheringFile,
    InputFile, KindFile, OnErrorFile, ReplyFile, RespondBodyFile, RespondFile, RetryFile, RetryRule, RuleFile, RunTriggerFile,
    ScheduleFile, StepFile, ThrottleFile, TriggerFile, WaitFile, WebhookFile, WorkflowFile,
};

/// The most triggers of one workflow.
pub const TRIGGERS: usize = 32;
/// How deep steps may stand inside steps.
pub const STEP_DEPTH: usize = 32;
/// The most steps of one workflow, handlers included.
pub const STEPS: usize = 1_000;
