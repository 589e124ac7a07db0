//! What becomes of each route, and what senders notice of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::triggers::verified;
use super::words::UNVERIFIED;
use super::{Change, WorkflowOutline};
use crate::workflow::compile::path::shape;

/// What becomes of a path and method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteChange {
    /// New, other or gone.
    pub change: Change,
    /// In upper case.
    pub method: String,
    /// `/hooks/orders/{id}`
    pub path: String,
    /// How the sender is known; of one that is gone, was.
    pub verify: String,
    /// How the sender was known, where that is another way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_before: Option<String>,
    /// The workflows that it starts; of one that is gone, started.
    pub workflows: BTreeSet<String>,
    /// The workflows that it started, where those were others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflows_before: Option<BTreeSet<String>>,
    /// What a sender will notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}

/// A path and method that is served.
#[derive(Debug)]
struct Served<'w> {
    path: &'w str,
    verify: &'w str,
    secrets: &'w BTreeSet<String>,
    workflows: BTreeSet<String>,
}

/// By shape of the path and method. All workflows on one of them verify its senders in the same way.
type Routes<'w> = BTreeMap<(String, &'w str), Served<'w>>;

fn routes<'w>(workflows: impl Iterator<Item = &'w WorkflowOutline>) -> Routes<'w> {
    let mut found = Routes::new();
    for workflow in workflows {
        for route in workflow.triggers.iter().filter_map(|trigger| trigger.route.as_ref()) {
            let (shape, _) = shape(&route.path);
            for method in &route.methods {
                let served = found.entry((shape.clone(), method.as_str())).or_insert_with(|| Served {
                    path: &route.path,
                    verify: &route.verify,
                    secrets: &route.secrets,
                    workflows: BTreeSet::new(),
                });
                served.workflows.insert(workflow.name.clone());
            }
        }
    }
    found
}

/// The routes that change, by path.
pub(super) fn changes<'w>(
    before: impl Iterator<Item = &'w WorkflowOutline>,
    after: impl Iterator<Item = &'w WorkflowOutline>,
) -> Vec<RouteChange> {
    let (before, after) = (routes(before), routes(after));
    let keys: BTreeSet<&(String, &str)> = before.keys().chain(after.keys()).collect();
    let change = |key: &(String, &str)| match (before.get(key), after.get(key)) {
        (Some(old), Some(new)) => changed(key.1, old, new),
        (Some(gone), None) => {
            let effect = Some(without(key.1, gone.path, &after));
            Some(RouteChange { effect, ..whole(Change::Removed, key.1, gone) })
        }
        (None, Some(added)) => {
            let effect = (added.verify == UNVERIFIED).then(|| "anybody may call it".to_owned());
            Some(RouteChange { effect, ..whole(Change::Added, key.1, added) })
        }
        (None, None) => None,
    };
    keys.into_iter().filter_map(change).collect()
}

fn whole(change: Change, method: &str, served: &Served<'_>) -> RouteChange {
    RouteChange {
        change,
        method: method.to_owned(),
        path: served.path.to_owned(),
        verify: verified(served.verify, served.secrets),
        verify_before: None,
        workflows: served.workflows.clone(),
        workflows_before: None,
        effect: None,
    }
}

fn changed(method: &str, old: &Served<'_>, new: &Served<'_>) -> Option<RouteChange> {
    let (was, is) = (verified(old.verify, old.secrets), verified(new.verify, new.secrets));
    if was == is && old.workflows == new.workflows {
        return None;
    }
    let effect = if was == is { None } else { noticed(old, new) };
    Some(RouteChange {
        verify_before: Some(was).filter(|was| *was != is),
        workflows_before: Some(old.workflows.clone()).filter(|workflows| *workflows != new.workflows),
        effect,
        ..whole(Change::Changed, method, new)
    })
}

/// What senders notice of another `verify`.
fn noticed(old: &Served<'_>, new: &Served<'_>) -> Option<String> {
    if new.verify == UNVERIFIED {
        return Some("anybody may call it from then on".to_owned());
    }
    if old.verify == UNVERIFIED {
        return Some("senders that cannot be verified so get 401 from then on".to_owned());
    }
    if old.verify != new.verify {
        return Some("senders that are verified the way before get 401 from then on".to_owned());
    }
    let dropped: Vec<&str> = old.secrets.difference(new.secrets).map(String::as_str).collect();
    (!dropped.is_empty()).then(|| format!("senders that use {} get 401 from then on", dropped.join(" or ")))
}

/// What answers a path and method that is gone: another route may fit it.
fn without(method: &str, path: &str, after: &Routes<'_>) -> String {
    let others = after.iter().filter(|((shape, _), _)| fits(shape, path));
    // Of two that fit, the one with fewer parameters is taken.
    let taker = others.clone().filter(|((_, other), _)| *other == method).min_by_key(|((shape, _), _)| shape.matches('{').count());
    match taker {
        Some((_, other)) => {
            let names: Vec<&str> = other.workflows.iter().map(String::as_str).collect();
            format!("{} takes it from then on, for {}", other.path, names.join(", "))
        }
        None if others.count() == 0 => "senders get 404 from then on".to_owned(),
        None => "senders get 405 from then on".to_owned(),
    }
}

/// Whether what is sent to `path` is served by the route of this shape.
fn fits(shape: &str, path: &str) -> bool {
    let fit = |(pattern, segment): (&str, &str)| match (pattern.split_once('{'), segment.contains('{')) {
        (None, _) => pattern == segment,
        // A parameter can hold anything: a whole segment takes that, a part of one may not.
        (Some((start, rest)), true) => start.is_empty() && rest.ends_with('}'),
        (Some((start, rest)), false) => {
            let end = rest.rsplit_once('}').map_or("", |(_, end)| end);
            start.len() + end.len() < segment.len() && segment.starts_with(start) && segment.ends_with(end)
        }
    };
    let same_length = shape.split('/').count() == path.split('/').count();
    same_length && shape.split('/').zip(path.split('/')).all(fit)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_path_fits_the_routes_that_would_serve_it() {
        let check = |shape: &str, path: &str, expected: bool| assert_eq!(fits(shape, path), expected, "{shape} {path}");
        check("/hooks/orders/{p0}", "/hooks/orders/new", true);
        check("/hooks/orders/{p0}", "/hooks/orders/{id}", true);
        check("/hooks/orders/{p0}", "/hooks/orders", false);
        check("/hooks/orders/new", "/hooks/orders/{id}", false);
        check("/hooks/img-{p0}.png", "/hooks/img-7.png", true);
        check("/hooks/img-{p0}.png", "/hooks/img-.png", false);
        check("/hooks/img-{p0}.png", "/hooks/{name}", false);
        check("/hooks/a/{p0}", "/hooks/b/c", false);
    }
}
