//! Every piece of code of a workflow, with what it is for and where it stands.

use super::scan::{Token, scan};
use crate::script::holes;
use crate::workflow::file::{
    ChildFile, CodeText, EmitFile, GatheringFile, KindFile, OnErrorFile, ReplyFile, RespondBodyFile, RespondFile, StepFile, TriggerFile,
    WaitFile, WorkflowFile,
};
use crate::workflow::yaml::{Node, Place, Span, trace};

/// What a piece of code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It has to be true or false; the key it stands under.
    Condition(&'static str),
    /// The same of a `wait` for an event: there `event` is the one that came.
    Arriving,
    /// `key` of what runs share: `concurrency`, `debounce`, …
    Key(&'static str),
    /// `switch`.
    Switch,
    /// `foreach`.
    Items,
    /// `wait: {until: …}`.
    Time,
    /// A hole in `with`, where secrets may be used.
    With,
    /// Anything else.
    Value,
}

/// One piece of code, in tokens.
#[derive(Debug)]
pub(super) struct Piece<'f> {
    pub(super) role: Role,
    /// The scalar it stands in; the places of tokens count from its start.
    pub(super) content: &'f str,
    place: Place,
    pub(super) tokens: Vec<Token<'f>>,
}

impl<'f> Piece<'f> {
    fn new(role: Role, content: &'f str, place: Place, code: &'f str, offset: usize) -> Self {
        let mut tokens = scan(code);
        tokens.iter_mut().for_each(|token| token.at += offset);
        Self { role, content, place, tokens }
    }

    fn whole(role: Role, code: &'f CodeText) -> Self {
        Self::new(role, &code.text, code.place, &code.text, 0)
    }

    /// A file of script functions.
    pub(super) fn of_script(text: &'f str) -> Self {
        let place = Place { line: 1, column: 1, next_column: 1, last_line: u32::MAX, rewritten: false };
        Self::new(Role::Value, text, place, text, 0)
    }

    /// Where a token is in the file.
    pub(super) fn span(&self, token: &Token<'_>, source: &str) -> Span {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let before = self.content.get(..token.at).unwrap_or("");
        let down = small(before.matches('\n').count());
        let across = small(before.rsplit('\n').next().unwrap_or("").chars().count());
        let first = if down == 0 { self.place.column } else { self.place.next_column };
        let (line, column) = (self.place.line.saturating_add(down), first.saturating_add(across));
        let (line, column) = trace(source, self.place, self.content, line, column);
        Span { line, column, length: small(token.text.chars().count().max(1)) }
    }

    /// The token `back` places before the one at `index`.
    pub(super) fn before(&self, index: usize, back: usize) -> Option<&Token<'f>> {
        index.checked_sub(back).and_then(|index| self.tokens.get(index))
    }
}

/// What is evaluated before any step has run: keys, defaults, and the conditions of triggers and workflow.
pub(super) fn of_event(file: &WorkflowFile) -> Vec<Piece<'_>> {
    let mut found: Vec<Piece<'_>> = Vec::new();
    for trigger in &file.triggers {
        match trigger {
            TriggerFile::Webhook(webhook) => {
                found.extend(webhook.dedupe.iter().map(|dedupe| Piece::whole(Role::Value, &dedupe.key)));
                if let Some(ReplyFile::Fixed(respond)) = &webhook.respond {
                    of_respond(respond, &mut found);
                }
            }
            TriggerFile::Form(form) => found.extend(form.dedupe.iter().map(|dedupe| Piece::whole(Role::Value, &dedupe.key))),
            TriggerFile::Event(event) => found.extend(event.condition.iter().map(|code| Piece::whole(Role::Condition("if"), code))),
            TriggerFile::Schedule(_) | TriggerFile::Run(_) | TriggerFile::Manual(_) => {}
        }
    }
    found.extend(file.condition.iter().map(|code| Piece::whole(Role::Condition("if"), code)));
    let defaults = file.input.iter().filter_map(|input| input.default.as_ref());
    for node in defaults.chain(file.vars.iter().map(|(_, node)| node)) {
        node.for_each_text(&mut |text| of_text(Role::Value, &text.raw, text.place, &mut found));
    }
    let gathering = file.gathering.as_ref().map(|gathering| match gathering {
        GatheringFile::Debounce { key, .. } => ("debounce", key),
        GatheringFile::Batch { key, .. } => ("batch", key),
    });
    let concurrency = file.concurrency.as_ref().map(|concurrency| ("concurrency", &concurrency.key));
    let throttle = file.throttle.as_ref().map(|throttle| ("throttle", &throttle.key));
    for (rule, key) in [concurrency, gathering, throttle].into_iter().flatten() {
        found.extend(key.iter().map(|code| Piece::whole(Role::Key(rule), code)));
    }
    found
}

/// A step's conditions: its own `if`, or the one it branches on.
pub(super) fn condition(step: &StepFile) -> Option<&CodeText> {
    match &step.kind {
        KindFile::If { condition, .. } => Some(condition),
        _ => step.condition.as_ref(),
    }
}

/// A step's own code, that of steps inside it left out, and `until` too, which is evaluated after them.
pub(super) fn of_step(step: &StepFile) -> Vec<Piece<'_>> {
    let mut found: Vec<Piece<'_>> = condition(step).map(|code| Piece::whole(Role::Condition("if"), code)).into_iter().collect();
    match &step.kind {
        KindFile::Call(call) => {
            if let Some(with) = &call.with {
                with.for_each_text(&mut |text| of_text(Role::With, &text.raw, text.place, &mut found));
            }
            found.extend(call.idempotency_key.as_ref().map(|code| Piece::whole(Role::Value, code)));
        }
        KindFile::Script(code) => found.push(Piece::whole(Role::Value, code)),
        KindFile::Set(entries) => found.extend(entries.iter().map(|(_, code)| Piece::whole(Role::Value, code))),
        KindFile::Switch { on, .. } => found.push(Piece::whole(Role::Switch, on)),
        KindFile::Foreach { items, .. } => found.push(Piece::whole(Role::Items, items)),
        KindFile::Wait(WaitFile::Until(code)) => found.push(Piece::whole(Role::Time, code)),
        KindFile::Fail(code) => of_text(Role::Value, &code.text, code.place, &mut found),
        KindFile::Stop(code) => found.extend(code.as_ref().map(|code| Piece::whole(Role::Value, code))),
        KindFile::Wait(WaitFile::Event { condition, .. }) => {
            found.extend(condition.as_ref().map(|code| Piece::whole(Role::Arriving, code)));
        }
        KindFile::Wait(WaitFile::For(_)) => {}
        KindFile::Approve(approve) => {
            [&approve.to, &approve.message].into_iter().for_each(|code| of_text(Role::Value, &code.text, code.place, &mut found));
        }
        KindFile::Run(ChildFile { with, .. }) | KindFile::Emit(EmitFile { with, .. }) => {
            with.iter().for_each(|with| with.for_each_text(&mut |text| of_text(Role::Value, &text.raw, text.place, &mut found)));
        }
        KindFile::Respond(respond) => of_respond(respond, &mut found),
        KindFile::If { .. } | KindFile::Repeat { .. } | KindFile::Parallel { .. } => {}
    }
    found
}

fn of_respond<'f>(respond: &'f RespondFile, found: &mut Vec<Piece<'f>>) {
    let nodes = [respond.status.as_ref(), respond.headers.as_ref()];
    let (json, code) = match &respond.body {
        RespondBodyFile::Empty => (None, None),
        RespondBodyFile::Json(node) | RespondBodyFile::Xml(node) => (Some(node), None),
        RespondBodyFile::Text(code) | RespondBodyFile::Html(code) | RespondBodyFile::Redirect(code) => (None, Some(code)),
    };
    for node in nodes.into_iter().chain([json]).flatten() {
        node.for_each_text(&mut |text| of_text(Role::Value, &text.raw, text.place, found));
    }
    code.iter().for_each(|code| of_text(Role::Value, &code.text, code.place, found));
}

/// `until` of a `repeat`.
pub(super) fn until(step: &StepFile) -> Option<Piece<'_>> {
    match &step.kind {
        KindFile::Repeat { until, .. } => Some(Piece::whole(Role::Condition("until"), until)),
        _ => None,
    }
}

/// The lists of steps inside a step, its handler last.
pub(super) fn blocks(step: &StepFile) -> Vec<&[StepFile]> {
    let mut found: Vec<&[StepFile]> = match &step.kind {
        KindFile::If { then, otherwise, .. } => vec![then, otherwise],
        KindFile::Switch { cases, default, .. } => cases.iter().map(|(_, steps)| steps.as_slice()).chain([default.as_slice()]).collect(),
        KindFile::Foreach { steps, .. } | KindFile::Repeat { steps, .. } => vec![steps],
        KindFile::Parallel { branches, .. } => branches.iter().map(|(_, steps)| steps.as_slice()).collect(),
        KindFile::Call(call) => vec![&call.undo],
        KindFile::Wait(WaitFile::Event { otherwise, .. }) => vec![otherwise],
        KindFile::Approve(approve) => vec![&approve.notify, &approve.otherwise],
        KindFile::Script(_)
        | KindFile::Set(_)
        | KindFile::Wait(WaitFile::For(_) | WaitFile::Until(_))
        | KindFile::Run(_)
        | KindFile::Emit(_)
        | KindFile::Respond(_)
        | KindFile::Fail(_)
        | KindFile::Stop(_) => Vec::new(),
    };
    if let OnErrorFile::Steps(steps) = &step.on_error {
        found.push(steps);
    }
    found
}

/// Visits every list of steps of a workflow, outer ones first.
pub(super) fn for_each_block<'f>(file: &'f WorkflowFile, visit: &mut impl FnMut(&'f [StepFile])) {
    fn inside<'f>(steps: &'f [StepFile], visit: &mut impl FnMut(&'f [StepFile])) {
        visit(steps);
        for step in steps {
            blocks(step).into_iter().for_each(|block| inside(block, visit));
        }
    }
    [&file.steps, &file.on_error, &file.on_cancel, &file.finally].into_iter().for_each(|steps| inside(steps, visit));
}

/// Visits every piece of code of a workflow.
pub(super) fn for_each_piece<'f>(file: &'f WorkflowFile, visit: &mut impl FnMut(&Piece<'f>)) {
    of_event(file).iter().for_each(&mut *visit);
    for_each_block(file, &mut |steps| {
        for step in steps {
            of_step(step).iter().chain(until(step).iter()).for_each(&mut *visit);
        }
    });
}

/// Every value below the key `id`, also of steps that could not be read.
pub(super) fn raw_ids<'n>(node: &'n Node, found: &mut std::collections::HashSet<&'n str>) {
    use crate::workflow::yaml::Kind;
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|item| raw_ids(item, found)),
        Kind::Map(entries) => {
            for entry in entries {
                if &*entry.key == "id" {
                    found.extend(entry.value.as_text());
                }
                raw_ids(&entry.value, found);
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text => {}
    }
}

fn of_text<'f>(role: Role, text: &'f str, place: Place, found: &mut Vec<Piece<'f>>) {
    found.extend(holes(text).into_iter().map(|(code, offset)| Piece::new(role, text, place, code, offset)));
}
