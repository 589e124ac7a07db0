//! `hence serve`

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Exit, Trouble};
use crate::app;
use crate::config::{self, Flags, LogFormat};
use crate::store::StoreError;
use crate::telemetry;
use crate::workflow::problem::{Problem, render};

/// How log lines look.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Log {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The project folder
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Address and port to listen on [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where the store, the admin token and the server's address are kept [default: DIR/.hence]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The store: redb://PATH, sled://PATH or memory: [default: redb in the data folder]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// How log lines look [default: text]; HENCE_LOG says which there are (info, debug, …)
    #[arg(long, value_enum)]
    log: Option<Log>,
}

/// A disk that says nothing must not keep the process from its end: what waits for it was not acknowledged.
const LAST_WRITES: Duration = Duration::from_secs(10);

pub(super) fn run(args: ServeArgs) -> Result<Exit, Trouble> {
    if !args.dir.is_dir() {
        return Err(Trouble::new(Exit::Usage, format!("{} is not a folder; `hence init {0}` makes a project", args.dir.display())));
    }
    let log_format = args.log.map(|log| match log {
        Log::Text => LogFormat::Text,
        Log::Json => LogFormat::Json,
    });
    let flags = Flags { listen: args.listen, data: args.data, store: args.store, log_format };
    let (config, problems) = config::load(&args.dir, flags);
    telemetry::start(config.log_format, &config.log_filter).map_err(|text| Trouble::new(Exit::Usage, text))?;
    if problems.iter().any(Problem::is_error) {
        return Err(Trouble::new(Exit::Problems, format!("the configuration cannot be used:\n{}", shown(&args.dir, &problems))));
    }
    let runtime = app::runtime();
    let runtime = runtime.map_err(|error| Trouble::new(Exit::Problems, format!("no threads to work with: {error}")))?;
    let served = runtime.block_on(app::serve(config));
    runtime.shutdown_timeout(LAST_WRITES);
    served.map_err(|error| {
        let exit = match &error {
            app::StartError::Store(StoreError::Locked(_) | StoreError::NewerFormat { .. } | StoreError::Damaged(_)) => Exit::Store,
            app::StartError::Store(StoreError::BadUrl(_)) | app::StartError::Listen { .. } | app::StartError::Config(_) => Exit::Usage,
            app::StartError::Store(_) | app::StartError::Data { .. } | app::StartError::Server(_) => Exit::Problems,
        };
        Trouble::new(exit, error.to_string())
    })?;
    Ok(Exit::Fine)
}

/// The problems as `hence check` shows them.
fn shown(dir: &Path, problems: &[Problem]) -> String {
    let shown = problems.iter().map(|problem| render(problem, std::fs::read_to_string(dir.join(&*problem.file)).ok().as_deref()));
    shown.collect::<Vec<_>>().join("\n")
}
