//! `steps.ID`: whether there is such a step, and whether it has run where its output is used.

use std::collections::{HashMap, HashSet};

use super::code::{self, Piece};
use super::steps_named::references;
use super::unreachable::ends;
use super::{Subject, suggestion};
use crate::workflow::file::{KindFile, OnErrorFile, Report, StepFile, WaitFile};
use crate::workflow::problem::codes;
use crate::workflow::yaml::Span;

/// Adds what is wrong with references to steps.
pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let mut walk = Walk::new(subject, report);
    for piece in code::of_event(subject.file) {
        walk.piece(&piece);
    }
    let added = walk.block(&subject.file.steps);
    drop(walk.hide(added));
    walk.undo();
    // Handlers are done however far the run came.
    for handler in [&subject.file.on_error, &subject.file.on_cancel, &subject.file.finally] {
        let before = walk.order;
        let all: Vec<&str> = walk.placed.iter().filter(|(_, placed)| placed.order <= before).map(|(id, _)| *id).collect();
        walk.set(&all, State::Maybe(Why::Failure));
        walk.block(handler);
    }
}

/// Why a step may not have run.
#[derive(Debug, Clone, Copy)]
enum Why<'f> {
    /// Its own `if`, or that of the branch it stands in.
    Condition(&'f str),
    /// Another branch may have been taken.
    Branch,
    /// It may have failed and the run gone on.
    Failure,
    /// Another branch of `parallel` with `any` may have been first.
    Race,
    /// A person may have answered before it was done.
    Answer,
    /// What it waited for may not have come, and `else` been done in place of it.
    Refusal,
}

#[derive(Debug, Clone, Copy)]
enum State<'f> {
    Sure,
    Maybe(Why<'f>),
}

#[derive(Debug, Clone, Copy)]
struct Placed {
    span: Span,
    order: usize,
    /// The line of the innermost loop around it.
    loop_line: Option<u32>,
}

type Added<'f> = Vec<&'f str>;
type Hidden<'f> = Vec<(&'f str, State<'f>)>;

struct Walk<'f, 'r> {
    subject: &'r Subject<'f>,
    report: &'r mut Report,
    placed: HashMap<&'f str, Placed>,
    ids: Vec<&'f str>,
    /// Ids of the tree, also of steps that could not be read.
    raw: HashSet<&'f str>,
    /// What can be seen here.
    state: HashMap<&'f str, State<'f>>,
    /// Steps around this place, itself included.
    open: Vec<&'f str>,
    /// Lines of loops around this place.
    loops: Vec<u32>,
    /// Conditions around this place, and the steps they ask about.
    conditions: Vec<&'f str>,
    asked: Vec<&'f str>,
    order: usize,
    undo: Vec<Undo<'f>>,
}

/// What takes a call back, and what could be seen at the call.
struct Undo<'f> {
    steps: &'f [StepFile],
    call: Option<&'f str>,
    state: HashMap<&'f str, State<'f>>,
    loops: Vec<u32>,
    order: usize,
}

impl<'f, 'r> Walk<'f, 'r> {
    fn new(subject: &'r Subject<'f>, report: &'r mut Report) -> Self {
        let mut raw = HashSet::new();
        code::raw_ids(subject.node, &mut raw);
        let (mut placed, mut order) = (HashMap::new(), 0);
        place(&subject.file.steps, None, &mut order, &mut placed);
        for handler in [&subject.file.on_error, &subject.file.on_cancel, &subject.file.finally] {
            place(handler, None, &mut order, &mut placed);
        }
        let mut ids: Vec<&str> = placed.keys().copied().collect();
        ids.sort_unstable();
        let (state, order) = (HashMap::new(), 0);
        let (open, loops, conditions, asked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { subject, report, placed, ids, raw, state, open, loops, conditions, asked, order, undo: Vec::new() }
    }

    fn set(&mut self, ids: &[&'f str], state: State<'f>) {
        self.state.extend(ids.iter().map(|id| (*id, state)));
    }

    fn hide(&mut self, ids: Added<'f>) -> Hidden<'f> {
        ids.into_iter().filter_map(|id| self.state.remove(id).map(|state| (id, state))).collect()
    }

    fn block(&mut self, steps: &'f [StepFile]) -> Added<'f> {
        steps.iter().flat_map(|step| self.step(step)).collect()
    }

    /// Walks over a step. What comes back are the ids that can be seen after it.
    fn step(&mut self, step: &'f StepFile) -> Added<'f> {
        self.order += 1;
        let before = (self.conditions.len(), self.asked.len());
        self.open.extend(step.id.iter().map(|id| &*id.value));
        let condition = code::condition(step).map(|code| code.text.trim());
        for (index, piece) in code::of_step(step).iter().enumerate() {
            self.piece(piece);
            if index == 0 && condition.is_some() {
                self.asked.extend(references(piece).list.iter().map(|reference| reference.id.text));
                self.conditions.extend(condition);
            }
        }
        let mut added = self.inside(step);
        let is_sure = match &step.on_error {
            OnErrorFile::Fail => true,
            OnErrorFile::Continue => false,
            OnErrorFile::Steps(steps) => self.handler(steps, &mut added),
        };
        if !is_sure {
            self.set(&added, State::Maybe(Why::Failure));
        }
        self.conditions.truncate(before.0);
        self.asked.truncate(before.1);
        self.open.truncate(self.open.len() - usize::from(step.id.is_some()));
        if let Some(id) = &step.id {
            let is_refused = is_sure && goes_on_without(step);
            let state = if is_sure { State::Sure } else { State::Maybe(Why::Failure) };
            self.set(&[&id.value], if is_refused { State::Maybe(Why::Refusal) } else { state });
            added.push(&id.value);
        }
        if let (Some(condition), Some(_)) = (condition, &step.condition) {
            self.set(&added, State::Maybe(Why::Condition(condition)));
        }
        added
    }

    /// Walks over a step's handler. Whether what comes after the step can rely on its output: so it is
    /// when the handler ends the run.
    fn handler(&mut self, steps: &'f [StepFile], added: &mut Added<'f>) -> bool {
        let before = self.hide(std::mem::take(added));
        *added = self.show(before.clone(), Some(Why::Failure));
        let own = self.block(steps);
        if ends(steps) {
            drop(self.hide(own));
            self.show(before, None);
        } else {
            added.extend(own);
        }
        ends(steps)
    }

    fn inside(&mut self, step: &'f StepFile) -> Added<'f> {
        match &step.kind {
            KindFile::If { condition, then, otherwise } => {
                self.branches(&[(then, Why::Condition(condition.text.trim())), (otherwise, Why::Branch)])
            }
            KindFile::Switch { cases, default, .. } => {
                let blocks = cases.iter().map(|(_, steps)| steps.as_slice()).chain([default.as_slice()]);
                self.branches(&blocks.map(|steps| (steps, Why::Branch)).collect::<Vec<_>>())
            }
            KindFile::Foreach { steps, .. } | KindFile::Repeat { steps, .. } => {
                self.loops.push(step.span.line);
                let inner = self.block(steps);
                code::until(step).iter().for_each(|piece| self.piece(piece));
                self.loops.pop();
                drop(self.hide(inner));
                Vec::new()
            }
            KindFile::Parallel { branches, any } => {
                let mut hidden = Vec::new();
                for (_, steps) in branches {
                    let added = self.block(steps);
                    hidden.extend(self.hide(added));
                }
                self.show(hidden, any.then_some(Why::Race))
            }
            KindFile::Call(call) => {
                // Done only if the run fails later: it is looked at when all steps are known.
                if !call.undo.is_empty() {
                    let (state, loops, order) = (self.state.clone(), self.loops.clone(), self.order);
                    let call_id = step.id.as_ref().map(|id| &*id.value);
                    self.undo.push(Undo { steps: &call.undo, call: call_id, state, loops, order });
                    self.order += count(&call.undo);
                }
                Vec::new()
            }
            KindFile::Wait(WaitFile::Event { otherwise, .. }) => self.branches(&[(otherwise, Why::Branch), (&[], Why::Branch)]),
            KindFile::Approve(approve) => {
                // The answer may come before all of them are done.
                let notified = self.block(&approve.notify);
                let notified = self.hide(notified);
                let mut added = self.show(notified, Some(Why::Answer));
                added.extend(self.branches(&[(&approve.otherwise, Why::Branch), (&[], Why::Branch)]));
                added
            }
            KindFile::Script(_)
            | KindFile::Set(_)
            | KindFile::Wait(WaitFile::For(_) | WaitFile::Until(_))
            | KindFile::Run(_)
            | KindFile::Emit(_)
            | KindFile::Respond(_)
            | KindFile::Fail(_)
            | KindFile::Stop(_) => Vec::new(),
        }
    }

    /// What takes calls back sees the call, what was there before it, and maybe what came after it.
    fn undo(&mut self) {
        let last = self.order;
        while !self.undo.is_empty() {
            for undo in std::mem::take(&mut self.undo) {
                let Undo { steps, call, state, loops, order } = undo;
                (self.state, self.loops) = (state, loops);
                let later =
                    self.placed.iter().filter(|(_, placed)| order < placed.order && placed.order <= last && placed.loop_line.is_none());
                let later: Vec<&str> = later.map(|(id, _)| *id).filter(|id| !self.state.contains_key(id)).collect();
                self.set(&later, State::Maybe(Why::Failure));
                call.iter().for_each(|id| self.set(&[id], State::Sure));
                self.order = order;
                self.block(steps);
            }
        }
        (self.order, self.state, self.loops) = (last, HashMap::new(), Vec::new());
    }

    /// Branches of which one is taken. One that ends the run has no part in what comes after.
    fn branches(&mut self, branches: &[(&'f [StepFile], Why<'f>)]) -> Added<'f> {
        let going_on = branches.iter().filter(|(steps, _)| !ends(steps)).count();
        let mut hidden = Vec::new();
        for (steps, why) in branches {
            let added = self.block(steps);
            hidden.push((self.hide(added), ends(steps), *why));
        }
        let mut added = Vec::new();
        for (steps, ends, why) in hidden.into_iter().filter(|(_, ends, _)| !ends) {
            added.extend(self.show(steps, (ends || 1 < going_on).then_some(why)));
        }
        added
    }

    fn show(&mut self, hidden: Hidden<'f>, why: Option<Why<'f>>) -> Added<'f> {
        let mut added = Vec::new();
        for (id, state) in hidden {
            self.state.insert(id, why.map_or(state, State::Maybe));
            added.push(id);
        }
        added
    }

    fn piece(&mut self, piece: &Piece<'f>) {
        let found = references(piece);
        let asked_here: HashSet<&str> = found.list.iter().filter(|found| found.is_guarded).map(|found| found.id.text).collect();
        for reference in found.list {
            let id = reference.id.text;
            let span = |subject: &Subject<'_>| piece.span(&reference.id, subject.source);
            let Some(placed) = self.placed.get(id).copied() else {
                if !self.raw.contains(id) {
                    self.unknown(id, span(self.subject));
                }
                continue;
            };
            if !self.subject.complete {
                continue;
            }
            match self.state.get(id).copied() {
                Some(State::Sure) => {}
                Some(State::Maybe(why)) => {
                    let is_same = matches!(why, Why::Condition(text) if self.conditions.contains(&text));
                    if !is_same && !asked_here.contains(id) && !self.asked.contains(&id) {
                        self.maybe(id, span(self.subject), placed, why);
                    }
                }
                None => self.not_run(id, span(self.subject), placed, reference.is_guarded),
            }
        }
    }

    fn unknown(&mut self, id: &str, span: Span) {
        let help = if self.ids.is_empty() { format!("give the step an id: `id: {id}`") } else { suggestion(id, &self.ids) };
        self.report.error(codes::UNKNOWN_STEP, span, format!("no step has the id `{id}`"), help);
    }

    fn maybe(&mut self, id: &str, span: Span, placed: Placed, why: Why<'_>) {
        let why = match why {
            Why::Condition(_) => "it depends on an `if`",
            Why::Branch => "it stands in a branch that may not be taken",
            Why::Failure => "it may have failed",
            Why::Race => "another branch may have been first",
            Why::Answer => "the answer may come before it is done",
            Why::Refusal => "what it waits for may not come, and its `else` lets the run go on",
        };
        let message = format!("the step `{id}` of line {} may have no output here: {why}", placed.span.line);
        let help = format!("write `steps.{id}?.…` or `steps.{id} ?? …`, or ask `steps.{id} != ()` first");
        self.report.warning(codes::STEP_MAY_NOT_RUN, span, message, help);
    }

    fn not_run(&mut self, id: &str, span: Span, placed: Placed, is_guarded: bool) {
        let outside = placed.loop_line.filter(|line| !self.loops.contains(line));
        let (why, help) = if self.order == 0 {
            ("no step has run yet".to_owned(), "use the event alone")
        } else if self.open.contains(&id) {
            ("it is the step that this belongs to".to_owned(), "use the output of a step before it")
        } else if self.order < placed.order {
            ("it comes later".to_owned(), "move it up, or use the output of a step before this one")
        } else if let Some(line) = outside {
            (format!("it is inside the loop of line {line}"), "give the loop an `id`: its output is the list of what each round left")
        } else {
            ("it stands in another branch".to_owned(), "move it before the branches, or this into its branch")
        };
        let message = format!("the step `{id}` of line {} has no output here: {why}", placed.span.line);
        if is_guarded {
            self.report.warning(codes::STEP_NOT_RUN, span, message, help);
        } else {
            self.report.error(codes::STEP_NOT_RUN, span, message, help);
        }
    }
}

/// Whether the run goes on although what the step waited for did not come.
fn goes_on_without(step: &StepFile) -> bool {
    let otherwise = match &step.kind {
        KindFile::Wait(WaitFile::Event { otherwise, .. }) => otherwise,
        KindFile::Approve(approve) => &approve.otherwise,
        _ => return false,
    };
    !otherwise.is_empty() && !ends(otherwise)
}

/// How many steps there are in a list, those inside them included.
fn count(steps: &[StepFile]) -> usize {
    steps.iter().map(|step| 1 + code::blocks(step).into_iter().map(count).sum::<usize>()).sum()
}

fn place<'f>(steps: &'f [StepFile], loop_line: Option<u32>, order: &mut usize, placed: &mut HashMap<&'f str, Placed>) {
    for step in steps {
        *order += 1;
        if let Some(id) = &step.id {
            placed.entry(&id.value).or_insert(Placed { span: id.span, order: *order, loop_line });
        }
        let is_loop = matches!(step.kind, KindFile::Foreach { .. } | KindFile::Repeat { .. });
        for block in code::blocks(step) {
            place(block, if is_loop { Some(step.span.line) } else { loop_line }, order, placed);
        }
    }
}
