//! Reads a body within its bounds: its size, the time it takes, and what all bodies together may take.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use crate::intake::Refusal;
use crate::intake::limits::{Bodies, Held};

/// Reads a body up to a limit. One that says it is larger is refused before it is read. The room that it takes is
/// given back with what is held.
pub(super) async fn read(bodies: &Bodies, mut body: Body, headers: &HeaderMap, limit_bytes: usize) -> Result<(Bytes, Held), Refusal> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|length| limit_bytes < length) {
        return Err(Refusal::TooLarge { limit_bytes });
    }
    let mut held = bodies.hold();
    let begun = Instant::now();
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    let mut length = 0_usize;
    loop {
        let frame = match timeout_at(begun + bodies.patience(length), body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => return Err(Refusal::BrokenBody(error.to_string())),
            Ok(None) => break,
            Err(_elapsed) => return Err(Refusal::SlowBody(bodies.patience(0))),
        };
        // Trailers say nothing to a hook.
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len());
        if limit_bytes < length {
            return Err(Refusal::TooLarge { limit_bytes });
        }
        if !held.more(data.len()) {
            return Err(Refusal::Crowded);
        }
        // Most bodies come in one piece, which is not copied.
        if first.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&data);
        }
    }
    Ok((if all.is_empty() { first } else { all.freeze() }, held))
}
