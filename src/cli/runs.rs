//! `hence runs`

use clap::Args;

use super::client::{Client, list, text};
use super::table::{brief, table};
use super::{Exit, Format, ServerArgs, Trouble, say, say_json};
use crate::clock::{Clock, SystemClock};
use crate::domain::time::{Timestamp, parse_duration};

#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    /// Only this workflow's
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Only these: queued, running, waiting, succeeded, failed, canceled; several with commas
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Only those accepted since: a duration back from now (2d) or an RFC 3339 time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// How many, at most 1000
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: &RunsArgs) -> Result<Exit, Trouble> {
    let since = args.since.as_deref().map(since).transpose()?;
    let query = [
        ("workflow", args.workflow.clone()),
        ("status", args.status.clone()),
        ("since", since.map(|time| time.to_string())),
        ("limit", Some(args.limit.to_string())),
    ];
    let page = Client::new(&args.server)?.get("/api/runs", &query)?;
    if args.format == Format::Json {
        say_json(&page);
        return Ok(Exit::Fine);
    }
    let rows: Vec<_> = list(&page, "runs")
        .iter()
        .map(|run| {
            let error = run.get("error").map(|error| text(error, "message")).unwrap_or_default();
            let note = if error.is_empty() { text(run, "wake") } else { error };
            [text(run, "id"), text(run, "workflow"), text(run, "status"), text(run, "accepted"), &brief(note, 60)].map(str::to_owned).into()
        })
        .collect();
    if rows.is_empty() {
        say("no runs");
    } else {
        say(&table(&["RUN", "WORKFLOW", "STATUS", "ACCEPTED", "NOTE"], &rows));
    }
    Ok(Exit::Fine)
}

/// A duration back from now, or a time.
fn since(text: &str) -> Result<Timestamp, Trouble> {
    if let Ok(back) = parse_duration(text) {
        return Ok(SystemClock.now().before(back));
    }
    text.parse().map_err(|_bad| Trouble::new(Exit::Usage, format!("--since {text}: expected a duration such as 2d, or an RFC 3339 time")))
}
