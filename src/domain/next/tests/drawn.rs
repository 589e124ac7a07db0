//! Workflows drawn by chance. `drawn` draws steps of the kinds that speak with nobody inside; `plot` draws everything.

use std::time::Duration;

use proptest::prelude::*;

use crate::domain::id::Revision;
use crate::domain::journal::{Address, Branch};
use crate::domain::retry::Retry;
use crate::domain::workflow::{
    Approve, Call, Case, Child, Code, Emit, OnError, Respond, RespondBody, Step, StepKind, Wait, WaitEvent, Workflow,
};

/// A step without its address: that depends on where it ends up.
#[derive(Debug, Clone)]
pub(in crate::domain) enum Shape {
    Call,
    Script,
    Set,
    Fail,
    Stop,
    Wait,
    If(Vec<Drawn>, Vec<Drawn>),
    Switch(Vec<Drawn>, Vec<Drawn>),
    Foreach(Vec<Drawn>, u32),
    Repeat(Vec<Drawn>),
    Parallel(Vec<Drawn>, Vec<Drawn>, bool),
    /// A call that may be made once.
    Once,
    /// A call with steps that take it back.
    Undone(Vec<Drawn>),
    /// How long, in seconds, and what else.
    WaitEvent(Option<u64>, Vec<Drawn>),
    /// Whom it tells, and what else.
    Approve(Vec<Drawn>, Vec<Drawn>),
    Run,
    Emit,
    Respond,
}

/// A shape and what every step may have.
#[derive(Debug, Clone)]
pub(in crate::domain) struct Drawn {
    pub(in crate::domain) shape: Shape,
    pub(in crate::domain) named: bool,
    pub(in crate::domain) conditional: bool,
    pub(in crate::domain) on_error: u8,
    /// In seconds; for steps that are no calls.
    pub(in crate::domain) timeout: Option<u64>,
    /// Tries in all; 1 is no `retry`.
    pub(in crate::domain) tries: u32,
}

impl Drawn {
    /// A step of this shape and nothing more.
    pub(in crate::domain) fn bare(shape: Shape) -> Self {
        Self { shape, named: false, conditional: false, on_error: 9, timeout: None, tries: 1 }
    }
}

/// A whole workflow.
#[derive(Debug, Clone)]
pub(in crate::domain) struct Plot {
    pub(in crate::domain) steps: Vec<Drawn>,
    pub(in crate::domain) on_error: Vec<Drawn>,
    pub(in crate::domain) on_cancel: Vec<Drawn>,
    pub(in crate::domain) finally: Vec<Drawn>,
    /// In seconds.
    pub(in crate::domain) timeout: Option<u64>,
    /// A person ends it so many seconds after it began.
    pub(in crate::domain) cancel: Option<u64>,
}

/// Steps of the kinds that were there first.
pub(in crate::domain) fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let leaf = prop_oneof![
        4 => Just(Shape::Call),
        3 => Just(Shape::Script),
        1 => Just(Shape::Set),
        1 => Just(Shape::Fail),
        1 => Just(Shape::Stop),
        1 => Just(Shape::Wait),
    ];
    let dress = |shape: BoxedStrategy<Shape>| {
        let step = (shape, any::<bool>(), prop::bool::weighted(0.2), 0u8..5);
        step.prop_map(|(shape, named, conditional, on_error)| Drawn { named, conditional, on_error, ..Drawn::bare(shape) }).boxed()
    };
    let step = dress(leaf.boxed()).prop_recursive(3, 24, 3, move |inner| dress(nested(&inner).boxed()));
    prop::collection::vec(step, 0..5)
}

fn nested(inner: &BoxedStrategy<Drawn>) -> impl Strategy<Value = Shape> + use<> {
    let block = || prop::collection::vec(inner.clone(), 0..3);
    prop_oneof![
        (block(), block()).prop_map(|(a, b)| Shape::If(a, b)),
        (block(), block()).prop_map(|(a, b)| Shape::Switch(a, b)),
        (block(), 1u32..4).prop_map(|(a, n)| Shape::Foreach(a, n)),
        block().prop_map(Shape::Repeat),
        (block(), block(), any::<bool>()).prop_map(|(a, b, any)| Shape::Parallel(a, b, any)),
    ]
}

/// Steps of every kind; `apart` from the others there is no `stop` and no `undo`, as the compiler says.
fn steps(apart: bool, most: usize) -> BoxedStrategy<Vec<Drawn>> {
    let end = if apart { Shape::Script } else { Shape::Stop };
    let leaf = prop_oneof![
        4 => Just(Shape::Call),
        2 => Just(Shape::Script),
        1 => Just(Shape::Set),
        1 => Just(Shape::Fail),
        1 => Just(end),
        1 => Just(Shape::Wait),
        1 => Just(Shape::Once),
        1 => Just(Shape::Run),
        1 => Just(Shape::Emit),
        1 => Just(Shape::Respond),
        1 => prop::option::of(1u64..30).prop_map(|within| Shape::WaitEvent(within, Vec::new())),
    ];
    let dress = |shape: BoxedStrategy<Shape>| {
        let timing = (prop::option::weighted(0.2, 1u64..90), prop_oneof![4 => Just(1u32), 1 => 2u32..4]);
        let step = (shape, any::<bool>(), prop::bool::weighted(0.15), 0u8..6, timing);
        step.prop_map(|(shape, named, conditional, on_error, (timeout, tries))| Drawn {
            shape,
            named,
            conditional,
            on_error,
            timeout,
            tries,
        })
        .boxed()
    };
    let step = dress(leaf.boxed()).prop_recursive(3, 24, 3, move |inner| {
        let block = || prop::collection::vec(inner.clone(), 0..3);
        let shape = prop_oneof![
            4 => nested(&inner),
            1 => (prop::option::of(1u64..30), block()).prop_map(|(within, otherwise)| Shape::WaitEvent(within, otherwise)),
            1 => (block(), block()).prop_map(|(notify, otherwise)| Shape::Approve(notify, otherwise)),
        ];
        dress(shape.boxed())
    });
    if apart {
        return prop::collection::vec(step, 0..most).boxed();
    }
    let undone = dress(steps(true, 3).prop_map(Shape::Undone).boxed());
    prop::collection::vec(prop_oneof![2 => step, 1 => undone.clone(), 1 => dress(around(undone).boxed())], 0..most).boxed()
}

/// Blocks and loops around calls that can be taken back.
fn around(undone: BoxedStrategy<Drawn>) -> impl Strategy<Value = Shape> {
    let fails = prop_oneof![3 => Just(Shape::Script), 1 => Just(Shape::Fail), 1 => Just(Shape::Wait)].prop_map(Drawn::bare);
    let block = prop::collection::vec(prop_oneof![2 => undone, 1 => fails.boxed()], 0..3);
    prop_oneof![
        (block.clone(), 1u32..4).prop_map(|(a, n)| Shape::Foreach(a, n)),
        block.clone().prop_map(Shape::Repeat),
        (block.clone(), block, any::<bool>()).prop_map(|(a, b, any)| Shape::Parallel(a, b, any)),
    ]
}

/// Everything there is. Handlers and `undo` begin with a script that always works, so that it is seen when they are done.
pub(in crate::domain) fn plot() -> impl Strategy<Value = Plot> {
    let handler = || steps(true, 3);
    let parts = (steps(false, 5), handler(), handler(), handler(), prop::option::weighted(0.2, 5u64..200));
    (parts, prop::option::weighted(0.25, 0u64..120)).prop_map(|((steps, on_error, on_cancel, finally, timeout), cancel)| Plot {
        steps,
        on_error,
        on_cancel,
        finally,
        timeout,
        cancel,
    })
}

/// The workflow of these steps.
pub(in crate::domain) fn workflow(drawn: &[Drawn]) -> Workflow {
    let handler = build(&[Drawn::bare(Shape::Call)], "on_error");
    Workflow {
        name: "drawn".into(),
        revision: Revision([0; 32]),
        description: String::new(),
        triggers: Vec::new(),
        condition: None,
        input: Vec::new(),
        concurrency: None,
        gathering: None,
        throttle: None,
        steps: build(drawn, ""),
        on_error: handler,
        on_cancel: Vec::new(),
        finally: Vec::new(),
        timeout: None,
        keep: crate::domain::workflow::Keep::default(),
        loop_ids: Vec::new(),
    }
}

impl Plot {
    /// A plot of steps alone.
    pub(in crate::domain) fn of(steps: Vec<Drawn>) -> Self {
        Self { steps, on_error: Vec::new(), on_cancel: Vec::new(), finally: Vec::new(), timeout: None, cancel: None }
    }

    /// Its workflow.
    pub(in crate::domain) fn workflow(&self) -> Workflow {
        Workflow {
            on_error: build(&marked(&self.on_error), "on_error"),
            on_cancel: build(&marked(&self.on_cancel), "on_cancel"),
            finally: build(&marked(&self.finally), "finally"),
            timeout: self.timeout.map(Duration::from_secs),
            ..workflow(&self.steps)
        }
    }
}

fn marked(steps: &[Drawn]) -> Vec<Drawn> {
    [Drawn::bare(Shape::Script)].into_iter().chain(steps.iter().cloned()).collect()
}

fn build(drawn: &[Drawn], prefix: &str) -> Vec<Step> {
    drawn.iter().enumerate().map(|(index, drawn)| step(drawn, index, prefix)).collect()
}

fn step(drawn: &Drawn, index: usize, prefix: &str) -> Step {
    let segment = if drawn.named { format!("s{index}") } else { index.to_string() };
    let address = if prefix.is_empty() { segment } else { format!("{prefix}/{segment}") };
    let kind = kind(&drawn.shape, &address);
    let handler = || build(&[Drawn::bare(Shape::Script)], &format!("{address}/on_error"));
    let on_error = match drawn.on_error {
        0 => OnError::Continue,
        1 => OnError::Steps(handler()),
        _ => OnError::Fail,
    };
    let is_call = matches!(kind, StepKind::Call(_));
    let retry = Retry { attempts: drawn.tries, first: Duration::from_secs(2), ..Retry::default() };
    Step {
        id: drawn.named.then(|| address.replace('/', "_").into()),
        name: None,
        condition: drawn.conditional.then_some(Code(0)),
        timeout: drawn.timeout.filter(|_| !is_call).map(Duration::from_secs),
        retry: (1 < drawn.tries && !is_call).then_some(retry),
        on_error,
        kind,
        address: Address::new(address),
    }
}

fn call(at_most_once: bool, undo: Vec<Step>) -> StepKind {
    StepKind::Call(Call {
        connector: "http".into(),
        action: "get".into(),
        using: None,
        with: Code(0),
        retry: Retry { attempts: 3, ..Retry::default() },
        timeout: Duration::from_secs(1),
        at_most_once,
        idempotency_key: None,
        undo,
    })
}

fn kind(shape: &Shape, address: &str) -> StepKind {
    let inside = |steps: &[Drawn], segment: &str| build(steps, &format!("{address}/{segment}"));
    match shape {
        Shape::Call => call(false, Vec::new()),
        Shape::Once => call(true, Vec::new()),
        Shape::Undone(undo) => call(false, inside(&marked(undo), "undo")),
        Shape::Script => StepKind::Script(Code(0)),
        Shape::Set => StepKind::Set(vec![("v".into(), Code(0))]),
        Shape::Fail => StepKind::Fail(Code(0)),
        Shape::Stop => StepKind::Stop(None),
        Shape::Wait => StepKind::Wait(Wait::For(Duration::from_secs(60))),
        Shape::WaitEvent(within, otherwise) => StepKind::Wait(Wait::Event(WaitEvent {
            kind: "t".into(),
            condition: None,
            within: within.map(Duration::from_secs),
            otherwise: inside(otherwise, "else"),
        })),
        Shape::Approve(notify, otherwise) => StepKind::Approve(Approve {
            to: Code(0),
            message: Code(0),
            within: Duration::from_secs(40),
            notify: inside(notify, "notify"),
            otherwise: inside(otherwise, "else"),
        }),
        Shape::Run => StepKind::Run(Child { workflow: "child".into(), with: Code(0) }),
        Shape::Emit => StepKind::Emit(Emit { kind: "t".into(), with: Code(0) }),
        Shape::Respond => StepKind::Respond(Respond { status: None, headers: None, body: RespondBody::Empty }),
        Shape::If(then, otherwise) => StepKind::If { condition: Code(0), then: inside(then, "then"), otherwise: inside(otherwise, "else") },
        Shape::Switch(case, default) => {
            let case = Case { value: "x".into(), branch: Branch::case("case-x".to_owned()), steps: inside(case, "case-x") };
            StepKind::Switch { on: Code(0), cases: vec![case], default: inside(default, "default") }
        }
        Shape::Foreach(steps, parallel) => {
            StepKind::Foreach { items: Code(0), name: None, parallel: *parallel, steps: build(steps, address) }
        }
        Shape::Repeat(steps) => {
            StepKind::Repeat { until: Code(0), every: Duration::from_secs(5), at_most: 9, steps: build(steps, address) }
        }
        Shape::Parallel(a, b, any) => {
            StepKind::Parallel { branches: vec![("a".into(), inside(a, "a")), ("b".into(), inside(b, "b"))], any: *any }
        }
    }
}
