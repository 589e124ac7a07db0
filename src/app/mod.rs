//! The composition root: the only place that names concrete adapters. Says what starts in which
//! order, and what stops in which.

mod approvals;
mod background;
mod doors;
mod dry;
mod fetch;
mod listen;
mod plan;
mod project;
mod reload;
mod retention;
mod runtime;
mod selftest;
mod steady;
mod upkeep;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ring::rand::SecureRandom;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Ids, SystemClock};
use crate::config::{self, Config};
use crate::connector::Connector;
use crate::domain::secret::Secret;
use crate::executor::{Executor, Listeners, Revisions, Stop};
use crate::intake::Intake;
use crate::intake::form::Forms;
use crate::store::{self, Journal, Store, StoreError};
use crate::web::Web;
use crate::workflow::catalog::{Current, Sources};

pub use dry::{Dry, dry};
pub use plan::{Outlined, outline};
pub use project::{Checked, check};
pub use runtime::runtime;
pub use selftest::{Tested, TestedWorkflow, selftest};
pub use upkeep::{Place, block_on, check_store, compact, offline_backup, restore, stats, verify_backup};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration names something that cannot be had.
    #[error("{0}")]
    Config(String),
    /// The data folder.
    #[error("the data folder {path} cannot be used: {error}")]
    Data {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address.
    #[error("cannot listen on {address}: {error}; choose another with --listen")]
    Listen {
        /// As configured.
        address: String,
        /// Why.
        error: std::io::Error,
    },
    /// The server ended by itself.
    #[error("the server ended: {0}")]
    Server(std::io::Error),
}

/// What a test puts in place of the real thing.
#[derive(Default)]
pub struct Parts {
    /// In place of the store that the configuration names.
    pub store: Option<Arc<dyn Store>>,
    /// In place of the machine's clock.
    pub clock: Option<Arc<dyn Clock>>,
    /// In place of the built-in connectors.
    pub connectors: Option<Vec<(&'static str, Arc<dyn Connector>)>>,
}

/// A running server.
pub struct App {
    /// Where it listens.
    pub address: SocketAddr,
    /// Opens `/api`.
    pub token: Secret,
    /// The token was made just now.
    token_is_new: bool,
    /// The door in.
    pub intake: Arc<Intake>,
    config: Config,
    stopping: CancellationToken,
    stop: Stop,
    tasks: TaskTracker,
    clock: Arc<dyn Clock>,
}

impl App {
    /// Starts everything. `listener` is bound by the caller.
    ///
    /// # Errors
    /// When the store, the configuration or the data folder cannot be used.
    pub async fn start(config: Config, listener: TcpListener, parts: Parts) -> Result<Self, StartError> {
        let clock = parts.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let data_error = |error| StartError::Data { path: config.data.clone(), error };
        make_private(&config.data).map_err(data_error)?;
        let store = parts.store.map_or_else(|| open_store(&config), Ok)?;
        let tls = listen::Tls::of(&config)?;
        let (token, token_is_new) = admin_token(&config).map_err(data_error)?;
        let epoch = store.acquire().await?;
        let secrets = Arc::new(config.secrets.clone());
        let (registry, verifier) = doors::open(&config, &secrets, parts.connectors)?;
        let seen = Some(Sources::fingerprint(&config.dir));
        let (catalog, problems) = project::load(&config, &registry);
        project::log(&catalog, &problems);
        project::store_revisions(&*store, &catalog).await?;
        let current = Arc::new(Current::new(catalog));
        let (journal, committer, feed) =
            Journal::new(Arc::clone(&store), store::journal::Limits { backlog: config.limits.backlog, callers: config.limits.callers });
        let ids = Arc::new(Ids::new(u64::from_be_bytes(random()?), store.newest().await?));
        let revisions = Arc::new(Revisions::new(Arc::clone(&current), project::rebuild(&config)));
        let address = listener.local_addr().map_err(StartError::Server)?;
        let links = approvals::links(&config, address, &current.get())?;
        let (forms, without_event) = Forms::new(approvals::stamps(&config)?);
        let intake = Arc::new(Intake {
            journal: Arc::clone(&journal),
            current: Arc::clone(&current),
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
            secrets: Arc::clone(&secrets),
            verifier,
            body_limit_bytes: config.limits.body_bytes,
            door: doors::bounds(&config),
            forms,
            links: Arc::clone(&links),
            find_revision: approvals::find_revision(Arc::clone(&revisions), Arc::clone(&store)),
        });
        let executor = Arc::new(Executor {
            journal: Arc::clone(&journal),
            revisions: Arc::clone(&revisions),
            registry: ArcSwap::new(Arc::clone(&registry)),
            clock: Arc::clone(&clock),
            secret_values: secrets.expose_all(),
            secrets,
            epoch,
            driving_limit: config.limits.driving,
            ids,
            link: Box::new(move |run, question| links.link(run, question)),
            listeners: Listeners::default(),
        });
        let (tasks, stop, stopping) = (TaskTracker::new(), Stop::default(), CancellationToken::new());
        // The committer lives as long as somebody can write: it is not waited for.
        TaskTracker::new().spawn(committer.run());
        let open = executor.start(feed, stop.clone(), &tasks).await?;
        tell_open(open);
        background::spawn(&tasks, &intake, &config, without_event, &stopping);
        let web = Arc::new(Web {
            intake: Arc::clone(&intake),
            token: token.clone(),
            problems: ArcSwap::from_pointee(problems),
            settings: config.outline.clone(),
            seen_writable: tokio::sync::Mutex::default(),
            upkeep: Arc::new(tokio::sync::Semaphore::new(1)),
            stopping: stopping.clone(),
        });
        let reloaded = Arc::clone(&web);
        let reload = reload::Reload { config: config.clone(), registry, revisions, store, web: reloaded, clock: Arc::clone(&clock), seen };
        tasks.spawn(reload.watch(stopping.clone()));
        let listen = listen::Listen::new(web, config.limits.front, tls, Arc::clone(&clock));
        listen.watch_tls(&tasks, &stopping);
        tasks.spawn(listen::serve(listener, listen, stopping.clone(), stop.hard.clone()));
        Ok(Self { address, token, token_is_new, intake, config, stopping, stop, tasks, clock })
    }

    /// Stops in order: no more events in, calls in hand finish within `shutdown`, the rest is put
    /// down and goes on at the next start.
    pub async fn stop(self) {
        let Self { config, stopping, stop, tasks, clock, .. } = self;
        stopping.cancel();
        stop.soft.cancel();
        tasks.close();
        let patience = clock.pause(config.shutdown);
        tokio::select! {
            () = tasks.wait() => return,
            () = patience => {}
        }
        tracing::warn!(shutdown = ?config.shutdown, "calls in hand did not end in time; they are made again at the next start, with the same idempotency keys");
        stop.hard.cancel();
        tasks.wait().await;
    }
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start.
pub async fn serve(config: Config) -> Result<(), StartError> {
    listen::raise_descriptors();
    let listener = TcpListener::bind(&config.listen).await;
    let listener = listener.map_err(|error| StartError::Listen { address: config.listen.clone(), error })?;
    let data = config.data.clone();
    let mut signals = listen::Signals::new().map_err(StartError::Server)?;
    let app = App::start(config, listener, Parts::default()).await?;
    if app.token_is_new {
        use std::io::Write;
        // Printed once, and never into the log.
        let said =
            writeln!(std::io::stderr().lock(), "admin token for /api: {} (kept in {}/admin-token)", app.token.expose(), data.display());
        said.map_err(StartError::Server)?;
    }
    let url = listen::url(&app.config, app.address);
    config::write_address(&data, &url).map_err(|error| StartError::Data { path: data.clone(), error })?;
    tracing::info!(url = %url, data = %data.display(), "hence is ready");
    let signal = signals.end().await;
    tracing::info!(signal, "shutting down");
    app.stop().await;
    config::forget_address(&data);
    tracing::info!("stopped");
    Ok(())
}

/// Events and histories are nobody else's to read.
fn make_private(folder: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

pub(super) fn open_store(config: &Config) -> Result<Arc<dyn Store>, StoreError> {
    let settings = store::embedded::Settings { free_space_min_bytes: config.limits.disk_free_bytes, ..Default::default() };
    store::embedded::open(&config.store, settings)
}

fn tell_open(runs: usize) {
    if 0 < runs {
        tracing::info!(runs, "runs from before go on");
    }
}

fn random<const N: usize>() -> Result<[u8; N], StartError> {
    let mut bytes = [0u8; N];
    let filled = ring::rand::SystemRandom::new().fill(&mut bytes);
    filled.ok().ok_or_else(|| StartError::Config("the system gives no random numbers".to_owned()))?;
    Ok(bytes)
}

/// The token of the environment, or the one kept in the data folder; and whether it is new.
fn admin_token(config: &Config) -> std::io::Result<(Secret, bool)> {
    if let Some(token) = &config.admin_token {
        return Ok((token.clone(), false));
    }
    let bytes: [u8; 24] = random().map_err(std::io::Error::other)?;
    config::admin_token(&config.data, &bytes)
}
