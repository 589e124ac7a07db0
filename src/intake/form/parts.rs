//! A `multipart/form-data` body of a webhook, such as a mail with attachments that Mailgun sends on. It is in memory as a whole, as every body of a
//! webhook. From here on its texts are a form without files, for whoever evaluates a condition; its files go into the store.

use std::convert::Infallible;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use multer::Multipart;
use ring::digest::{SHA256, digest};

use super::given_up::Pending;
use super::multipart::{boundary, next, refusal};
use super::steady::Steady;
use super::uploads::{essence, plain_name, unescaped};
use super::{Intake, VALUES_LIMIT, is_surely_not_stored};
use crate::domain::file::{EventFile, FileId, PIECE_BYTES};
use crate::domain::id::EventId;
use crate::domain::workflow::{Scheme, Signed, Verify};
use crate::intake::{Arrival, Refusal, Stored, Target};
use crate::script::media_type;
use crate::store::Piece;

/// As what the texts are read.
const TEXTS: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// The most files of one request.
const FILES_LIMIT: usize = 100;

/// So many pieces go into one write, so that nobody waits long for it.
const PIECES_AT_ONCE: usize = 4;

/// A body with its files apart.
#[derive(Debug)]
pub(in crate::intake) struct Unpacked {
    /// As if it had been sent without files.
    pub(in crate::intake) headers: HeaderMap,
    /// Its texts, as a form without files.
    pub(in crate::intake) texts: Bytes,
    /// As the event describes them.
    pub(in crate::intake) files: Vec<EventFile>,
    contents: Vec<Bytes>,
}

impl Unpacked {
    /// What a request holds whose proof is in its parts: it is taken apart before its sender is known.
    pub(in crate::intake) async fn of_stranger(scheme: &Verify, headers: &HeaderMap, body: &Bytes) -> Result<Option<Self>, Refusal> {
        match scheme {
            Verify::Signed(Signed { scheme: Scheme::Mailgun, .. }) => Self::of(headers, body).await,
            _ => Ok(None),
        }
    }

    /// What a request holds, if it is one with parts.
    pub(in crate::intake) async fn of(headers: &HeaderMap, body: &Bytes) -> Result<Option<Self>, Refusal> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if media_type(content_type) != "multipart/form-data" {
            return Ok(None);
        }
        let (texts, files, contents) = unpack(content_type, body.clone()).await?;
        let mut headers = headers.clone();
        headers.insert(CONTENT_TYPE, TEXTS);
        Ok(Some(Self { headers, texts, files, contents }))
    }
}

impl Intake {
    /// Takes in the event that it is, after its files. Durable on return.
    pub(in crate::intake) async fn take_in_unpacked(
        &self,
        mut arrival: Arrival,
        unpacked: Unpacked,
        targets: &[Target],
    ) -> Result<Stored, Refusal> {
        let Unpacked { files, contents, .. } = unpacked;
        let event = arrival.head.id;
        let pieces = pieces(event, &files, &contents);
        arrival.head.files = files;
        let accept = self.considered(arrival, targets)?;
        let mut pending = Pending::new(event, self.forms.given_up.clone());
        if !pieces.is_empty() {
            pending.begin();
            for some in pieces.chunks(PIECES_AT_ONCE) {
                self.journal.put_files(some.to_vec()).await?;
            }
        }
        let stored = self.store(accept, targets).await;
        if !is_surely_not_stored(&stored) {
            pending.keep();
        }
        stored
    }
}

/// Takes a body apart.
async fn unpack(content_type: &str, body: Bytes) -> Result<(Bytes, Vec<EventFile>, Vec<Bytes>), Refusal> {
    let body = Steady::new(futures_util::stream::iter([Ok::<Bytes, Infallible>(body)]));
    let allowance = body.allowance();
    let mut multipart = Multipart::new(body, boundary(content_type)?);
    let (mut texts, mut files, mut contents, mut values) = (Vec::new(), Vec::new(), Vec::new(), 0_usize);
    loop {
        allowance.renew();
        let Some(mut field) = multipart.next_field().await.map_err(refusal)? else { break };
        values += 1;
        if VALUES_LIMIT < values {
            return Err(Refusal::Unreadable(format!("it has more than {VALUES_LIMIT} values")));
        }
        let name = unescaped(field.name().ok_or_else(|| Refusal::Unreadable("a part of it has no name".to_owned()))?);
        let called = field.file_name().map(plain_name);
        let kind = essence(field.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()));
        let mut bytes = Vec::new();
        while let Some(piece) = next(&mut field, &allowance).await? {
            bytes.extend_from_slice(&piece);
        }
        let Some(called) = called else {
            texts.push((name, String::from_utf8_lossy(&bytes).into_owned()));
            continue;
        };
        if FILES_LIMIT <= files.len() {
            return Err(Refusal::Unreadable(format!("it has more than {FILES_LIMIT} files")));
        }
        let number = u16::try_from(files.len() + 1).map_err(|_large| Refusal::Unreadable("it has too many files".to_owned()))?;
        let sha256 = digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        files.push(EventFile { number, field: name, name: called, kind, size, sha256 });
        contents.push(Bytes::from(bytes));
    }
    let texts = Serializer::new(String::new()).extend_pairs(texts).finish();
    Ok((texts.into(), files, contents))
}

/// The pieces of an event's files.
fn pieces(event: EventId, files: &[EventFile], contents: &[Bytes]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (described, content) in files.iter().zip(contents) {
        let file = FileId { event, number: described.number };
        let mut rest = content.clone();
        for index in 0.. {
            if rest.is_empty() {
                break;
            }
            pieces.push(Piece { file, index, bytes: rest.split_to(rest.len().min(PIECE_BYTES)) });
        }
    }
    pieces
}
