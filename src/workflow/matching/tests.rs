use super::super::cases::with_context;
use super::super::catalog::Sources;
use super::*;
use crate::domain::event::{Match, MatchResult};
use crate::domain::id::{EventId, Parts};
use crate::domain::time::Timestamp;

fn catalog(files: &[(&str, &str)]) -> Catalog {
    let sources = Sources::from_files(files.iter().map(|(name, text)| (format!("workflows/{name}.yaml"), (*text).to_owned())));
    let (catalog, problems) = with_context(|context| Catalog::build(&sources, context));
    assert!(problems.iter().all(|problem| !problem.is_error()), "{problems:?}");
    catalog
}

const PARTS: Parts = Parts { time_ms: 1, counter: 2, chance: 3, shard: 4 };

fn head(source: Source, method: &str, path: &str) -> EventHead {
    EventHead {
        method: method.to_owned(),
        path: path.to_owned(),
        content_type: "application/json".to_owned(),
        ..EventHead::new(EventId::new(PARTS), source, "", Timestamp(1_772_355_600_000))
    }
}

fn by_hand(workflow: &str) -> EventHead {
    let started = Match { workflow: workflow.into(), result: MatchResult::Run(RunId::new(PARTS)) };
    EventHead { matches: vec![started], ..head(Source::Manual, "", "") }
}

/// For the workflow `a`: what is said when the event does not concern it; nothing when it does.
fn said(catalog: &Catalog, head: &EventHead) -> String {
    let reasons: Result<Vec<Elsewhere>, ()> =
        Arrived::new(catalog, head).concerns(catalog.get("a").unwrap()).into_iter().map(|concerns| concerns.err().ok_or(())).collect();
    reasons.map_or(String::new(), |reasons| none_concerned(&reasons))
}

#[track_caller]
fn check(when: &str, head: &EventHead, expected: &str) {
    let catalog = catalog(&[("a", &format!("when: {when}\nsteps: []\n"))]);
    assert_eq!(said(&catalog, head), expected, "{when}");
}

const HOOK: &str = "[{webhook: {path: leads, verify: none}}]";

#[test]
fn a_hook_is_asked_by_path_and_method() {
    let post = |path: &str| head(Source::Webhook, "POST", path);
    check(HOOK, &post("leads"), "");
    check(HOOK, &post("orders"), "its webhook takes `leads`, the event came to `orders`");
    check(HOOK, &head(Source::Webhook, "PUT", "leads"), "its webhook `leads` takes POST, the event was a PUT");
    let two = "[{webhook: {path: leads, methods: [POST, PUT], verify: none}}, {webhook: {path: 'leads/{id}', verify: none}}]";
    check(two, &post("leads/7"), "");
    check(
        two,
        &head(Source::Webhook, "GET", "leads"),
        "its webhook `leads` takes POST and PUT, the event was a GET; its webhook takes `leads/{id}`, the event came to `leads`",
    );
}

#[test]
fn a_path_that_another_workflow_has_for_itself_is_told() {
    let catalog = catalog(&[
        ("a", "when: [{webhook: {path: 'orders/{id}', verify: none}}]\nsteps: []\n"),
        ("b", "when: [{webhook: {path: orders/new, verify: none}}]\nsteps: []\n"),
    ]);
    assert_eq!(said(&catalog, &head(Source::Webhook, "POST", "orders/7")), "");
    let expected = "its webhook takes `orders/{id}`, but `orders/new` goes to the webhook `orders/new`";
    assert_eq!(said(&catalog, &head(Source::Webhook, "POST", "orders/new")), expected);
}

#[test]
fn triggers_of_other_kinds_are_told_apart() {
    let schedule = "[{schedule: {every: 5m}}]";
    let post = head(Source::Webhook, "POST", "leads");
    check(schedule, &post, "it has only a schedule, the event came to the webhook `leads`");
    check("[manual]", &post, "it has only a manual trigger, the event came to the webhook `leads`");
    let both = "[{schedule: {every: 5m}}, {schedule: {every: 6m}}, manual]";
    check(both, &post, "it has only a schedule and a manual trigger, the event came to the webhook `leads`");
    check("[{webhook: {path: x, verify: none}}, manual]", &post, "its webhook takes `x`, the event came to `leads`");

    check(schedule, &head(Source::Schedule, "", "a/0"), "");
    check(schedule, &head(Source::Schedule, "", "b/0"), "its schedule is another one, the event is a due time of the schedule `b/0`");
    check(HOOK, &head(Source::Schedule, "", "a/0"), "it has only a webhook, the event is a due time of the schedule `a/0`");

    check("[manual]", &by_hand("a"), "");
    check("[manual]", &by_hand("b"), "its manual trigger is another one, the event started `b` by hand");
    check(schedule, &by_hand("b"), "it has only a schedule, the event started `b` by hand");
}

#[test]
fn many_reasons_are_bounded() {
    let hooks: Vec<String> = (0..8).map(|n| format!("{{webhook: {{path: p{n}, verify: none}}}}")).collect();
    let catalog = catalog(&[("a", &format!("when: [{}]\nsteps: []\n", hooks.join(", ")))]);
    let said = said(&catalog, &head(Source::Webhook, "POST", "q"));
    assert!(said.ends_with("`p4`, the event came to `q`; and 3 more"), "{said}");
}

#[test]
fn a_route_has_a_hook_of_the_method_or_there_is_none() {
    let catalog = catalog(&[("a", &format!("when: {HOOK}\nsteps: []\n"))]);
    assert_eq!(route(&catalog, "POST", "leads").map(|found| found.route.hooks("POST").len()), Ok(1));
    assert_eq!(route(&catalog, "GET", "leads").unwrap_err(), NoHook::Method(vec!["POST".to_owned()]));
    assert_eq!(route(&catalog, "POST", "orders").unwrap_err(), NoHook::Path);
}

#[test]
fn the_condition_and_the_key_are_evaluated_for_the_event() {
    let hook = "when: [{webhook: {path: a, verify: none, dedupe: {key: 'event.headers[\"x-id\"]', within: 1h}}}, manual]";
    let of = |condition: &str, body: &'static str| {
        let catalog = catalog(&[("a", &format!("{hook}\nif: '{condition}'\nsteps: []\n"))]);
        let event = Event::new(head(Source::Webhook, "POST", "a"), body.into());
        let loaded = catalog.get("a").unwrap();
        let (decision, explained) = explain(loaded, &[0], &event, RunId::new(PARTS), &Arc::default());
        let started = match start::consider(loaded, None, &event, RunId::new(PARTS), &Secrets::default()) {
            start::Considered::Starts(run) if run.facts.is_empty() => Decision::Matched,
            start::Considered::Starts(_) => decision.clone(),
            start::Considered::NotMatched(reason) => Decision::NotMatched(reason.to_owned()),
        };
        assert_eq!(started, decision);
        (decision, explained.unwrap().part.outcome, dedupe_key(loaded, 0, &event).unwrap(), dedupe_key(loaded, 1, &event))
    };
    let (decision, outcome, key, none) = of("event.body.n > 1", "{\"n\": 2}");
    assert_eq!((decision, outcome, none), (Decision::Matched, condition::Outcome::True, None));
    assert!(key.unwrap_err().message.contains("workflows/a.yaml:1:"));
    let (decision, outcome, ..) = of("event.body.n > 1", "{\"n\": 1}");
    assert_eq!((decision, outcome), (Decision::NotMatched(start::IF_IS_FALSE.to_owned()), condition::Outcome::False));
    let (decision, outcome, ..) = of("event.body.n.x", "{\"n\": 1}");
    assert!(matches!((decision, outcome), (Decision::Failed(_), condition::Outcome::Failed(_))));
}
