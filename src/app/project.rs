//! The project folder → a catalog, checked against the connectors, connections and secrets there are.

use std::path::Path;
use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, Flags};
use crate::connector::egress::Egress;
use crate::connector::http::{HttpConnector, HttpSettings};
use crate::connector::registry::CallProblem;
use crate::connector::{Connector, Registry};
use crate::domain::secret::Secrets;
use crate::executor::Rebuild;
use crate::script::Limits;
use crate::store::{RevisionFiles, Store, StoreError};
use crate::workflow::catalog::{Catalog, SourceFile, Sources};
use crate::workflow::compile::{Context, TargetProblem};
use crate::workflow::problem::{Problem, Severity, codes};
use crate::workflow::selftest::{self, TestFile};

/// What `check` found.
#[derive(Debug)]
pub struct Checked {
    /// How many workflows are good.
    pub workflows: usize,
    /// Everything that is wrong, file by file.
    pub problems: Vec<Problem>,
}

/// A project as far as it can be known without starting anything.
pub(super) struct Examined {
    pub(super) config: Config,
    pub(super) registry: Registry,
    pub(super) catalog: Catalog,
    pub(super) tests: Vec<(SourceFile, Option<TestFile>)>,
    pub(super) problems: Vec<Problem>,
}

/// Checks a project folder, test files included, without starting anything. A secret that is not set and a file of `tls` that is
/// not there are warnings here: the machine that checks is seldom the one that serves.
#[must_use]
pub fn check(dir: &Path) -> Checked {
    let Examined { catalog, problems, .. } = examine(dir);
    Checked { workflows: catalog.workflows().len(), problems }
}

/// Reads everything that a project folder holds.
pub(super) fn examine(dir: &Path) -> Examined {
    let (config, mut problems) = config::load(dir, Flags::default());
    for problem in &mut problems {
        if matches!(problem.code, codes::MISSING_SECRET | codes::MISSING_CERTIFICATE) {
            problem.severity = Severity::Warning;
        }
    }
    let http: Arc<dyn Connector> = match http(&config) {
        Ok(http) => http,
        Err(error) => {
            let file = Arc::from("hence.yaml");
            problems.push(Problem::error(codes::BAD_VALUE, &file, crate::workflow::yaml::Span::START, error));
            Arc::new(NoHttp)
        }
    };
    let registry = Registry::new(vec![("http", http)], config.connections.clone());
    let (sources, unread) = Sources::read(dir);
    problems.extend(unread);
    let (catalog, found) = build(&sources, &config, Severity::Warning, &registry);
    problems.extend(found);
    let (tests, found) = selftest::read_all(dir, &sources);
    problems.extend(found);
    Examined { config, registry, catalog, tests, problems }
}

/// Stands in for a connector whose settings cannot be used, so that the rest can be checked.
struct NoHttp;

impl Connector for NoHttp {
    fn actions(&self) -> &'static [&'static str] {
        crate::connector::http::ACTIONS
    }

    fn call(
        &self,
        _request: crate::connector::Request,
    ) -> futures_util::future::BoxFuture<'_, Result<crate::domain::Value, crate::domain::failure::Failure>> {
        use crate::domain::failure::{Failure, FailureKind};
        Box::pin(async { Err(Failure::new(FailureKind::Internal, "this connector only checks")) })
    }
}

/// The way out, as configured.
pub(super) fn http(config: &Config) -> Result<Arc<dyn Connector>, String> {
    let egress = Egress::new(&config.egress_allow).map_err(|error| format!("egress.allow: {error}"))?;
    let read = |path: &std::path::PathBuf| std::fs::read(path).map_err(|error| format!("egress.ca: {}: {error}", path.display()));
    let extra_root_pems = config.ca_files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(HttpConnector::new(HttpSettings { egress, extra_root_pems, ..HttpSettings::default() })?))
}

/// Reads the project's files and builds the set to serve.
pub(super) fn load(config: &Config, registry: &Registry) -> (Catalog, Vec<Problem>) {
    let (sources, mut problems) = Sources::read(&config.dir);
    let (catalog, found) = build(&sources, config, Severity::Error, registry);
    problems.extend(found);
    (catalog, problems)
}

fn build(sources: &Sources, config: &Config, missing_secret: Severity, registry: &Registry) -> (Catalog, Vec<Problem>) {
    let check_target = target_check(registry);
    let context = Context {
        limits: &Limits::default(),
        retries: &config.retries,
        check_target: &check_target,
        secrets: &config.secrets,
        public_url: config.public_url.as_deref(),
        missing_secret,
        rebuilds: false,
        lint_at: Some(SystemClock.now()),
    };
    Catalog::build(sources, &context)
}

fn target_check(registry: &Registry) -> impl Fn(&str, &str, Option<&str>) -> Result<(), TargetProblem> + '_ {
    |connector, action, using| {
        registry.check(connector, action, using).map_err(|problem| {
            let code = match problem {
                CallProblem::UnknownConnector { .. } => codes::UNKNOWN_CONNECTOR,
                CallProblem::UnknownAction { .. } => codes::UNKNOWN_ACTION,
                CallProblem::UnknownConnection { .. } | CallProblem::WrongConnector { .. } => codes::UNKNOWN_CONNECTION,
            };
            TargetProblem { code, message: problem.to_string(), help: None }
        })
    }
}

/// Compiles a stored revision, for runs in flight after the files changed. Whether its targets and
/// secrets still exist is left to the run: its finished steps must not be held up by that.
pub(super) fn rebuild(config: &Config) -> Rebuild {
    let (retries, none) = (config.retries.clone(), Secrets::default());
    Box::new(move |files| {
        let context = Context {
            limits: &Limits::default(),
            retries: &retries,
            check_target: &|_, _, _| Ok(()),
            secrets: &none,
            public_url: None,
            missing_secret: Severity::Warning,
            rebuilds: true,
            lint_at: None,
        };
        Catalog::rebuild(files, &context)
    })
}

/// Stores what every workflow is made of, before the first event can start a run of it.
pub(super) async fn store_revisions(store: &dyn Store, catalog: &Catalog) -> Result<(), StoreError> {
    for loaded in catalog.workflows() {
        store.put_revision(loaded.workflow.revision, RevisionFiles { files: loaded.files.clone() }).await?;
    }
    Ok(())
}

/// Says what is served and what is wrong, one line each.
pub(super) fn log(catalog: &Catalog, problems: &[Problem]) {
    for Problem { severity, code, file, line, column, message, .. } in problems {
        match severity {
            Severity::Error => tracing::error!(code, "{file}:{line}:{column}: {message}; see `hence check`"),
            Severity::Warning => tracing::warn!(code, "{file}:{line}:{column}: {message}"),
        }
    }
    if catalog.workflows().len() == 0 && problems.is_empty() {
        tracing::warn!("there is no workflow in `workflows/` of this folder; is it the right one? `hence init` writes a project that runs");
    }
    tracing::info!(
        workflows = catalog.workflows().len(),
        hooks = catalog.routes().len(),
        schedules = catalog.schedules().len(),
        "workflows loaded"
    );
}
