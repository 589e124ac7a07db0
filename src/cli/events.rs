//! `hence events`

use clap::Args;

use super::client::{Client, list, text};
use super::listing::PageArgs;
use super::table::{brief, table};
use super::{Exit, Format, Trouble, say, say_json};

#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    #[command(flatten)]
    page: PageArgs,
}

pub(super) fn run(args: &EventsArgs) -> Result<Exit, Trouble> {
    let PageArgs { limit, format, server } = &args.page;
    let page = Client::new(server)?.get("/api/events", &[("limit", Some(limit.to_string()))])?;
    if *format == Format::Json {
        say_json(&page);
        return Ok(Exit::Fine);
    }
    let rows: Vec<_> = list(&page, "events")
        .iter()
        .map(|event| {
            let outcome = |m: &crate::domain::Value| match text(m, "run") {
                "" => format!("{}: not matched ({})", text(m, "workflow"), text(m, "not_matched")),
                run => format!("{}: {run}", text(m, "workflow")),
            };
            let matches: Vec<_> = list(event, "matches").iter().map(outcome).collect();
            let cells = [text(event, "id"), text(event, "source"), text(event, "type"), text(event, "received")];
            cells.map(str::to_owned).into_iter().chain([brief(&matches.join(", "), 100)]).collect()
        })
        .collect();
    if rows.is_empty() {
        say("no events");
    } else {
        say(&table(&["EVENT", "SOURCE", "TYPE", "RECEIVED", "WORKFLOWS"], &rows));
    }
    Ok(Exit::Fine)
}
