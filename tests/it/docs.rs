//! What the documents show is true: every workflow in them passes `hence check`, every test passes,
//! every other YAML block is YAML, links lead somewhere, and the references name what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hence::workflow::yaml;

/// A fenced block: its language and its text.
pub(crate) type Block = (String, String);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README and everything below `docs/`, by path.
pub(crate) fn documents() -> BTreeMap<PathBuf, String> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path);
            }
        }
    }
    let mut found = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    walk(&root().join("docs"), &mut found);
    found.into_iter().map(|path| (path.strip_prefix(root()).unwrap().to_owned(), fs::read_to_string(&path).unwrap())).collect()
}

pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert_eq!(open, None, "a block is not closed");
    blocks
}

/// The file that a block shows: its first line is a comment with the path.
pub(crate) fn shown_file((language, text): &Block) -> Option<&str> {
    let comment = match language.as_str() {
        "yaml" => "# ",
        "rhai" => "// ",
        _ => return None,
    };
    let path = text.lines().next()?.strip_prefix(comment)?.trim();
    let file = path == "hence.yaml" || path.starts_with("workflows/") || path.starts_with("scripts/");
    file.then_some(path)
}

/// Errors of the project that a document's files make, and of its other YAML blocks.
fn problems(text: &str) -> Vec<String> {
    let project = tempfile::tempdir().unwrap();
    let mut found = Vec::new();
    let mut written = BTreeSet::new();
    for block in blocks(text) {
        if let Some(path) = shown_file(&block) {
            let target = project.path().join(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::write(&target, &block.1).unwrap();
            if !written.insert(path.to_owned()) {
                found.push(format!("{path} is shown twice in one document"));
            }
        } else if block.0 == "yaml" {
            let (_, wrong) = yaml::parse(&"block".into(), &block.1);
            found.extend(wrong.iter().map(|problem| format!("{}:{}: {}", problem.line, problem.column, problem.message)));
        }
    }
    let checked = hence::app::check(project.path());
    found.extend(checked.problems.iter().filter(|p| p.is_error()).map(|p| format!("{}:{}: {} ({})", p.file, p.line, p.message, p.code)));
    let tested = hence::app::selftest(project.path(), None);
    let failed = tested.workflows.iter().flat_map(|workflow| &workflow.results).filter(|result| !result.passed());
    found.extend(failed.map(|result| format!("{}: {:?} {:?}", result.name, result.trouble, result.differences)));
    let is_workflow = |path: &&String| path.starts_with("workflows/") && !path.ends_with(".test.yaml");
    let workflows = written.iter().filter(is_workflow).count();
    if found.is_empty() && workflows != checked.workflows {
        found.push(format!("{workflows} workflows are shown and {} are good", checked.workflows));
    }
    found
}

#[test]
fn every_workflow_shown_is_good_and_every_block_is_yaml() {
    let mut shown = 0;
    for (path, text) in documents() {
        assert_eq!(problems(&text), Vec::<String>::new(), "{}", path.display());
        shown += blocks(&text).iter().filter(|block| shown_file(block).is_some_and(|file| file.starts_with("workflows/"))).count();
    }
    assert!(0 < shown, "no document shows a workflow");
}

#[test]
fn a_wrong_block_is_found() {
    let check = |block: &str| assert_eq!(problems(&format!("text\n```yaml\n{block}\n```\n")).len(), 1, "{block}");
    check("# workflows/a.yaml\nwhen: [manual]\nsteps:\n  - stop:\n    retries: 1");
    check("# workflows/a.yaml\nwhen: [manual]\nsteps:\n  - stop: 1 +");
    check("# hence.yaml\nlisten: 1\nport: 1");
    check(
        "# workflows/a.yaml\nwhen: [manual]\nsteps: [{stop: 1}]\n```\n```yaml\n# workflows/a.test.yaml\ncases: [{name: a, expect: {output: 2}}]",
    );
    check("a: [1");
}

#[test]
fn links_lead_somewhere() {
    for (path, text) in documents() {
        let folder = root().join(path.parent().unwrap());
        for part in text.split("](").skip(1) {
            let link = part.split(')').next().unwrap();
            if link.contains("://") {
                continue;
            }
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if target.is_empty() { root().join(&path) } else { folder.join(target) };
            assert!(target.exists(), "{}: {link}", path.display());
            if !anchor.is_empty() {
                assert!(anchors(&fs::read_to_string(&target).unwrap()).contains(anchor), "{}: {link}", path.display());
            }
        }
    }
}

/// The anchors that a document's headings get.
fn anchors(text: &str) -> BTreeSet<String> {
    let heading = |line: &str| line.starts_with('#').then(|| line.trim_start_matches('#').trim().to_lowercase());
    let anchor =
        |heading: String| heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-");
    text.lines().filter_map(heading).map(anchor).collect()
}

/// Texts in quotes in the source that look like codes: lower case with hyphens.
fn literals(source: &str) -> BTreeSet<String> {
    let quoted = source.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| line.split('"').skip(1).step_by(2));
    let code = |text: &&str| text.len() > 2 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    quoted.filter(code).map(str::to_owned).collect()
}

#[test]
fn every_http_error_code_has_a_section() {
    let page = fs::read_to_string(root().join("docs/errors/http.md")).unwrap();
    let sections: BTreeSet<String> =
        page.lines().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`').map(str::to_owned)).collect();
    let mut used = BTreeSet::new();
    for file in [
        "problem.rs",
        "answer.rs",
        "auth.rs",
        "api/mod.rs",
        "api/runs.rs",
        "api/events.rs",
        "api/fixture.rs",
        "api/store.rs",
        "door.rs",
        "cors.rs",
    ] {
        used.extend(literals(&fs::read_to_string(root().join("src/web").join(file)).unwrap()));
    }
    let missing: Vec<_> = used.iter().filter(|code| code.contains('-') && !sections.contains(*code)).collect();
    assert!(missing.is_empty(), "no section for {missing:?}");
    let unknown: Vec<_> = sections.difference(&used).collect();
    assert!(unknown.is_empty(), "sections for codes that are not used: {unknown:?}");
}

#[test]
fn every_command_and_flag_is_in_the_reference() {
    let page = fs::read_to_string(root().join("docs/reference/cli.md")).unwrap();
    let help = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_hence")).args(args).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let overview = help(&["--help"]);
    let commands = overview.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    for command in commands.filter_map(|line| line.split_whitespace().next()).filter(|command| *command != "help") {
        let start = page.find(&format!("\n## `{command}`\n")).unwrap_or_else(|| unreachable!("no section for `{command}`"));
        let section = page[start + 1..].split("\n## ").next().unwrap();
        for flag in help(&[command, "--help"]).split_whitespace().filter(|word| word.starts_with("--") && *word != "--help") {
            let shared = page.split("\n## ").next().unwrap();
            assert!(section.contains(flag) || shared.contains(flag), "`{command} {flag}` is not in the reference");
        }
    }
}

#[test]
fn the_arrows_in_the_architecture_are_the_enforced_ones() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let source = fs::read_to_string(root().join("tests/it/tidy.rs")).unwrap();
    let list = source.split("const ARROWS").nth(1).unwrap().split("];").next().unwrap();
    let mut rows = 0;
    for line in list.lines().filter(|line| line.trim_start().starts_with("(\"")) {
        let mut names = line.split('"').skip(1).step_by(2);
        let part = names.next().unwrap();
        let allowed: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
        let row = format!("| `{part}` | {allowed} |");
        assert!(page.contains(&row), "docs/architecture.md has no row {row}");
        rows += 1;
    }
    assert!(10 < rows, "the list was not read");
}
