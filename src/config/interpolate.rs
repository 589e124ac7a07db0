//! Connections: settings in which `${secrets.NAME}` stands for a secret, and nothing else may.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::file::{FILE, RawConnection};
use crate::connector::registry::Connection;
use crate::domain::secret::Secrets;
use crate::domain::{Map, Value};
use crate::workflow::plan::{ConnectionOutline, digest};
use crate::workflow::problem::{Problem, codes};
use crate::workflow::words;
use crate::workflow::yaml::{Kind, Node};

pub(super) fn connections(
    raw: BTreeMap<String, RawConnection>,
    secrets: &Secrets,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Connection> {
    let mut fill = Fill { secrets, problems };
    let connection = |(name, raw): (String, RawConnection)| {
        let settings: Map = raw.settings.iter().map(|entry| (entry.key.to_string(), fill.value(&entry.value))).collect();
        (name, Connection { connector: raw.connector, settings: Arc::new(settings) })
    };
    raw.into_iter().map(connection).collect()
}

/// The connections as a plan compares them: without their settings.
pub(super) fn outlines(raw: &BTreeMap<String, RawConnection>) -> Vec<ConnectionOutline> {
    let outline = |(name, raw): (&String, &RawConnection)| {
        let mut secrets = BTreeSet::new();
        let settings: Map = raw.settings.iter().map(|entry| (entry.key.to_string(), written(&entry.value))).collect();
        for entry in &raw.settings {
            entry.value.for_each_text(&mut |text| secrets.extend(secrets_in(&text.raw)));
        }
        let digest = digest(&Value::Object(settings).to_string());
        ConnectionOutline { name: name.clone(), connector: raw.connector.to_string(), secrets, digest }
    };
    raw.iter().map(outline).collect()
}

fn secrets_in(text: &str) -> impl Iterator<Item = String> {
    let holes = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    holes.filter_map(|(hole, _)| hole.trim().strip_prefix("secrets.").map(str::to_owned))
}

/// A setting as written.
fn written(node: &Node) -> Value {
    match &node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text => Value::from(&*node.raw),
        Kind::List(items) => items.iter().map(written).collect(),
        Kind::Map(entries) => Value::Object(entries.iter().map(|entry| (entry.key.to_string(), written(&entry.value))).collect()),
    }
}

struct Fill<'a> {
    secrets: &'a Secrets,
    problems: &'a mut Vec<Problem>,
}

impl Fill<'_> {
    fn value(&mut self, node: &Node) -> Value {
        match &node.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Int(value) => Value::from(*value),
            Kind::Float(value) => Value::from(*value),
            Kind::Text => Value::String(self.text(node)),
            Kind::List(items) => items.iter().map(|item| self.value(item)).collect(),
            Kind::Map(entries) => Value::Object(entries.iter().map(|e| (e.key.to_string(), self.value(&e.value))).collect()),
        }
    }

    fn text(&mut self, node: &Node) -> String {
        let mut out = String::with_capacity(node.raw.len());
        let mut rest: &str = &node.raw;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((hole, after)) = after.split_once('}') else {
                self.wrong(node, codes::BAD_VALUE, "`${` has no `}`".to_owned(), "write `${secrets.NAME}`".to_owned());
                return out;
            };
            match hole.trim().strip_prefix("secrets.") {
                Some(name) => match self.secrets.get(name) {
                    Some(secret) => out.push_str(secret.expose()),
                    None => self.missing(node, name),
                },
                None => {
                    let help = "a connection can hold `${secrets.NAME}`; everything else belongs into the step's `with`".to_owned();
                    self.wrong(node, codes::BAD_VALUE, format!("`${{{hole}}}` cannot stand in a connection"), help);
                }
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn missing(&mut self, node: &Node, name: &str) {
        let near = words::nearest(name, self.secrets.names()).map(|near| format!(" (there is `{near}`)")).unwrap_or_default();
        let help = format!("set HENCE_SECRET_{name}, or add {name}=… to secrets.env{near}");
        self.wrong(node, codes::MISSING_SECRET, format!("the secret `{name}` is not set"), help);
    }

    fn wrong(&mut self, node: &Node, code: &'static str, message: String, help: String) {
        self.problems.push(Problem::error(code, &Arc::from(FILE), node.span, message).help(help));
    }
}
