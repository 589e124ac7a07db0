//! Which connectors there are, which accounts they may use, and what is wrong with a call before it is made.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Connector;
use super::nearest::nearest;
use crate::domain::Map;
use crate::domain::failure::{Failure, FailureKind};

/// A named account for a connector.
#[derive(Clone, PartialEq)]
pub struct Connection {
    /// The connector it is for.
    pub connector: Arc<str>,
    /// Its settings, secrets filled in.
    pub settings: Arc<Map>,
}

/// Settings hold secrets, so they are not shown.
impl fmt::Debug for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connection").field("connector", &self.connector).finish_non_exhaustive()
    }
}

/// Why `call: connector.action` with `using` cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallProblem {
    /// There is no such connector.
    #[error("there is no connector `{name}`{}; there are: {}", did_you_mean(.nearest.as_deref()), list(valid))]
    UnknownConnector {
        /// As written.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// All there are.
        valid: Vec<String>,
    },
    /// The connector has no such action.
    #[error("`{connector}` has no action `{name}`{}; it has: {}", did_you_mean(.nearest.as_deref()), list(valid))]
    UnknownAction {
        /// The connector.
        connector: String,
        /// As written.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// All it has.
        valid: Vec<String>,
    },
    /// There is no such connection.
    #[error("there is no connection `{name}`{}; add it under `connections:` in hence.yaml", did_you_mean(.nearest.as_deref()))]
    UnknownConnection {
        /// As written.
        name: String,
        /// What was probably meant: a connection of this connector.
        nearest: Option<String>,
    },
    /// The connection is for another connector.
    #[error("the connection `{name}` is for `{connector}`, not for `{wanted}`{}", did_you_mean(.nearest.as_deref()))]
    WrongConnector {
        /// As written.
        name: String,
        /// What it is for.
        connector: String,
        /// What the step calls.
        wanted: String,
        /// The connection of the wanted connector, if there is just one.
        nearest: Option<String>,
    },
}

/// All connectors and connections. Built at load, read by every call.
pub struct Registry {
    connectors: BTreeMap<&'static str, Arc<dyn Connector>>,
    connections: BTreeMap<String, Connection>,
    no_settings: Arc<Map>,
}

impl Registry {
    /// Of two connectors with one name the later counts.
    #[must_use]
    pub fn new(connectors: Vec<(&'static str, Arc<dyn Connector>)>, connections: BTreeMap<String, Connection>) -> Self {
        Self { connectors: connectors.into_iter().collect(), connections, no_settings: Arc::default() }
    }

    /// The connector, and the settings to call it with: those of `using`, else those of the connection
    /// named like the connector, else none.
    ///
    /// # Errors
    /// `BadInput` when either does not exist or they do not go together.
    pub fn resolve(&self, connector: &str, using: Option<&str>) -> Result<(Arc<dyn Connector>, Arc<Map>), Failure> {
        self.find(connector, using).map_err(|problem| Failure::new(FailureKind::BadInput, problem.to_string()))
    }

    /// Whether a call can work, as far as can be known when the workflow is loaded.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, connector: &str, action: &str, using: Option<&str>) -> Result<(), CallProblem> {
        let actions = self.connector(connector)?.actions();
        if !actions.contains(&action) {
            return Err(CallProblem::UnknownAction {
                connector: connector.to_owned(),
                name: action.to_owned(),
                nearest: nearest(action, actions.iter().copied()).map(str::to_owned),
                valid: actions.iter().map(|&action| action.to_owned()).collect(),
            });
        }
        self.find(connector, using).map(|_found| ())
    }

    /// The names of the connectors and their actions, sorted by name.
    pub fn connectors(&self) -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
        self.connectors.iter().map(|(name, connector)| (*name, connector.actions()))
    }

    fn find(&self, connector: &str, using: Option<&str>) -> Result<(Arc<dyn Connector>, Arc<Map>), CallProblem> {
        let found = self.connector(connector)?;
        let settings = match using {
            Some(name) => &self.connection(name, connector)?.settings,
            None => match self.connections.get(connector) {
                Some(default) if &*default.connector == connector => &default.settings,
                Some(_) | None => &self.no_settings,
            },
        };
        Ok((Arc::clone(found), Arc::clone(settings)))
    }

    fn connector(&self, name: &str) -> Result<&Arc<dyn Connector>, CallProblem> {
        self.connectors.get(name).ok_or_else(|| CallProblem::UnknownConnector {
            name: name.to_owned(),
            nearest: nearest(name, self.connectors.keys().copied()).map(str::to_owned),
            valid: self.connectors.keys().map(|&name| name.to_owned()).collect(),
        })
    }

    fn connection(&self, name: &str, connector: &str) -> Result<&Connection, CallProblem> {
        let mut fitting = self.connections.iter().filter(|(_, c)| &*c.connector == connector).map(|(name, _)| name.as_str());
        match self.connections.get(name) {
            Some(connection) if &*connection.connector == connector => Ok(connection),
            Some(other) => Err(CallProblem::WrongConnector {
                name: name.to_owned(),
                connector: other.connector.to_string(),
                wanted: connector.to_owned(),
                nearest: fitting.next().filter(|_| fitting.next().is_none()).map(str::to_owned),
            }),
            None => Err(CallProblem::UnknownConnection { name: name.to_owned(), nearest: nearest(name, fitting).map(str::to_owned) }),
        }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!(", did you mean `{nearest}`?")).unwrap_or_default()
}

fn list(names: &[String]) -> String {
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;
    use serde_json::json;

    use super::*;
    use crate::connector::Request;
    use crate::domain::Value;

    struct Silent(&'static [&'static str]);

    impl Connector for Silent {
        fn actions(&self) -> &'static [&'static str] {
            self.0
        }

        fn call(&self, _request: Request) -> BoxFuture<'_, Result<Value, Failure>> {
            Box::pin(std::future::ready(Ok(Value::Null)))
        }
    }

    fn registry() -> Registry {
        let connection = |connector: &str, token: &str| Connection {
            connector: connector.into(),
            settings: Arc::new(json!({"token": token}).as_object().cloned().unwrap()),
        };
        Registry::new(
            vec![("http", Arc::new(Silent(&["get", "post"]))), ("smtp", Arc::new(Silent(&["send"])))],
            [("crm", connection("http", "c")), ("smtp", connection("smtp", "s")), ("post", connection("smtp", "p"))]
                .map(|(name, connection)| (name.to_owned(), connection))
                .into(),
        )
    }

    fn check(connector: &str, action: &str, using: Option<&str>, expected: &str) {
        let said = registry().check(connector, action, using).err().map(|problem| problem.to_string()).unwrap_or_default();
        assert_eq!(said, expected);
    }

    #[test]
    fn what_is_wrong_with_a_call_is_said_with_what_would_be_right() {
        check("http", "get", None, "");
        check("http", "get", Some("crm"), "");
        check("htpp", "get", None, "there is no connector `htpp`, did you mean `http`?; there are: http, smtp");
        check("http", "pots", None, "`http` has no action `pots`, did you mean `post`?; it has: get, post");
        check("http", "list", None, "`http` has no action `list`; it has: get, post");
        check("http", "get", Some("crn"), "there is no connection `crn`, did you mean `crm`?; add it under `connections:` in hence.yaml");
        check("http", "get", Some("smtp"), "the connection `smtp` is for `smtp`, not for `http`, did you mean `crm`?");
        check("smtp", "send", Some("crm"), "the connection `crm` is for `http`, not for `smtp`");
    }

    #[test]
    fn the_connection_named_like_the_connector_is_the_default() {
        let token = |connector, using| registry().resolve(connector, using).map(|(_, settings)| settings.get("token").cloned());
        assert_eq!(token("http", None), Ok(None));
        assert_eq!(token("http", Some("crm")), Ok(Some(json!("c"))));
        assert_eq!(token("smtp", None), Ok(Some(json!("s"))));
        assert_eq!(token("smtp", Some("post")), Ok(Some(json!("p"))));
        assert_eq!(token("smtp", Some("gone")).unwrap_err().kind, FailureKind::BadInput);
    }

    #[test]
    fn settings_are_not_shown() {
        assert!(!format!("{:?}", registry().connections).contains("token"));
    }
}
