//! `schema` of a trigger: a file in `schemas/`, or the schema itself.

use std::sync::Arc;

use super::{At, Report};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Kind, Node};

/// `schema` as written.
#[derive(Debug, Clone, PartialEq)]
pub enum BodySchemaFile {
    /// `schemas/lead.json`.
    File(At<Arc<str>>),
    /// A map.
    Inline(Node),
}

pub(super) fn read(node: &Node, report: &mut Report) -> Option<BodySchemaFile> {
    let help = "write `schema: schemas/lead.json`, or the schema itself, as in `schema: {required: [email]}`";
    match &node.kind {
        Kind::Map(_) => Some(BodySchemaFile::Inline(node.clone())),
        Kind::Text if node.raw.starts_with("schemas/") && node.raw.ends_with(".json") => {
            Some(BodySchemaFile::File(At { value: Arc::clone(&node.raw), span: node.span }))
        }
        Kind::Text => {
            report.error(codes::BAD_VALUE, node.span, format!("`{}` is not a file in schemas/ that ends in .json", node.raw), help);
            None
        }
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::List(_) => {
            report.error(codes::WRONG_TYPE, node.span, format!("`schema` is a file or a map, not {}", node.kind_name()), help);
            None
        }
    }
}
