//! A form trigger as written.

use std::sync::Arc;

use super::{At, DedupeFile};
use crate::domain::workflow::{Field, Sites, Uploads, Words};

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
    /// `cors`.
    pub cors: Sites,
    /// `limits.body`.
    pub body_limit_bytes: Option<usize>,
    /// `dedupe`.
    pub dedupe: Option<DedupeFile>,
    /// `title`, `description`, `button`, `thanks`.
    pub words: Words,
    /// `fields`.
    pub fields: Option<Vec<Field>>,
}
