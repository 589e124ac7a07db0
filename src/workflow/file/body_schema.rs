//! `schema` of a trigger: a file in `schemas/`, or the schema itself.

use std::sync::Arc;

use super::{At, Report};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Kind, Node};

/// `schema` as written.
#[derive(Debug, Clone, PartialEq)]
pub enum BodySchemaFile {
    /// `schemas/lead.json`, or what is meant to be one: whether it is there, the catalog knows.
    File(At<Arc<str>>),
    /// A map.
    Inline(Node),
}

/// What `schema` may be.
pub const SCHEMA_HELP: &str = "write `schema: schemas/lead.json`, or the schema itself, as in `schema: {required: [email]}`";

pub(super) fn read(node: &Node, report: &mut Report) -> Option<BodySchemaFile> {
    match &node.kind {
        Kind::Map(_) => Some(BodySchemaFile::Inline(node.clone())),
        Kind::Text => Some(BodySchemaFile::File(At { value: Arc::clone(&node.raw), span: node.span })),
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::List(_) => {
            report.error(codes::WRONG_TYPE, node.span, format!("`schema` is a file or a map, not {}", node.kind_name()), SCHEMA_HELP);
            None
        }
    }
}
