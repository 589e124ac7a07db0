//! The environment: `HENCE_ADMIN_TOKEN`, `HENCE_LOG`, `HENCE_URL`, `HENCE_CA`, `HENCE_SECRET_NAME`, `HENCE_SECRETS_DIR`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::domain::secret::Secret;

const SECRET_PREFIX: &str = "HENCE_SECRET_";

/// What the environment says.
#[derive(Debug, Default)]
pub(super) struct Environment {
    pub(super) admin_token: Option<Secret>,
    pub(super) log: Option<String>,
    pub(super) url: Option<String>,
    pub(super) ca: Option<PathBuf>,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) secrets_dir: Option<PathBuf>,
}

impl Environment {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub(super) fn read() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let named = |(name, value): (String, String)| name.strip_prefix(SECRET_PREFIX).map(|name| (name.to_owned(), Secret::new(value)));
        // `vars_os`: a variable of somebody else that is not UTF-8 must not stop us.
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self {
            admin_token: set("HENCE_ADMIN_TOKEN").map(Secret::new),
            log: set("HENCE_LOG"),
            url: set("HENCE_URL"),
            ca: set("HENCE_CA").map(PathBuf::from),
            secrets: variables.filter_map(named).collect(),
            secrets_dir: set("HENCE_SECRETS_DIR").map(PathBuf::from),
        }
    }
}
