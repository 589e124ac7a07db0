//! How long finished runs are kept: `keep` of a workflow, `retention.age` of hence.yaml.

use super::read::some_duration;
use super::{Fields, Report};
use crate::domain::workflow::{Keep, Kept};
use crate::workflow::yaml::{Entry, Kind, Node};

/// What is kept until a person takes it away.
pub(crate) const FOREVER: &str = "forever";

/// `30d`, `forever` or `{succeeded: 7d, failed: 90d, canceled: 7d}`.
pub(crate) fn read_keep(entry: &Entry, what: &'static str, report: &mut Report) -> Option<Keep> {
    if !matches!(entry.value.kind, Kind::Map(_)) {
        return read_kept(&entry.value, &entry.key, report).map(Keep::all);
    }
    let mut fields = Fields::open(&entry.value, what, entry.span, report)?;
    let mut of = |key: &'static str| fields.optional(key).and_then(|node| read_kept(node, key, report));
    let keep = Keep { succeeded: of("succeeded"), failed: of("failed"), canceled: of("canceled") };
    fields.close(report);
    Some(keep)
}

/// A duration or `forever`.
pub(crate) fn read_kept(node: &Node, key: &str, report: &mut Report) -> Option<Kept> {
    if node.as_text() == Some(FOREVER) {
        return Some(Kept::Forever);
    }
    some_duration(node, key, report).map(Kept::For)
}
