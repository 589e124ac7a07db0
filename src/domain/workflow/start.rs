//! How runs begin: what they are given, how many go on at once, how events are gathered into one.

use std::sync::Arc;
use std::time::Duration;

use super::Code;
use crate::domain::Value;

/// One name of `input`.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// As in `input.NAME`.
    pub name: Arc<str>,
    /// What it is.
    pub kind: InputKind,
    /// Whether it must be given.
    pub required: bool,
    /// A template for its value when it is not given.
    pub default: Option<Code>,
    /// The values it may have; empty means any.
    pub one_of: Vec<Value>,
    /// For people.
    pub description: String,
}

/// The type of an input, in the words of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// Anything.
    Any,
    /// Text.
    String,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list.
    Array,
    /// A map.
    Object,
}

impl InputKind {
    /// Every kind and its word in YAML.
    pub const ALL: [(&'static str, Self); 7] = [
        ("any", Self::Any),
        ("string", Self::String),
        ("number", Self::Number),
        ("integer", Self::Integer),
        ("boolean", Self::Boolean),
        ("array", Self::Array),
        ("object", Self::Object),
    ];

    /// Its word in YAML.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("any", |(word, _)| word)
    }

    /// Whether a value is of this kind.
    #[must_use]
    pub fn fits(self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

/// How many runs of one key go on at once, waits included.
#[derive(Debug, Clone, PartialEq)]
pub struct Concurrency {
    /// Runs with the same value share the limit; all of the workflow when absent.
    pub key: Option<Code>,
    /// How many; at least 1.
    pub limit: u32,
    /// What becomes of one too many.
    pub mode: Mode,
}

/// What becomes of a run for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// It waits its turn.
    #[default]
    Queue,
    /// It is not done.
    Skip,
    /// It takes the place of those before it, which are canceled.
    Restart,
}

/// How events become one run.
#[derive(Debug, Clone, PartialEq)]
pub enum Gathering {
    /// One run for the last of several events, once there were none for a while.
    Debounce {
        /// Events with the same value belong together.
        key: Option<Code>,
        /// How long.
        quiet: Duration,
    },
    /// One run for all events of a while.
    Batch {
        /// Events with the same value belong together.
        key: Option<Code>,
        /// So many begin the run at once; at least 1.
        size: u32,
        /// How long after the first event it begins with what there is.
        within: Duration,
    },
}

/// How many runs of one key begin in any stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Throttle {
    /// Runs with the same value share the limit.
    pub key: Option<Code>,
    /// How many; at least 1.
    pub limit: u32,
    /// In which time.
    pub per: Duration,
}
