use proptest::prelude::*;

use super::super::cases::with_context;
use super::super::compile::Context;
use super::super::problem::Severity;
use super::*;

fn build(files: &[(&str, &str)]) -> (Catalog, Vec<Problem>) {
    let sources = Sources::from_files(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    with_context(|context| Catalog::build(&sources, context))
}

fn codes_of(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.code).collect()
}

fn revision(files: &[(&str, &str)]) -> String {
    let (catalog, problems) = build(files);
    assert_eq!(problems, []);
    catalog.workflows().next().unwrap().workflow.revision.to_string()
}

const IDLE: &str = "when: [manual]\nsteps: []\n";
const SCORED: &str = "when: [manual]\nif: lead::score(event.body) > 5\nsteps: []\n";

#[test]
fn a_bad_file_stops_no_good_one() {
    let (catalog, problems) = build(&[("workflows/a.yaml", IDLE), ("workflows/b.yaml", "steps: ["), ("workflows/c.yaml", IDLE)]);
    assert_eq!(catalog.workflows().map(|loaded| &*loaded.workflow.name).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(codes_of(&problems), ["yaml-syntax"]);
}

#[test]
fn a_bad_script_stops_only_who_uses_it() {
    let broken = ("scripts/lead.rhai", "fn score(x) { x + }");
    let (catalog, problems) = build(&[broken, ("workflows/a.yaml", SCORED), ("workflows/b.yaml", IDLE)]);
    assert!(catalog.get("a").is_none() && catalog.get("b").is_some());
    assert_eq!(codes_of(&problems), ["bad-script", "broken-module"]);
}

#[test]
fn the_revision_covers_the_scripts_in_use_and_no_others() {
    let workflow = ("workflows/a.yaml", SCORED);
    let lead = ("scripts/lead.rhai", "fn score(x) { util::one() }");
    let base = revision(&[workflow, lead, ("scripts/util.rhai", "fn one() { 1 }")]);
    assert_eq!(base, revision(&[workflow, lead, ("scripts/util.rhai", "fn one() { 1 }"), ("scripts/other.rhai", "fn f() { 1 }")]));
    assert_ne!(base, revision(&[workflow, lead, ("scripts/util.rhai", "fn one() { 2 }")]));
    assert_ne!(base, revision(&[workflow, ("scripts/lead.rhai", "fn score(x) { 1 }")]));
    assert_ne!(base, revision(&[("workflows/b.yaml", SCORED), lead, ("scripts/util.rhai", "fn one() { 1 }")]));
}

#[test]
fn a_stored_revision_is_built_again() {
    let files = [("workflows/a.yaml", SCORED), ("scripts/lead.rhai", "fn score(x) { 1 }"), ("scripts/other.rhai", "fn f() { 1 }")];
    let (catalog, _) = build(&files);
    let stored = catalog.get("a").unwrap();
    assert_eq!(stored.files.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["workflows/a.yaml", "scripts/lead.rhai"]);
    let again = with_context(|context| Catalog::rebuild(&stored.files, context)).unwrap();
    assert_eq!(again.workflow, stored.workflow);
    let bad = with_context(|context| Catalog::rebuild(&[("workflows/a.yaml".to_owned(), "x".to_owned())], context)).unwrap_err();
    assert_eq!(codes_of(&bad), ["wrong-type"]);
    assert!(with_context(|context| Catalog::rebuild(&[], context)).is_err());
}

#[test]
fn one_path_may_start_several_workflows() {
    let hook = |path: &str| format!("when:\n  - webhook: {{path: '{path}', verify: {{bearer: HOOK_SECRET}}}}\nsteps: []\n");
    let (one, two, fixed) = (hook("orders/{id}/paid"), hook("orders/{nr}/paid"), hook("orders/new/paid"));
    let get = "when:\n  - webhook: {path: 'orders/{x}/paid', methods: [GET], verify: {scheme: github, secret: HOOK_SECRET}}\nsteps: []\n";
    let files = [("workflows/a.yaml", &*one), ("workflows/b.yaml", &two), ("workflows/c.yaml", &fixed), ("workflows/d.yaml", get)];
    let (catalog, problems) = build(&files);
    assert_eq!(problems, []);
    let found = catalog.route("orders/42/paid").unwrap();
    assert_eq!(found.route.methods().collect::<Vec<_>>(), ["GET", "POST"]);
    let hooks = found.route.hooks("POST");
    let seen: Vec<_> = hooks.iter().map(|hook| (&*hook.loaded.workflow.name, found.params(hook))).collect();
    assert_eq!(seen, [("a", vec![("id".to_owned(), "42".to_owned())]), ("b", vec![("nr".to_owned(), "42".to_owned())])]);
    assert_eq!(&*catalog.route("orders/new/paid").unwrap().route.hooks("POST")[0].loaded.workflow.name, "c");
    assert!(found.route.hooks("PUT").is_empty());
    let others = ["orders", "orders/42", "orders/42/paid/", "orders/4/2/paid", "", "/"];
    let untidy =
        ["/orders/42/paid", "//orders/42/paid", "orders//42/paid", "orders//paid", "orders/../paid", "orders/./paid", "./orders/42/paid"];
    for path in others.into_iter().chain(untidy) {
        assert!(catalog.route(path).is_none(), "{path}");
    }
}

#[test]
fn a_conflict_leaves_nothing_of_the_later_workflow() {
    let first = "when:\n  - webhook: {path: 'p/a{x}b', verify: {bearer: HOOK_SECRET}}\nsteps: []\n";
    let second = "when:\n  - webhook: {path: free, verify: {bearer: HOOK_SECRET}}\n  - webhook: {path: 'p/a{x}c', verify: {bearer: HOOK_SECRET}}\nsteps: []\n";
    let third = "when:\n  - webhook: {path: free, verify: {scheme: github, secret: HOOK_SECRET}}\nsteps: []\n";
    let (catalog, problems) = build(&[("workflows/a.yaml", first), ("workflows/b.yaml", second), ("workflows/c.yaml", third)]);
    assert_eq!(codes_of(&problems), ["hook-conflict"]);
    assert!(catalog.get("b").is_none());
    assert_eq!(&*catalog.route("free").unwrap().route.hooks("POST")[0].loaded.workflow.name, "c");
    assert_eq!(catalog.routes().iter().map(Route::path).collect::<Vec<_>>(), ["p/a{p0}b", "free"]);
}

#[test]
fn schedules_are_listed() {
    let text = "when:\n  - manual:\n  - schedule: {every: 5m}\n  - schedule: {every: 7m}\nsteps: []\n";
    let (catalog, _) = build(&[("workflows/a.yaml", text)]);
    assert_eq!(catalog.schedules().iter().map(|(loaded, at)| &*loaded.schedule(*at).unwrap().name).collect::<Vec<_>>(), ["a/1", "a/2"]);
}

#[test]
fn a_missing_secret_keeps_a_workflow_out_when_serving() {
    let text = "when:\n  - webhook: {path: a, verify: {bearer: NOT_SET}}\nsteps: []\n";
    let sources = Sources::from_files([("workflows/a.yaml".to_owned(), text.to_owned())]);
    let count = |severity| {
        with_context(|context| {
            let context = Context { missing_secret: severity, ..*context };
            Catalog::build(&sources, &context).0.workflows().len()
        })
    };
    assert_eq!((count(Severity::Warning), count(Severity::Error)), (1, 0));
}

#[test]
fn a_project_is_read_from_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let place = dir.path().join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, text).unwrap();
    };
    assert_eq!(Sources::read(dir.path()), (Sources::default(), Vec::new()));
    let empty = Sources::fingerprint(dir.path());
    write("workflows/b.yml", IDLE);
    write("workflows/a.yaml", IDLE);
    write("workflows/a.test.yaml", "cases: []");
    write("workflows/.hidden.yaml", "x");
    write("workflows/notes.md", "x");
    write("scripts/lead.rhai", "fn f() { 1 }");
    std::os::unix::fs::symlink("a.yaml", dir.path().join("workflows/link.yaml")).unwrap();
    let (sources, problems) = Sources::read(dir.path());
    assert_eq!(problems, []);
    let paths: Vec<&str> = sources.workflows().iter().chain(sources.scripts()).map(|file| &*file.path).collect();
    assert_eq!(paths, ["workflows/a.yaml", "workflows/b.yml", "workflows/link.yaml", "scripts/lead.rhai"]);
    assert_eq!(sources.text("scripts/lead.rhai"), Some("fn f() { 1 }"));
    let full = Sources::fingerprint(dir.path());
    assert_ne!(empty, full);
    assert_eq!(full, Sources::fingerprint(dir.path()));
    write("workflows/a.yaml", "when: [manual]\nsteps: [ ]\n");
    assert_ne!(full, Sources::fingerprint(dir.path()));
}

#[test]
fn a_catalog_can_be_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Catalog>();
}

proptest! {
    #[test]
    fn no_workflow_text_panics(text in "(when|steps|if|retry|name|on_error|timeout|- |call: http.get|script: 1|then|webhook|path|verify|none|manual|schedule|cron|: |\n|  |\\{|\\}|\\[|\\]|, |5s|~|\\$\\{|\"){0,40}") {
        let (catalog, problems) = build(&[("workflows/a.yaml", &text)]);
        prop_assert!(catalog.get("a").is_some() || !problems.is_empty() || catalog.workflows().len() == 1);
    }
}
