//! `hence events`

use clap::Args;

use super::client::{Client, list, text};
use super::listing::PageArgs;
use super::table::{brief, table};
use super::{Exit, Format, Trouble, say, say_json};
use crate::domain::Value;

#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// List what was refused instead, of which nothing is stored: the last requests since the server's start and why, and how many
    #[arg(long)]
    refused: bool,
    #[command(flatten)]
    page: PageArgs,
}

pub(super) fn run(args: &EventsArgs) -> Result<Exit, Trouble> {
    if args.refused {
        return refused(&args.page);
    }
    let PageArgs { limit, format, server } = &args.page;
    let page = Client::new(server)?.get("/api/events", &[("limit", Some(limit.to_string()))])?;
    if *format == Format::Json {
        say_json(&page);
        return Ok(Exit::Fine);
    }
    let rows: Vec<_> = list(&page, "events")
        .iter()
        .map(|event| {
            let outcome = |m: &Value| match text(m, "run") {
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

fn refused(page: &PageArgs) -> Result<Exit, Trouble> {
    let PageArgs { limit, format, server } = page;
    let page = Client::new(server)?.get("/api/events/refused", &[("limit", Some(limit.to_string()))])?;
    if *format == Format::Json {
        say_json(&page);
        return Ok(Exit::Fine);
    }
    let row = |refused: &Value| {
        let request = format!("{} {}", text(refused, "method"), text(refused, "path"));
        let cells = [text(refused, "at"), text(refused, "reason"), text(refused, "sender"), &brief(request.trim(), 60)];
        cells.map(str::to_owned).into_iter().chain([brief(text(refused, "detail"), 100)]).collect::<Vec<_>>()
    };
    let rows: Vec<_> = list(&page, "refused").iter().map(row).collect();
    if rows.is_empty() {
        say("nothing was refused since the server's start");
        return Ok(Exit::Fine);
    }
    say(&table(&["AT", "REASON", "SENDER", "REQUEST", "DETAIL"], &rows));
    let count = |counted: &Value| {
        let count = counted.get("count").and_then(Value::as_u64).unwrap_or_default();
        [count.to_string(), text(counted, "reason").to_owned(), text(counted, "hook").to_owned()].into()
    };
    say("");
    say(&table(&["COUNT", "REASON", "HOOK"], &list(&page, "counts").iter().map(count).collect::<Vec<_>>()));
    Ok(Exit::Fine)
}
