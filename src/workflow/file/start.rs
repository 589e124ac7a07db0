//! How runs begin: `input`, `vars`, `concurrency`, `debounce`, `batch`, `throttle`.

use std::sync::Arc;

use super::read::{boolean, choice, code, list, some_duration, text, whole};
use super::{At, ConcurrencyFile, Fields, GatheringFile, InputFile, Report, ThrottleFile};
use crate::domain::Value;
use crate::domain::workflow::{InputKind, Mode};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Entry, Kind, Node};

/// The most names of one `input`.
pub(crate) const INPUTS: usize = 100;
/// The most runs of one key at once.
pub(crate) const CONCURRENCY_LIMIT: u32 = 10_000;
/// The most events of one batch.
pub(crate) const BATCH_LIMIT: u32 = 1_000;
/// The most starts that a throttle counts.
pub(crate) const THROTTLE_LIMIT: u32 = 1_000;

/// `input: {order: {type: string, required: true}, amount: number}`.
pub(super) fn read_input(entry: &Entry, report: &mut Report) -> Vec<InputFile> {
    let Kind::Map(entries) = &entry.value.kind else {
        let message = format!("`input` is a map of names, not {}", entry.value.kind_name());
        report.error(codes::WRONG_TYPE, entry.span, message, "write `input: {order: {type: string, required: true}}`");
        return Vec::new();
    };
    if INPUTS < entries.len() {
        let message = format!("{} inputs; the limit is {INPUTS}", entries.len());
        report.error(codes::TOO_MANY, entry.span, message, "put some of them into one map");
        return Vec::new();
    }
    entries.iter().filter_map(|entry| read_one_input(entry, report)).collect()
}

fn read_one_input(entry: &Entry, report: &mut Report) -> Option<InputFile> {
    let name = At { value: Arc::clone(&entry.key), span: entry.span };
    if entry.value.as_text().is_some() {
        // With a kind that does not exist it is declared all the same: one problem is enough.
        let kind = choice(&entry.value, &entry.key, &InputKind::ALL, report).unwrap_or(InputKind::Any);
        return Some(InputFile { name, kind, required: false, default: None, one_of: Vec::new(), description: String::new() });
    }
    let mut fields = Fields::open(&entry.value, "an input", entry.span, report)?;
    let kind = fields.optional("type").and_then(|node| choice(node, "type", &InputKind::ALL, report)).unwrap_or(InputKind::Any);
    let required = fields.optional("required").and_then(|node| boolean(node, "required", report)).unwrap_or(false);
    let default = fields.optional("default").cloned();
    let one_of = fields.optional("enum").and_then(|node| list(node, "enum", report)).unwrap_or_default();
    let description = fields.optional("description").and_then(|node| text(node, "description", report));
    if let Some(entry) = fields.entry("default").filter(|_| required) {
        report.error(codes::BAD_VALUE, entry.span, "an input that is required has no use for a default", "take one of the two away");
    }
    fields.close(report);
    let description = description.map_or_else(String::new, |text| text.value.to_string());
    Some(InputFile { name, kind, required, default, one_of: one_of.iter().map(Node::to_value).collect::<Vec<Value>>(), description })
}

/// `vars: {tries: 0, region: "${event.body.region}"}`.
pub(super) fn read_vars(entry: &Entry, report: &mut Report) -> Vec<(At<Arc<str>>, Node)> {
    let Kind::Map(entries) = &entry.value.kind else {
        let message = format!("`vars` is a map of names and values, not {}", entry.value.kind_name());
        report.error(codes::WRONG_TYPE, entry.span, message, "write `vars: {tries: 0}`; `${ }` holds an expression");
        return Vec::new();
    };
    entries.iter().map(|entry| (At { value: Arc::clone(&entry.key), span: entry.span }, entry.value.clone())).collect()
}

pub(super) fn read_concurrency(entry: &Entry, report: &mut Report) -> Option<ConcurrencyFile> {
    let mut fields = Fields::open_as(&entry.value, "`concurrency`", entry.span, "concurrency: {limit: 1}", report)?;
    let key = fields.optional("key").and_then(|node| code(node, "key", report));
    let limit = fields.optional("limit").and_then(|node| whole(node, "limit", 1..=CONCURRENCY_LIMIT, report));
    let modes = [("queue", Mode::Queue), ("skip", Mode::Skip), ("restart", Mode::Restart)];
    let mode = fields.optional("mode").and_then(|node| choice(node, "mode", &modes, report));
    fields.close(report);
    Some(ConcurrencyFile { key, limit: limit.unwrap_or(1), mode: mode.unwrap_or_default() })
}

/// `debounce` and `batch`, one of them at most, and no throttle beside them.
pub(super) fn read_gathering(fields: &mut Fields<'_>, report: &mut Report) -> Option<GatheringFile> {
    let (debounce, batch, throttle) = (fields.entry("debounce"), fields.entry("batch"), fields.entry("throttle"));
    if let [first, second, ..] = [debounce, batch, throttle].into_iter().flatten().collect::<Vec<_>>().as_slice() {
        let message = format!("`{}` and `{}` both say when a run begins", first.key, second.key);
        report.error(
            codes::TWO_KINDS,
            second.span,
            message,
            "keep one of the two; the other one can stand in a workflow that this one starts with `run`",
        );
    }
    let debounce = debounce.and_then(|entry| read_debounce(entry, report));
    let batch = batch.and_then(|entry| read_batch(entry, report));
    debounce.or(batch)
}

fn read_debounce(entry: &Entry, report: &mut Report) -> Option<GatheringFile> {
    let mut fields = Fields::open_as(&entry.value, "`debounce`", entry.span, "debounce: {for: 30s}", report)?;
    let key = fields.optional("key").and_then(|node| code(node, "key", report));
    let quiet = fields.required("for", "30s", report).and_then(|node| some_duration(node, "for", report));
    fields.close(report);
    Some(GatheringFile::Debounce { key, quiet: quiet? })
}

fn read_batch(entry: &Entry, report: &mut Report) -> Option<GatheringFile> {
    let mut fields = Fields::open_as(&entry.value, "`batch`", entry.span, "batch: {size: 100, within: 1m}", report)?;
    let key = fields.optional("key").and_then(|node| code(node, "key", report));
    let size = fields.required("size", "100", report).and_then(|node| whole(node, "size", 1..=BATCH_LIMIT, report));
    let within = fields.required("within", "1m", report).and_then(|node| some_duration(node, "within", report));
    fields.close(report);
    Some(GatheringFile::Batch { key, size: size?, within: within? })
}

pub(super) fn read_throttle(entry: &Entry, report: &mut Report) -> Option<ThrottleFile> {
    let mut fields = Fields::open_as(&entry.value, "`throttle`", entry.span, "throttle: {limit: 10, per: 1m}", report)?;
    let key = fields.optional("key").and_then(|node| code(node, "key", report));
    let limit = fields.required("limit", "10", report).and_then(|node| whole(node, "limit", 1..=THROTTLE_LIMIT, report));
    let per = fields.required("per", "1m", report).and_then(|node| some_duration(node, "per", report));
    fields.close(report);
    Some(ThrottleFile { key, limit: limit?, per: per? })
}
