//! Two sets of files → what would change.

mod described;
mod forms;
mod needs;
mod routes;
mod steps;

use std::collections::BTreeSet;

use super::super::cases::with_context;
use super::super::catalog::{Catalog, Sources};
use super::{
    Change, Changed, Inventory, Named, Plan, Project, RunCount, Runs, SettingChange, SettingsOutline, StepChange, compare, outline,
};
use crate::domain::time::Timestamp;

/// 2026-11-01T00:00:00Z.
const NOW: Timestamp = Timestamp(1_793_491_200_000);

type Files<'f> = &'f [(&'f str, &'f str)];

fn project(files: Files<'_>) -> Project {
    let sources = Sources::from_files(files.iter().map(|(path, text)| (format!("workflows/{path}.yaml"), (*text).to_owned())));
    outlined(&sources)
}

fn outlined(sources: &Sources) -> Project {
    let (catalog, problems) = with_context(|context| Catalog::build(sources, context));
    assert!(!problems.iter().any(crate::workflow::problem::Problem::is_error), "{problems:?}");
    Project { workflows: catalog.workflows().map(|loaded| outline(loaded, NOW)).collect(), settings: SettingsOutline::default() }
}

/// A server that has the secrets of the small world, and no run in flight.
fn served(project: Project) -> Inventory {
    let secrets = ["HOOK_SECRET", "NEW_SECRET"].map(str::to_owned).into();
    Inventory { project, secrets, runs: Runs { counts: Vec::new(), complete: true }, ..Inventory::default() }
}

fn plan(before: Files<'_>, after: Files<'_>) -> Plan {
    compare(&served(project(before)), &project(after), &BTreeSet::new())
}

fn hook(name: &'static str, fields: &str) -> (&'static str, String) {
    (name, format!("when: [{{webhook: {{{fields}}}}}]\nsteps: []\n"))
}

fn steps(text: &str) -> String {
    format!("when: [manual]\nsteps:\n{text}")
}

fn told(changed: &Changed) -> Vec<String> {
    let line = |step: &StepChange| {
        let mark = match step.change {
            Change::Added => '+',
            Change::Changed => '~',
            Change::Removed => '-',
        };
        let was = step.address_before.as_ref().map(|before| format!(" from {before}")).unwrap_or_default();
        let keys: Vec<&str> = step.settings.iter().map(|setting| setting.key.as_str()).collect();
        format!("{mark} {} {}{was} {}", step.address, step.step, keys.join(",")).trim_end().to_owned()
    };
    changed.steps.iter().map(line).chain(changed.reordered.iter().map(|block| format!("= {block}"))).collect()
}

#[test]
fn the_same_files_are_no_change() {
    let files: Files<'_> = &[("a", &steps("  - call: hubspot.upsert_contact\n    using: crm\n")), ("b", "when: [manual]\nsteps: []\n")];
    let plan = plan(files, files);
    assert!(plan.is_empty(), "{plan:?}");
    assert_eq!((plan.workflows.unchanged, plan.routes.len(), plan.schedules.len()), (2, 0, 0));
}

#[test]
fn workflows_come_stay_and_go() {
    let idle = "when: [manual]\nsteps: []\n";
    let plan = plan(&[("a", idle), ("b", idle), ("c", idle)], &[("b", idle), ("c", "# why\nwhen: [manual]\nsteps: []\n"), ("d", idle)]);
    let names = |list: &[Named]| list.iter().map(|named| named.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (names(&plan.workflows.added), names(&plan.workflows.removed), plan.workflows.unchanged),
        (vec!["d".into()], vec!["a".into()], 1)
    );
    let [Changed { name, triggers, steps, reordered, settings, scripts, revision, revision_before, .. }] = &plan.workflows.changed[..]
    else {
        panic!("{plan:?}")
    };
    assert_eq!((&**name, revision == revision_before), ("c", false));
    assert!(triggers.is_empty() && steps.is_empty() && reordered.is_empty() && settings.is_empty() && scripts.is_empty(), "a comment");
}

#[test]
fn settings_scripts_and_files_are_compared() {
    let text =
        |condition: &str, rest: &str| format!("name: a\nwhen: [manual]\nif: lead::score(event.body) > {condition}\n{rest}steps: []\n");
    let all = |path: &str, text: String, script: &str| {
        outlined(&Sources::from_files([(path.to_owned(), text), ("scripts/lead.rhai".to_owned(), format!("fn score(x) {{ {script} }}"))]))
    };
    let before = served(all("workflows/a.yaml", text("5", "timeout: 1h\n"), "1"));
    let plan = compare(&before, &all("workflows/b.yaml", text("6", "description: New\n"), "2"), &BTreeSet::new());
    let changed = &plan.workflows.changed[0];
    let set = |key: &str, before: Option<&str>, after: Option<&str>| SettingChange {
        key: key.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    let condition = |than: &str| format!("lead::score(event.body) > {than}");
    assert_eq!(
        changed.settings,
        [set("description", None, Some("New")), set("if", Some(&condition("5")), Some(&condition("6"))), set("timeout", Some("1h"), None)]
    );
    assert_eq!((changed.scripts.len(), &*changed.scripts[0].key), (1, "scripts/lead.rhai"));
    assert_eq!((&*changed.file, changed.file_before.as_deref()), ("workflows/b.yaml", Some("workflows/a.yaml")));
}

#[test]
fn a_bad_file_keeps_what_is_served() {
    let hook = "when: [{webhook: {path: p, verify: {bearer: {secret: HOOK_SECRET}}}}]\nsteps: []\n";
    let before = served(project(&[("a", hook), ("b", hook)]));
    let check = |bad: &[&str], kept: &[&str], removed: &[&str], routes: usize, unused: usize| {
        let plan = compare(&before, &project(&[]), &bad.iter().copied().collect());
        let names = |list: &[Named]| list.iter().map(|named| named.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            (names(&plan.workflows.kept), names(&plan.workflows.removed)),
            (kept.iter().map(|&n| n.into()).collect(), removed.iter().map(|&n| n.into()).collect())
        );
        assert_eq!((plan.routes.len(), plan.secrets.unused.len()), (routes, unused), "{bad:?}");
    };
    check(&[], &[], &["a", "b"], 1, 1);
    check(&["workflows/a.yaml"], &["a"], &["b"], 1, 0);
    check(&["workflows"], &["a", "b"], &[], 0, 0);
    check(&["workflows/a.test.yaml", "hence.yaml"], &[], &["a", "b"], 1, 1);
}

#[test]
fn runs_finish_on_the_revision_they_began_with() {
    let text = |step: &str| steps(&format!("  - stop: {step}\n"));
    let (one, two, three) =
        (project(&[("a", &text("1"))]), project(&[("a", &text("2"))]), project(&[("a", &text("2")), ("b", &text("1"))]));
    let revision = |project: &Project| project.workflows[0].revision.clone();
    let count = |workflow: &str, revision: String, runs| RunCount { workflow: workflow.to_owned(), revision, runs };
    let all =
        [count("a", revision(&one), 3), count("a", revision(&two), 2), count("a", "older".to_owned(), 1), count("gone", "x".to_owned(), 9)];
    let check = |before: &Project, after: &Project, expected: &[usize]| {
        let runs = Runs { counts: all.to_vec(), complete: false };
        let plan = compare(&Inventory { runs, ..served(before.clone()) }, after, &BTreeSet::new());
        assert!(!plan.runs.complete);
        assert_eq!(plan.runs.counts, expected.iter().map(|&index| all[index].clone()).collect::<Vec<_>>());
    };
    check(&one, &two, &[0, 2]);
    check(&one, &project(&[]), &[0, 1, 2]);
    check(&two, &three, &[]);
}

#[test]
fn what_hence_yaml_changes_is_seen_in_the_same_revision() {
    let files: Files<'_> = &[("a", &steps("  - call: http.get\n    retry: patient\n"))];
    let mut before = served(project(files));
    before.project.workflows[0].steps[0].settings.insert("retry".to_owned(), "2 attempts, 1s × 2 up to 5m".to_owned());
    before.project.settings.digest = Some("sha256:1".to_owned());
    let plan = compare(&before, &project(files), &BTreeSet::new());
    let [changed] = &plan.workflows.changed[..] else { panic!("{plan:?}") };
    assert_eq!((&changed.revision, told(changed)), (&changed.revision_before, vec!["~ 0 call http.get retry".to_owned()]));
    assert!(plan.settings_differ);
}
