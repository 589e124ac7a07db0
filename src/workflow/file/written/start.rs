//! How runs begin, as written.

use std::sync::Arc;
use std::time::Duration;

use super::{At, CodeText};
use crate::domain::Value;
use crate::domain::workflow::{InputKind, Mode};
use crate::workflow::yaml::Node;

/// One name of `input`.
#[derive(Debug, Clone, PartialEq)]
pub struct InputFile {
    /// The name.
    pub name: At<Arc<str>>,
    /// `type`.
    pub kind: InputKind,
    /// `required`.
    pub required: bool,
    /// `default`.
    pub default: Option<Node>,
    /// `enum`.
    pub one_of: Vec<Value>,
    /// `description`.
    pub description: String,
}

/// `concurrency`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConcurrencyFile {
    /// `key`.
    pub key: Option<CodeText>,
    /// `limit`.
    pub limit: u32,
    /// `mode`.
    pub mode: Mode,
}

/// `debounce` or `batch`.
#[derive(Debug, Clone, PartialEq)]
pub enum GatheringFile {
    /// `debounce`.
    Debounce {
        /// `key`.
        key: Option<CodeText>,
        /// `for`.
        quiet: Duration,
    },
    /// `batch`.
    Batch {
        /// `key`.
        key: Option<CodeText>,
        /// `size`.
        size: u32,
        /// `within`.
        within: Duration,
    },
}

/// `throttle`.
#[derive(Debug, Clone, PartialEq)]
pub struct ThrottleFile {
    /// `key`.
    pub key: Option<CodeText>,
    /// `limit`.
    pub limit: u32,
    /// `per`.
    pub per: Duration,
}
