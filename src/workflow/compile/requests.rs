//! Steps that speak with somebody inside: a person, another workflow, whoever waits for the run.

use std::sync::Arc;
use std::time::Duration;

use super::steps::field;
use super::{Apart, Compiler};
use crate::domain::workflow::{Approve, Child, Emit, Respond, RespondBody};
use crate::workflow::file::{ApproveFile, ChildFile, EmitFile, KindFile, RespondBodyFile, RespondFile, StepFile};
use crate::workflow::problem::codes;

/// How long a person has who is asked, when `within` is not given.
const APPROVE_WITHIN: Duration = Duration::from_secs(7 * 86_400);

impl Compiler<'_, '_> {
    pub(super) fn approve(&mut self, file: &ApproveFile, address: &str) -> Option<Approve> {
        let to = self.text(&file.to, &field(address, "approve.to"));
        let message = self.text(&file.message, &field(address, "approve.message"));
        let notify = self.block(&file.notify, &format!("{address}/notify"));
        let otherwise = self.block(&file.otherwise, &format!("{address}/else"));
        Some(Approve { to: to?, message: message?, within: file.within.unwrap_or(APPROVE_WITHIN), notify, otherwise })
    }

    pub(super) fn child(&mut self, file: &ChildFile, address: &str) -> Option<Child> {
        let with = self.tree(file.with.as_ref(), &field(address, "with"))?;
        Some(Child { workflow: Arc::clone(&file.workflow.value), with })
    }

    pub(super) fn emit(&mut self, file: &EmitFile, address: &str) -> Option<Emit> {
        let with = self.tree(file.with.as_ref(), &field(address, "with"))?;
        Some(Emit { kind: Arc::clone(&file.kind.value), with })
    }

    /// `name` says where a key of it stands.
    pub(super) fn respond(&mut self, file: &RespondFile, name: impl Fn(&str) -> String) -> Option<Respond> {
        let status = file.status.as_ref().map(|node| self.tree(Some(node), &name("status")));
        let headers = file.headers.as_ref().map(|node| self.tree(Some(node), &name("headers")));
        let body = match &file.body {
            RespondBodyFile::Empty => RespondBody::Empty,
            RespondBodyFile::Json(node) => RespondBody::Json(self.tree(Some(node), &name("json"))?),
            RespondBodyFile::Xml(node) => RespondBody::Xml(self.tree(Some(node), &name("xml"))?),
            RespondBodyFile::Text(code) => RespondBody::Text(self.text(code, &name("text"))?),
            RespondBodyFile::Html(code) => RespondBody::Html(self.text(code, &name("html"))?),
            RespondBodyFile::Redirect(code) => RespondBody::Redirect(self.text(code, &name("redirect"))?),
        };
        Some(Respond { status: status.flatten(), headers: headers.flatten(), body })
    }

    /// Compiles steps that stand apart from the others.
    pub(super) fn apart<T>(&mut self, apart: Apart, compile: impl FnOnce(&mut Self) -> T) -> T {
        let (outer, anew) = (self.apart.replace(apart), std::mem::take(&mut self.anew));
        let compiled = compile(self);
        (self.apart, self.anew) = (outer, anew);
        compiled
    }

    /// Where a run is ending already, `stop` has nothing to end, and nothing comes after that `undo` would be for.
    pub(super) fn check_place(&mut self, step: &StepFile) {
        let Some(apart) = self.apart else { return };
        match &step.kind {
            KindFile::Stop(_) if apart != Apart::OnError => {
                let message = format!("`stop` cannot stand in `{}`: how the run ends is decided then", apart.word());
                self.report.error(codes::MISPLACED_STEP, step.span, message, "take it away; a step's own `if` can leave the rest out");
            }
            KindFile::Call(call) if !call.undo.is_empty() => {
                let message =
                    format!("a call in `{}` cannot have `undo`: the run is ending, nothing after it can fail the run", apart.word());
                self.report.error(
                    codes::MISPLACED_STEP,
                    step.span,
                    message,
                    "take `undo` away; `on_error` of the step says what to do if it fails",
                );
            }
            _ => {}
        }
    }
}
