//! `hence replay`: one run, or all of a workflow that match. Those are shown first, and done with `--yes`.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;

use super::client::{Client, list, text};
use super::listing::{Query, WhichRuns, table_of_runs};
use super::{Exit, Format, ServerArgs, Trouble, say, say_error, say_json};
use crate::domain::Value;
use crate::domain::run::Status;

/// Items of a page of a listing.
const PAGE_LIMIT: usize = 1000;
/// The most runs that are looked through for one command.
const FOUND_LIMIT: usize = 10_000;

#[derive(Debug, Args)]
#[command(
    mut_arg("workflow", |arg| arg.help("Every run of this workflow that --status and --since name")),
    mut_arg("status", |arg| arg.help("Only these: succeeded, failed, canceled; several with commas [default: failed]"))
)]
pub(super) struct ReplayArgs {
    /// The run's id, as `hence runs` lists it; for several runs give --workflow instead
    #[arg(required_unless_present = "workflow", conflicts_with_all = ["workflow", "status", "since", "limit", "yes"])]
    run: Option<String>,
    /// Reuse what was done before this step, and do it and all that follows anew: a step's id, or its address in `hence show`
    #[arg(long, value_name = "STEP", conflicts_with = "workflow")]
    from: Option<String>,
    #[command(flatten)]
    which: WhichRuns,
    /// How many runs of --workflow at most, the oldest first
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Do it; without this the runs of --workflow are only shown
    #[arg(long)]
    yes: bool,
    /// Print for people (text) or for programs (json)
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: &ReplayArgs) -> Result<Exit, Trouble> {
    if let Some(run) = &args.run {
        return one(args, run);
    }
    let statuses = args.which.status.as_deref().unwrap_or(Status::Failed.as_str());
    let mut query = args.which.query()?;
    query.retain(|(name, _)| *name != "status");
    let mut of_status = query.clone();
    of_status.push(("status", Some(ended(statuses)?)));
    query.push(("replays", Some("true".to_owned())));
    let client = Client::new(&args.server)?;
    let chosen = Chosen::of(all(&client, &of_status)?, &all(&client, &query)?, args.limit);
    if args.yes { replay(args, &client, &chosen) } else { preview(args, statuses, &chosen) }
}

fn one(args: &ReplayArgs, run: &str) -> Result<Exit, Trouble> {
    let body = args.from.as_ref().map_or_else(|| json!({}), |from| json!({"from": from}));
    let replayed = Client::new(&args.server)?.post(&format!("/api/runs/{run}/replay"), &body)?;
    match args.format {
        Format::Json => say_json(&replayed),
        Format::Text => say(text(&replayed, "run")),
    }
    Ok(Exit::Fine)
}

/// Only a run that has ended can be replayed.
fn ended(statuses: &str) -> Result<String, Trouble> {
    let is_ended = |word: &str| Status::ALL.into_iter().any(|status| status.is_final() && status.as_str() == word);
    match statuses.split(',').map(str::trim).find(|word| !is_ended(word)) {
        None => Ok(statuses.to_owned()),
        Some(word) => {
            let text = format!("--status {word}: only runs that have ended can be replayed: expected succeeded, failed or canceled");
            Err(Trouble::new(Exit::Usage, text))
        }
    }
}

/// Every run that matches, newest first.
fn all(client: &Client, query: &Query) -> Result<Vec<Value>, Trouble> {
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let mut query = query.clone();
        query.push(("limit", Some(PAGE_LIMIT.to_string())));
        query.push(("before", before));
        let page = client.get("/api/runs", &query)?;
        found.extend_from_slice(list(&page, "runs"));
        if FOUND_LIMIT < found.len() {
            let text = format!("more than {FOUND_LIMIT} runs match: give a shorter time with --since");
            return Err(Trouble::new(Exit::Usage, text));
        }
        match text(&page, "next") {
            "" => return Ok(found),
            next => before = Some(next.to_owned()),
        }
    }
}

/// What there is to replay.
struct Chosen {
    /// Oldest first.
    runs: Vec<Value>,
    /// So many more match.
    more: usize,
    /// So many match and were replayed before.
    replayed: usize,
}

impl Chosen {
    /// A run that was replayed is left to its replay: that one is in the list itself if it failed, too.
    fn of(found: Vec<Value>, replays: &[Value], limit: u32) -> Self {
        let done: BTreeSet<&str> = replays.iter().map(|run| text(run, "replay_of")).collect();
        let (replayed, mut runs): (Vec<_>, Vec<_>) = found.into_iter().partition(|run| done.contains(text(run, "id")));
        runs.reverse();
        let matching = runs.len();
        runs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Self { more: matching - runs.len(), runs, replayed: replayed.len() }
    }
}

fn preview(args: &ReplayArgs, statuses: &str, chosen: &Chosen) -> Result<Exit, Trouble> {
    let Chosen { runs, more, replayed } = chosen;
    let command = command(args, statuses);
    if args.format == Format::Json {
        say_json(&json!({"runs": runs, "more": more, "replayed_before": replayed, "command": command}));
        return Ok(Exit::Fine);
    }
    if *replayed > 0 {
        say(&format!("{} left out: replayed before", counted(*replayed)));
    }
    if runs.is_empty() {
        say("no runs to replay");
        return Ok(Exit::Fine);
    }
    say(&table_of_runs(runs));
    say(&format!(
        "\n{} to replay, oldest first: each as a new run of the same event, from the beginning, in the workflow's current revision.",
        counted(runs.len())
    ));
    if *more > 0 {
        say(&format!("{} more would match: raise --limit, or repeat the command afterwards.", counted(*more)));
    }
    say(&format!("Nothing was done yet. To do it:\n  {command}"));
    Ok(Exit::Fine)
}

fn replay(args: &ReplayArgs, client: &Client, chosen: &Chosen) -> Result<Exit, Trouble> {
    let (mut done, mut failed, mut stopped) = (Vec::new(), Vec::new(), None);
    for run in &chosen.runs {
        let id = text(run, "id");
        match client.post(&format!("/api/runs/{id}/replay"), &json!({})) {
            Ok(replayed) => {
                if args.format == Format::Text {
                    say(&format!("{id} is replayed as {}", text(&replayed, "run")));
                }
                done.push(replayed);
            }
            Err(trouble) if trouble.exit == Exit::Unreachable => {
                stopped = Some(trouble);
                break;
            }
            Err(trouble) => {
                say_error(&format!("{id}: {}", trouble.text));
                failed.push(json!({"run": id, "detail": trouble.text}));
            }
        }
    }
    let left = chosen.runs.len() - done.len() - failed.len();
    match args.format {
        Format::Json => say_json(&json!({"replayed": done, "failed": failed, "left": left, "more": chosen.more})),
        Format::Text if chosen.runs.is_empty() => say("no runs to replay"),
        Format::Text => say(&summary(done.len(), failed.len(), left, chosen.more)),
    }
    match stopped {
        Some(Trouble { exit, text }) => {
            Err(Trouble::new(exit, format!("{text}; the same command goes on with the rest, and leaves out those that were replayed")))
        }
        None if failed.is_empty() => Ok(Exit::Fine),
        None => Ok(Exit::Problems),
    }
}

fn summary(done: usize, failed: usize, left: usize, more: usize) -> String {
    let mut words = vec![format!("{} replayed", counted(done))];
    for (count, what) in [(failed, "could not be"), (left, "not tried"), (more, "more match")] {
        if count > 0 {
            words.push(format!("{count} {what}"));
        }
    }
    words.join(", ")
}

fn counted(runs: usize) -> String {
    format!("{runs} run{}", if runs == 1 { "" } else { "s" })
}

/// The same command with `--yes`.
fn command(args: &ReplayArgs, statuses: &str) -> String {
    let path = |path: &std::path::Path| path.display().to_string();
    let limit = args.limit.to_string();
    let project = Some(path(&args.server.project)).filter(|project| project != ".");
    let flags = [
        ("--workflow", args.which.workflow.clone()),
        ("--status", Some(statuses.to_owned())),
        ("--since", args.which.since.clone()),
        ("--limit", Some(limit)),
        ("--project", project),
        ("--data", args.server.data.as_deref().map(path)),
        ("--url", args.server.url.clone()),
    ];
    let given = flags.into_iter().filter_map(|(flag, value)| Some(format!(" {flag} {}", quoted(&value?))));
    format!("hence replay{} --yes", given.collect::<String>())
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:,@%+=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_was_replayed_is_left_to_its_replay() {
        let run = |id: &str| json!({"id": id});
        let replay = |id: &str, of: &str| json!({"id": id, "replay_of": of});
        let check = |limit, expected: (&[&str], usize, usize)| {
            let found = vec![replay("d", "a"), run("c"), run("b"), run("a")];
            let chosen = Chosen::of(found, &[replay("e", "c"), replay("d", "a")], limit);
            let ids: Vec<&str> = chosen.runs.iter().map(|run| text(run, "id")).collect();
            assert_eq!((&*ids, chosen.more, chosen.replayed), expected);
        };
        check(9, (&["b", "d"], 0, 2));
        check(1, (&["b"], 1, 2));
    }

    #[test]
    fn the_command_can_be_pasted() {
        assert_eq!(quoted("2026-03-01T09:00:00Z"), "2026-03-01T09:00:00Z");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
