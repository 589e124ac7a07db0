//! `hence restore`

use std::fs::File;
use std::path::PathBuf;

use clap::Args;

use super::store::{StoreArgs, said, trouble};
use super::{Exit, Trouble, note};
use crate::app;
use crate::store::StoreError;

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The file that `hence backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: StoreArgs,
}

pub(super) fn run(args: &RestoreArgs) -> Result<Exit, Trouble> {
    let from = File::open(&args.file);
    let from = from.map_err(|error| Trouble::new(Exit::Usage, format!("{} cannot be read: {error}", args.file.display())))?;
    let place = args.place.place();
    let restored = app::block_on(app::restore(&place, from));
    let restored = restored.map_err(|error| Trouble::new(Exit::Problems, format!("no threads to work with: {error}")))?;
    let checked = restored.map_err(|error| match error {
        StoreError::Io(_) | StoreError::Full(_) => {
            let text = format!("{error}; what was restored so far is no store: remove {} before you try again", place.url());
            Trouble::new(Exit::Problems, text)
        }
        other => trouble(&other),
    })?;
    if 0 < checked.found {
        return Err(Trouble::new(
            Exit::Store,
            format!("the store was restored as it was, with problems:\n{}", checked.problems.join("\n")),
        ));
    }
    note(&format!(
        "restored to {}: {}. Stop the server that the backup was taken from before you serve this one: both would go on with the same runs",
        place.url(),
        said(&checked.kinds)
    ));
    Ok(Exit::Fine)
}
