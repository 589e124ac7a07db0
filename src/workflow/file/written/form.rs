//! A form trigger as written.

use std::sync::Arc;

use super::{At, DedupeFile};
use crate::domain::door::Door;
use crate::domain::workflow::{Field, Uploads, Words};
use crate::workflow::file::BodySchemaFile;

/// A `form` trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct FormFile {
    /// `path`.
    pub path: At<Arc<str>>,
    /// `redirect`.
    pub redirect: Option<Arc<str>>,
    /// `honeypot`.
    pub honeypot: Option<Arc<str>>,
    /// `uploads`.
    pub uploads: Option<Uploads>,
    /// `limits.rate` and `cors`.
    pub door: Door,
    /// `schema`.
    pub schema: Option<BodySchemaFile>,
    /// `limits.body`.
    pub body_limit_bytes: Option<usize>,
    /// `dedupe`.
    pub dedupe: Option<DedupeFile>,
    /// `title`, `description`, `button`, `thanks`.
    pub words: Words,
    /// `fields`.
    pub fields: Option<Vec<Field>>,
}
