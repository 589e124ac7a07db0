//! Triggers: paths checked, secrets looked for, schedules built.

use std::sync::Arc;

use super::{Compiler, path, schedule};
use crate::domain::workflow::{Dedupe, EventTrigger, Form, Reply, RunTrigger, ScheduleTrigger, Trigger, Webhook};
use crate::workflow::file::{At, DedupeFile, FormFile, ReplyFile, TriggerFile, WebhookFile};
use crate::workflow::problem::codes;

impl Compiler<'_, '_> {
    /// Every trigger of the workflow `name`.
    pub(super) fn triggers(&mut self, files: &[TriggerFile], name: &str) -> Vec<Trigger> {
        files.iter().enumerate().filter_map(|(index, file)| self.trigger(file, index, name)).collect()
    }

    fn trigger(&mut self, file: &TriggerFile, index: usize, name: &str) -> Option<Trigger> {
        match file {
            TriggerFile::Webhook(webhook) => self.webhook(webhook, index),
            TriggerFile::Form(form) => self.form(form, index),
            TriggerFile::Schedule(file) => {
                let schedule = schedule::compile(file, self.report)?;
                Some(Trigger::Schedule(ScheduleTrigger { name: format!("{name}/{index}").into(), schedule }))
            }
            TriggerFile::Event(file) => {
                let condition = file.condition.as_ref().map(|code| self.expression(code, &format!("when[{index}].event.if")));
                Some(Trigger::Event(EventTrigger { kind: Arc::clone(&file.kind.value), condition: condition.flatten() }))
            }
            TriggerFile::Run(file) => {
                Some(Trigger::Run(RunTrigger { workflow: Arc::clone(&file.workflow.value), outcomes: file.outcomes.clone() }))
            }
            TriggerFile::Manual(_) => Some(Trigger::Manual),
        }
    }

    fn webhook(&mut self, file: &WebhookFile, index: usize) -> Option<Trigger> {
        let path = self.path(&file.path);
        self.sender(file);
        let dedupe = file.dedupe.as_ref().and_then(|dedupe| self.dedupe(dedupe, index));
        let respond = file.respond.as_ref().and_then(|reply| match reply {
            ReplyFile::Wait(within) => Some(Reply::Wait(*within)),
            ReplyFile::Fixed(respond) => self.respond(respond, |key| format!("when[{index}].respond.{key}")).map(Reply::Fixed),
        });
        Some(Trigger::Webhook(Box::new(Webhook {
            path: path?,
            methods: file.methods.clone(),
            verify: file.verify.clone(),
            dedupe,
            body_limit_bytes: file.body_limit_bytes,
            door: file.door.clone(),
            respond,
        })))
    }

    fn form(&mut self, file: &FormFile, index: usize) -> Option<Trigger> {
        let path = self.path(&file.path);
        let dedupe = file.dedupe.as_ref().and_then(|dedupe| self.dedupe(dedupe, index));
        let FormFile { redirect, honeypot, uploads, door, body_limit_bytes, words, fields, .. } = file.clone();
        Some(Trigger::Form(Box::new(Form { path: path?, redirect, honeypot, uploads, door, body_limit_bytes, dedupe, words, fields })))
    }

    fn path(&mut self, written: &At<Arc<str>>) -> Option<Arc<str>> {
        path::check(&written.value)
            .map_err(|why| {
                let message = format!("`{}` cannot be served: {why}", written.value);
                let help = "write segments between slashes, as in `leads` or `orders/{id}/paid`";
                self.report.error(codes::BAD_PATH, written.span, message, help);
            })
            .ok()
    }

    fn dedupe(&mut self, file: &DedupeFile, index: usize) -> Option<Dedupe> {
        let key = self.expression(&file.key, &format!("when[{index}].dedupe.key"))?;
        Some(Dedupe { key, text: Arc::clone(&file.key.text), within: file.within })
    }
}
