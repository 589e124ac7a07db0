//! `hence plan`

mod text;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::client::Client;
use super::{Exit, Format, ServerArgs, Trouble, say, say_json};
use crate::app;
use crate::domain::Value;
use crate::domain::time::Timestamp;
use crate::workflow::catalog::bad_files;
use crate::workflow::plan::{Inventory, Plan, compare};
use crate::workflow::problem::{Problem, render};

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The project folder
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// The URL of the server to compare with, as in https://hence.example.com
    #[arg(long, value_name = "URL")]
    against: String,
    /// The data folder, where the admin token is kept [default: DIR/.hence]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Whom to believe over https besides those the system does: a PEM file with the certificate of an authority, or of the
    /// server itself [default: HENCE_CA]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Print for people (text) or for programs (json)
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// What was compared, and what came of it.
struct Planned<'p> {
    dir: &'p Path,
    against: &'p str,
    /// Of the server's program.
    version: &'p str,
    errors: Vec<Problem>,
    runs_counted: usize,
    plan: Plan,
}

pub(super) fn run(args: &PlanArgs) -> Result<Exit, Trouble> {
    if !args.dir.is_dir() {
        return Err(Trouble::new(Exit::Usage, format!("{}: there is no such folder", args.dir.display())));
    }
    let served = ask(args)?;
    // Due times are the server's to come, whatever the clock of this machine says.
    let now: Timestamp = served.time.parse().map_err(|_bad| not_hence(&args.against))?;
    let app::Outlined { project, mut problems } = app::outline(&args.dir, now);
    // Secrets are looked for at the server alone, and the other warnings are for `check`.
    problems.retain(Problem::is_error);
    let plan = compare(&served, &project, &bad_files(&problems));
    let planned = Planned {
        dir: &args.dir,
        against: args.against.trim_end_matches('/'),
        version: &served.version,
        errors: problems,
        runs_counted: served.runs.counts.iter().map(|count| count.runs).sum(),
        plan,
    };
    match args.format {
        Format::Json => say_json(&as_json(&planned)),
        Format::Text => say(&text::report(&planned, &|problem| shown(&args.dir, problem))),
    }
    Ok(if planned.errors.is_empty() { Exit::Fine } else { Exit::Problems })
}

fn ask(args: &PlanArgs) -> Result<Inventory, Trouble> {
    let PlanArgs { dir, data, against, ca, .. } = args;
    let server = ServerArgs { project: dir.clone(), data: data.clone(), url: Some(against.clone()), ca: ca.clone() };
    let answer = Client::new(&server)?.get("/api/inventory", &[]).map_err(|trouble| match trouble.exit {
        // Exit 1 says that the project has problems.
        Exit::Problems => Trouble::new(Exit::Unreachable, format!("{}: {}", not_hence(&args.against).text, trouble.text)),
        Exit::Fine | Exit::Usage | Exit::Unreachable | Exit::Store => trouble,
    })?;
    serde_json::from_value(answer).map_err(|_bad| not_hence(&args.against))
}

fn not_hence(url: &str) -> Trouble {
    Trouble::new(Exit::Unreachable, format!("{url} does not answer as a hence server of this version does"))
}

/// A problem as `hence check` shows it.
fn shown(dir: &Path, problem: &Problem) -> String {
    render(problem, std::fs::read_to_string(dir.join(&*problem.file)).ok().as_deref())
}

fn as_json(planned: &Planned<'_>) -> Value {
    let mut shown = json!(planned.plan);
    if let Value::Object(fields) = &mut shown {
        fields.insert("against".to_owned(), json!({"url": planned.against, "version": planned.version}));
        fields.insert("problems".to_owned(), json!(planned.errors));
    }
    shown
}
