//! Triggers: what senders notice, when schedules are due.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::{Change, RouteChange, TriggerChange, compare};
use super::{hook, plan, project, served};

/// What is told of routes: mark, method and path, who starts, what is noticed.
fn check_routes(before: &[(&'static str, String)], after: &[(&'static str, String)], expected: &[&str]) {
    let files = |list: &[(&'static str, String)]| project(&list.iter().map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>());
    let plan = compare(&served(files(before)), &files(after), &BTreeSet::new());
    let line = |route: &RouteChange| {
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
        let was = route.workflows_before.as_ref().map(|before| format!(" not {}", names(before))).unwrap_or_default();
        let effect = route.effect.as_deref().unwrap_or("-");
        format!("{:?} {} {} {}{was}: {effect}", route.change, route.method, route.path, names(&route.workflows))
    };
    assert_eq!(plan.routes.iter().map(line).collect::<Vec<_>>(), expected, "{before:?} {after:?}");
}

#[test]
fn senders_are_told_what_they_will_notice() {
    let open = || hook("a", "path: p, verify: none");
    let signed = |secrets: &str| hook("a", &format!("path: p, verify: {{scheme: github, secrets: [{secrets}]}}"));
    let check = |before, after, expected: &[&str]| check_routes(&[before], &[after], expected);
    check(open(), signed("HOOK_SECRET"), &["Changed POST /hooks/p a: senders that cannot be verified so get 401 from then on"]);
    check(signed("HOOK_SECRET"), open(), &["Changed POST /hooks/p a: anybody may call it from then on"]);
    check(signed("HOOK_SECRET"), signed("HOOK_SECRET, NEW_SECRET"), &["Changed POST /hooks/p a: -"]);
    check(
        signed("HOOK_SECRET, NEW_SECRET"),
        signed("NEW_SECRET"),
        &["Changed POST /hooks/p a: senders that use HOOK_SECRET get 401 from then on"],
    );
    let bearer = hook("a", "path: p, verify: {bearer: {secret: HOOK_SECRET}}");
    check(signed("HOOK_SECRET"), bearer, &["Changed POST /hooks/p a: senders that are verified the way before get 401 from then on"]);
    check(
        open(),
        hook("a", "path: q, verify: none"),
        &["Removed POST /hooks/p a: senders get 404 from then on", "Added POST /hooks/q a: anybody may call it"],
    );
    check(hook("a", "path: '{x}/p', verify: none"), hook("a", "path: '{y}/p', verify: none"), &[]);
    let both = hook("a", "path: p, verify: none, methods: [GET, POST]");
    check(both, open(), &["Removed GET /hooks/p a: senders get 405 from then on"]);
}

#[test]
fn a_route_may_go_to_another_workflow() {
    let open = |name| hook(name, "path: p, verify: none");
    check_routes(&[open("a")], &[open("b")], &["Changed POST /hooks/p b not a: -"]);
    check_routes(&[open("a")], &[open("a"), open("b")], &["Changed POST /hooks/p a b not a: -"]);
    let any = hook("any", "path: '{x}', verify: none");
    check_routes(&[open("a"), any.clone()], &[any], &["Removed POST /hooks/p a: /hooks/{x} takes it from then on, for any"]);
}

#[test]
fn changed_schedules_say_when_they_are_due() {
    let due = |text: &str| format!("when: [{{schedule: {{{text}}}}}]\nsteps: []\n");
    let daily = due("cron: '0 9 * * *', timezone: Europe/Berlin");
    let check = |after: &str, expected: serde_json::Value| {
        let plan = plan(&[("a", &daily)], &[("a", after)]);
        assert_eq!(serde_json::to_value(&plan.schedules).unwrap(), expected, "{after}");
    };
    let was = "cron 0 9 * * * Europe/Berlin";
    check(
        &due("cron: '30 1 * * 7', timezone: America/New_York"),
        json!([{
            "change": "changed", "workflow": "a", "rule": "cron 30 1 * * 7 America/New_York", "before": was,
            // The clocks of New York go back at two in the morning of 1 November 2026.
            "next": ["2026-11-01T01:30:00-04:00", "2026-11-08T01:30:00-05:00", "2026-11-15T01:30:00-05:00"],
        }]),
    );
    check(
        &due("at: '2026-12-24T18:00:00Z'"),
        json!([{
            "change": "changed", "workflow": "a", "rule": "at 2026-12-24T18:00:00.000Z", "before": was, "next": ["2026-12-24T18:00:00+00:00"],
        }]),
    );
    check(&due("cron: '0 9 * * *', timezone: Europe/Berlin, catch_up: all"), json!([]));
    check("when: [manual]\nsteps: []\n", json!([{"change": "removed", "workflow": "a", "rule": was, "next": []}]));
    let plan = plan(&[], &[("a", &daily)]);
    let next = ["2026-11-01T09:00:00+01:00", "2026-11-02T09:00:00+01:00", "2026-11-03T09:00:00+01:00"];
    assert_eq!((plan.schedules[0].change, &plan.schedules[0].next[..]), (Change::Added, &next.map(str::to_owned)[..]));
}

#[test]
fn triggers_of_a_workflow_are_compared() {
    let when = |text: &str| format!("when: [{text}]\nsteps: []\n");
    let check = |before: &str, after: &str, expected: &[&str]| {
        let plan = plan(&[("a", &when(before))], &[("a", &when(after))]);
        let line = |change: &TriggerChange| {
            let keys: Vec<&str> = change.settings.iter().map(|setting| setting.key.as_str()).collect();
            format!("{:?} {} {}", change.change, change.trigger, keys.join(",")).trim_end().to_owned()
        };
        let told: Vec<String> = plan.workflows.changed.iter().flat_map(|changed| &changed.triggers).map(line).collect();
        assert_eq!(told, expected, "{before} {after}");
    };
    let open = "{webhook: {path: p, verify: none}}";
    check(
        open,
        "{webhook: {path: p, verify: none, dedupe: {key: event.id, within: 1h}, limits: {body: 1KiB}}}",
        &["Changed webhook POST /hooks/p dedupe,limits.body"],
    );
    check(open, "{webhook: {path: q, verify: none}}", &["Added webhook POST /hooks/q", "Removed webhook POST /hooks/p"]);
    check(open, &format!("{open}, manual"), &["Added manual"]);
    check(
        "{schedule: {every: 1h}}, {schedule: {every: 2h}}",
        "{schedule: {every: 2h}}, {schedule: {every: 90m}}",
        &["Changed schedule every 1h30m due"],
    );
}

#[test]
fn another_schema_is_told_by_its_trigger_and_its_file() {
    let with = |schema: &str, file: &str| {
        let workflow = format!("when: [{{webhook: {{path: p, verify: none, schema: {schema}}}}}]\nsteps: []\n");
        let files = [("workflows/a.yaml", &*workflow), ("schemas/a.json", file)];
        super::outlined(&super::Sources::from_files(files.map(|(path, text)| (path.to_owned(), text.to_owned()))))
    };
    let told = |before, after| {
        let plan = compare(&served(before), &after, &BTreeSet::new());
        let changed = plan.workflows.changed.into_iter().next().unwrap();
        let triggers = changed.triggers.into_iter().flat_map(|trigger| trigger.settings);
        let schema = triggers.map(|set| (set.key, set.before.is_some(), set.after.unwrap_or_default())).next();
        (schema, changed.scripts.into_iter().map(|set| set.key).collect::<Vec<_>>())
    };
    let file = || with("schemas/a.json", "{}");
    assert_eq!(told(file(), with("schemas/a.json", "true")), (None, vec!["schemas/a.json".to_owned()]));
    let (inline, files) = told(file(), with("{required: [a]}", "{}"));
    assert!(matches!(&inline, Some((key, true, after)) if key == "schema" && !after.contains("required")), "{inline:?}");
    assert_eq!(files, ["schemas/a.json"]);
}
