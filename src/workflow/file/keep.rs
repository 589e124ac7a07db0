//! How long finished runs are kept: `keep` of a workflow, `retention.age` of hence.yaml.

use super::{Fields, Report};
use crate::domain::time::parse_duration;
use crate::domain::workflow::{Keep, Kept};
use crate::workflow::problem::codes;
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
    let text = node.as_text().unwrap_or_default();
    if text == FOREVER {
        return Some(Kept::Forever);
    }
    let kept = parse_duration(text).ok().filter(|age| !age.is_zero());
    if kept.is_none() {
        let message = format!("`{key}` is a duration longer than nothing, or `{FOREVER}`");
        report.error(codes::BAD_DURATION, node.span, message, format!("write `{key}: 30d` or `{key}: {FOREVER}`"));
    }
    kept.map(Kept::For)
}
