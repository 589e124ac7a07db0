//! The only door out. A connector offers actions; the registry finds it by name and gives it the
//! connection's settings.

pub mod egress;
pub mod http;
pub mod nearest;
pub mod registry;

pub use registry::Registry;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::domain::failure::Failure;
use crate::domain::{Map, Value};

/// One attempt at one action.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// `get` in `http.get`.
    pub action: Arc<str>,
    /// The step's `with`, evaluated. May hold secrets: never logged, never stored.
    pub with: Value,
    /// The connection's settings, secrets filled in. Never logged, never stored.
    pub connection: Arc<Map>,
    /// `run/step/iteration`: the same on every attempt.
    pub idempotency_key: String,
    /// How long this attempt may take, connecting and reading included.
    pub timeout: Duration,
}

/// What it was given may be secret, so that is not shown.
impl fmt::Debug for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, idempotency_key, timeout, with: _, connection: _ } = self;
        let mut shown = out.debug_struct("Request");
        shown.field("action", action).field("idempotency_key", idempotency_key).field("timeout", timeout).finish_non_exhaustive()
    }
}

/// A family of actions of one outside system or protocol.
pub trait Connector: Send + Sync {
    /// The names of its actions.
    fn actions(&self) -> &'static [&'static str];

    /// Does it once. No retries here: the executor decides about those.
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Value, Failure>>;
}
