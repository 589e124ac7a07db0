//! The command line: one file a command. Exit codes are API: 0 fine, 1 problems found or a failed
//! run or test, 2 wrong usage, 3 the server cannot be reached, 4 the store is damaged or locked.

mod backup;
mod cancel;
mod check;
mod client;
mod events;
mod init;
mod listing;
mod plan;
mod reach;
mod record;
mod replay;
mod restore;
mod run;
mod runs;
mod schema;
mod serve;
mod show;
mod store;
mod table;
mod test;
mod why;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All well.
    Fine,
    /// Problems were found, or a run failed.
    Problems,
    /// The command was used wrongly.
    Usage,
    /// The server cannot be reached.
    Unreachable,
    /// The store is damaged or in use.
    Store,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Problems => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::Store => 4,
        })
    }
}

/// If this, hence that: webhooks, schedules and events in, API calls out, nothing lost.
#[derive(Debug, Parser)]
#[command(
    name = "hence",
    version,
    max_term_width = 100,
    after_help = "Begin with: hence init my-project, then: hence serve my-project\nExit codes: 0 fine · 1 problems found or a failed run or test · 2 wrong usage · 3 server not reached · 4 store damaged or in use"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a project: take events in, run its workflows
    Serve(serve::ServeArgs),
    /// Check workflow files: every problem, with its place
    Check(check::CheckArgs),
    /// Run the tests beside the workflows: mocked calls, a clock that jumps, no socket
    Test(test::TestArgs),
    /// Compare a project with what a server serves: what would change
    Plan(plan::PlanArgs),
    /// Start a workflow by hand and wait for its end
    Run(run::RunArgs),
    /// List runs, newest first
    Runs(runs::RunsArgs),
    /// Show one run with its steps
    Show(show::ShowArgs),
    /// End a run that is not over
    Cancel(cancel::CancelArgs),
    /// Do a run once more, or all failed runs of a workflow, by the files as they are now
    Replay(replay::ReplayArgs),
    /// List accepted events, newest first, or what was refused
    Events(events::EventsArgs),
    /// Say of an event which workflows it matched, and why not the others
    Why(why::WhyArgs),
    /// Save deliveries to a webhook as they come, as files that tests can take
    Record(record::RecordArgs),
    /// Write everything that is stored into one file, while the server runs or not
    Backup(backup::BackupArgs),
    /// Fill an empty store from a backup
    Restore(restore::RestoreArgs),
    /// Look after a store: check it, count it, give disk back
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Print the JSON Schema of workflow files, with which editors complete and check them
    Schema,
    /// Write a new project that runs as it is
    Init(init::InitArgs),
}

/// How a listing is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Which server to ask.
#[derive(Debug, Args)]
struct ServerArgs {
    /// The project folder whose server is asked
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// The data folder, where the server's address and token are kept [default: PROJECT/.hence]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The server's URL [default: HENCE_URL, or the address of the server that uses the data folder]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Whom to believe over https besides those the system does: a PEM file with the certificate of an authority, or of the
    /// server itself [default: HENCE_CA]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// What went wrong, and how to exit.
#[derive(Debug)]
struct Trouble {
    exit: Exit,
    text: String,
}

impl Trouble {
    fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }
}

/// Parses the command line and runs the command.
#[must_use]
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Check(args) => check::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Runs(args) => runs::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Cancel(args) => cancel::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Events(args) => events::run(&args),
        Command::Why(args) => why::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Store(command) => store::run(&command),
        Command::Schema => Ok(schema::run()),
        Command::Init(args) => init::run(&args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(trouble) => {
            say_error(&trouble.text);
            trouble.exit.into()
        }
    }
}

/// Prints to standard output. A reader that has gone away (`| head`) is no error.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Says something beside the output, for people.
fn note(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

fn say_error(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "error: {text}"));
}

fn say_json(value: &crate::domain::Value) {
    say(&serde_json::to_string_pretty(value).unwrap_or_default());
}
