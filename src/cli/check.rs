//! `hence check`

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, Format, Trouble, say, say_json};
use crate::app;
use crate::workflow::problem::{Problem, Severity, render};

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Project folders, or files of one [default: .]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print for people (text) or for programs (json)
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: &CheckArgs) -> Result<Exit, Trouble> {
    let mut problems: Vec<(PathBuf, Problem)> = Vec::new();
    let mut workflows = 0;
    let here = [PathBuf::from(".")];
    for (dir, files) in projects(if args.paths.is_empty() { &here } else { &args.paths })? {
        let checked = app::check(&dir);
        workflows += checked.workflows;
        let wanted = checked.problems.into_iter().filter(|problem| files.is_empty() || files.contains(&*problem.file));
        problems.extend(wanted.map(|problem| (dir.clone(), problem)));
    }
    let errors = problems.iter().filter(|(_, problem)| problem.severity == Severity::Error).count();
    match args.format {
        Format::Json => {
            let list: Vec<_> = problems.iter().map(|(_, problem)| problem).collect();
            say_json(&serde_json::json!({"problems": list, "errors": errors, "warnings": problems.len() - errors, "workflows": workflows}));
        }
        Format::Text => {
            // Problems come file by file: each is read once.
            let mut open: Option<(PathBuf, Option<String>)> = None;
            for (dir, problem) in &problems {
                let path = dir.join(&*problem.file);
                let (_, source) = match open.take() {
                    Some(known) if known.0 == path => open.insert(known),
                    _ => {
                        let source = std::fs::read_to_string(&path).ok();
                        open.insert((path, source))
                    }
                };
                say(&render(problem, source.as_deref()));
            }
            say(&summary(workflows, errors, problems.len() - errors));
            if workflows == 0 && problems.is_empty() {
                say("no workflow was found: they are YAML files in the folder `workflows` of a project; `hence init DIR` writes one");
            }
        }
    }
    Ok(if errors == 0 { Exit::Fine } else { Exit::Problems })
}

fn summary(workflows: usize, errors: usize, warnings: usize) -> String {
    let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    format!("{} good, {}, {}", count(workflows, "workflow"), count(errors, "error"), count(warnings, "warning"))
}

/// Each project once, with the files that are asked for; none when the whole of it is.
fn projects(paths: &[PathBuf]) -> Result<BTreeMap<PathBuf, BTreeSet<String>>, Trouble> {
    let mut found: BTreeMap<PathBuf, Option<BTreeSet<String>>> = BTreeMap::new();
    for path in paths {
        let (dir, only) = project_of(path)?;
        let files = found.entry(dir).or_insert_with(|| Some(BTreeSet::new()));
        match (files.as_mut(), only) {
            (Some(files), Some(only)) => files.extend([only]),
            (_, None) => *files = None,
            (None, Some(_)) => {}
        }
    }
    Ok(found.into_iter().map(|(dir, files)| (dir, files.unwrap_or_default())).collect())
}

/// The project a path belongs to, and the file in it if the path names one.
fn project_of(path: &Path) -> Result<(PathBuf, Option<String>), Trouble> {
    let usage = |why: String| Trouble::new(Exit::Usage, format!("{}: {why}", path.display()));
    let meta = path.metadata().map_err(|error| usage(error.to_string()))?;
    if meta.is_dir() {
        return Ok((path.to_owned(), None));
    }
    let path = path.canonicalize().map_err(|error| usage(error.to_string()))?;
    // workflows/x.yaml, scripts/x.rhai, or hence.yaml itself.
    let folder = path.parent().ok_or_else(|| usage("this is no file of a project".to_owned()))?;
    let in_folder = folder.file_name().is_some_and(|name| name == "workflows" || name == "scripts");
    let is_setting = path.file_name().is_some_and(|name| name == "hence.yaml" || name == "secrets.env");
    if !in_folder && !is_setting {
        return Err(usage("this is no file of a project: those are workflows/*.yaml, scripts/*.rhai and hence.yaml".to_owned()));
    }
    let dir = if in_folder { folder.parent().unwrap_or(folder) } else { folder };
    let file = path.strip_prefix(dir).map_err(|error| usage(error.to_string()))?;
    Ok((dir.to_owned(), Some(file.display().to_string())))
}
