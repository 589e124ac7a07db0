//! What an expression can see.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use rhai::Dynamic;

use super::ambient::Moment;
use super::{Uses, event, json};
use crate::domain::event::Event;
use crate::domain::time::Timestamp;
use crate::domain::{Map, Value};

/// The variables there are.
pub(super) const VARIABLES: [&str; 10] = ["event", "steps", "vars", "input", "run", "error", "approval", "secrets", "item", "index"];

/// What `run` shows.
#[derive(Debug, Clone, PartialEq)]
pub struct RunInfo<'a> {
    /// The run's id.
    pub id: String,
    /// Its workflow.
    pub workflow: &'a str,
    /// The revision it keeps.
    pub revision: String,
    /// When it was accepted.
    pub started: Timestamp,
    /// The current step's attempt, from 1.
    pub attempt: u32,
}

/// The variables of one run: `event`, `steps`, `vars`, `input`, `run`, `error`, `approval`, `secrets`, `item`, `index`. Code reads them
/// and cannot write them.
#[derive(Debug, Default)]
pub struct Scope {
    pub(super) rhai: rhai::Scope<'static>,
    pub(super) moment: Moment,
    /// Names of loops' items, which last for one evaluation.
    bound: Vec<String>,
    /// `event` and `run`, while another event stands in their place.
    own: Option<(Dynamic, Dynamic)>,
    /// What is read at all.
    uses: Uses,
}

impl Scope {
    /// The variables of a run that this event starts. The event is read once; runs copy what was read.
    #[must_use]
    pub fn new(event: &Event) -> Self {
        Self::with(event::read(event).event.clone(), event.head.received)
    }

    /// The variables of a run for several events: `event.body` is the list of their bodies.
    #[must_use]
    pub fn of_batch(events: &[Arc<Event>]) -> Self {
        Self::with(event::read_all(events), events.first().map_or(Timestamp(0), |event| event.head.received))
    }

    fn with(event: Dynamic, now: Timestamp) -> Self {
        let mut rhai = rhai::Scope::with_capacity(VARIABLES.len());
        let mut event = Some(event);
        for name in VARIABLES {
            let value = match name {
                "event" => event.take().unwrap_or(Dynamic::UNIT),
                "steps" | "vars" => rhai::Map::new().into(),
                _ => Dynamic::UNIT,
            };
            rhai.push_constant_dynamic(name, value);
        }
        Self { rhai, moment: Moment { now, seed: 0 }, bound: Vec::new(), own: None, uses: Uses::ALL }
    }

    /// The same, where only this is ever read: outputs of steps that nothing mentions are not taken in.
    #[must_use]
    pub fn reading(self, uses: Uses) -> Self {
        Self { uses, ..self }
    }

    /// Sets `run`.
    pub fn set_run(&mut self, run: &RunInfo<'_>) {
        let map: rhai::Map = [
            ("id".into(), Dynamic::from(run.id.clone())),
            ("workflow".into(), run.workflow.into()),
            ("revision".into(), run.revision.clone().into()),
            ("started".into(), run.started.to_string().into()),
            ("attempt".into(), i64::from(run.attempt).into()),
        ]
        .into_iter()
        .collect();
        self.put("run", map.into());
    }

    /// Sets `steps.<id>`.
    pub fn set_step(&mut self, id: &str, output: &Value) {
        if !self.uses.variable("steps") {
            return;
        }
        let mut steps = self.rhai.remove::<rhai::Map>("steps").unwrap_or_default();
        steps.insert(id.into(), json::to_dynamic(output));
        self.put("steps", steps.into());
    }

    /// Takes `steps.<id>` away: the step has not run in the iteration that code now sees.
    pub fn clear_step(&mut self, id: &str) {
        let mut steps = self.rhai.remove::<rhai::Map>("steps").unwrap_or_default();
        steps.remove(id);
        self.put("steps", steps.into());
    }

    /// Sets `item` and `index`, which are `()` outside loops.
    pub fn set_item(&mut self, item: Option<&Value>, index: Option<u32>) {
        self.put("item", item.map_or(Dynamic::UNIT, json::to_dynamic));
        self.put("index", index.map_or(Dynamic::UNIT, |index| i64::from(index).into()));
    }

    /// Sets a loop's own name for its item (`as`), for the next evaluation.
    pub fn bind(&mut self, name: &str, item: &Value) {
        self.bound.push(name.to_owned());
        self.rhai.push_constant_dynamic(name, json::to_dynamic(item));
    }

    /// Sets `vars`.
    pub fn set_vars(&mut self, vars: &Map) {
        self.put("vars", json::map_to_dynamic(vars).into());
    }

    /// Sets `input`.
    pub fn set_input(&mut self, input: &Map) {
        self.put("input", json::map_to_dynamic(input).into());
    }

    /// Sets `input` to the event's body.
    pub fn set_input_to_body(&mut self) {
        let body = self.rhai.get("event").and_then(|event| event.read_lock::<rhai::Map>()?.get("body").cloned());
        self.put("input", body.unwrap_or(Dynamic::UNIT));
    }

    /// The value of a name in the event's body, if the body is a map that has it.
    #[must_use]
    pub fn body_value(&self, name: &str) -> Option<Value> {
        let event = self.rhai.get("event")?.read_lock::<rhai::Map>()?;
        let body = event.get("body")?.read_lock::<rhai::Map>()?;
        let value = body.get(name).filter(|value| !value.is_unit())?;
        json::to_value(value).ok()
    }

    /// Sets `approval`, which is `()` but where a person is told.
    pub fn set_approval(&mut self, approval: Option<&Value>) {
        self.put("approval", approval.map_or(Dynamic::UNIT, json::to_dynamic));
    }

    /// Puts an event that came later in the place of `event`; the run's own is `run.event` meanwhile. Nothing takes it away again.
    pub fn set_arrived(&mut self, arrived: Option<&Event>) {
        if let Some((event, run)) = self.own.take() {
            self.put("event", event);
            self.put("run", run);
        }
        let Some(arrived) = arrived else { return };
        let event = self.rhai.get("event").cloned().unwrap_or(Dynamic::UNIT);
        let run = self.rhai.get("run").cloned().unwrap_or(Dynamic::UNIT);
        let mut shown = run.clone().try_cast::<rhai::Map>().unwrap_or_default();
        shown.insert("event".into(), event.clone());
        self.own = Some((event, run));
        self.put("event", event::read(arrived).event.clone());
        self.put("run", shown.into());
    }

    /// The event that stands in the place of `event`, as a step's output.
    #[must_use]
    pub fn arrived(&self) -> Value {
        let event = self.rhai.get("event").cloned().unwrap_or(Dynamic::UNIT);
        json::to_value(&event).unwrap_or_default()
    }

    /// Sets `error`, which is `()` outside handlers.
    pub fn set_error(&mut self, error: Option<&Value>) {
        self.put("error", error.map_or(Dynamic::UNIT, json::to_dynamic));
    }

    /// Sets `secrets`, which is `()` but where secrets may be used.
    pub fn set_secrets(&mut self, secrets: Option<&Map>) {
        self.put("secrets", secrets.map_or(Dynamic::UNIT, |secrets| json::map_to_dynamic(secrets).into()));
    }

    /// Sets what `now()`, `uuid()` and `random()` derive from. The same moment gives the same values again.
    pub fn set_moment(&mut self, now: Timestamp, seed: u64) {
        self.moment = Moment { now, seed };
    }

    fn put(&mut self, name: &'static str, value: Dynamic) {
        drop(self.rhai.remove::<Dynamic>(name));
        self.rhai.push_constant_dynamic(name, value);
    }

    /// Forgets variables that code made, and takes back those that a closure captured: captured
    /// ones are behind a lock, which the next evaluation should not pay for.
    pub(super) fn tidy(&mut self) {
        for name in self.bound.drain(..) {
            drop(self.rhai.remove::<Dynamic>(&name));
        }
        if VARIABLES.len() < self.rhai.len() {
            self.rhai.rewind(VARIABLES.len());
        }
        if !self.rhai.iter_raw().any(|(_, _, value)| value.is_shared()) {
            return;
        }
        for name in VARIABLES {
            if self.rhai.get(name).is_some_and(Dynamic::is_shared)
                && let Some(value) = self.rhai.remove::<Dynamic>(name)
            {
                self.rhai.push_constant_dynamic(name, value.flatten());
            }
        }
    }
}

/// The names alone, for compiling. They are not constants there: nothing of them may be folded into the code.
pub(super) fn names(bound: &[String]) -> Cow<'static, rhai::Scope<'static>> {
    static NAMES: LazyLock<rhai::Scope<'static>> = LazyLock::new(|| {
        let mut scope = rhai::Scope::new();
        for name in VARIABLES {
            scope.push_dynamic(name, Dynamic::UNIT);
        }
        scope
    });
    if bound.is_empty() {
        return Cow::Borrowed(&NAMES);
    }
    let mut names = NAMES.clone();
    for name in bound {
        names.push_dynamic(name.clone(), Dynamic::UNIT);
    }
    Cow::Owned(names)
}
