//! `hence show`

use clap::Args;

use super::client::{Client, list, text};
use super::table::{brief, table};
use super::{Exit, Format, ServerArgs, Trouble, say, say_json};
use crate::domain::Value;

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The run's id, as `hence runs` lists it
    run: String,
    /// Print for people (text) or for programs (json)
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: &ShowArgs) -> Result<Exit, Trouble> {
    let run = Client::new(&args.server)?.get(&format!("/api/runs/{}", args.run), &[])?;
    match args.format {
        Format::Json => say_json(&run),
        Format::Text => print(&run),
    }
    Ok(Exit::Fine)
}

/// A run and its steps, for people.
pub(super) fn print(run: &Value) {
    say(&format!("{}  {}  {}", text(run, "id"), text(run, "workflow"), text(run, "status")));
    say(&format!("  event     {}\n  accepted  {}\n  updated   {}", text(run, "event"), text(run, "accepted"), text(run, "updated")));
    if !text(run, "replay_of").is_empty() {
        let from = text(run, "replay_from");
        let from = if from.is_empty() { String::new() } else { format!(" from {from} on") };
        say(&format!("  replays   {}{from}", text(run, "replay_of")));
    }
    if !text(run, "parent").is_empty() {
        say(&format!("  part of   {}", text(run, "parent")));
    }
    for child in list(run, "children") {
        say(&format!("  child     {}  {}  at {}", text(child, "run"), text(child, "workflow"), text(child, "step")));
    }
    if !text(run, "wake").is_empty() {
        say(&format!("  wakes     {}", text(run, "wake")));
    }
    if let Some(waits) = run.get("waits") {
        say(&format!("  waits     {}", waits_for(waits)));
    }
    if !text(run, "skipped").is_empty() {
        say(&format!("  not done  {}", text(run, "skipped")));
    }
    let rows: Vec<_> = list(run, "steps")
        .iter()
        .map(|step| {
            let attempts = step.get("attempts").and_then(Value::as_u64).filter(|n| *n > 0).map(|n| n.to_string()).unwrap_or_default();
            let status = text(step, "status");
            let status = if step.get("reused").is_some() { format!("{status}, reused") } else { status.to_owned() };
            let cells = [text(step, "step").to_owned(), status, attempts, text(step, "at").to_owned(), note(step)];
            cells.into()
        })
        .collect();
    if !rows.is_empty() {
        say("");
        say(&table(&["STEP", "STATUS", "TRIES", "AT", "RESULT"], &rows));
    }
    for step in list(run, "steps").iter().filter(|step| !text(step, "link").is_empty()) {
        say(&format!("\nwaiting for {} until {}: {}", text(step, "asked"), text(step, "due"), text(step, "link")));
    }
    if let Some(error) = run.get("error") {
        let step = if text(error, "step").is_empty() { String::new() } else { format!(" at {}", text(error, "step")) };
        say(&format!("\nfailed{step}: {}", text(error, "message")));
    }
}

/// Why a queued run has not begun.
pub(super) fn waits_for(waits: &Value) -> String {
    let (until, number) = (text(waits, "until"), |name: &str| waits.get(name).and_then(Value::as_u64).unwrap_or_default());
    let plural = |n: u64| if n == 1 { "" } else { "s" };
    match text(waits, "for") {
        "batch" => format!("for more events until {until}, {} so far (`batch`)", number("events")),
        "debounce" => format!("until {until} if no event comes before, {} so far (`debounce`)", number("events")),
        "throttle" => format!("until {until} (`throttle`)"),
        "concurrency" => {
            let limit = number("limit");
            format!("for its turn: {limit} run{} of its kind at once (`concurrency`)", plural(limit))
        }
        other => other.to_owned(),
    }
}

fn note(step: &Value) -> String {
    if let Some(error) = step.get("error") {
        let due = text(step, "due");
        let again = if due.is_empty() { String::new() } else { format!(" (again at {due})") };
        return brief(&format!("{}{again}", text(error, "message")), 120);
    }
    if !text(step, "branch").is_empty() {
        return text(step, "branch").to_owned();
    }
    let (event, child, due) = (text(step, "event"), text(step, "run"), text(step, "due"));
    if text(step, "status") == "waiting" && !text(step, "asked").is_empty() {
        return brief(&format!("for {} until {due}", text(step, "asked")), 120);
    }
    if text(step, "status") == "waiting" && !event.is_empty() {
        let until = if due.is_empty() { String::new() } else { format!(" until {due}") };
        return format!("for the event {event}{until}");
    }
    if !child.is_empty() {
        return format!("for {child}");
    }
    if !due.is_empty() {
        return format!("until {due}");
    }
    if let Some(items) = step.get("items").and_then(Value::as_u64) {
        return format!("over {items} item{}", if items == 1 { "" } else { "s" });
    }
    step.get("output").filter(|output| !output.is_null()).map(|output| brief(&output.to_string(), 120)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{note, waits_for};
    use serde_json::json;

    #[test]
    fn a_queued_run_says_why_it_waits() {
        let check = |waits: serde_json::Value, expected: &str| assert_eq!(waits_for(&waits), expected);
        check(json!({"for": "concurrency", "limit": 1}), "for its turn: 1 run of its kind at once (`concurrency`)");
        check(json!({"for": "throttle", "until": "T"}), "until T (`throttle`)");
        check(json!({"for": "batch", "until": "T", "events": 3}), "for more events until T, 3 so far (`batch`)");
        check(json!({"for": "debounce", "until": "T", "events": 1}), "until T if no event comes before, 1 so far (`debounce`)");
    }

    #[test]
    fn a_step_says_what_came_of_it_or_what_it_waits_for() {
        let check = |step: serde_json::Value, expected: &str| assert_eq!(note(&step), expected);
        check(json!({"status": "waiting", "due": "2027-01-01T00:00:00.000Z"}), "until 2027-01-01T00:00:00.000Z");
        check(json!({"status": "waiting", "asked": "boss@example.com", "due": "T"}), "for boss@example.com until T");
        check(json!({"status": "waiting", "event": "order.paid", "due": null}), "for the event order.paid");
        check(json!({"status": "waiting", "event": "order.paid", "due": "T"}), "for the event order.paid until T");
        check(json!({"status": "waiting", "run": "run_1", "workflow": "w"}), "for run_1");
        check(json!({"status": "retrying", "due": "T", "error": {"message": "gone"}}), "gone (again at T)");
        check(json!({"status": "looping", "items": 1}), "over 1 item");
        check(json!({"status": "dropped", "asked": "boss@example.com"}), "");
        check(json!({"status": "looping", "items": 3}), "over 3 items");
        check(json!({"status": "taken", "branch": "then"}), "then");
        check(json!({"status": "done", "output": [1]}), "[1]");
    }
}
