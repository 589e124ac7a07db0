//! What one evaluation may use.

use std::time::Duration;

/// Bounds on scripts and expressions. Each holds for one evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Steps of the interpreter.
    pub operations: u64,
    /// The length of a text, and of all texts in one list or map together.
    pub string_bytes: usize,
    /// The items of a list, those of lists in it included.
    pub array_items: usize,
    /// The entries of a map, those of maps in it included.
    pub map_entries: usize,
    /// How deep functions may call each other.
    pub call_depth: usize,
    /// How deep an expression may be nested in the source.
    pub expr_depth: usize,
    /// The length of one expression or script file.
    pub source_bytes: usize,
    /// Variables alive at once in one function.
    pub variables: usize,
    /// The text that the variables of one function hold together.
    pub held_bytes: usize,
    /// How long it may work, in time of its own thread. Operations alone do not bound time: one that copies a large list counts as one.
    pub duration: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 1_000_000,
            string_bytes: 1 << 20,
            array_items: 100_000,
            map_entries: 100_000,
            call_depth: 32,
            expr_depth: 64,
            source_bytes: 64 << 10,
            variables: 256,
            held_bytes: 16 << 20,
            duration: Duration::from_secs(2),
        }
    }
}
