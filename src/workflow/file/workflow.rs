//! The top level of a workflow file.

use super::read::{code, list, some_duration, text};
use super::{Fields, Report, StepFile, TRIGGERS, WorkflowFile, keep, retry, start, steps, triggers};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Kind, Node, Span};

/// Keys of the language that this version does not run.
const NOT_YET: [&str; 1] = ["labels"];

/// Reads a workflow. Something comes back even when there are problems, so that later checks can find more of them.
pub fn read_workflow(root: &Node, report: &mut Report) -> Option<WorkflowFile> {
    let mut fields = Fields::open(root, "a workflow", Span::START, report)?;
    let name = fields.optional("name").and_then(|node| text(node, "name", report));
    let description = fields.optional("description").and_then(|node| text(node, "description", report));
    let when = fields.required("when", "[{manual: {}}]", report);
    let triggers = when.map(|node| read_triggers(node, report)).unwrap_or_default();
    let condition = fields.optional("if").and_then(|node| code(node, "if", report));
    let steps = fields.required("steps", "[{call: http.post, with: {…}}]", report);
    let steps = steps.map(|node| read_block(node, "steps", report)).unwrap_or_default();
    let on_error = fields.optional("on_error").map(|node| read_on_error(node, report)).unwrap_or_default();
    let on_cancel = fields.optional("on_cancel").map(|node| read_block(node, "on_cancel", report)).unwrap_or_default();
    let finally = fields.optional("finally").map(|node| read_block(node, "finally", report)).unwrap_or_default();
    let input = fields.entry("input").map(|entry| start::read_input(entry, report)).unwrap_or_default();
    let vars = fields.entry("vars").map(|entry| start::read_vars(entry, report)).unwrap_or_default();
    let concurrency = fields.entry("concurrency").and_then(|entry| start::read_concurrency(entry, report));
    let gathering = start::read_gathering(&mut fields, report);
    let throttle = fields.entry("throttle").and_then(|entry| start::read_throttle(entry, report));
    let retry = fields.entry("retry").and_then(|entry| retry::read(&entry.value, entry.span, report));
    let timeout = fields.optional("timeout").and_then(|node| some_duration(node, "timeout", report));
    let keep = fields.entry("keep").and_then(|entry| keep::read_keep(entry, "`keep`", report)).unwrap_or_default();
    fields.not_yet(&NOT_YET, report);
    fields.close(report);
    let description = description.map_or_else(String::new, |text| text.value.as_ref().to_owned());
    Some(WorkflowFile {
        name,
        description,
        triggers,
        condition,
        steps,
        input,
        vars,
        concurrency,
        gathering,
        throttle,
        on_error,
        on_cancel,
        finally,
        retry,
        timeout,
        keep,
    })
}

fn read_triggers(node: &Node, report: &mut Report) -> Vec<super::TriggerFile> {
    let Some(items) = list(node, "when", report) else { return Vec::new() };
    if TRIGGERS < items.len() {
        let message = format!("{} triggers; the limit is {TRIGGERS}", items.len());
        report.error(codes::TOO_MANY, node.span, message, "split it into several workflows");
        return Vec::new();
    }
    items.iter().filter_map(|item| triggers::read(item, report)).collect()
}

fn read_block(node: &Node, key: &str, report: &mut Report) -> Vec<StepFile> {
    steps::read_block(node, key, 1, report)
}

/// A workflow's handler is a list of steps. The two words that a step may have here would change nothing.
fn read_on_error(node: &Node, report: &mut Report) -> Vec<StepFile> {
    if node.kind == Kind::Text && &*node.raw == "continue" {
        report.error(
            codes::BAD_VALUE,
            node.span,
            "`on_error: continue` is for steps",
            "write it at the step that may fail, or give a list of steps here",
        );
        return Vec::new();
    }
    if node.kind == Kind::Text && &*node.raw == "fail" {
        return Vec::new();
    }
    read_block(node, "on_error", report)
}
