//! `/forms/…`: which form, what was filled in, whether a person did it, and the event that it is.

mod given_up;
mod multipart;
mod stamp;
mod steady;
mod uploads;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, header};
use tokio::sync::mpsc;

use super::webhook::kept_headers;
use super::{Arrival, Dedupe, Intake, Refusal, Target};
use crate::domain::Value;
use crate::domain::event::{EventHead, Source};
use crate::domain::file::EventFile;
use crate::domain::id::EventId;
use crate::domain::workflow::{Form, Verify};
use crate::workflow::filled::{self, Wrong};
use given_up::{GivenUp, Pending};
use stamp::Found;

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
}

impl Door {
    /// The form.
    #[must_use]
    pub fn form(&self) -> Option<&Form> {
        self.target.loaded.form(self.target.trigger)
    }

    fn must(&self) -> Result<&Form, Refusal> {
        self.form().ok_or_else(|| Refusal::NoForm(self.path.clone()))
    }
}

/// What was sent, read and not yet looked at. Files are stored by then; without an event they are forgotten again.
#[derive(Debug)]
pub struct Draft {
    head: EventHead,
    pairs: Vec<(String, String)>,
    wrong: Vec<Wrong>,
    from: String,
    pending: Pending,
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
    /// Nothing is wrong with the fields: it has to be sent once more, and why.
    pub why: Option<&'static str>,
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
        Ok(Door { target, path: path.to_owned(), params: found.params })
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

    /// Reads what a browser sent. Files go into the store as they come, and are never held as a whole.
    ///
    /// # Errors
    /// When it is no form, too large, or broken off.
    pub async fn read_form<E>(
        &self,
        door: &Door,
        query: &str,
        headers: &HeaderMap,
        body: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    ) -> Result<Draft, Refusal>
    where
        E: fmt::Display + Send + 'static,
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
        let mut pending = Pending::new(head.id, self.forms.given_up.clone());
        let body = steady::Steady::new(body);
        let (pairs, files, wrong) = match kind.as_str() {
            "application/x-www-form-urlencoded" => (steady::read_pairs(body, texts_bytes).await?, Vec::new(), Vec::new()),
            "multipart/form-data" => {
                let whole = self.form_bytes(form);
                let store = self.journal.store();
                let read = multipart::Reading { store, form, texts_bytes, pending: &mut pending };
                let read = read.all(content_type, body, whole).await?;
                (read.pairs, read.files, read.wrong)
            }
            _ => return Err(Refusal::NoFormBody(content_type.chars().take(CONTENT_TYPE_BYTES).collect())),
        };
        head.files = files;
        Ok(Draft { head, pairs, wrong, from, pending })
    }

    /// Looks at what was sent, and takes it in if a person did and nothing is wrong with it. Durable on return.
    ///
    /// # Errors
    /// When the store would not take it.
    pub async fn take_form(&self, door: &Door, draft: Draft) -> Result<Sent, Refusal> {
        let form = door.must()?;
        let Draft { mut head, mut pairs, mut wrong, from, mut pending } = draft;
        let event = head.id;
        if let Some(honeypot) = &form.honeypot
            && pairs.iter().any(|(name, value)| **name == **honeypot && !value.is_empty())
        {
            self.forms.spam.honeypot.fetch_add(1, Ordering::Relaxed);
            return Ok(Sent::Taken(event));
        }
        let stamped = pairs.iter().position(|(name, _)| name == STAMP_FIELD).map(|at| pairs.remove(at).1);
        let stamp = self.forms.stamps.look(&form.path, stamped.as_deref(), head.received);
        let why = match stamp {
            _ if form.fields.is_none() => None,
            Found::TooQuick => {
                // A browser that fills in by itself is as quick as a program: a person only presses the button again.
                self.forms.spam.too_quick.fetch_add(1, Ordering::Relaxed);
                Some("That was very quick. Please look at what you have written and send it once more.")
            }
            Found::Fine => None,
            // A page of another site has no stamp of ours to send.
            Found::Missing if form.cors.allows(&from) => None,
            Found::Missing => Some("Please look at what you have written and send it once more."),
            Found::TooOld => Some("This page was open for a long time. Please look at what you have written and send it once more."),
        };
        let body = filled::check(form, &pairs, &head.files).map_err(|more| merge(&mut wrong, more)).unwrap_or_default();
        if !wrong.is_empty() || why.is_some() {
            let kept = stamped.filter(|_| stamp == Found::Fine);
            let stamp = kept.unwrap_or_else(|| self.forms.stamps.make(&form.path, stamp::long_enough_ago(head.received)));
            pairs.retain(|(name, _)| form.field(name).is_some());
            return Ok(Sent::Again(Again { wrong, why, values: pairs, stamp }));
        }
        "application/json".clone_into(&mut head.content_type);
        let body = Bytes::from(Value::Object(body).to_string());
        let arrival = Arrival { head, body, dedupe: Dedupe::Hook, cursor: None, topic: None };
        let taken = self.submit(arrival, std::slice::from_ref(&door.target)).await;
        // Of an event that may be there or not the files stay: in time the store sees which it was.
        if !matches!(&taken, Ok(receipt) if receipt.duplicate) {
            pending.keep();
        }
        Ok(Sent::Taken(taken?.event))
    }
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
