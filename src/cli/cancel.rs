//! `hence cancel`

use clap::Args;

use super::client::Client;
use super::{Exit, ServerArgs, Trouble, say};

#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    /// The run's id, as `hence runs` lists it
    run: String,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: &CancelArgs) -> Result<Exit, Trouble> {
    Client::new(&args.server)?.post(&format!("/api/runs/{}/cancel", args.run), &serde_json::json!({}))?;
    say(&format!("{} is being canceled; see `hence show {}`", args.run, args.run));
    Ok(Exit::Fine)
}
