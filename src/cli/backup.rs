//! `hence backup`

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use futures_util::{Stream, StreamExt};

use super::client::Client;
use super::store::{StoreArgs, trouble};
use super::{Exit, ServerArgs, Trouble, note};
use crate::app;
use crate::config;
use crate::store::StoreError;

/// Nobody but the owner reads it: it holds every event.
const MODE: u32 = 0o600;

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file to write; `-` for standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// The store of a server that does not run: redb://PATH or sled://PATH [default: as in hence.yaml]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: &BackupArgs) -> Result<Exit, Trouble> {
    if args.file == Path::new("-") {
        let bytes = take(args, &mut std::io::stdout().lock())?;
        note(&format!("backup: {bytes} bytes"));
        return Ok(Exit::Fine);
    }
    if args.file.exists() && !args.force {
        return Err(Trouble::new(Exit::Usage, format!("{} is there already; name another file, or say --force", args.file.display())));
    }
    let half_made = half_made(&args.file);
    let made = make(args, &half_made);
    if made.is_err() {
        drop(fs::remove_file(&half_made));
    }
    let (bytes, records) = made?;
    note(&format!("{}: {records} records, {bytes} bytes; it holds all events and histories, so keep it private", args.file.display()));
    Ok(Exit::Fine)
}

/// A file is only there under its name when it is whole.
fn make(args: &BackupArgs, half_made: &Path) -> Result<(u64, u64), Trouble> {
    let failed = |error: std::io::Error| cannot_write(half_made, &error);
    drop(fs::remove_file(half_made));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(half_made).map_err(failed)?;
    let bytes = take(args, &mut file)?;
    file.sync_all().map_err(failed)?;
    let written = File::open(half_made).map_err(failed)?;
    let records = app::verify_backup(BufReader::new(written)).map_err(|error| trouble(&error))?;
    if args.force {
        fs::rename(half_made, &args.file).map_err(failed)?;
    } else {
        // A link, other than a renaming, replaces nothing that came in between.
        fs::hard_link(half_made, &args.file).map_err(|error| cannot_write(&args.file, &error))?;
        fs::remove_file(half_made).map_err(|error| {
            let (file, half_made) = (args.file.display(), half_made.display());
            Trouble::new(Exit::Problems, format!("{file} is whole; {half_made} is the same and cannot be removed: {error}"))
        })?;
    }
    let folder = args.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok((bytes, records))
}

fn half_made(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn cannot_write(file: &Path, error: &std::io::Error) -> Trouble {
    Trouble::new(Exit::Problems, format!("{} cannot be written: {error}", file.display()))
}

/// Through the server when one runs, from the store itself when none does.
fn take(args: &BackupArgs, out: &mut dyn Write) -> Result<u64, Trouble> {
    let server = &args.server;
    let online = args.store.is_none() && config::server_address(&server.project, server.data.as_deref(), server.url.as_deref()).is_ok();
    if online {
        match Client::new(server)?.download("/api/backup", out) {
            // A server that was killed leaves its address behind.
            Err(gone) if gone.exit == Exit::Unreachable && server.url.is_none() && gone.text.starts_with("no hence server answers") => {}
            other => return other,
        }
    }
    let place = StoreArgs::place_of(&server.project, server.data.as_deref(), args.store.as_deref());
    let taken = app::block_on(async {
        let pieces = app::offline_backup(&place).await.map_err(|error| trouble(&error))?;
        copy(pieces.map(|piece| piece.map_err(|error: StoreError| trouble(&error))), out).await
    });
    taken.map_err(|error| Trouble::new(Exit::Problems, format!("no threads to work with: {error}")))?
}

/// Writes what comes; says how much it was.
pub(super) async fn copy(pieces: impl Stream<Item = Result<Bytes, Trouble>>, out: &mut dyn Write) -> Result<u64, Trouble> {
    let failed = |error: std::io::Error| Trouble::new(Exit::Problems, format!("the backup cannot be written: {error}"));
    let mut pieces = std::pin::pin!(pieces);
    let mut bytes = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        bytes += u64::try_from(piece.len()).unwrap_or(0);
        out.write_all(&piece).map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    Ok(bytes)
}
