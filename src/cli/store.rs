//! `hence store check`, `stats`, `compact`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::client::Client;
use super::table::table;
use super::{Exit, Format, ServerArgs, Trouble, say, say_error, say_json};
use crate::app::{self, Place};
use crate::config::{self, Flags};
use crate::domain::Value;
use crate::store::upkeep::PROBLEMS_LIMIT;
use crate::store::{Checked, StoreError, Tally};

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Read every record and follow every reference; the server must not run
    Check(CheckArgs),
    /// Count what the store holds, by kind and by workflow
    Stats(StatsArgs),
    /// Give back to the disk what is not used
    Compact(CompactArgs),
}

/// Which store.
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// The project folder whose store it is
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// The data folder [default: PROJECT/.hence]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The store: redb://PATH or sled://PATH [default: redb in the data folder]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
}

impl StoreArgs {
    pub(super) fn place(&self) -> Place {
        Self::place_of(&self.project, self.data.as_deref(), self.store.as_deref())
    }

    pub(super) fn place_of(project: &Path, data: Option<&Path>, store: Option<&str>) -> Place {
        let flags = Flags { data: data.map(Path::to_owned), store: store.map(str::to_owned), ..Flags::default() };
        Place::of(&config::load(project, flags).0)
    }

    /// The server that uses it, if one runs. A store that is named by its URL is looked at by itself.
    fn server(&self) -> Option<Client> {
        let args = ServerArgs { project: self.project.clone(), data: self.data.clone(), url: None, ca: None };
        self.store.is_none().then(|| Client::new(&args).ok()).flatten()
    }
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Print for people (text) or for programs (json)
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    place: StoreArgs,
}

#[derive(Debug, Args)]
pub(super) struct StatsArgs {
    /// Print for people (text) or for programs (json)
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    place: StoreArgs,
}

#[derive(Debug, Args)]
pub(super) struct CompactArgs {
    #[command(flatten)]
    place: StoreArgs,
}

pub(super) fn run(command: &StoreCommand) -> Result<Exit, Trouble> {
    match command {
        StoreCommand::Check(args) => check(args),
        StoreCommand::Stats(args) => stats(args),
        StoreCommand::Compact(args) => compact(args),
    }
}

/// How an error of a store ends a command.
pub(super) fn trouble(error: &StoreError) -> Trouble {
    let exit = match error {
        StoreError::Locked(_) | StoreError::NewerFormat { .. } | StoreError::Damaged(_) => Exit::Store,
        StoreError::BadUrl(_) | StoreError::NotEmpty | StoreError::Missing(_) => Exit::Usage,
        StoreError::Full(_) | StoreError::Io(_) | StoreError::Overloaded { .. } | StoreError::Closed | StoreError::BadBackup(_) => {
            Exit::Problems
        }
    };
    Trouble::new(exit, error.to_string())
}

fn wait<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, Trouble> {
    let done = app::block_on(work).map_err(|error| Trouble::new(Exit::Problems, format!("no threads to work with: {error}")))?;
    done.map_err(|error| trouble(&error))
}

fn check(args: &CheckArgs) -> Result<Exit, Trouble> {
    let checked = wait(app::check_store(&args.place.place()))?;
    let Checked { kinds, problems, found } = &checked;
    if args.format == Format::Json {
        let kinds: BTreeMap<_, _> = kinds.iter().map(|(kind, tally)| (kind, tally.count)).collect();
        say_json(&serde_json::json!({"kinds": kinds, "problems": problems, "found": found}));
    } else if *found == 0 {
        say(&format!("the store is whole: {}", said(kinds)));
    } else {
        problems.iter().for_each(|problem| say(problem));
    }
    if *found == 0 {
        return Ok(Exit::Fine);
    }
    let more = if usize::try_from(*found).is_ok_and(|found| found <= PROBLEMS_LIMIT) { "" } else { " (the first are shown)" };
    say_error(&format!("{found} problems{more}; keep a copy of the data folder, then restore a backup with `hence restore`"));
    Ok(Exit::Store)
}

/// `3 events, 4 runs`
pub(super) fn said(kinds: &BTreeMap<&'static str, Tally>) -> String {
    let of = |kind: &str| kinds.get(kind).map_or(0, |tally| tally.count);
    let records: u64 = kinds.values().map(|tally| tally.count).sum();
    format!("{} events, {} runs, {} of them open, {records} records", of("events"), of("runs"), of("open runs"))
}

fn stats(args: &StatsArgs) -> Result<Exit, Trouble> {
    let online = args.place.server().and_then(|server| server.get("/api/store", &[]).ok());
    let stats = match online {
        Some(stats) => stats,
        None => wait(app::stats(&args.place.place()))?.to_json(),
    };
    match args.format {
        Format::Json => say_json(&stats),
        Format::Text => say(&shown(&stats)),
    }
    Ok(Exit::Fine)
}

fn number(value: &Value, field: &str) -> u64 {
    value.get(field).and_then(Value::as_u64).unwrap_or(0)
}

fn rows(stats: &Value, field: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let of = stats.get(field).and_then(Value::as_object).into_iter().flatten();
    of.map(|(name, of)| std::iter::once(name.clone()).chain(columns.iter().map(|column| number(of, column).to_string())).collect())
        .collect()
}

fn shown(stats: &Value) -> String {
    let (disk, live) = (number(stats, "disk_bytes"), number(stats, "live_bytes"));
    let share = (live * 100).checked_div(disk).map(|percent| format!(", {percent} % of it in use")).unwrap_or_default();
    let time = |field| stats.get(field).and_then(Value::as_str).unwrap_or("none");
    format!(
        "on disk {disk} bytes{share}; oldest {}, newest {}\n\n{}\n\n{}",
        time("oldest"),
        time("newest"),
        table(&["KIND", "COUNT", "BYTES"], &rows(stats, "kinds", &["count", "bytes"])),
        table(&["WORKFLOW", "RUNS", "OPEN", "BYTES"], &rows(stats, "workflows", &["runs", "open", "bytes"])),
    )
}

fn compact(args: &CompactArgs) -> Result<Exit, Trouble> {
    let online = args.place.server().map(|server| server.post_for_long("/api/store/compact"));
    let (before, after) = match online {
        Some(Ok(answer)) => (number(&answer, "before_bytes"), number(&answer, "after_bytes")),
        Some(Err(trouble)) if trouble.exit != Exit::Unreachable => return Err(trouble),
        Some(Err(_)) | None => {
            let compacted = wait(app::compact(&args.place.place()))?;
            (compacted.before_bytes, compacted.after_bytes)
        }
    };
    say(&format!("the store took {before} bytes on disk, now {after}"));
    Ok(Exit::Fine)
}
