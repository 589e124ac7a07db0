//! `/api/events/ID/files/NUMBER`: a file that came with an event.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header;

use super::super::{ProblemResponse, Web};
use super::events;
use crate::domain::file::FileId;
use crate::store::StoreError;

/// What came from a stranger is never shown, only saved: as bytes, under its own name.
pub(in super::super) async fn show(
    State(web): State<Arc<Web>>,
    Path((event, number)): Path<(String, String)>,
) -> Result<Response, ProblemResponse> {
    let found = events::find(&web, &event).await?;
    let file = found.head.files.iter().find(|file| file.number.to_string() == number);
    let file = file.ok_or_else(|| {
        ProblemResponse::no_file(format!("{event} has {} files, and none with the number {number}", found.head.files.len()))
    })?;
    let (id, size) = (file.id(found.head.id), file.size);
    // A file that cannot be read now is refused as long as nothing of it was sent.
    let first = if size == 0 { Bytes::new() } else { piece(&web, id, 0).await? };
    let sent = length(&first);
    // The length was promised: a file that is damaged breaks off.
    let rest = stream::try_unfold((1u32, sent), move |(index, sent)| {
        let web = Arc::clone(&web);
        async move {
            if size <= sent {
                return Ok(None);
            }
            let piece = piece(&web, id, index).await.inspect_err(|error| {
                tracing::error!(event.id = %id.event, error = %error, "a file of an event was broken off");
            })?;
            let sent = sent.saturating_add(length(&piece));
            Ok::<_, StoreError>(Some((piece, (index.saturating_add(1), sent))))
        }
    });
    let pieces = stream::iter([Ok(first)]).chain(rest);
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{}", percent_encoded(&file.name))),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

async fn piece(web: &Web, file: FileId, index: u32) -> Result<Bytes, StoreError> {
    let piece = web.intake.journal.store().file(file, index).await?;
    piece.ok_or_else(|| StoreError::Damaged(format!("the file {file} ends too early")))
}

fn length(piece: &Bytes) -> u64 {
    u64::try_from(piece.len()).unwrap_or(u64::MAX)
}

/// RFC 8187, section 3.2.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::percent_encoded;

    #[test]
    fn names_can_be_written_in_a_header() {
        assert_eq!(percent_encoded("a b\"\u{e4}'%.png"), "a%20b%22%C3%A4%27%25.png");
    }
}
