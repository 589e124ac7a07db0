//! Runs `tests/cases`: bad files, each with the exact text of its problems beside it.
//!
//! `NAME.yaml` is one workflow, `NAME/` a project; `NAME.txt` is what a check prints.
//! `HENCE_BLESS=1 cargo test --lib cases` writes the texts anew. `settings/` is for `hence.yaml`: its cases are beside its reader.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::catalog::{Catalog, SourceFile, Sources};
use super::compile::{Context, TargetProblem};
use super::problem::{Problem, Severity, codes, render};
use super::selftest;
use super::words;
use super::yaml::FILE_BYTES;
use crate::domain::retry::Retry;
use crate::domain::secret::{Secret, Secrets};
use crate::domain::time::Timestamp;
use crate::script::Limits;

/// 2026-11-01T00:00:00Z.
const NOW: Timestamp = Timestamp(1_793_491_200_000);

/// A small world: two connectors, one connection, one secret, one named retry.
pub(super) fn with_context<T>(run: impl FnOnce(&Context<'_>) -> T) -> T {
    let retries = BTreeMap::from([("patient".to_owned(), Retry { attempts: 20, first: Duration::from_secs(60), ..Retry::default() })]);
    let limits = Limits::default();
    let secret = |name: &str| (name.to_owned(), Secret::new(format!("value of {name}")));
    let secrets = Secrets::new(BTreeMap::from([secret("HOOK_SECRET"), secret("NEW_SECRET")]));
    run(&Context {
        limits: &limits,
        retries: &retries,
        check_target: &target,
        secrets: &secrets,
        public_url: None,
        missing_secret: Severity::Warning,
        rebuilds: false,
        lint_at: Some(NOW),
    })
}

fn target(connector: &str, action: &str, using: Option<&str>) -> Result<(), TargetProblem> {
    let known: BTreeMap<&str, &[&str]> = BTreeMap::from([("http", ["get", "post"].as_slice()), ("hubspot", &["upsert_contact"])]);
    let none = |code, what: String, word: &str, choices: &[&str]| {
        Err(TargetProblem { code, message: what, help: Some(words::suggest(word, choices)) })
    };
    let Some(actions) = known.get(connector) else {
        let names: Vec<&str> = known.keys().copied().collect();
        return none(codes::UNKNOWN_CONNECTOR, format!("there is no connector `{connector}`"), connector, &names);
    };
    if !actions.contains(&action) {
        return none(codes::UNKNOWN_ACTION, format!("`{connector}` has no action `{action}`"), action, actions);
    }
    match using {
        Some(using) if using != "crm" => none(codes::UNKNOWN_CONNECTION, format!("there is no connection `{using}`"), using, &["crm"]),
        _ => Ok(()),
    }
}

/// The cases of `hence.yaml`.
pub(crate) const SETTINGS: &str = "settings";

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// Each text is the one that stands in the folder; or becomes it.
pub(crate) fn check_texts(folder: &Path, found: impl IntoIterator<Item = (String, String)>) {
    let mut wrong = Vec::new();
    for (name, found) in found {
        let expected = folder.join(format!("{name}.txt"));
        if bless() {
            fs::write(&expected, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        if expected != found {
            wrong.push(format!("--- {name}: expected\n{expected}--- {name}: found\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The texts in a folder, by name.
pub(crate) fn texts(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|ending| ending == "txt"));
    texts.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap())).collect()
}

/// What a check finds: the problems, and their text.
fn check(sources: &Sources, tests: &[SourceFile], mut problems: Vec<Problem>) -> (Vec<Problem>, String) {
    let (_, found) = with_context(|context| Catalog::build(sources, context));
    problems.extend(found);
    let test = |file: &str| tests.iter().find(|test| &*test.path == file).map(|test| &*test.text);
    let source = |problem: &Problem| sources.text(&problem.file).or_else(|| test(&problem.file));
    let text = problems.iter().map(|problem| render(problem, source(problem))).collect();
    (problems, text)
}

fn written() -> BTreeMap<String, (Vec<Problem>, String)> {
    let mut cases = BTreeMap::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == SETTINGS {
            continue;
        }
        if path.is_dir() {
            let (sources, mut problems) = Sources::read(&path);
            let (tests, found) = selftest::read_all(&path, &sources);
            problems.extend(found);
            let tests: Vec<SourceFile> = tests.into_iter().map(|(source, _)| source).collect();
            cases.insert(name, check(&sources, &tests, problems));
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            let file = (format!("workflows/{name}.yaml"), fs::read_to_string(&path).unwrap());
            cases.insert(name, check(&Sources::from_files([file]), &[], Vec::new()));
        }
    }
    cases
}

/// Cases that cannot lie in a repository as they are.
fn made() -> BTreeMap<String, (Vec<Problem>, String)> {
    let make = |prepare: &dyn Fn(&Path)| {
        let project = tempfile::tempdir().unwrap();
        fs::create_dir(project.path().join("workflows")).unwrap();
        prepare(project.path());
        let (sources, problems) = Sources::read(project.path());
        check(&sources, &[], problems)
    };
    let outside = tempfile::NamedTempFile::new().unwrap();
    BTreeMap::from([
        ("made-too-large".to_owned(), make(&|dir| fs::write(dir.join("workflows/big.yaml"), "x".repeat(FILE_BYTES + 1)).unwrap())),
        ("made-not-utf-8".to_owned(), make(&|dir| fs::write(dir.join("workflows/latin.yaml"), b"name: \xe9t\xe9\n").unwrap())),
        ("made-not-a-file".to_owned(), make(&|dir| fs::create_dir(dir.join("workflows/folder.yaml")).unwrap())),
        ("made-link-outside".to_owned(), make(&|dir| std::os::unix::fs::symlink(outside.path(), dir.join("workflows/link.yaml")).unwrap())),
        (
            "made-tab".to_owned(),
            make(&|dir| fs::write(dir.join("workflows/tab.yaml"), "name: tab\nwhen:\n\t- manual\nsteps: []\n").unwrap()),
        ),
        (
            "made-too-many-steps".to_owned(),
            make(&|dir| {
                let steps = "  - script: 1\n".repeat(super::file::STEPS + 1);
                fs::write(dir.join("workflows/many.yaml"), format!("when: [manual]\nsteps:\n{steps}")).unwrap();
            }),
        ),
    ])
}

#[expect(clippy::disallowed_methods, reason = "a switch of this test alone: it is not part of the program")]
fn bless() -> bool {
    std::env::var("HENCE_BLESS").is_ok_and(|value| value == "1")
}

#[test]
fn every_case_has_exactly_its_problems() {
    check_texts(&folder(), written().into_iter().chain(made()).map(|(name, (_, found))| (name, found)));
}

#[test]
fn every_expected_text_has_its_case() {
    let names: BTreeSet<String> = written().into_keys().chain(made().into_keys()).collect();
    for name in texts(&folder()).keys() {
        assert!(names.contains(name), "{name}.txt belongs to no case");
    }
}

#[test]
fn every_code_has_a_case() {
    let mut seen: BTreeSet<&str> =
        written().into_values().chain(made().into_values()).flat_map(|(found, _)| found).map(|p| p.code).collect();
    let all: BTreeSet<&str> = codes::ALL.iter().map(|(code, _)| *code).collect();
    // That these are found is for their own test.
    let settings: String = texts(&folder().join(SETTINGS)).into_values().collect();
    seen.extend(all.iter().filter(|code| settings.contains(&format!("[{code}]: "))));
    assert_eq!(all.difference(&seen).collect::<Vec<_>>(), Vec::<&&str>::new(), "codes without a case");
    assert_eq!(seen.difference(&all).collect::<Vec<_>>(), Vec::<&&str>::new(), "codes that are not in the list");
}

#[test]
fn every_case_has_a_problem() {
    for (name, (found, _)) in written() {
        assert!(!found.is_empty(), "{name} has no problem");
    }
}
