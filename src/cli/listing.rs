//! What listings share: which runs, how many, and how they are printed.

use clap::Args;

use super::client::text;
use super::show::waits_for;
use super::table::{brief, table};
use super::{Exit, Format, ServerArgs, Trouble};
use crate::clock::{Clock, SystemClock};
use crate::domain::Value;
use crate::domain::time::{Timestamp, parse_duration};

/// How much of a listing, and in which form.
#[derive(Debug, Args)]
pub(super) struct PageArgs {
    /// How many to list, the newest first; at most 1000
    #[arg(long, default_value_t = 50)]
    pub(super) limit: u32,
    /// Print for people (text) or for programs (json)
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// Which runs.
#[derive(Debug, Args)]
pub(super) struct WhichRuns {
    /// Only this workflow's
    #[arg(long, value_name = "NAME")]
    pub(super) workflow: Option<String>,
    /// Only these: queued, running, waiting, succeeded, failed, canceled; several with commas
    #[arg(long, value_name = "STATUS")]
    pub(super) status: Option<String>,
    /// Only those accepted since: a duration back from now (2d), or a time (2026-03-01T09:00:00Z)
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
}

/// Query parameters; those without a value are left out.
pub(super) type Query = Vec<(&'static str, Option<String>)>;

impl WhichRuns {
    /// As the API is asked for them.
    pub(super) fn query(&self) -> Result<Query, Trouble> {
        let since = self.since.as_deref().map(since).transpose()?;
        Ok(vec![("workflow", self.workflow.clone()), ("status", self.status.clone()), ("since", since.map(|time| time.to_string()))])
    }
}

/// A duration back from now, or a time.
fn since(text: &str) -> Result<Timestamp, Trouble> {
    if let Ok(back) = parse_duration(text) {
        return Ok(SystemClock.now().before(back));
    }
    text.parse().map_err(|_bad| Trouble::new(Exit::Usage, format!("--since {text}: expected a duration such as 2d, or an RFC 3339 time")))
}

/// Runs for people.
pub(super) fn table_of_runs(runs: &[Value]) -> String {
    let row = |run: &Value| {
        let cells = [text(run, "id"), text(run, "workflow"), text(run, "status"), text(run, "accepted"), &brief(&note(run), 60)];
        cells.map(str::to_owned).into()
    };
    table(&["RUN", "WORKFLOW", "STATUS", "ACCEPTED", "NOTE"], &runs.iter().map(row).collect::<Vec<_>>())
}

/// Why it failed, or what it waits for, or what it is a replay of.
fn note(run: &Value) -> String {
    if let Some(error) = run.get("error") {
        return text(error, "message").to_owned();
    }
    match (run.get("waits"), text(run, "wake"), text(run, "replay_of")) {
        (Some(waits), ..) => waits_for(waits),
        (None, "", "") => String::new(),
        (None, "", replayed) => format!("replay of {replayed}"),
        (None, wake, _) => format!("until {wake}"),
    }
}

#[cfg(test)]
mod tests {
    use super::note;
    use serde_json::json;

    #[test]
    fn a_run_in_a_list_says_why_it_failed_or_what_it_waits_for() {
        let check = |run: serde_json::Value, expected: &str| assert_eq!(note(&run), expected);
        check(json!({"status": "failed", "error": {"message": "gone"}}), "gone");
        check(json!({"status": "waiting", "wake": "T", "replay_of": "run_1"}), "until T");
        check(json!({"status": "queued", "wake": "T", "waits": {"for": "throttle", "until": "T"}}), "until T (`throttle`)");
        let turn = "for its turn: 2 runs of its kind at once (`concurrency`)";
        check(json!({"status": "queued", "waits": {"for": "concurrency", "limit": 2}}), turn);
        check(json!({"status": "succeeded", "replay_of": "run_1"}), "replay of run_1");
        check(json!({"status": "succeeded"}), "");
    }
}
