//! Reload: on SIGHUP, and when a file of the project has changed. The folder is looked at once a
//! second: that works on every file system, in containers, and with every editor and `git checkout`.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::project;
use crate::clock::Clock;
use crate::config::Config;
use crate::connector::Registry;
use crate::executor::Revisions;
use crate::store::{Store, StoreError};
use crate::web::Web;
use crate::workflow::catalog::{Fingerprint, Sources};
use crate::workflow::problem::codes;

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a reload works with.
pub(super) struct Reload {
    pub(super) config: Config,
    pub(super) registry: Arc<Registry>,
    pub(super) revisions: Arc<Revisions>,
    pub(super) store: Arc<dyn Store>,
    pub(super) web: Arc<Web>,
    pub(super) clock: Arc<dyn Clock>,
    /// How the folder looked right before it was loaded: what has changed since then is not served yet.
    pub(super) seen: Option<Fingerprint>,
}

impl Reload {
    /// Watches until told to stop. SIGHUP is heard from this call on: unheard, it would end the process.
    pub(super) fn watch(self, stopping: CancellationToken) -> impl Future<Output = ()> + Send {
        let hangup = signal(SignalKind::hangup());
        async move {
            match hangup {
                Ok(hangup) => self.reload_on_change(hangup, stopping).await,
                Err(error) => tracing::error!(error = %error, "SIGHUP cannot be heard, and changes are not watched for"),
            }
        }
    }

    async fn reload_on_change(mut self, mut hangup: Signal, stopping: CancellationToken) {
        let mut failing = false;
        loop {
            let asked = tokio::select! {
                () = stopping.cancelled() => return,
                _ = hangup.recv() => true,
                () = self.clock.pause(LOOK_EVERY) => false,
            };
            let now = self.look().await;
            if asked || failing || now != self.seen || self.reads_again().await {
                self.seen = now;
                let done = self.reload(asked).await;
                if let (Err(error), false) = (&done, failing) {
                    tracing::error!(error = %error, "the changed workflows could not be stored; the ones before stay until they can be");
                }
                failing = done.is_err();
            }
        }
    }

    /// Reading folders blocks, so it happens beside the workers.
    async fn look(&self) -> Option<Fingerprint> {
        let dir = self.config.dir.clone();
        tokio::task::spawn_blocking(move || Sources::fingerprint(&dir)).await.ok()
    }

    /// Whether a file can be read now that could not be at the last reload: its size and time do not tell.
    async fn reads_again(&self) -> bool {
        let problems = self.web.problems.load_full();
        let unread = problems.iter().filter(|problem| problem.code == codes::UNREADABLE_FILE);
        let unread: Vec<Arc<str>> = unread.map(|problem| Arc::clone(&problem.file)).collect();
        if unread.is_empty() {
            return false;
        }
        let dir = self.config.dir.clone();
        let reads = move || unread.iter().any(|file| Sources::read_one(&dir, file).is_ok());
        tokio::task::spawn_blocking(reads).await.unwrap_or(false)
    }

    /// Takes what is good; a workflow whose file is bad now keeps its last good revision.
    async fn reload(&self, asked: bool) -> Result<(), StoreError> {
        let (config, registry) = (self.config.clone(), Arc::clone(&self.registry));
        let Ok((catalog, problems)) = tokio::task::spawn_blocking(move || project::load(&config, &registry)).await else { return Ok(()) };
        let before = Arc::clone(&self.web.intake.current.get());
        let catalog = catalog.keeping(&before, &problems);
        project::store_revisions(&*self.store, &catalog).await?;
        tracing::info!(because = if asked { "SIGHUP" } else { "files changed" }, "reloading");
        project::log(&catalog, &problems);
        self.revisions.replace(Arc::new(catalog));
        self.web.problems.store(Arc::new(problems));
        Ok(())
    }
}
