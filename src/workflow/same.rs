//! Whether a step of another revision is the same step. One with an id is known by it; one without is known by what it does.

use std::mem::discriminant;

use super::catalog::Loaded;
use crate::domain::workflow::{Code, RespondBody, Step, StepKind, Wait};

/// Whether two steps of two revisions do the same, as it is written: not how often it is tried, nor what stands inside or follows.
#[must_use]
pub fn is_same_step((old, step): (&Loaded, &Step), (new, other): (&Loaded, &Step)) -> bool {
    let same = |a: Code, b: Code| old.program.written(a) == new.program.written(b);
    let same_if_any = |a: Option<Code>, b: Option<Code>| match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (a, b) => a == b,
    };
    let does_the_same = match (&step.kind, &other.kind) {
        (StepKind::Call(a), StepKind::Call(b)) => {
            (&a.connector, &a.action, &a.using) == (&b.connector, &b.action, &b.using)
                && same(a.with, b.with)
                && same_if_any(a.idempotency_key, b.idempotency_key)
        }
        (StepKind::Set(a), StepKind::Set(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((name, a), (other, b))| name == other && same(*a, *b))
        }
        (StepKind::Script(a), StepKind::Script(b))
        | (StepKind::Fail(a), StepKind::Fail(b))
        | (StepKind::If { condition: a, .. }, StepKind::If { condition: b, .. })
        | (StepKind::Switch { on: a, .. }, StepKind::Switch { on: b, .. })
        | (StepKind::Foreach { items: a, .. }, StepKind::Foreach { items: b, .. })
        | (StepKind::Repeat { until: a, .. }, StepKind::Repeat { until: b, .. })
        | (StepKind::Wait(Wait::Until(a)), StepKind::Wait(Wait::Until(b))) => same(*a, *b),
        (StepKind::Wait(Wait::For(a)), StepKind::Wait(Wait::For(b))) => a == b,
        (StepKind::Wait(Wait::Event(a)), StepKind::Wait(Wait::Event(b))) => a.kind == b.kind && same_if_any(a.condition, b.condition),
        (StepKind::Wait(_), StepKind::Wait(_)) => false,
        (StepKind::Approve(a), StepKind::Approve(b)) => same(a.to, b.to) && same(a.message, b.message),
        (StepKind::Run(a), StepKind::Run(b)) => a.workflow == b.workflow && same(a.with, b.with),
        (StepKind::Emit(a), StepKind::Emit(b)) => a.kind == b.kind && same(a.with, b.with),
        (StepKind::Respond(a), StepKind::Respond(b)) => {
            let body = |body: &RespondBody| match body {
                RespondBody::Empty => None,
                RespondBody::Json(code)
                | RespondBody::Xml(code)
                | RespondBody::Text(code)
                | RespondBody::Html(code)
                | RespondBody::Redirect(code) => Some(*code),
            };
            discriminant(&a.body) == discriminant(&b.body)
                && same_if_any(body(&a.body), body(&b.body))
                && same_if_any(a.status, b.status)
                && same_if_any(a.headers, b.headers)
        }
        (StepKind::Stop(a), StepKind::Stop(b)) => same_if_any(*a, *b),
        (a, b) => discriminant(a) == discriminant(b),
    };
    does_the_same && same_if_any(step.condition, other.condition)
}

#[cfg(test)]
mod tests {
    use super::super::cases::with_context;
    use super::super::catalog::Catalog;
    use super::*;

    fn load(step: &str) -> Loaded {
        let files = [("workflows/a.yaml".to_owned(), format!("when: [manual]\nsteps:\n  - {step}\n"))];
        with_context(|context| Catalog::rebuild(&files, context)).unwrap_or_else(|problems| panic!("{problems:#?}"))
    }

    fn check(step: &str, other: &str, expected: bool) {
        check_loaded((step, &load(step)), (other, &load(other)), expected);
    }

    fn check_loaded((step, old): (&str, &Loaded), (other, new): (&str, &Loaded), expected: bool) {
        let same = is_same_step((old, &old.workflow.steps[0]), (new, &new.workflow.steps[0]));
        assert_eq!(same, expected, "{step} | {other}");
    }

    #[test]
    fn a_step_is_the_same_while_it_does_the_same() {
        let steps = [
            "{call: http.post, with: {url: '/a', json: {n: '${event.body.n}', list: [1, 'x']}}}",
            "{call: http.post, with: {url: '/a', json: {n: 'no ${event.body.n}', list: [1, 'x']}}}",
            "{call: http.post, with: {url: '/a', json: {n: 'no $${event.body.n}', list: [1, 'x']}}}",
            "{call: http.post, with: {url: '/a', json: {n: '${event.body.m}', list: [1, 'x']}}}",
            "{call: http.post, with: {url: '/a', json: {n: '${event.body.n}', list: [1, 'x', 2]}}}",
            "{call: http.get, with: {url: '/a', json: {n: '${event.body.n}', list: [1, 'x']}}}",
            "{call: http.post, with: {url: '/b'}}",
            "{call: http.post, with: {url: '/b'}, idempotency_key: '\"k\"'}",
            "{call: http.post, with: {url: '/b'}, idempotency_key: '\"l\"'}",
            "{call: http.post, with: {url: '/b'}, if: event.body.n == 1}",
            "{call: http.post, with: {url: '/b'}, if: event.body.n == 2}",
            "{script: 1 + 1}",
            "{script: 1 + 2}",
            "{set: {a: 1 + 1}}",
            "{set: {a: 1 + 2}}",
            "{set: {b: 1 + 1}}",
            "{set: {a: 1 + 1, b: 2}}",
            "{if: event.body.n == 1, then: [{script: 1}]}",
            "{if: event.body.n == 2, then: [{script: 1}]}",
            "{switch: event.body.n, cases: {a: [{script: 1}]}}",
            "{switch: event.body.m, cases: {a: [{script: 1}]}}",
            "{foreach: event.body.n, steps: [{script: 1}]}",
            "{foreach: event.body.m, steps: [{script: 1}]}",
            "{repeat: {until: event.body.n == 1}, steps: [{script: 1}]}",
            "{repeat: {until: event.body.n == 2}, steps: [{script: 1}]}",
            "{parallel: {a: [{script: 1}]}}",
            "{wait: 1h}",
            "{wait: 2h}",
            "{wait: {until: event.body.n}}",
            "{wait: {until: event.body.m}}",
            "{fail: a}",
            "{fail: b}",
            "{stop: 1}",
            "{stop: 2}",
            "{stop: }",
            "{wait: {event: paid}}",
            "{wait: {event: sent}}",
            "{wait: {event: paid, if: event.body.n == 1}}",
            "{approve: {to: a, message: b}}",
            "{approve: {to: a, message: c}}",
            "{run: other}",
            "{run: other, with: {n: 1}}",
            "{run: another}",
            "{emit: paid}",
            "{emit: paid, with: {n: 1}}",
            "{emit: sent}",
            "{respond: {status: 204}}",
            "{respond: {status: 200}}",
            "{respond: {text: a}}",
            "{respond: {html: a}}",
            "{respond: {text: b}}",
            "{respond: {text: a, headers: {x: y}}}",
        ];
        let loaded = steps.map(|step| (step, load(step), load(step)));
        for (n, (step, old, _)) in loaded.iter().enumerate() {
            for (m, (other, _, new)) in loaded.iter().enumerate() {
                check_loaded((step, old), (other, new), n == m);
            }
        }
    }

    #[test]
    fn how_it_is_tried_and_what_follows_may_change() {
        let bare = "{call: http.post, with: {url: '/b'}}";
        check(bare, "{call: http.post, with: {url: '/b'}, name: New, timeout: 1s, retry: {attempts: 9}, on_error: continue}", true);
        check("{if: event.body.n, then: [{script: 1}]}", "{if: event.body.n, then: [{script: 2}], else: [{script: 3}]}", true);
    }
}
