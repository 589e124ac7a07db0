//! Makes the call of a step.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Executor, files};
use crate::connector::{Connector, Request};
use crate::domain::Value;
use crate::domain::failure::Failure;
use crate::domain::id::RunId;
use crate::domain::journal::Address;
use crate::domain::next::{Task, Todo};
use crate::domain::retry::Retry;
use crate::domain::run::Run;
use crate::domain::secret::Secrets;
use crate::domain::workflow::{Call, Step, StepKind};
use crate::script::Scope;
use crate::store::Journal;
use crate::workflow::catalog::Loaded;
use crate::workflow::evaluate::{self, Shell};

/// A call that is ready to be made.
pub(super) struct Prepared<'w> {
    step: &'w Step,
    address: Address,
    retry: &'w Retry,
    /// Which try, from 1.
    pub(super) attempt: u32,
    /// It may be made at most once.
    pub(super) once: bool,
    connector: Arc<dyn Connector>,
    request: Request,
    mask: Option<Secrets>,
    run: RunId,
    journal: Arc<Journal>,
}

/// How a call ended.
pub(super) struct CallEnd<'w> {
    pub(super) step: &'w Step,
    pub(super) address: Address,
    pub(super) retry: &'w Retry,
    pub(super) attempt: u32,
    pub(super) result: Result<Value, Failure>,
    /// The link of the question that it tells of: whoever has it can answer, so it is no one else's to read.
    pub(super) mask: Option<Secrets>,
}

impl<'w> Prepared<'w> {
    /// Makes the call.
    pub(super) fn make(mut self) -> BoxFuture<'w, CallEnd<'w>> {
        Box::pin(async move {
            let result = match files::fill(self.journal.store(), self.run, &mut self.request.with).await {
                Ok(()) => self.connector.call(self.request).await,
                Err(failure) => Err(failure),
            };
            CallEnd { step: self.step, address: self.address, retry: self.retry, attempt: self.attempt, result, mask: self.mask }
        })
    }
}

/// Renders a call's input. Nothing for todos that are no calls; the tries made and why when it cannot be rendered.
pub(super) fn prepare<'w>(
    executor: &Executor,
    loaded: &Loaded,
    todo: &Todo<'w>,
    scope: &mut Scope,
    run: &Run,
) -> Option<Result<Prepared<'w>, (u32, Failure)>> {
    let (StepKind::Call(call), &Task::Call { attempt }) = (&todo.step.kind, &todo.task) else { return None };
    let shell = Shell { secrets: &executor.secrets, link: &*executor.link };
    evaluate::set_context(loaded, todo, scope, run, &shell);
    let mask = evaluate::link(todo, run, &shell).as_deref().and_then(signature).map(Secrets::of);
    scope.set_secrets(Some(&executor.secret_values));
    let request = render(executor, loaded, call, &todo.address, scope, run.id);
    scope.set_secrets(None);
    Some(match request {
        Ok((connector, request)) => Ok(Prepared {
            step: todo.step,
            address: todo.address.clone(),
            retry: &call.retry,
            attempt,
            once: call.at_most_once,
            connector,
            request,
            mask,
            run: run.id,
            journal: Arc::clone(&executor.journal),
        }),
        Err(mut error) => {
            mask.iter().for_each(|mask| mask.mask_text(&mut error.message));
            executor.secrets.mask_text(&mut error.message);
            Err((attempt.saturating_sub(1), error))
        }
    })
}

/// The part of a link that cannot be guessed; it is the same however the link is written.
fn signature(link: &str) -> Option<&str> {
    link.rsplit('/').next()
}

fn render(
    executor: &Executor,
    loaded: &Loaded,
    call: &Call,
    address: &Address,
    scope: &mut Scope,
    run: RunId,
) -> Result<(Arc<dyn Connector>, Request), Failure> {
    let (connector, connection) = executor.registry.load().resolve(&call.connector, call.using.as_deref())?;
    let with = loaded.program.value(call.with, scope)?;
    let idempotency_key = match call.idempotency_key {
        Some(code) => loaded.program.text(code, scope)?,
        None => format!("{run}/{address}"),
    };
    Ok((connector, Request { action: Arc::clone(&call.action), with, connection, idempotency_key, timeout: call.timeout }))
}
