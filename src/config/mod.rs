//! `hence.yaml` and the environment → [`Config`], once. The only reader of the environment.

mod address;
#[cfg(test)]
mod cases;
mod environment;
mod file;
mod front;
mod interpolate;
mod secrets;
mod tls;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::connector::registry::Connection;
use crate::domain::door::{Rate, TrustedProxies};
use crate::domain::retry::Retry;
use crate::domain::secret::{Secret, Secrets};
use crate::domain::workflow::{Keep, Kept};
use crate::workflow::plan::SettingsOutline;
use crate::workflow::problem::Problem;

pub use address::{ServerAddress, admin_token, approval_key, forget_address, server_address, write_address, write_certificates};
pub use tls::{TlsTrouble, read_certificates, read_pair};

/// Where a server listens when nobody says.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8787";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Everything a server needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The project folder.
    pub dir: PathBuf,
    /// Where the store, the token and the address are kept.
    pub data: PathBuf,
    /// Address and port.
    pub listen: String,
    /// Where people reach this server, without a slash at the end.
    pub public_url: Option<String>,
    /// `redb://PATH`, `sled://PATH` or `memory:`.
    pub store: String,
    /// Addresses that calls may reach although they are private.
    pub egress_allow: Vec<String>,
    /// PEM files of certificate authorities to trust besides the platform's.
    pub ca_files: Vec<PathBuf>,
    /// Named accounts.
    pub connections: BTreeMap<String, Connection>,
    /// The file in the words of a plan.
    pub outline: SettingsOutline,
    /// Named retries.
    pub retries: BTreeMap<String, Retry>,
    /// Bounds.
    pub limits: Limits,
    /// Who is believed about a sender's address.
    pub trusted_proxies: TrustedProxies,
    /// What the listener shows to be believed itself; plain HTTP without it.
    pub tls: Option<TlsFiles>,
    /// How long and how much is kept.
    pub retention: Retention,
    /// Secrets by name.
    pub secrets: Secrets,
    /// From `HENCE_ADMIN_TOKEN`.
    pub admin_token: Option<Secret>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines there are, as in `info` or `hence=debug`.
    pub log_filter: String,
    /// How long a shutdown waits for calls in hand.
    pub shutdown: Duration,
}

/// Bounds of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest body of a hook that does not say, in bytes.
    pub body_bytes: usize,
    /// Accepted runs that have not been begun, at most.
    pub backlog: usize,
    /// Runs driven at once, at most.
    pub driving: usize,
    /// Callers that wait for the answer of a run, at most.
    pub callers: usize,
    /// Free space of the data folder's disk below which events are refused, in bytes.
    pub disk_free_bytes: u64,
    /// Bounds of the listener.
    pub front: FrontLimits,
}

/// Bounds of the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrontLimits {
    /// The head of a request, in bytes.
    pub headers_bytes: usize,
    /// Path and query, in bytes.
    pub uri_bytes: usize,
    /// Bodies of all requests together, from their arrival until their event is stored, in bytes.
    pub bodies_bytes: usize,
    /// Open connections.
    pub connections: usize,
    /// How long a head may take, from its first byte.
    pub head_timeout: Duration,
    /// How long a body may take; a second more for each 64 KiB of it.
    pub body_timeout: Duration,
    /// How long a connection may be idle.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of an answer.
    pub write_timeout: Duration,
    /// How many requests to hooks one sender may send.
    pub sender: Option<Rate>,
    /// How many that cannot be verified, unless something from there was verified lately.
    pub unverified: Rate,
}

impl Default for FrontLimits {
    fn default() -> Self {
        Self {
            headers_bytes: 32 << 10,
            uri_bytes: 8 << 10,
            bodies_bytes: 256 << 20,
            connections: 8_192,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            sender: None,
            unverified: Rate { limit: 60, per: Duration::from_secs(60), burst: 60 },
        }
    }
}

/// Certificate and key of the listener, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and the authority's.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            backlog: 100_000,
            driving: 512,
            callers: 1_000,
            disk_free_bytes: 64 << 20,
            front: FrontLimits::default(),
        }
    }
}

/// How long and how much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Finished runs of workflows that do not say. All three are there.
    pub runs: Keep,
    /// Events that no run needs.
    pub events: Kept,
    /// What all records may take, in bytes; nothing means no bound.
    pub bytes: Option<u64>,
}

impl Default for Retention {
    fn default() -> Self {
        let month = Kept::For(Duration::from_secs(30 * 24 * 3_600));
        Self { runs: Keep::all(month), events: month, bytes: Some(10 << 30) }
    }
}

/// What the command line says; it goes before `hence.yaml`.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--listen`
    pub listen: Option<String>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--store`
    pub store: Option<String>,
    /// `--log`
    pub log_format: Option<LogFormat>,
}

/// A configuration, and what is wrong with it. Errors mean that a server must not start with it.
pub type Loaded = (Config, Vec<Problem>);

/// Reads `DIR/hence.yaml`, the secrets and the environment. A missing `hence.yaml` means defaults.
#[must_use]
pub fn load(dir: &Path, flags: Flags) -> Loaded {
    let environment = environment::Environment::read();
    let (file, mut problems) = file::read(dir);
    let (secrets, wrong) = secrets::read(dir, &environment);
    problems.extend(wrong);
    let outline = SettingsOutline { digest: file.digest, connections: interpolate::outlines(&file.connections) };
    let connections = interpolate::connections(file.connections, &secrets, &mut problems);
    let tls = file.tls.map(|written| {
        let (files, wrong) = written.look(dir);
        problems.extend(wrong);
        files
    });
    let data = flags.data.or(file.data.map(|data| dir.join(data))).unwrap_or_else(|| data_folder(dir));
    let store = flags.store.or(file.store).unwrap_or_else(|| format!("redb://{}", data.display()));
    let config = Config {
        dir: dir.to_owned(),
        listen: flags.listen.or(file.listen).unwrap_or_else(|| DEFAULT_LISTEN.to_owned()),
        public_url: file.public_url,
        store,
        data,
        egress_allow: file.egress_allow,
        ca_files: file.ca_files.into_iter().map(|path| dir.join(path)).collect(),
        connections,
        outline,
        retries: file.retries,
        limits: file.limits,
        trusted_proxies: file.trusted_proxies,
        tls,
        retention: file.retention,
        secrets,
        admin_token: environment.admin_token,
        log_format: flags.log_format.or(file.log_format).unwrap_or_default(),
        log_filter: environment.log.or(file.log_level).unwrap_or_else(|| "info".to_owned()),
        shutdown: file.shutdown,
    };
    (config, problems)
}

/// The data folder where nobody says.
#[must_use]
pub fn data_folder(dir: &Path) -> PathBuf {
    dir.join(".hence")
}
