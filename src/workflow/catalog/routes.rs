//! Which workflows serve a path: one router, built at load.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use matchit::{InsertError, Router};

use super::{Loaded, Problem, codes};
use crate::domain::workflow::{Reply, Webhook};
use crate::workflow::compile::path::{is_plain, shape};
use crate::workflow::yaml::Span;

/// One webhook trigger on a route.
#[derive(Debug, Clone)]
pub struct Hook {
    /// The workflow.
    pub loaded: Arc<Loaded>,
    /// The trigger's place in its `when`.
    pub trigger: usize,
    /// What has been used of its rate; intake counts in it. The first hook of a path and method counts for all.
    pub used: Arc<AtomicU64>,
    /// What its path calls the parameters.
    names: Vec<Arc<str>>,
}

impl Hook {
    /// The trigger.
    #[must_use]
    pub fn webhook(&self) -> Option<&Webhook> {
        self.loaded.webhook(self.trigger)
    }
}

/// What is served at one path, method by method.
#[derive(Debug, Clone)]
pub struct Route {
    shape: String,
    methods: BTreeMap<Arc<str>, Vec<Hook>>,
}

impl Route {
    /// The triggers of a method, in upper case. They all check the sender in the same way.
    #[must_use]
    pub fn hooks(&self, method: &str) -> &[Hook] {
        self.methods.get(method).map(Vec::as_slice).unwrap_or_default()
    }

    /// The methods it takes, for `Allow`.
    pub fn methods(&self) -> impl Iterator<Item = &str> {
        self.methods.keys().map(|method| &**method)
    }
}

/// A path that is served, and what stands in the place of its parameters.
#[derive(Debug, Clone)]
pub struct RouteMatch<'c> {
    /// What serves it.
    pub route: &'c Route,
    values: Vec<String>,
}

impl RouteMatch<'_> {
    /// The parameters under the names that this trigger's path gives them.
    #[must_use]
    pub fn params(&self, hook: &Hook) -> Vec<(String, String)> {
        hook.names.iter().map(|name| name.to_string()).zip(self.values.iter().cloned()).collect()
    }
}

/// All routes.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<usize>,
    by_shape: BTreeMap<String, usize>,
    routes: Vec<Route>,
}

impl fmt::Debug for Routes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.by_shape.keys()).finish()
    }
}

/// The first key in which two hooks on one path and method differ, of those that say what becomes of
/// a request before any workflow is looked at.
fn differs(a: &Webhook, b: &Webhook) -> Option<&'static str> {
    let repeats = |hook: &Webhook| hook.dedupe.as_ref().map(|dedupe| (Arc::clone(&dedupe.text), dedupe.within));
    if a.verify != b.verify {
        Some("`verify`")
    } else if repeats(a) != repeats(b) {
        Some("`dedupe`")
    } else if a.body_limit_bytes != b.body_limit_bytes {
        Some("`limits.body`")
    } else if a.door.rate != b.door.rate {
        Some("`limits.rate`")
    } else if a.door.allow_from != b.door.allow_from {
        Some("`allow_from`")
    } else if a.door.cors != b.door.cors {
        Some("`cors`")
    } else if !agree(a.respond.as_ref(), b.respond.as_ref()) {
        Some("`respond`")
    } else {
        None
    }
}

/// One request has one answer: one of two hooks may leave it to the other, or both wait as long.
fn agree(a: Option<&Reply>, b: Option<&Reply>) -> bool {
    match (a, b) {
        (Some(Reply::Wait(a)), Some(Reply::Wait(b))) => a == b,
        (Some(_), Some(_)) => false,
        (None, _) | (_, None) => true,
    }
}

impl Routes {
    /// Adds all hooks of a workflow, or none and the reason. `place` is where a trigger's path is written.
    pub(super) fn add(&mut self, loaded: &Arc<Loaded>, place: impl Fn(usize) -> Span, file: &Arc<str>) -> Result<(), Box<Problem>> {
        let own: Vec<(usize, &Webhook)> =
            (0..loaded.workflow.triggers.len()).filter_map(|trigger| Some((trigger, loaded.webhook(trigger)?))).collect();
        for (position, (trigger, webhook)) in own.iter().enumerate() {
            let earlier = own.iter().take(position).map(|(_, webhook)| *webhook);
            if let Some((message, help)) = self.conflict(webhook, earlier) {
                let problem = Problem::error(codes::HOOK_CONFLICT, file, place(*trigger), message);
                return Err(Box::new(problem.help(help)));
            }
        }
        let mut added: Vec<String> = Vec::new();
        for (trigger, webhook) in &own {
            let (shape, _) = shape(&webhook.path);
            if self.by_shape.contains_key(&shape) {
                continue;
            }
            if let Err(error) = self.router.insert(shape.clone(), self.routes.len()) {
                self.take_back(&added);
                let message = format!("`{}` {}", webhook.path, self.other(&error));
                let problem = Problem::error(codes::HOOK_CONFLICT, file, place(*trigger), message);
                return Err(Box::new(problem.help("begin one of the two with another segment")));
            }
            self.by_shape.insert(shape.clone(), self.routes.len());
            self.routes.push(Route { shape: shape.clone(), methods: BTreeMap::new() });
            added.push(shape);
        }
        for (trigger, webhook) in own {
            self.mount(loaded, trigger, webhook);
        }
        Ok(())
    }

    fn conflict<'w>(&self, webhook: &Webhook, mut own: impl Iterator<Item = &'w Webhook>) -> Option<(String, &'static str)> {
        let (shape_here, _) = shape(&webhook.path);
        let shares = |other: &Webhook| other.methods.iter().any(|method| webhook.methods.contains(method));
        if own.any(|other| shape(&other.path).0 == shape_here && shares(other)) {
            let message = format!("two triggers of this workflow take `{}`: one event would start it twice", webhook.path);
            return Some((message, "keep one of the two, or give them different `methods`"));
        }
        let route = self.by_shape.get(&shape_here).and_then(|index| self.routes.get(*index))?;
        let others = webhook.methods.iter().flat_map(|method| route.hooks(method));
        let (other, key) = others.into_iter().find_map(|hook| Some((hook, differs(hook.webhook()?, webhook)?)))?;
        let message = format!("`{}` is also taken by the workflow `{}`, with another {key}", webhook.path, other.loaded.workflow.name);
        Some((message, "one request is one event for all: let both say the same, or give one another path"))
    }

    fn other(&self, error: &InsertError) -> String {
        let InsertError::Conflict { with } = error else { return format!("cannot be served: {error}") };
        let hook =
            self.by_shape.get(with).and_then(|index| self.routes.get(*index)).and_then(|route| route.methods.values().flatten().next());
        let Some((hook, webhook)) = hook.and_then(|hook| Some((hook, hook.webhook()?))) else {
            return format!("cannot be told apart from `{with}`");
        };
        format!("cannot be told apart from `{}` of the workflow `{}`", webhook.path, hook.loaded.workflow.name)
    }

    fn take_back(&mut self, added: &[String]) {
        for shape in added {
            self.router.remove(shape.clone());
            self.by_shape.remove(shape);
        }
        // The ones added last are the last ones of the list.
        self.routes.truncate(self.routes.len().saturating_sub(added.len()));
    }

    fn mount(&mut self, loaded: &Arc<Loaded>, trigger: usize, webhook: &Webhook) {
        let (shape, names) = shape(&webhook.path);
        let Some(route) = self.by_shape.get(&shape).and_then(|index| self.routes.get_mut(*index)) else { return };
        for method in &webhook.methods {
            let hook = Hook { loaded: Arc::clone(loaded), trigger, used: Arc::default(), names: names.clone() };
            route.methods.entry(Arc::clone(method)).or_default().push(hook);
        }
    }

    pub(super) fn find<'c>(&'c self, path: &str) -> Option<RouteMatch<'c>> {
        let found = self.router.at(path).ok().filter(|_| is_plain(path))?;
        let route = self.routes.get(*found.value)?;
        Some(RouteMatch { route, values: found.params.iter().map(|(_, value)| value.to_owned()).collect() })
    }

    /// Goes on with what the same hooks had used of their rates before.
    pub(super) fn go_on_from(&self, before: &Self) {
        for route in &self.routes {
            let Some(old) = before.by_shape.get(&route.shape).and_then(|index| before.routes.get(*index)) else { continue };
            for (method, hooks) in &route.methods {
                if let (Some(new), Some(old)) = (hooks.first(), old.hooks(method).first()) {
                    new.used.store(old.used.load(Ordering::Relaxed), Ordering::Relaxed);
                }
            }
        }
    }

    pub(super) fn all(&self) -> &[Route] {
        &self.routes
    }
}

impl Route {
    /// Its path, parameters named by their place: `orders/{p0}`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.shape
    }
}
