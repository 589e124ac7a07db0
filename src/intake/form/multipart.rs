//! `multipart/form-data` (RFC 7578), read as it comes: texts are gathered up to their limit, files go into the store piece by
//! piece. A file that is not taken is read to its end and thrown away, so that the browser can show why.

use bytes::Bytes;
use multer::{Constraints, Field, Multipart, SizeLimit};
use ring::digest;

use super::gathered::Gathered;
use super::judge::Judge;
use super::steady::{Allowance, Broken, Steady};
use super::uploads::{allows, essence, plain_name, unescaped};
use super::{Parts, VALUES_LIMIT};
use crate::domain::file::EventFile;
use crate::domain::size::format_size;
use crate::domain::workflow::Uploads;
use crate::intake::Refusal;
use crate::intake::limits::Held;
use crate::workflow::filled::{self, Wrong};

/// The longest boundary (RFC 2046, section 5.1.1).
const BOUNDARY_BYTES: usize = 70;

/// What is needed to read a form.
pub(super) struct Reading<'r> {
    pub(super) judge: Judge<'r>,
    pub(super) texts_bytes: usize,
    /// Counts the texts.
    pub(super) held: &'r mut Held,
    pub(super) files: &'r mut Gathered,
}

impl Reading<'_> {
    /// Reads all parts.
    pub(super) async fn all(mut self, content_type: &str, body: Steady, whole_bytes: usize) -> Result<Parts, Refusal> {
        let boundary = boundary(content_type)?;
        let allowance = body.allowance();
        let limits = SizeLimit::new().whole_stream(u64::try_from(whole_bytes).unwrap_or(u64::MAX));
        // All that a form without parts consists of, whatever follows it.
        let end = format!("--{boundary}--");
        let mut multipart = Multipart::with_constraints(body, boundary, Constraints::new().size_limit(limits));
        let mut parts = Parts::default();
        let (mut left_bytes, mut is_empty) = (self.texts_bytes, true);
        loop {
            allowance.renew();
            let Some(field) = multipart.next_field().await.map_err(refusal)? else { break };
            is_empty = false;
            let name = unescaped(field.name().ok_or_else(|| Refusal::Unreadable("a part of it has no name".to_owned()))?);
            if VALUES_LIMIT <= parts.pairs.len() {
                return Err(Refusal::Unreadable(format!("it has more than {VALUES_LIMIT} values")));
            }
            left_bytes = left_bytes.checked_sub(name.len()).ok_or(Refusal::TooLarge { limit_bytes: self.texts_bytes })?;
            if !self.held.more(name.len()) {
                return Err(Refusal::Crowded);
            }
            if field.file_name().is_some() {
                self.file(name, field, &allowance, &mut parts).await?;
            } else {
                let text = self.text(field, &allowance, &mut left_bytes).await?;
                parts.pairs.push((name, text));
            }
        }
        if is_empty && !allowance.begins_with(end.as_bytes()) {
            return Err(Refusal::Unreadable("nothing in it begins with its boundary".to_owned()));
        }
        Ok(parts)
    }

    async fn text(&mut self, mut field: Field<'_>, allowance: &Allowance, left_bytes: &mut usize) -> Result<String, Refusal> {
        let mut bytes = Vec::new();
        while let Some(piece) = next(&mut field, allowance).await? {
            *left_bytes = left_bytes.checked_sub(piece.len()).ok_or(Refusal::TooLarge { limit_bytes: self.texts_bytes })?;
            if !self.held.more(piece.len()) {
                return Err(Refusal::Crowded);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn file(&mut self, name: String, mut field: Field<'_>, allowance: &Allowance, parts: &mut Parts) -> Result<(), Refusal> {
        let called = plain_name(field.file_name().unwrap_or_default());
        let declared = field.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = essence(declared);
        // A browser sends a nameless part where no file was chosen.
        let taken = if called.is_empty() { Ok(None) } else { self.wanted(&name, &kind, &called, parts.files.len()).map(Some) };
        let found = match taken {
            Ok(Some(uploads)) => {
                if self.judge.is_given_up(&parts.pairs) {
                    self.files.give_up();
                }
                self.store(&uploads, &mut field, allowance, parts.files.len()).await?
            }
            Ok(None) => Ok(None),
            Err(message) => Err(message),
        };
        if found.is_err() {
            self.files.give_up();
        }
        // What is left of one that is not taken.
        while next(&mut field, allowance).await?.is_some() {}
        match found {
            Ok(None) => {}
            Ok(Some((number, size, sha256))) => parts.files.push(EventFile { number, field: name, name: called, kind, size, sha256 }),
            Err(message) if parts.wrong.len() < VALUES_LIMIT => parts.wrong.push(Wrong::new(name, message)),
            Err(_) => {}
        }
        Ok(())
    }

    fn wanted(&self, field: &str, kind: &str, name: &str, files: usize) -> Result<Uploads, String> {
        let form = self.judge.form;
        let uploads = form.uploads.as_ref().ok_or("This form takes no files.")?;
        if !filled::asks_for_file(form, field) {
            return Err(filled::NO_FILE_HERE.to_owned());
        }
        if uploads.count <= files {
            return Err(format!("This form takes at most {} {}.", uploads.count, if uploads.count == 1 { "file" } else { "files" }));
        }
        if !allows(uploads, kind, name) {
            let sorts: Vec<String> = uploads.types.iter().map(ToString::to_string).collect();
            return Err(format!("`{name}` is not of a sort that is taken here: {}.", sorts.join(", ")));
        }
        Ok(uploads.clone())
    }

    /// Stores a file, unless the form was given up: its number, size and digest; or why it is too large.
    async fn store(
        &mut self,
        uploads: &Uploads,
        field: &mut Field<'_>,
        allowance: &Allowance,
        before: usize,
    ) -> Result<Result<Option<(u16, u64, String)>, String>, Refusal> {
        let number = u16::try_from(before + 1).map_err(|_large| Refusal::Unreadable("it has too many files".to_owned()))?;
        self.files.begin(number);
        let mut digest = digest::Context::new(&digest::SHA256);
        let mut size = 0usize;
        while let Some(bytes) = next(field, allowance).await? {
            size = size.saturating_add(bytes.len());
            if uploads.max_bytes < size {
                return Ok(Err(format!("This file is larger than {}.", format_size(u64::try_from(uploads.max_bytes).unwrap_or(u64::MAX)))));
            }
            digest.update(&bytes);
            self.files.add(&bytes).await?;
        }
        self.files.end();
        let sha256 = digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Ok(Some((number, u64::try_from(size).unwrap_or(u64::MAX), sha256))))
    }
}

/// What stands between the parts.
pub(super) fn boundary(content_type: &str) -> Result<String, Refusal> {
    let boundary = multer::parse_boundary(content_type).ok().filter(|boundary| (1..=BOUNDARY_BYTES).contains(&boundary.len()));
    boundary.ok_or_else(|| Refusal::Unreadable("its content type has no `boundary`".to_owned()))
}

pub(super) async fn next(field: &mut Field<'_>, allowance: &Allowance) -> Result<Option<Bytes>, Refusal> {
    allowance.renew();
    field.chunk().await.map_err(refusal)
}

pub(super) fn refusal(error: multer::Error) -> Refusal {
    match error {
        multer::Error::StreamSizeExceeded { limit } => Refusal::TooLarge { limit_bytes: usize::try_from(limit).unwrap_or(usize::MAX) },
        multer::Error::StreamReadFailed(error) => {
            error.downcast_ref::<Broken>().map_or_else(|| Refusal::BrokenBody(error.to_string()), Refusal::from)
        }
        multer::Error::IncompleteStream | multer::Error::IncompleteFieldData { .. } => {
            Refusal::Unreadable("it ends before its last boundary".to_owned())
        }
        other => Refusal::Unreadable(other.to_string()),
    }
}
