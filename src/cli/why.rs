//! `hence why`

mod text;

use clap::Args;

use super::client::Client;
use super::{Exit, Format, ServerArgs, Trouble, say, say_json};

#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// The event's id, as `hence events` lists it, and the answer to a webhook has it
    event: String,
    /// Print for people (text) or for programs (json)
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: &WhyArgs) -> Result<Exit, Trouble> {
    let told = Client::new(&args.server)?.get(&format!("/api/events/{}/why", args.event), &[])?;
    match args.format {
        Format::Json => say_json(&told),
        Format::Text => say(&text::of(&told)),
    }
    Ok(Exit::Fine)
}
