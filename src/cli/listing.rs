//! What listings share: which runs, how many, and how they are printed.

use clap::Args;

use super::client::text;
use super::table::{brief, table};
use super::{Exit, Format, ServerArgs, Trouble};
use crate::clock::{Clock, SystemClock};
use crate::domain::Value;
use crate::domain::time::{Timestamp, parse_duration};

/// How much of a listing, and in which form.
#[derive(Debug, Args)]
pub(super) struct PageArgs {
    /// How many, at most 1000
    #[arg(long, default_value_t = 50)]
    pub(super) limit: u32,
    /// How to print
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
    /// Only those accepted since: a duration back from now (2d) or an RFC 3339 time
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
        let error = run.get("error").map(|error| text(error, "message")).unwrap_or_default();
        let note = match (error, text(run, "wake"), text(run, "replay_of")) {
            ("", "", "") => String::new(),
            ("", "", replayed) => format!("replay of {replayed}"),
            ("", wake, _) => wake.to_owned(),
            (error, ..) => error.to_owned(),
        };
        [text(run, "id"), text(run, "workflow"), text(run, "status"), text(run, "accepted"), &brief(&note, 60)].map(str::to_owned).into()
    };
    table(&["RUN", "WORKFLOW", "STATUS", "ACCEPTED", "NOTE"], &runs.iter().map(row).collect::<Vec<_>>())
}
