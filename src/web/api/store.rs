//! `/api/backup`, `/api/store`: the store as a file, what it holds, and its disk given back.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use http::header;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::task::TaskTracker;

use super::super::{ProblemResponse, Web};
use crate::domain::Value;
use crate::store::{BackupStream, StoreError};

/// Pieces of a backup that wait for their reader.
const PIECES: usize = 4;
/// How long a reader may take for one piece. While a backup goes on, the store keeps what changes.
const READER_PATIENCE: Duration = Duration::from_secs(30);

/// One at a time: each reads the whole store.
fn alone(web: &Web) -> Result<OwnedSemaphorePermit, ProblemResponse> {
    Arc::clone(&web.upkeep).try_acquire_owned().ok().ok_or_else(super::store_busy)
}

pub(in super::super) async fn backup(State(web): State<Arc<Web>>) -> Result<Response, ProblemResponse> {
    let permit = alone(&web)?;
    let pieces = web.intake.journal.store().backup().await?;
    let (sender, receiver) = mpsc::channel(PIECES);
    // It ends with its reader, and with the server.
    TaskTracker::new().spawn(feed(Arc::clone(&web), permit, pieces, sender));
    let pieces = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let headers = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Hands on piece by piece. An error breaks the answer off, so that nobody takes it for a whole one.
async fn feed(
    web: Arc<Web>,
    _permit: OwnedSemaphorePermit,
    mut pieces: BackupStream,
    sender: mpsc::Sender<Result<bytes::Bytes, StoreError>>,
) {
    let clock = &web.intake.clock;
    while let Some(piece) = pieces.next().await {
        if let Err(error) = &piece {
            tracing::error!(error = %error, "a backup was broken off");
        }
        let sent = tokio::select! {
            sent = sender.send(piece) => sent.is_ok(),
            () = web.stopping.cancelled() => false,
            () = clock.pause(READER_PATIENCE) => {
                tracing::warn!("a backup was broken off: its reader took nothing for 30 s");
                false
            }
        };
        if !sent {
            // Whoever still listens is told that this was not all.
            drop(sender.try_send(Err(StoreError::Closed)));
            return;
        }
    }
}

pub(in super::super) async fn show(State(web): State<Arc<Web>>) -> Result<Json<Value>, ProblemResponse> {
    let _permit = alone(&web)?;
    Ok(Json(web.intake.journal.store().stats().await?.to_json()))
}

pub(in super::super) async fn compact(State(web): State<Arc<Web>>) -> Result<Json<Value>, ProblemResponse> {
    let _permit = alone(&web)?;
    let compacted = web.intake.journal.store().compact().await?;
    Ok(Json(serde_json::json!({"before_bytes": compacted.before_bytes, "after_bytes": compacted.after_bytes})))
}
