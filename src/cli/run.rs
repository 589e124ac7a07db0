//! `hence run`

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::client::{Client, list, text};
use super::{Exit, Format, ServerArgs, Trouble, note, say, say_json, show};
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::domain::Value;
use crate::workflow::problem::{Problem, render};

/// How often the server is asked whether the run has ended.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// The largest event, in bytes.
const EVENT_LIMIT_BYTES: u64 = 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The workflow's name; it needs a `manual` trigger
    workflow: String,
    /// A JSON file with the event's body, which is `event.body` there; - for standard input [default: the body {}]
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Print what a run would send, emit, start, ask and answer, as JSON, and send nothing; needs no server
    #[arg(long, conflicts_with_all = ["detach", "data", "url"])]
    dry: bool,
    /// The project folder of a dry run, in place of --project
    #[arg(value_name = "DIR", requires = "dry")]
    dir: Option<PathBuf>,
    /// Print the run's id and do not wait for its end
    #[arg(long)]
    detach: bool,
    /// Print for people (text) or for programs (json)
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: &RunArgs) -> Result<Exit, Trouble> {
    let event = args.event.as_ref().map(read_event).transpose()?.unwrap_or_else(|| serde_json::json!({}));
    if args.dry {
        return dry(args, event);
    }
    let client = Client::new(&args.server)?;
    let receipt = client.post("/api/runs", &serde_json::json!({"workflow": args.workflow, "event": event}))?;
    let Some(id) = list(&receipt, "runs").first().map(|run| text(run, "run")) else {
        say(&format!("{} was accepted, and started no run: the workflow's `if` is false for it", text(&receipt, "event")));
        return Ok(Exit::Fine);
    };
    if args.detach {
        say(id);
        return Ok(Exit::Fine);
    }
    let path = format!("/api/runs/{id}");
    let ended = loop {
        let run = client.get(&path, &[])?;
        if matches!(text(&run, "status"), "succeeded" | "failed" | "canceled") {
            break run;
        }
        client.pause(ASK_EVERY);
    };
    match args.format {
        Format::Json => say_json(&ended),
        Format::Text => show::print(&ended),
    }
    Ok(if text(&ended, "status") == "succeeded" { Exit::Fine } else { Exit::Problems })
}

fn dry(args: &RunArgs, event: Value) -> Result<Exit, Trouble> {
    let dir = args.dir.as_ref().unwrap_or(&args.server.project);
    if !dir.is_dir() {
        return Err(Trouble::new(Exit::Usage, format!("{}: there is no such folder", dir.display())));
    }
    let dry = app::dry(dir, &args.workflow, event, SystemClock.now()).map_err(|(why, problems)| {
        let source = |problem: &Problem| std::fs::read_to_string(dir.join(&*problem.file)).ok();
        let shown: String = problems.iter().map(|problem| format!("\n{}", render(problem, source(problem).as_deref()))).collect();
        Trouble::new(Exit::Problems, format!("{why}{shown}"))
    })?;
    say_json(&Value::Array(dry.acts));
    if !dry.matched {
        note("no run begins: the workflow's `if` is false for this event");
    }
    if dry.waits {
        note("here the run would wait for an event, for as long as it takes");
    }
    match dry.trouble {
        None => Ok(Exit::Fine),
        Some(trouble) => Err(Trouble::new(Exit::Problems, trouble)),
    }
}

fn read_event(path: &PathBuf) -> Result<Value, Trouble> {
    let shown = path.display();
    let usage = |why: String| Trouble::new(Exit::Usage, format!("--event {shown}: {why}"));
    let mut text = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(EVENT_LIMIT_BYTES).read_to_end(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(EVENT_LIMIT_BYTES).read_to_end(&mut text))
    };
    read.map_err(|error| {
        let is_json = shown.to_string().trim_start().starts_with(['{', '[']);
        let piped = "this takes a file; pass JSON by standard input: echo '{…}' | hence run WORKFLOW --event -";
        usage(if is_json { piped.to_owned() } else { error.to_string() })
    })?;
    serde_json::from_slice(&text).map_err(|error| usage(format!("not JSON: {error}")))
}
