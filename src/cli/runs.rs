//! `hence runs`

use clap::Args;

use super::client::{Client, list};
use super::listing::{PageArgs, WhichRuns, table_of_runs};
use super::{Exit, Format, Trouble, say, say_json};

#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    #[command(flatten)]
    which: WhichRuns,
    #[command(flatten)]
    page: PageArgs,
}

pub(super) fn run(args: &RunsArgs) -> Result<Exit, Trouble> {
    let mut query = args.which.query()?;
    query.push(("limit", Some(args.page.limit.to_string())));
    let page = Client::new(&args.page.server)?.get("/api/runs", &query)?;
    match (args.page.format, list(&page, "runs")) {
        (Format::Json, _) => say_json(&page),
        (Format::Text, []) => say("no runs"),
        (Format::Text, runs) => say(&table_of_runs(runs)),
    }
    Ok(Exit::Fine)
}
