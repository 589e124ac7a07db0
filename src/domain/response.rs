//! An answer to the caller that waits for a run.

use serde::{Deserialize, Serialize};

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Further headers, names in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// `application/json`, `text/html; charset=utf-8`, …; empty with an empty body.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content_type: String,
    /// As sent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
}
