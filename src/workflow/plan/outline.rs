//! A loaded workflow in the words of a plan.

use std::collections::BTreeSet;

use super::words::{brief, catch_up, digest, duration, retry, rule, verify};
use super::{RouteOutline, ScheduleOutline, Settings, StepOutline, TriggerOutline, WorkflowOutline, door};
use crate::domain::Value;
use crate::domain::schedule::{Rule, Schedule};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{
    Approve, Call, Child, Code, Concurrency, Dedupe, Emit, EventTrigger, Gathering, Input, Keep, Kept, Mode, OnError, Reply, Respond,
    RespondBody, RunTrigger, ScheduleTrigger, Step, StepKind, Throttle, Trigger, Wait, WaitEvent, Webhook, Workflow,
};
use crate::script::{Program, holes};
use crate::workflow::catalog::Loaded;
use crate::workflow::lint::secrets_named;

/// How many due times of a schedule are said.
const DUE_TIMES: usize = 3;

/// Describes a workflow. Due times are those after `now`.
#[must_use]
pub fn outline(loaded: &Loaded, now: Timestamp) -> WorkflowOutline {
    let Workflow { name, revision, description, triggers, condition, timeout, .. } = &loaded.workflow;
    let mut described = Describe { program: &loaded.program, now, secrets: BTreeSet::new() };
    let triggers = triggers.iter().enumerate().map(|(place, trigger)| {
        let mut outline = described.trigger(trigger);
        let schema = loaded
            .schemas
            .get(&place)
            .map(|schema| if schema.written().ends_with(".json") { schema.written().to_owned() } else { digest(schema.written()) });
        outline.settings.extend(schema.map(|schema| ("schema".to_owned(), schema)));
        outline
    });
    let triggers = triggers.collect();
    let mut outlines = Vec::new();
    loaded.workflow.for_each_step(|step| outlines.push(described.step(step)));
    let mut settings = set([
        ("description", Some(description).filter(|text| !text.is_empty()).map(|text| brief(text))),
        ("if", condition.map(|code| described.code(code))),
        ("timeout", timeout.map(duration)),
    ]);
    settings.extend(described.beginning(&loaded.workflow));
    let mut files = loaded.files.iter();
    WorkflowOutline {
        name: name.to_string(),
        file: files.next().map(|(path, _)| path.clone()).unwrap_or_default(),
        revision: revision.to_string(),
        scripts: files.map(|(path, text)| (path.clone(), digest(text))).collect(),
        triggers,
        settings,
        steps: outlines,
        secrets: described.secrets,
    }
}

/// The settings that are there.
pub(super) fn set<const N: usize>(settings: [(&str, Option<String>); N]) -> Settings {
    settings.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

fn yes(set: bool) -> Option<String> {
    set.then(|| "true".to_owned())
}

struct Describe<'p> {
    program: &'p Program,
    now: Timestamp,
    secrets: BTreeSet<String>,
}

impl Describe<'_> {
    /// An expression or script as written.
    fn code(&self, code: Code) -> String {
        match self.program.written(code) {
            Value::String(text) => brief(&text),
            other => digest(&other.to_string()),
        }
    }

    fn trigger(&mut self, trigger: &Trigger) -> TriggerOutline {
        match trigger {
            Trigger::Webhook(webhook) => self.webhook(webhook),
            Trigger::Form(form) => super::form::form(form),
            Trigger::Schedule(ScheduleTrigger { name: _, schedule }) => self.schedule(schedule),
            Trigger::Event(EventTrigger { kind, condition }) => TriggerOutline {
                kind: "event".to_owned(),
                settings: set([("type", Some(kind.to_string())), ("if", condition.map(|code| self.code(code)))]),
                ..TriggerOutline::default()
            },
            Trigger::Run(RunTrigger { workflow, outcomes }) => {
                let outcomes: Vec<&str> = outcomes.iter().map(|status| status.as_str()).collect();
                let settings = set([("workflow", Some(workflow.to_string())), ("outcome", Some(outcomes.join(", ")))]);
                TriggerOutline { kind: "run".to_owned(), settings, ..TriggerOutline::default() }
            }
            Trigger::Manual => TriggerOutline { kind: "manual".to_owned(), ..TriggerOutline::default() },
        }
    }

    fn webhook(&mut self, webhook: &Webhook) -> TriggerOutline {
        let Webhook { path, methods, verify: sender, dedupe, body_limit_bytes, door, respond } = webhook;
        let secrets: BTreeSet<String> = sender.secrets().into_iter().map(|name| name.0.to_string()).collect();
        self.secrets.extend(secrets.iter().cloned());
        let dedupe = dedupe.as_ref().map(|Dedupe { key: _, text, within }| format!("{} within {}", brief(text), duration(*within)));
        let route = RouteOutline {
            path: format!("/hooks/{path}"),
            methods: methods.iter().map(|method| method.to_string()).collect(),
            verify: verify(sender),
            secrets,
        };
        let mut settings = set([("dedupe", dedupe), ("limits.body", body_limit_bytes.map(|bytes| format!("{bytes} bytes")))]);
        settings.extend(door::settings(door));
        match respond {
            None => {}
            Some(Reply::Wait(within)) => settings.extend(set([("respond.wait", Some(duration(*within)))])),
            Some(Reply::Fixed(respond)) => {
                settings.extend(self.respond(respond).into_iter().map(|(key, value)| (format!("respond.{key}"), value)));
            }
        }
        TriggerOutline { kind: "webhook".to_owned(), route: Some(route), schedule: None, settings }
    }

    fn schedule(&self, schedule: &Schedule) -> TriggerOutline {
        let Schedule { rule: due, catch_up: missed } = schedule;
        let zone = due.zone();
        let local = |time: &Timestamp| {
            let time = time.to_jiff();
            time.display_with_offset(zone.to_offset(time)).to_string()
        };
        let next = std::iter::successors(due.next_after(self.now), |time| due.next_after(*time));
        let schedule = ScheduleOutline {
            rule: rule(due),
            timezone: match due {
                Rule::Cron(_) => Some(zone.iana_name().unwrap_or("UTC").to_owned()),
                Rule::Every(_) | Rule::At(_) => None,
            },
            next: next.take(DUE_TIMES).map(|time| local(&time)).collect(),
        };
        TriggerOutline {
            kind: "schedule".to_owned(),
            route: None,
            schedule: Some(schedule),
            settings: set([("catch_up", Some(catch_up(*missed).to_owned()))]),
        }
    }

    fn step(&mut self, step: &Step) -> StepOutline {
        let Step { address, id: _, name, condition, timeout, retry: again, on_error, kind } = step;
        let mut outline = StepOutline { address: address.to_string(), kind: kind.word().to_owned(), ..StepOutline::default() };
        outline.settings = set([
            ("name", name.as_ref().map(|name| brief(name))),
            ("if", condition.map(|code| self.code(code))),
            ("timeout", timeout.map(duration)),
            ("retry", again.as_ref().map(retry)),
            (
                "on_error",
                match on_error {
                    OnError::Fail => None,
                    OnError::Continue => Some("continue".to_owned()),
                    OnError::Steps(_) => Some("steps".to_owned()),
                },
            ),
        ]);
        let own = match kind {
            StepKind::Call(call) => self.call(call, &mut outline),
            StepKind::Script(code) => set([("script", Some(self.code(*code)))]),
            StepKind::Set(entries) => entries.iter().map(|(name, code)| (format!("set.{name}"), self.code(*code))).collect(),
            StepKind::If { condition, then: _, otherwise: _ } => set([("if", Some(self.code(*condition)))]),
            StepKind::Switch { on, cases, default: _ } => {
                let values: Vec<&str> = cases.iter().map(|case| &*case.value).collect();
                set([("switch", Some(self.code(*on))), ("cases", Some(brief(&values.join(", "))))])
            }
            StepKind::Foreach { items, name, parallel, steps: _ } => set([
                ("foreach", Some(self.code(*items))),
                ("as", name.as_ref().map(|name| name.to_string())),
                ("parallel", Some(parallel.to_string())),
            ]),
            StepKind::Repeat { until, every, at_most, steps: _ } => {
                set([("until", Some(self.code(*until))), ("every", Some(duration(*every))), ("at_most", Some(at_most.to_string()))])
            }
            StepKind::Parallel { branches, any } => {
                let names: Vec<&str> = branches.iter().map(|(name, _)| &**name).collect();
                set([("branches", Some(brief(&names.join(", ")))), ("any", yes(*any))])
            }
            StepKind::Wait(Wait::For(span)) => set([("wait", Some(duration(*span)))]),
            StepKind::Wait(Wait::Until(code)) => set([("until", Some(self.code(*code)))]),
            StepKind::Wait(Wait::Event(WaitEvent { kind, condition, within, otherwise: _ })) => {
                set([("event", Some(kind.to_string())), ("wait.if", condition.map(|code| self.code(code))), ("for", within.map(duration))])
            }
            StepKind::Approve(Approve { to, message, within, notify: _, otherwise: _ }) => {
                set([("to", Some(self.code(*to))), ("message", Some(self.code(*message))), ("within", Some(duration(*within)))])
            }
            StepKind::Run(Child { workflow, with }) => set([("run", Some(workflow.to_string())), ("with", Some(self.hidden(*with)))]),
            StepKind::Emit(Emit { kind, with }) => set([("emit", Some(kind.to_string())), ("with", Some(self.hidden(*with)))]),
            StepKind::Respond(respond) => self.respond(respond),
            StepKind::Fail(code) => set([("fail", Some(self.code(*code)))]),
            StepKind::Stop(code) => set([("stop", code.map(|code| self.code(code)))]),
        };
        outline.settings.extend(own);
        outline
    }

    fn respond(&self, respond: &Respond) -> Settings {
        let Respond { status, headers, body } = respond;
        let (kind, body) = match body {
            RespondBody::Empty => ("empty", None),
            RespondBody::Json(code) => ("json", Some(code)),
            RespondBody::Xml(code) => ("xml", Some(code)),
            RespondBody::Text(code) => ("text", Some(code)),
            RespondBody::Html(code) => ("html", Some(code)),
            RespondBody::Redirect(code) => ("redirect", Some(code)),
        };
        set([
            ("status", status.map(|code| self.code(code))),
            ("headers", headers.map(|code| self.hidden(code))),
            ("body", Some(kind.to_owned())),
            (kind, body.map(|code| self.hidden(*code))),
        ])
    }

    /// A template that may hold anybody's data.
    fn hidden(&self, code: Code) -> String {
        digest(&self.program.written(code).to_string())
    }

    /// How runs begin.
    fn beginning(&self, workflow: &Workflow) -> Settings {
        let key = |key: &Option<Code>| key.map(|code| format!(" for each {}", self.code(code))).unwrap_or_default();
        let concurrency = workflow.concurrency.as_ref().map(|Concurrency { key: by, limit, mode }| {
            let mode = match mode {
                Mode::Queue => "queue",
                Mode::Skip => "skip",
                Mode::Restart => "restart",
            };
            format!("{limit}, {mode}{}", key(by))
        });
        let (debounce, batch) = match &workflow.gathering {
            None => (None, None),
            Some(Gathering::Debounce { key: by, quiet }) => (Some(format!("{}{}", duration(*quiet), key(by))), None),
            Some(Gathering::Batch { key: by, size, within }) => (None, Some(format!("{size} within {}{}", duration(*within), key(by)))),
        };
        let throttle = workflow.throttle.as_ref();
        let throttle = throttle.map(|Throttle { key: by, limit, per }| format!("{limit} per {}{}", duration(*per), key(by)));
        let input = |input: &Input| {
            let required = if input.required { ", required" } else { "" };
            let default = input.default.map(|code| format!(", else {}", self.code(code))).unwrap_or_default();
            (format!("input.{}", input.name), format!("{}{required}{default}", input.kind.word()))
        };
        let mut settings = set([("concurrency", concurrency), ("debounce", debounce), ("batch", batch), ("throttle", throttle)]);
        settings.extend(set([("keep", keep(&workflow.keep))]));
        settings.extend(workflow.input.iter().map(input));
        settings
    }

    /// What is in `with` may be anybody's data: it is compared by its digest.
    fn call(&mut self, call: &Call, outline: &mut StepOutline) -> Settings {
        let Call { connector, action, using, with, retry: again, timeout, at_most_once, idempotency_key, undo: _ } = call;
        let with = self.program.written(*with);
        secrets_in(&with, &mut self.secrets);
        outline.call = Some(format!("{connector}.{action}"));
        outline.using = using.as_ref().map(|using| using.to_string());
        set([
            ("with", Some(digest(&with.to_string()))),
            ("retry", Some(retry(again))),
            ("timeout", Some(duration(*timeout))),
            ("at_most_once", yes(*at_most_once)),
            ("idempotency_key", idempotency_key.map(|code| self.code(code))),
        ])
    }
}

fn keep(keep: &Keep) -> Option<String> {
    let word = |kept| match kept {
        Kept::For(age) => duration(age),
        Kept::Forever => "forever".to_owned(),
    };
    let kept = [("succeeded", keep.succeeded), ("failed", keep.failed), ("canceled", keep.canceled)];
    let words: Vec<_> = kept.into_iter().filter_map(|(key, kept)| Some(format!("{key} {}", word(kept?)))).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Adds the secrets that the holes in a value name.
fn secrets_in(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => {
            let named = holes(text).into_iter().flat_map(|(code, _)| secrets_named(code));
            found.extend(named.map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| secrets_in(item, found)),
        Value::Object(map) => map.values().for_each(|item| secrets_in(item, found)),
    }
}
