//! A body in small pieces, no faster than they are used. The multipart reader takes all that is ready before it gives any of it
//! on, and gathers a part's headers without a bound; from here it gets one piece at a time, and an allowance.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::VALUES_LIMIT;
use crate::intake::Refusal;
use crate::intake::limits::Held;

/// The largest piece.
const PIECE_BYTES: usize = 16 * 1024;
/// The most that may come before a part's headers are whole, or of a part before some of it is given on.
const ALLOWANCE_BYTES: usize = 4 * PIECE_BYTES;

/// Why a body ended early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The sender stopped.
    #[error("{0}")]
    Body(String),
    /// The sender took longer than this, and than it may for what came.
    #[error("it came too slowly")]
    Slow(Duration),
    /// What stands before a part's content does not end.
    #[error("a part's headers are longer than {ALLOWANCE_BYTES} bytes, or the boundary never comes")]
    Allowance,
}

impl From<Infallible> for Broken {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<&Broken> for Refusal {
    fn from(broken: &Broken) -> Self {
        match broken {
            Broken::Body(why) => Self::BrokenBody(why.clone()),
            Broken::Slow(patience) => Self::SlowBody(*patience),
            Broken::Allowance => Self::Unreadable(broken.to_string()),
        }
    }
}

/// How much of a body's beginning is kept.
const BEGINNING_BYTES: usize = 128;

/// How much may still come before something has to be given on, and how the body began.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowance {
    left: Arc<AtomicUsize>,
    beginning: Arc<Mutex<Vec<u8>>>,
}

impl Allowance {
    /// The whole of it again.
    pub(super) fn renew(&self) {
        self.left.store(ALLOWANCE_BYTES, Ordering::Relaxed);
    }

    /// Whether the body begins so, as far as it has come.
    pub(super) fn begins_with(&self, text: &[u8]) -> bool {
        self.beginning.lock().unwrap_or_else(PoisonError::into_inner).starts_with(text)
    }

    fn take(&self, piece: &[u8]) -> bool {
        let mut beginning = self.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = BEGINNING_BYTES.saturating_sub(beginning.len());
        beginning.extend(piece.iter().take(missing));
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(piece.len())).is_ok()
    }
}

/// A body in small pieces.
pub(super) struct Steady {
    body: Pin<Box<dyn Stream<Item = Result<Bytes, Broken>> + Send>>,
    rest: Bytes,
    allowance: Allowance,
    rests: bool,
}

impl Steady {
    pub(super) fn new<E: Into<Broken> + Send + 'static>(body: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Self {
        let body = Box::pin(body.map(|piece| piece.map_err(Into::into)));
        let allowance = Allowance::default();
        allowance.renew();
        Self { body, rest: Bytes::new(), allowance, rests: false }
    }

    pub(super) fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }
}

impl Stream for Steady {
    type Item = Result<Bytes, Broken>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // After each piece "nothing now", so that the reader looks at what it has.
        if std::mem::take(&mut self.rests) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        while self.rest.is_empty() {
            match ready!(self.body.as_mut().poll_next(context)) {
                None => return Poll::Ready(None),
                Some(Ok(piece)) => self.rest = piece,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            }
        }
        let length = self.rest.len().min(PIECE_BYTES);
        let piece = self.rest.split_to(length);
        self.rests = true;
        Poll::Ready(Some(if self.allowance.take(&piece) { Ok(piece) } else { Err(Broken::Allowance) }))
    }
}

/// Reads a form without files: `application/x-www-form-urlencoded` (WHATWG URL).
pub(super) async fn read_pairs(mut body: Steady, limit_bytes: usize, held: &mut Held) -> Result<Vec<(String, String)>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|broken| Refusal::from(&broken))?;
        body.allowance.renew();
        if limit_bytes < bytes.len() + piece.len() {
            return Err(Refusal::TooLarge { limit_bytes });
        }
        if !held.more(piece.len()) {
            return Err(Refusal::Crowded);
        }
        bytes.extend_from_slice(&piece);
    }
    let pairs: Vec<(String, String)> = form_urlencoded::parse(&bytes).into_owned().take(VALUES_LIMIT + 1).collect();
    if VALUES_LIMIT < pairs.len() {
        return Err(Refusal::Unreadable(format!("it has more than {VALUES_LIMIT} values")));
    }
    Ok(pairs)
}
