//! A compiled workflow: what the core walks over. Expressions are handles into the workflow's
//! program (see `script`), so this stays plain data.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::id::Revision;
use super::journal::{Address, Branch};
use super::retry::Retry;
use super::schedule::Schedule;

/// A handle to a compiled expression, template or script of the workflow's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u32);

/// One workflow, as it will run.
#[derive(Debug, Clone, PartialEq)]
pub struct Workflow {
    /// Its name, unique in the project.
    pub name: Arc<str>,
    /// Its content hash.
    pub revision: Revision,
    /// For people.
    pub description: String,
    /// Which events concern it.
    pub triggers: Vec<Trigger>,
    /// `if`: a false one starts no run.
    pub condition: Option<Code>,
    /// What it does.
    pub steps: Vec<Step>,
    /// What it does when a step fails and nothing took care of it.
    pub on_error: Vec<Step>,
    /// How long a run may take, waits included.
    pub timeout: Option<Duration>,
    /// The ids of steps inside loops: each iteration has its own.
    pub loop_ids: Vec<Arc<str>>,
}

/// One entry of `when`.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// `POST /hooks/PATH`.
    Webhook(Webhook),
    /// A due time.
    Schedule(ScheduleTrigger),
    /// The CLI, the API or the dashboard.
    Manual,
}

/// A schedule, and the name its slots are remembered by.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleTrigger {
    /// `WORKFLOW/N`, N the trigger's place in `when`: what `event.path` says.
    pub name: Arc<str>,
    /// When it is due.
    pub schedule: Schedule,
}

/// A webhook trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// The path below `/hooks/`; may hold `{name}`.
    pub path: Arc<str>,
    /// Upper-case methods.
    pub methods: Vec<Arc<str>>,
    /// How the sender is known.
    pub verify: Verify,
    /// When a repeat is recognised.
    pub dedupe: Option<Dedupe>,
    /// The largest body, in bytes; the server's limit when absent.
    pub body_limit_bytes: Option<usize>,
}

/// When two events are the same one.
#[derive(Debug, Clone, PartialEq)]
pub struct Dedupe {
    /// An expression over `event`; equal values within the window are one event.
    pub key: Code,
    /// The expression as written.
    pub text: Arc<str>,
    /// How long a key is remembered.
    pub within: Duration,
}

/// The name of a secret, as in `secrets.NAME`. Never its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(pub Arc<str>);

/// How a webhook's sender is known.
#[derive(Debug, Clone, PartialEq)]
pub enum Verify {
    /// Not at all; said out loud wherever the hook is shown.
    None,
    /// `X-Hub-Signature-256`: HMAC-SHA256 of the raw body, hex, prefix `sha256=`.
    Github {
        /// Any of these may have signed.
        secrets: Vec<SecretName>,
    },
    /// A signature header of another shape.
    Hmac(Hmac),
    /// `Authorization: Bearer …`.
    Bearer {
        /// Any of these.
        secrets: Vec<SecretName>,
    },
    /// A header with a fixed secret value.
    Header {
        /// The header's name, in lower case.
        name: Arc<str>,
        /// Any of these.
        secrets: Vec<SecretName>,
    },
}

/// A keyed hash of the request in a header.
#[derive(Debug, Clone, PartialEq)]
pub struct Hmac {
    /// Which hash.
    pub algorithm: HmacAlgorithm,
    /// The header that holds the signature, in lower case.
    pub header: Arc<str>,
    /// How the signature is written.
    pub encoding: SignatureEncoding,
    /// What stands before the signature in the header.
    pub prefix: Arc<str>,
    /// What is signed: literal text, the body and the timestamp, in this order.
    pub signs: Vec<SignedPart>,
    /// The header that holds the timestamp (Unix seconds), in lower case.
    pub timestamp_header: Option<Arc<str>>,
    /// How far the timestamp may be from now, in both directions.
    pub tolerance: Duration,
    /// Any of these may have signed.
    pub secrets: Vec<SecretName>,
}

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// Only for senders that offer nothing better.
    Sha1,
    /// The usual one.
    Sha256,
    /// The long one.
    Sha512,
}

/// How signature bytes are written in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureEncoding {
    /// Base 16, either case.
    Hex,
    /// Standard base 64 with padding.
    Base64,
}

/// A part of what an HMAC signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedPart {
    /// These characters.
    Text(Arc<str>),
    /// The raw body.
    Body,
    /// The timestamp header's value, as sent.
    Timestamp,
}

/// One thing a run does.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its address outside every loop.
    pub address: Address,
    /// The name other steps call it by: `steps.ID`.
    pub id: Option<Arc<str>>,
    /// For people.
    pub name: Option<Arc<str>>,
    /// A false one skips the step.
    pub condition: Option<Code>,
    /// What follows when it fails for good.
    pub on_error: OnError,
    /// What it does.
    pub kind: StepKind,
}

/// What follows when a step fails for good.
#[derive(Debug, Clone, PartialEq)]
pub enum OnError {
    /// The run fails.
    Fail,
    /// The next step; the output is `()`.
    Continue,
    /// These steps, then the next one.
    Steps(Vec<Step>),
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum StepKind {
    /// Calls an outside API.
    Call(Call),
    /// Runs a script; its last value is the output.
    Script(Code),
    /// Writes into `vars`, in this order.
    Set(Vec<(Arc<str>, Code)>),
    /// One of two blocks.
    If {
        /// Which.
        condition: Code,
        /// When true.
        then: Vec<Step>,
        /// When false.
        otherwise: Vec<Step>,
    },
    /// The case whose key is the value as text, or the default.
    Switch {
        /// The value.
        on: Code,
        /// In the order of writing.
        cases: Vec<Case>,
        /// When none fits.
        default: Vec<Step>,
    },
    /// The steps once for each item of a list; the output is the list of last outputs.
    Foreach {
        /// The list.
        items: Code,
        /// What the item is called, besides `item`.
        name: Option<Arc<str>>,
        /// How many iterations at once; at least 1.
        parallel: u32,
        /// What is done for each.
        steps: Vec<Step>,
    },
    /// The steps again and again until a condition holds.
    Repeat {
        /// The condition, looked at after each round.
        until: Code,
        /// The wait between rounds.
        every: Duration,
        /// Rounds, at most; one more is a failure.
        at_most: u32,
        /// What is done in each.
        steps: Vec<Step>,
    },
    /// Branches side by side; the output is a map of last outputs.
    Parallel {
        /// By name, in the order of writing.
        branches: Vec<(Arc<str>, Vec<Step>)>,
        /// The first branch that is through decides.
        any: bool,
    },
    /// Waits, parked.
    Wait(Wait),
    /// Ends the run as failed, with this text.
    Fail(Code),
    /// Ends the run as succeeded, with this output.
    Stop(Option<Code>),
}

/// One case of a `switch`.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The value as text.
    pub value: Arc<str>,
    /// The segment of its steps' addresses.
    pub branch: Branch,
    /// What is done.
    pub steps: Vec<Step>,
}

/// What a `wait` waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum Wait {
    /// So long.
    For(Duration),
    /// Until the time that an expression gives: RFC 3339, or Unix milliseconds.
    Until(Code),
}

impl StepKind {
    /// The blocks inside it, in the order of writing.
    pub fn blocks(&self) -> impl DoubleEndedIterator<Item = &[Step]> {
        let blocks: Vec<&[Step]> = match self {
            Self::Call(_) | Self::Script(_) | Self::Set(_) | Self::Wait(_) | Self::Fail(_) | Self::Stop(_) => Vec::new(),
            Self::If { then, otherwise, .. } => vec![then, otherwise],
            Self::Switch { cases, default, .. } => cases.iter().map(|case| &*case.steps).chain([&**default]).collect(),
            Self::Foreach { steps, .. } | Self::Repeat { steps, .. } => vec![steps],
            Self::Parallel { branches, .. } => branches.iter().map(|(_, steps)| &**steps).collect(),
        };
        blocks.into_iter()
    }

    /// The key that says the kind, as written in YAML.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Call(_) => "call",
            Self::Script(_) => "script",
            Self::Set(_) => "set",
            Self::If { .. } => "if",
            Self::Switch { .. } => "switch",
            Self::Foreach { .. } => "foreach",
            Self::Repeat { .. } => "repeat",
            Self::Parallel { .. } => "parallel",
            Self::Wait(_) => "wait",
            Self::Fail(_) => "fail",
            Self::Stop(_) => "stop",
        }
    }
}

/// One operation of a connector.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `http` in `http.get`.
    pub connector: Arc<str>,
    /// `get` in `http.get`.
    pub action: Arc<str>,
    /// The connection; the one named like the connector when absent.
    pub using: Option<Arc<str>>,
    /// A template that gives the input.
    pub with: Code,
    /// When and how often it is tried again.
    pub retry: Retry,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// A person decides when an attempt was interrupted.
    pub at_most_once: bool,
    /// A text in place of `run/step/iteration`.
    pub idempotency_key: Option<Code>,
}

impl Workflow {
    /// Every step, in the order of writing, handlers last.
    pub fn for_each_step<'w>(&'w self, mut visit: impl FnMut(&'w Step)) {
        for_each_step(&[&self.steps, &self.on_error], &mut visit);
    }

    /// The ids of steps by address, for `steps.ID`.
    #[must_use]
    pub fn ids(&self) -> BTreeMap<Address, Arc<str>> {
        let mut ids = BTreeMap::new();
        self.for_each_step(|step| {
            if let Some(id) = &step.id {
                ids.insert(step.address.clone(), Arc::clone(id));
            }
        });
        ids
    }
}

/// The ids of steps inside loops.
#[must_use]
pub fn loop_ids(blocks: &[&[Step]]) -> Vec<Arc<str>> {
    let mut ids = Vec::new();
    for_each_step(blocks, &mut |step| {
        if matches!(step.kind, StepKind::Foreach { .. } | StepKind::Repeat { .. }) {
            let inside: Vec<_> = step.kind.blocks().collect();
            for_each_step(&inside, &mut |step| ids.extend(step.id.clone()));
        }
    });
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Every step of these blocks and inside them, in the order of writing.
pub fn for_each_step<'w>(blocks: &[&'w [Step]], visit: &mut dyn FnMut(&'w Step)) {
    let mut open: Vec<&'w [Step]> = blocks.iter().rev().copied().collect();
    while let Some(block) = open.pop() {
        let Some((step, rest)) = block.split_first() else { continue };
        open.push(rest);
        visit(step);
        if let OnError::Steps(steps) = &step.on_error {
            open.push(steps);
        }
        open.extend(step.kind.blocks().rev());
    }
}
