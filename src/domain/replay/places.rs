//! Steps by address, and what an address with its iterations stands in.

use std::collections::BTreeMap;

use super::Refused;
use crate::domain::journal::{Address, Entry};
use crate::domain::workflow::{OnError, Step, StepKind, Workflow, for_each_step};

/// Steps that are named when an unknown one is asked for.
const NAMED_STEPS: usize = 50;

/// Where in its parent a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// In one of its blocks.
    Body,
    /// In what is done when it failed: `on_error`, or `else` of a step that waits.
    Handler,
    /// In what tells a person of its question.
    Notify,
    /// In what takes it back.
    Undo,
}

/// A step and what it stands in: nothing for the steps of the workflow itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'w> {
    pub(super) step: &'w Step,
    parent: Option<&'w Step>,
    side: Side,
    /// Its place in the order of writing.
    pub(super) order: usize,
}

/// Every step of a workflow by its address outside the loops.
pub(super) struct Places<'w>(BTreeMap<&'w Address, Place<'w>>);

/// Whether a step is `outer` or inside it.
pub(super) fn is_within(step: &Address, outer: &Address) -> bool {
    step == outer || step.is_inside(outer)
}

/// The iterations in an address, outermost first.
pub(super) fn iterations(address: &Address) -> Vec<u32> {
    address.loops().map(|(_, index)| index).collect()
}

impl<'w> Places<'w> {
    pub(super) fn of(workflow: &'w Workflow) -> Self {
        let mut places = Self(BTreeMap::new());
        places.add(&workflow.steps, None, Side::Body);
        for handler in [&workflow.on_error, &workflow.on_cancel, &workflow.finally] {
            places.add(handler, None, Side::Handler);
        }
        places
    }

    fn add(&mut self, steps: &'w [Step], parent: Option<&'w Step>, side: Side) {
        for step in steps {
            let order = self.0.len();
            self.0.insert(&step.address, Place { step, parent, side, order });
            for block in step.kind.blocks() {
                self.add(block, Some(step), side_of(&step.kind, block));
            }
            if let OnError::Steps(steps) = &step.on_error {
                self.add(steps, Some(step), Side::Handler);
            }
        }
    }

    /// The step at an address, whatever the iterations in it.
    pub(super) fn get(&self, address: &Address) -> Option<Place<'w>> {
        self.0.get(&address.outside_loops()).copied()
    }

    /// The step with this id.
    pub(super) fn named(&self, id: &str) -> Option<Place<'w>> {
        self.0.values().find(|place| place.step.id.as_deref() == Some(id)).copied()
    }

    /// What a step stands in, with the iterations of its address, and where in it.
    pub(super) fn up(&self, address: &Address) -> Option<(Address, Side)> {
        let place = self.get(address)?;
        let (parent, text) = (&place.parent?.address, address.as_str());
        let mut prefixes = text.match_indices(['/', '[']).filter_map(|(end, _)| text.get(..end).map(Address::new));
        prefixes.find(|prefix| prefix.outside_loops() == *parent).map(|prefix| (prefix, place.side))
    }

    /// What a step stands in, innermost first.
    pub(super) fn path(&self, address: &Address) -> Vec<(Address, Side)> {
        std::iter::successors(self.up(address), |(outer, _)| self.up(outer)).collect()
    }

    /// The places around a step, its own first.
    fn around(&self, place: Place<'w>) -> impl Iterator<Item = Place<'w>> {
        std::iter::successors(Some(place), |place| self.get(&place.parent?.address))
    }

    /// The address of a step in these iterations; nothing where there are more or fewer loops.
    fn address(&self, place: Place<'w>, iterations: &[u32]) -> Option<String> {
        let own = place.step.address.as_str();
        let Some(parent) = place.parent else { return iterations.is_empty().then(|| own.to_owned()) };
        let below = own.get(parent.address.as_str().len()..)?;
        let outer = self.get(&parent.address)?;
        if is_iterated(&place) {
            let (index, rest) = iterations.split_last()?;
            return Some(format!("{}[{index}]{below}", self.address(outer, rest)?));
        }
        Some(format!("{}{below}", self.address(outer, iterations)?))
    }

    /// The loops that a step is in.
    fn loops(&self, place: Place<'w>) -> usize {
        self.around(place).filter(is_iterated).count()
    }

    /// The step that a person means by an id or an address.
    pub(super) fn resolve(&self, workflow: &'w Workflow, text: &str, entries: &[Entry]) -> Result<Address, Refused> {
        let unknown = || Refused::Unknown { step: text.to_owned(), known: self.known(workflow) };
        let (written, named) = (Address::new(text), self.named(text));
        let place = named.or_else(|| self.get(&written)).ok_or_else(unknown)?;
        if self.around(place).last().is_some_and(|top| top.side == Side::Handler && top.parent.is_none()) {
            return Err(Refused::OfTheRun { step: text.to_owned() });
        }
        if let Some(part) = self.around(place).find(is_part) {
            let outer = part.parent.map_or_else(String::new, |parent| parent.address.to_string());
            return Err(Refused::PartOf { step: text.to_owned(), outer });
        }
        let wanted = if named.is_some() { Vec::new() } else { iterations(&written) };
        match self.address(place, &wanted) {
            Some(address) if named.is_some() || address == text => Ok(Address::new(address)),
            _ if self.loops(place) == 0 => Err(unknown()),
            _ => Err(self.which_iteration(place, text, entries)),
        }
    }

    /// A step of a loop, without its iteration: the last one there was is a good example.
    fn which_iteration(&self, place: Place<'w>, text: &str, entries: &[Entry]) -> Refused {
        let last = entries.iter().rev().filter_map(|entry| entry.fact.step()).find(|step| step.outside_loops() == place.step.address);
        let first = || self.address(place, &vec![0; self.loops(place)]);
        let example = last.map(ToString::to_string).or_else(first).unwrap_or_default();
        let outer = self.around(place).last().map_or_else(String::new, |outer| outer.step.address.to_string());
        Refused::InLoop { step: text.to_owned(), example, outer }
    }

    /// The addresses that can be asked for, in the order of writing.
    fn known(&self, workflow: &'w Workflow) -> Vec<String> {
        let mut known = Vec::new();
        for_each_step(&[&workflow.steps], &mut |step| {
            let place = self.get(&step.address).filter(|place| !self.around(*place).any(|place| is_part(&place)));
            let address = place.and_then(|place| self.address(place, &vec![0; self.loops(place)]));
            known.extend(address.map(|address| address.replace("[0]", "[N]")));
        });
        if NAMED_STEPS < known.len() {
            known.truncate(NAMED_STEPS);
            known.push("…".to_owned());
        }
        known
    }
}

/// Which of a step's blocks this is.
fn side_of(kind: &StepKind, block: &[Step]) -> Side {
    let is_it = |other: &[Step]| std::ptr::eq(block, other) && !block.is_empty();
    match kind {
        StepKind::Call(call) if is_it(&call.undo) => Side::Undo,
        StepKind::Approve(approve) if is_it(&approve.notify) => Side::Notify,
        kind if kind.otherwise().is_some_and(is_it) => Side::Handler,
        StepKind::Call(_)
        | StepKind::Script(_)
        | StepKind::Set(_)
        | StepKind::If { .. }
        | StepKind::Switch { .. }
        | StepKind::Foreach { .. }
        | StepKind::Repeat { .. }
        | StepKind::Parallel { .. }
        | StepKind::Wait(_)
        | StepKind::Approve(_)
        | StepKind::Run(_)
        | StepKind::Emit(_)
        | StepKind::Respond(_)
        | StepKind::Fail(_)
        | StepKind::Stop(_) => Side::Body,
    }
}

/// Whether a step is done once for each iteration of what it stands in.
fn is_iterated(place: &Place<'_>) -> bool {
    let is_loop = |step: &Step| matches!(step.kind, StepKind::Foreach { .. } | StepKind::Repeat { .. });
    place.side == Side::Body && place.parent.is_some_and(is_loop)
}

/// Whether a step makes sense only together with what it stands in.
fn is_part(place: &Place<'_>) -> bool {
    matches!(place.side, Side::Notify | Side::Undo)
}
