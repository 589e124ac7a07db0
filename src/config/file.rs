//! `hence.yaml`, as on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::tls::TlsWritten;
use super::{Limits, LogFormat, Retention, front};
use crate::domain::door::TrustedProxies;
use crate::domain::retry::Retry;
use crate::domain::workflow::Keep;
use crate::workflow::file::keep::{read_keep, read_kept};
use crate::workflow::file::read::{choice, duration, list, size, text, whole};
use crate::workflow::file::{Fields, Report, read_retry};
use crate::workflow::lint::look_for_keys;
use crate::workflow::plan::digest;
use crate::workflow::problem::{Problem, Severity, codes};
use crate::workflow::yaml::{Entry, Kind, Node, Span, parse};

/// The file's name.
pub(super) const FILE: &str = "hence.yaml";
/// The most a count in `limits` may be.
const COUNT_LIMIT: u32 = 10_000_000;

/// A connection whose secrets are not filled in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RawConnection {
    pub(super) connector: Arc<str>,
    pub(super) settings: Vec<Entry>,
}

/// What the file says.
#[derive(Debug)]
pub(super) struct ConfigFile {
    /// Of its text; nothing when there is no file.
    pub(super) digest: Option<String>,
    pub(super) listen: Option<String>,
    pub(super) public_url: Option<String>,
    pub(super) data: Option<PathBuf>,
    pub(super) store: Option<String>,
    pub(super) egress_allow: Vec<String>,
    pub(super) ca_files: Vec<PathBuf>,
    pub(super) connections: BTreeMap<String, RawConnection>,
    pub(super) retries: BTreeMap<String, Retry>,
    pub(super) limits: Limits,
    pub(super) trusted_proxies: TrustedProxies,
    pub(super) tls: Option<TlsWritten>,
    pub(super) retention: Retention,
    pub(super) log_format: Option<LogFormat>,
    pub(super) log_level: Option<String>,
    pub(super) shutdown: Duration,
}

impl Default for ConfigFile {
    fn default() -> Self {
        Self {
            digest: None,
            listen: None,
            public_url: None,
            data: None,
            store: None,
            egress_allow: Vec::new(),
            ca_files: Vec::new(),
            connections: BTreeMap::new(),
            retries: BTreeMap::new(),
            limits: Limits::default(),
            trusted_proxies: TrustedProxies::default(),
            tls: None,
            retention: Retention::default(),
            log_format: None,
            log_level: None,
            shutdown: Duration::from_secs(10),
        }
    }
}

/// Reads the file, if there is one.
pub(super) fn read(dir: &Path) -> (ConfigFile, Vec<Problem>) {
    let file: Arc<str> = FILE.into();
    let text = match std::fs::read_to_string(dir.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (ConfigFile::default(), Vec::new()),
        Err(error) => {
            let problem = Problem::error(codes::UNREADABLE_FILE, &file, Span::START, format!("{FILE} cannot be read: {error}"));
            return (ConfigFile::default(), vec![problem]);
        }
    };
    let (node, mut problems) = parse(&file, &text);
    let mut report = Report::new(file);
    let read = node.and_then(|node| read_root(&node, &mut report)).unwrap_or_default();
    let read = ConfigFile { digest: Some(digest(&text)), ..read };
    problems.extend(report.into_problems());
    // A server that worked yesterday is not kept from starting by it.
    let soften = |problem: Problem| if problem.code == codes::SECRET_IN_THE_OPEN { problem.severity(Severity::Warning) } else { problem };
    (read, problems.into_iter().map(soften).collect())
}

fn read_root(root: &Node, report: &mut Report) -> Option<ConfigFile> {
    look_for_keys(root, report);
    let mut fields = Fields::open(root, "hence.yaml", Span::START, report)?;
    let mut read = ConfigFile::default();
    let mut word = |key: &'static str, report: &mut Report| {
        fields.optional(key).and_then(|node| text(node, key, report)).map(|at| at.value.to_string())
    };
    read.listen = word("listen", report);
    read.data = word("data", report).map(PathBuf::from);
    read.store = word("store", report);
    if let Some(entry) = fields.entry("egress") {
        read_egress(entry, &mut read, report);
    }
    if let Some(entry) = fields.entry("connections") {
        read.connections = read_connections(entry, report);
    }
    if let Some(Kind::Map(entries)) = fields.optional("retries").map(|node| &node.kind) {
        let named = |entry: &Entry| Some((entry.key.to_string(), read_retry(&entry.value, entry.span, report)?));
        read.retries = entries.iter().filter_map(named).collect();
    }
    if let Some(entry) = fields.entry("limits") {
        read_limits(entry, &mut read.limits, report);
    }
    if let Some(entry) = fields.entry("retention") {
        read_retention(entry, &mut read.retention, report);
    }
    if let Some(entry) = fields.entry("log") {
        read_log(entry, &mut read, report);
    }
    if let Some(wait) = fields.optional("shutdown").and_then(|node| duration(node, "shutdown", report)) {
        read.shutdown = wait;
    }
    read.public_url = fields.optional("public_url").and_then(|node| public_url(node, report));
    read.tls = fields.entry("tls").and_then(|entry| front::read_tls(entry, report));
    read.trusted_proxies = fields.entry("trusted_proxies").map(|entry| front::read_proxies(entry, report)).unwrap_or_default();
    fields.close(report);
    Some(read)
}

/// Where people reach the server: links are made of it.
fn public_url(node: &Node, report: &mut Report) -> Option<String> {
    let found = text(node, "public_url", report)?;
    let uri = found.value.parse::<http::Uri>().ok();
    let fine = uri.is_some_and(|uri| {
        let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
        matches!(uri.scheme_str(), Some("http" | "https")) && is_plain && uri.query().is_none() && !found.value.contains('#')
    });
    if !fine {
        let message = format!("`{}` cannot be `public_url`", found.value);
        let help = "write the address at which people reach this server, http or https, without user, query and fragment: \
                    `public_url: https://hence.example.com`";
        report.error(codes::BAD_VALUE, found.span, message, help);
    }
    fine.then(|| found.value.trim_end_matches('/').to_owned())
}

fn read_egress(entry: &Entry, read: &mut ConfigFile, report: &mut Report) {
    let Some(mut fields) = Fields::open(&entry.value, "`egress`", entry.span, report) else { return };
    read.egress_allow = texts(&mut fields, "allow", report);
    read.ca_files = texts(&mut fields, "ca", report).into_iter().map(PathBuf::from).collect();
    fields.close(report);
}

fn texts(fields: &mut Fields<'_>, key: &'static str, report: &mut Report) -> Vec<String> {
    let items = fields.optional(key).and_then(|node| list(node, key, report)).unwrap_or_default();
    items.iter().filter_map(|node| text(node, key, report)).map(|at| at.value.to_string()).collect()
}

fn read_connections(entry: &Entry, report: &mut Report) -> BTreeMap<String, RawConnection> {
    let Kind::Map(entries) = &entry.value.kind else {
        report.error(
            codes::WRONG_TYPE,
            entry.span,
            "`connections` is a map of names and connections",
            "write `crm: {connector: http, base_url: …}`",
        );
        return BTreeMap::new();
    };
    let mut connections = BTreeMap::new();
    for entry in entries {
        let Some(mut fields) = Fields::open(&entry.value, "a connection", entry.span, report) else { continue };
        let connector = fields.required("connector", "http", report).and_then(|node| text(node, "connector", report));
        // The other keys are the connector's; it checks them itself.
        let settings = fields.unknown().cloned().collect();
        if let Some(connector) = connector {
            connections.insert(entry.key.to_string(), RawConnection { connector: connector.value, settings });
        }
    }
    connections
}

fn read_limits(entry: &Entry, limits: &mut Limits, report: &mut Report) {
    let Some(mut fields) = Fields::open(&entry.value, "`limits`", entry.span, report) else { return };
    if let Some(bytes) = fields.optional("body").and_then(|node| size(node, "body", report)) {
        limits.body_bytes = bytes;
    }
    if let Some(bytes) = fields.optional("disk_free").and_then(|node| size(node, "disk_free", report)) {
        limits.disk_free_bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    }
    let mut count = |key: &'static str, report: &mut Report| {
        let found = fields.optional(key).and_then(|node| whole(node, key, 1..=COUNT_LIMIT, report));
        found.and_then(|count| usize::try_from(count).ok())
    };
    limits.backlog = count("backlog", report).unwrap_or(limits.backlog);
    limits.driving = count("running", report).unwrap_or(limits.driving);
    limits.callers = count("callers", report).unwrap_or(limits.callers);
    limits.front.connections = count("connections", report).unwrap_or(limits.front.connections);
    front::read_limits(&mut fields, &mut limits.front, report);
    fields.close(report);
}

/// What may grow without a bound.
const UNLIMITED: &str = "unlimited";

fn read_retention(entry: &Entry, retention: &mut Retention, report: &mut Report) {
    let Some(mut fields) = Fields::open(&entry.value, "`retention`", entry.span, report) else { return };
    if let Some(age) = fields.entry("age").and_then(|entry| read_keep(entry, "`age`", report)) {
        let Keep { succeeded, failed, canceled } = retention.runs;
        retention.runs =
            Keep { succeeded: age.succeeded.or(succeeded), failed: age.failed.or(failed), canceled: age.canceled.or(canceled) };
        // Where nobody says, events go like most runs.
        retention.events = retention.runs.succeeded.unwrap_or(retention.events);
    }
    if let Some(events) = fields.optional("events").and_then(|node| read_kept(node, "events", report)) {
        retention.events = events;
    }
    if let Some(node) = fields.optional("bytes") {
        if node.as_text() == Some(UNLIMITED) {
            retention.bytes = None;
        } else if let Some(bytes) = size(node, "bytes", report) {
            retention.bytes = Some(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }
    fields.close(report);
}

fn read_log(entry: &Entry, read: &mut ConfigFile, report: &mut Report) {
    let Some(mut fields) = Fields::open(&entry.value, "`log`", entry.span, report) else { return };
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    read.log_format = fields.optional("format").and_then(|node| choice(node, "format", &formats, report));
    read.log_level = fields.optional("level").and_then(|node| text(node, "level", report)).map(|at| at.value.to_string());
    fields.close(report);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::workflow::Kept;

    fn retention(text: &str) -> (Retention, Vec<&'static str>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), format!("retention: {text}\n")).unwrap();
        let (file, problems) = read(folder.path());
        (file.retention, problems.iter().map(|problem| problem.code).collect())
    }

    #[test]
    fn retention_is_on_and_can_be_said_by_how_a_run_ended() {
        let days = |days: u64| Kept::For(Duration::from_secs(days * 86_400));
        assert_eq!(ConfigFile::default().retention, Retention { runs: Keep::all(days(30)), events: days(30), bytes: Some(10 << 30) });
        let (read, problems) = retention("{age: {succeeded: 7d, failed: forever}, bytes: 1GiB}");
        let runs = Keep { succeeded: Some(days(7)), failed: Some(Kept::Forever), canceled: Some(days(30)) };
        assert_eq!((read, problems), (Retention { runs, events: days(7), bytes: Some(1 << 30) }, vec![]));
        let (read, problems) = retention("{age: forever, events: 2d, bytes: unlimited}");
        assert_eq!((read, problems), (Retention { runs: Keep::all(Kept::Forever), events: days(2), bytes: None }, vec![]));
    }

    #[test]
    fn what_is_wrong_with_a_retention_is_told() {
        let (read, problems) = retention("{age: {succeeded: a while}, events: 0s, bytes: plenty, disk: 1GiB}");
        assert_eq!(read, Retention::default());
        assert_eq!(problems, [codes::BAD_DURATION, codes::BAD_DURATION, codes::BAD_SIZE, codes::UNKNOWN_KEY]);
    }
}
