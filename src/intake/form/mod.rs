//! `/forms/…`: which form, what was filled in, whether a person did it, and the event that it is.

mod gathered;
mod given_up;
mod judge;
mod multipart;
mod parts;
mod stamp;
mod steady;
mod uploads;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, header};
use tokio::sync::mpsc;

use super::limits::Held;
use super::webhook::kept_headers;
use super::{Arrival, Dedupe, Intake, Refusal, Stored, Target};
use crate::domain::event::{EventHead, Source};
use crate::domain::file::EventFile;
use crate::domain::id::EventId;
use crate::domain::workflow::{Field, FieldKind, Form, Verify};
use crate::domain::{Map, Value};
use crate::store::StoreError;
use crate::workflow::body_schema::Mismatch;
use crate::workflow::filled::{self, Wrong};
use gathered::Gathered;
use given_up::{GivenUp, Pending};
use judge::{Judge, stamp_at};

pub(in crate::intake) use parts::Unpacked;

pub use judge::Why;
pub use stamp::{STAMP_FIELD, Stamps};
pub use steady::Broken;

/// The most values of one form.
const VALUES_LIMIT: usize = 1_000;

/// A form that was found for a request.
#[derive(Debug)]
pub struct Door {
    target: Target,
    path: String,
    params: Vec<(String, String)>,
    used: Arc<AtomicU64>,
}

impl Door {
    /// The form.
    #[must_use]
    pub fn form(&self) -> Option<&Form> {
        self.target.loaded.form(self.target.trigger)
    }

    /// What has been used of its rate.
    pub(super) fn used(&self) -> &AtomicU64 {
        &self.used
    }

    fn must(&self) -> Result<&Form, Refusal> {
        self.form().ok_or_else(|| Refusal::NoForm(self.path.clone()))
    }
}

/// What was sent, read and not yet looked at. Much of its files is stored by then; without an event that is forgotten again.
#[derive(Debug)]
pub struct Draft {
    head: EventHead,
    pairs: Vec<(String, String)>,
    wrong: Vec<Wrong>,
    from: String,
    files: Gathered,
    /// The texts are in memory until it is taken.
    held: Held,
}

/// What became of a form that was sent.
#[derive(Debug)]
pub enum Sent {
    /// It is stored; or it is known already; or it came from no person, who is told the same.
    Taken(EventId),
    /// Something is to be mended first. Nothing was stored.
    Again(Again),
}

/// What is shown to somebody who has to look at the form again.
#[derive(Debug, Default)]
pub struct Again {
    /// What is wrong, field by field.
    pub wrong: Vec<Wrong>,
    /// It has to be sent once more whatever is in the fields, and why.
    pub why: Option<Why>,
    /// What was filled in.
    pub values: Vec<(String, String)>,
    /// The stamp of the page that is shown.
    pub stamp: String,
}

/// What forms need besides the rest of intake.
pub struct Forms {
    /// What came that no person sent.
    pub spam: Spam,
    stamps: Stamps,
    given_up: GivenUp,
}

impl Forms {
    /// Forms whose pages are stamped so, and where files are given up: [`Intake::forget_given_up`] listens there.
    #[must_use]
    pub fn new(stamps: Stamps) -> (Self, mpsc::Receiver<EventId>) {
        let (given_up, queue) = given_up::queue();
        (Self { spam: Spam::default(), stamps, given_up }, queue)
    }
}

/// How much came that no person sent, since the start.
#[derive(Debug, Default)]
pub struct Spam {
    /// With the honeypot filled in.
    pub honeypot: AtomicU64,
    /// Faster than anybody can type.
    pub too_quick: AtomicU64,
}

/// The longest type of content that is written down.
const CONTENT_TYPE_BYTES: usize = 255;

impl Intake {
    /// The form at a path below `/forms/`.
    ///
    /// # Errors
    /// When there is none.
    pub fn form(&self, path: &str) -> Result<Door, Refusal> {
        let catalog = self.current.get();
        let found = catalog.form(path).ok_or_else(|| Refusal::NoForm(path.to_owned()))?;
        let target = Target { loaded: Arc::clone(found.loaded), trigger: found.trigger };
        Ok(Door { target, path: path.to_owned(), params: found.params, used: Arc::clone(found.used) })
    }

    /// The stamp of a page that is served now.
    #[must_use]
    pub fn stamp(&self, form: &Form) -> String {
        self.forms.stamps.make(&form.path, self.clock.now())
    }

    /// The most that the body of a form may hold, in bytes: texts and files, and as much again of a file that is too large as
    /// it takes to tell so in peace.
    #[must_use]
    pub fn form_bytes(&self, form: &Form) -> usize {
        let texts = form.body_limit_bytes.unwrap_or(self.body_limit_bytes);
        form.uploads.as_ref().map_or(texts, |uploads| texts.saturating_add(uploads::whole_bytes(uploads)))
    }

    /// Reads what a browser sent. Large files go into the store as they come, and are never held as a whole.
    ///
    /// # Errors
    /// When it is no form, too large, broken off, or too much of other bodies is in memory.
    pub async fn read_form<E>(
        &self,
        door: &Door,
        query: &str,
        headers: &HeaderMap,
        body: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    ) -> Result<Draft, Refusal>
    where
        E: Into<Broken> + Send + 'static,
    {
        let form = door.must()?;
        let mut head = self.head(Source::Form, "form");
        head.headers = kept_headers(headers, &Verify::None);
        head.query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        "POST".clone_into(&mut head.method);
        door.path.clone_into(&mut head.path);
        door.params.clone_into(&mut head.params);
        let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (content_type, from) = (text(header::CONTENT_TYPE), text(header::ORIGIN).to_owned());
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let texts_bytes = form.body_limit_bytes.unwrap_or(self.body_limit_bytes);
        let pending = Pending::new(head.id, self.forms.given_up.clone());
        let mut files = Gathered::new(Arc::clone(&self.journal), self.door.bodies.hold(), pending);
        let mut held = self.door.bodies.hold();
        let body = steady::Steady::new(body);
        let (pairs, wrong) = match kind.as_str() {
            "application/x-www-form-urlencoded" => (steady::read_pairs(body, texts_bytes, &mut held).await?, Vec::new()),
            "multipart/form-data" => {
                let judge = Judge { form, stamps: &self.forms.stamps, from: &from, received: head.received };
                let reading = multipart::Reading { judge, texts_bytes, held: &mut held, files: &mut files };
                let read = reading.all(content_type, body, self.form_bytes(form)).await?;
                head.files = read.files;
                (read.pairs, read.wrong)
            }
            _ => return Err(Refusal::NoFormBody(content_type.chars().take(CONTENT_TYPE_BYTES).collect())),
        };
        Ok(Draft { head, pairs, wrong, from, files, held })
    }

    /// Looks at what was sent, and takes it in if a person did and nothing is wrong with it. Durable on return.
    ///
    /// # Errors
    /// When the store would not take it.
    pub async fn take_form(&self, door: &Door, draft: Draft) -> Result<Sent, Refusal> {
        let form = door.must()?;
        let Draft { head, mut pairs, mut wrong, from, files, held: _held } = draft;
        let (event, received) = (head.id, head.received);
        let judge = Judge { form, stamps: &self.forms.stamps, from: &from, received };
        if judge.is_trapped(&pairs) {
            self.forms.spam.honeypot.fetch_add(1, Ordering::Relaxed);
            return Ok(Sent::Taken(event));
        }
        let why = judge.why(&pairs);
        if why == Some(Why::TooQuick) {
            // A browser that fills in by itself is as quick as a program: a person only presses the button again.
            self.forms.spam.too_quick.fetch_add(1, Ordering::Relaxed);
        }
        let is_stamped = judge.is_stamped(&pairs);
        let stamped = stamp_at(&pairs).map(|at| pairs.remove(at).1).filter(|_| is_stamped);
        let body = filled::check(form, &pairs, &head.files).map_err(|more| merge(&mut wrong, more)).unwrap_or_default();
        if wrong.is_empty() && why.is_none() {
            match self.store_form(door, head, body, files).await {
                Err(Refusal::DoesNotFit(mismatches)) => wrong = mismatches.into_iter().map(|mismatch| unfit(form, mismatch)).collect(),
                stored => return stored.map(Sent::Taken),
            }
        }
        let stamp = stamped.unwrap_or_else(|| self.forms.stamps.make(&form.path, stamp::long_enough_ago(received)));
        pairs.retain(|(name, _)| form.field(name).is_some());
        Ok(Sent::Again(Again { wrong, why, values: pairs, stamp }))
    }

    async fn store_form(&self, door: &Door, mut head: EventHead, body: Map, mut files: Gathered) -> Result<EventId, Refusal> {
        "application/json".clone_into(&mut head.content_type);
        let body = Bytes::from(Value::Object(body).to_string());
        let arrival = Arrival { head, body, dedupe: Dedupe::Hook, cursor: None, topic: None };
        let accept = self.considered(arrival, std::slice::from_ref(&door.target))?;
        files.write().await?;
        let stored = self.store(accept, std::slice::from_ref(&door.target)).await;
        if !is_surely_not_stored(&stored) {
            files.keep();
        }
        Ok(stored?.receipt.event)
    }
}

/// Of an event that may be there or not the files stay: in time the store sees which it was.
fn is_surely_not_stored(stored: &Result<Stored, Refusal>) -> bool {
    match stored {
        Ok(stored) => stored.receipt.duplicate,
        Err(refusal) => matches!(refusal, Refusal::Store(StoreError::Overloaded { .. })),
    }
}

/// A place that does not fit the form's schema, told at its field; what no field is about is told of the whole.
fn unfit(form: &Form, mismatch: Mismatch) -> Wrong {
    let Mismatch { path, message, remembered: _ } = mismatch;
    let (first, rest) = path.strip_prefix('/').map_or(("", ""), |path| path.split_once('/').unwrap_or((path, "")));
    let field = first.replace("~1", "/").replace("~0", "~");
    let is_shown = |fields: &Vec<Field>| fields.iter().any(|known| *known.name == *field && known.kind != FieldKind::Hidden);
    let is_about_one = !first.is_empty() && form.fields.as_ref().is_none_or(is_shown);
    let (field, message) = match (is_about_one, rest) {
        (true, "") => (field, format!("This {message}.")),
        (true, rest) => (field, format!("In this, `{rest}` {message}.")),
        (false, _) if path.is_empty() => (String::new(), format!("What was sent {message}.")),
        (false, _) => (String::new(), format!("In what was sent, `{path}` {message}.")),
    };
    Wrong { field, message, path: Some(path) }
}

/// What is wrong with a file that was not taken is told once.
fn merge(wrong: &mut Vec<Wrong>, more: Vec<Wrong>) {
    for other in more {
        if !wrong.iter().any(|known| known.field == other.field) {
            wrong.push(other);
        }
    }
}

/// What was read of a form with files.
#[derive(Debug, Default)]
struct Parts {
    pairs: Vec<(String, String)>,
    files: Vec<EventFile>,
    wrong: Vec<Wrong>,
}
