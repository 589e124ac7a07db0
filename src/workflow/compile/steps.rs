//! Steps: ids, addresses, kinds.

use std::sync::Arc;
use std::time::Duration;

use super::{Apart, Compiler, NAME_BYTES};
use crate::domain::journal::Address;
use crate::domain::retry::Retry;
use crate::domain::workflow::{Call, Code, OnError, Step, StepKind, Wait, WaitEvent};
use crate::workflow::file::{At, CallFile, CodeText, KindFile, OnErrorFile, STEPS, StepFile, WaitFile};
use crate::workflow::problem::{Problem, codes};

/// How long one attempt of a call may take when `timeout` is not given.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Words that cannot stand after `steps.` in Rhai, and the parts of addresses.
pub(crate) const RESERVED: [&str; 37] = [
    "true",
    "false",
    "let",
    "const",
    "if",
    "else",
    "switch",
    "do",
    "while",
    "until",
    "loop",
    "for",
    "in",
    "continue",
    "break",
    "return",
    "throw",
    "try",
    "catch",
    "import",
    "export",
    "as",
    "fn",
    "private",
    "this",
    "global",
    "eval",
    "is",
    "go",
    "new",
    "then",
    "on_error",
    "null",
    "void",
    "on_cancel",
    "finally",
    "vars",
];

impl Compiler<'_, '_> {
    /// A list of steps; `prefix` is the address of what they stand in.
    pub(super) fn block(&mut self, steps: &[StepFile], prefix: &str) -> Vec<Step> {
        steps.iter().enumerate().filter_map(|(index, step)| self.step(step, index, prefix)).collect()
    }

    fn step(&mut self, step: &StepFile, index: usize, prefix: &str) -> Option<Step> {
        self.steps += 1;
        if STEPS < self.steps {
            return None;
        }
        if let Some(id) = &step.id {
            self.check_id(id);
        }
        let segment = step.id.as_ref().map_or_else(|| index.to_string(), |id| id.value.as_ref().to_owned());
        let address = if prefix.is_empty() { segment } else { format!("{prefix}/{segment}") };
        let condition = step.condition.as_ref().map(|code| self.expression(code, &field(&address, "if")));
        self.check_place(step);
        let retry = step.retry.as_ref().and_then(|retry| self.retry(retry));
        let kind = self.inside(step, retry.as_ref(), |compiler| compiler.kind(&step.kind, &address));
        let on_error = match &step.on_error {
            OnErrorFile::Fail => OnError::Fail,
            OnErrorFile::Continue => OnError::Continue,
            OnErrorFile::Steps(steps) => OnError::Steps(self.block(steps, &format!("{address}/on_error"))),
        };
        let id = step.id.as_ref().map(|id| Arc::clone(&id.value));
        let (name, timeout) = (step.name.clone(), step.timeout);
        Some(Step { address: Address::new(address), id, name, condition: condition.flatten(), timeout, retry, on_error, kind: kind? })
    }

    /// Compiles what is done anew with a step: what a block holds, but not what follows its failure.
    fn inside<T>(&mut self, step: &StepFile, retry: Option<&Retry>, compile: impl FnOnce(&mut Self) -> T) -> T {
        let is_block = match &step.kind {
            KindFile::If { .. }
            | KindFile::Switch { .. }
            | KindFile::Foreach { .. }
            | KindFile::Repeat { .. }
            | KindFile::Parallel { .. } => true,
            KindFile::Call(_)
            | KindFile::Script(_)
            | KindFile::Set(_)
            | KindFile::Wait(_)
            | KindFile::Approve(_)
            | KindFile::Run(_)
            | KindFile::Emit(_)
            | KindFile::Respond(_)
            | KindFile::Fail(_)
            | KindFile::Stop(_) => false,
        };
        let outer = self.anew;
        self.anew |= is_block && retry.is_some_and(|retry| 1 < retry.attempts);
        let compiled = compile(self);
        self.anew = outer;
        compiled
    }

    pub(super) fn check_id(&mut self, id: &At<Arc<str>>) {
        let begins = id.value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let identifier = is_identifier(&id.value);
        if !identifier || RESERVED.contains(&&*id.value) {
            let message = format!("`{}` cannot be an id: `steps.ID` must be readable in expressions", id.value);
            let mended: String = id.value.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            let help =
                if identifier { "choose another word".to_owned() } else { format!("use letters, digits and `_`, as in `step_{mended}`") };
            let help = if begins && !identifier { format!("use letters, digits and `_`, as in `{mended}`") } else { help };
            self.report.error(codes::BAD_NAME, id.span, message, help);
        } else if let Some(first) = self.ids.get(&id.value) {
            let message = format!("the id `{}` is taken by a step in line {}", id.value, first.line);
            self.report.error(codes::DUPLICATE_ID, id.span, message, "give each step an id of its own");
        } else {
            self.ids.insert(Arc::clone(&id.value), id.span);
        }
    }

    fn kind(&mut self, kind: &KindFile, address: &str) -> Option<StepKind> {
        match kind {
            KindFile::Call(call) => self.call(call, address).map(StepKind::Call),
            KindFile::Script(code) => self.script(code, &field(address, "script")).map(StepKind::Script),
            KindFile::Set(entries) => Some(StepKind::Set(entries.iter().filter_map(|entry| self.set(entry, address)).collect())),
            KindFile::If { condition, then, otherwise } => {
                let condition = self.expression(condition, &field(address, "if"));
                let then = self.block(then, &format!("{address}/then"));
                let otherwise = self.block(otherwise, &format!("{address}/else"));
                Some(StepKind::If { condition: condition?, then, otherwise })
            }
            KindFile::Switch { on, cases, default } => self.switch(on, cases, default, address),
            KindFile::Foreach { items, name, parallel, steps } => self.foreach(items, name.as_ref(), *parallel, steps, address),
            KindFile::Repeat { until, every, at_most, steps } => {
                let steps = self.block(steps, address);
                let until = self.expression(until, &field(address, "repeat.until"));
                Some(StepKind::Repeat { until: until?, every: *every, at_most: *at_most, steps })
            }
            KindFile::Parallel { branches, any } => {
                let branch = |compiler: &mut Self, (name, steps): &(At<Arc<str>>, Vec<StepFile>)| {
                    compiler.check_segment(name);
                    (Arc::clone(&name.value), compiler.block(steps, &format!("{address}/{}", name.value)))
                };
                Some(StepKind::Parallel { branches: branches.iter().map(|named| branch(self, named)).collect(), any: *any })
            }
            KindFile::Wait(WaitFile::For(span)) => Some(StepKind::Wait(Wait::For(*span))),
            KindFile::Wait(WaitFile::Until(code)) => {
                self.expression(code, &field(address, "wait.until")).map(|code| StepKind::Wait(Wait::Until(code)))
            }
            KindFile::Wait(WaitFile::Event { kind, condition, within, otherwise }) => {
                let condition = condition.as_ref().map(|code| self.expression(code, &field(address, "wait.if")));
                let otherwise = self.block(otherwise, &format!("{address}/else"));
                let wait = WaitEvent { kind: Arc::clone(&kind.value), condition: condition.flatten(), within: *within, otherwise };
                Some(StepKind::Wait(Wait::Event(wait)))
            }
            KindFile::Approve(approve) => self.approve(approve, address).map(StepKind::Approve),
            KindFile::Run(child) => self.child(child, address).map(StepKind::Run),
            KindFile::Emit(emit) => self.emit(emit, address).map(StepKind::Emit),
            KindFile::Respond(respond) => self.respond(respond, |key| field(address, &format!("respond.{key}"))).map(StepKind::Respond),
            KindFile::Fail(code) => self.text(code, &field(address, "fail")).map(StepKind::Fail),
            KindFile::Stop(None) => Some(StepKind::Stop(None)),
            KindFile::Stop(Some(code)) => self.expression(code, &field(address, "stop")).map(|code| StepKind::Stop(Some(code))),
        }
    }

    fn set(&mut self, (name, code): &(At<Arc<str>>, CodeText), address: &str) -> Option<(Arc<str>, Code)> {
        let field = field(address, &format!("set.{}", name.value));
        self.expression(code, &field).map(|code| (Arc::clone(&name.value), code))
    }

    fn call(&mut self, call: &CallFile, address: &str) -> Option<Call> {
        let target = self.target(call);
        let with = self.tree(call.with.as_ref(), &field(address, "with"));
        let retry = self.call_retry(call);
        let undo = self.apart(Apart::Undo, |compiler| compiler.block(&call.undo, &format!("{address}/undo")));
        let idempotency_key = call.idempotency_key.as_ref().and_then(|key| self.expression(key, &field(address, "idempotency_key")));
        let (connector, action) = target?;
        Some(Call {
            connector,
            action,
            using: call.using.as_ref().map(|using| Arc::clone(&using.value)),
            with: with?,
            retry,
            timeout: call.timeout.unwrap_or(CALL_TIMEOUT),
            at_most_once: call.at_most_once,
            idempotency_key,
            undo,
        })
    }

    fn target(&mut self, call: &CallFile) -> Option<(Arc<str>, Arc<str>)> {
        let At { value, span } = &call.target;
        let Some((connector, action)) = value.split_once('.').filter(|(a, b)| !a.is_empty() && !b.is_empty()) else {
            let message = format!("`{value}` does not say which action of which connector to call");
            self.report.error(codes::BAD_VALUE, *span, message, "write `call: connector.action`, as in `call: http.post`");
            return None;
        };
        let using = call.using.as_ref();
        if let Err(found) = (self.context.check_target)(connector, action, using.map(|using| &*using.value)) {
            let span = using.filter(|_| found.code == codes::UNKNOWN_CONNECTION).map_or(*span, |using| using.span);
            let problem = Problem::error(found.code, self.report.file(), span, found.message);
            self.report.push(Problem { help: found.help, ..problem });
            return None;
        }
        Some((connector.into(), action.into()))
    }

    /// The step's own retry, else the workflow's, else the default; a call that may run at most once has one attempt.
    fn call_retry(&mut self, call: &CallFile) -> Retry {
        // What was stored goes on as it is.
        if call.at_most_once && self.anew && !self.context.rebuilds {
            let message = "a call with `at_most_once` stands in a step that is done anew when it fails: it would be made again";
            let help = "take `at_most_once` away, or the `retry` around it, or move the call out of that step";
            self.report.error(codes::AT_MOST_ONCE_RETRY, call.target.span, message, help);
        }
        let own = call.retry.as_ref().and_then(|retry| self.retry(retry).map(|rule| (rule, retry.span)));
        match own {
            Some((rule, span)) => {
                if call.at_most_once && 1 < rule.attempts {
                    let message = format!("a step with `at_most_once` cannot have {} attempts", rule.attempts);
                    self.report.error(codes::AT_MOST_ONCE_RETRY, span, message, "take `retry` or `at_most_once` away");
                }
                rule
            }
            None if call.at_most_once => Retry { attempts: 1, ..Retry::default() },
            None => self.retry.clone().unwrap_or_default(),
        }
    }
}

pub(super) fn field(address: &str, key: &str) -> String {
    format!("step {address}: {key}")
}

/// Whether a word can stand as a name in an expression.
pub(super) fn is_identifier(word: &str) -> bool {
    word.len() <= NAME_BYTES
        && word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
