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
    /// In its `on_error`.
    Handler,
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
pub(super) struct Places<'w>(BTreeMap<&'w str, Place<'w>>);

/// Whether an address is `outer` or a step inside it.
pub(super) fn is_within(address: &str, outer: &str) -> bool {
    address.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
}

/// The address without its iterations.
pub(super) fn plain(address: &str) -> String {
    let mut inside = false;
    let outside = |c: &char| {
        inside = *c == '[' || (inside && *c != ']');
        !inside && *c != ']'
    };
    address.chars().filter(outside).collect()
}

/// The iterations in an address, outermost first.
pub(super) fn iterations(address: &str) -> Vec<u32> {
    address.split('[').skip(1).filter_map(|rest| rest.split(']').next()?.parse().ok()).collect()
}

impl<'w> Places<'w> {
    pub(super) fn of(workflow: &'w Workflow) -> Self {
        let mut places = Self(BTreeMap::new());
        places.add(&workflow.steps, None, Side::Body);
        places.add(&workflow.on_error, None, Side::Handler);
        places
    }

    fn add(&mut self, steps: &'w [Step], parent: Option<&'w Step>, side: Side) {
        for step in steps {
            let order = self.0.len();
            self.0.insert(step.address.as_str(), Place { step, parent, side, order });
            step.kind.blocks().for_each(|block| self.add(block, Some(step), Side::Body));
            if let OnError::Steps(steps) = &step.on_error {
                self.add(steps, Some(step), Side::Handler);
            }
        }
    }

    /// The step at an address, whatever the iterations in it.
    pub(super) fn get(&self, address: &str) -> Option<Place<'w>> {
        self.0.get(plain(address).as_str()).copied()
    }

    /// The step with this id.
    pub(super) fn named(&self, id: &str) -> Option<Place<'w>> {
        self.0.values().find(|place| place.step.id.as_deref() == Some(id)).copied()
    }

    /// What a step stands in, with the iterations of its address, and where in it.
    pub(super) fn up(&self, address: &str) -> Option<(String, Side)> {
        let place = self.get(address)?;
        let parent = place.parent?.address.as_str();
        let ends = address.match_indices(['/', '[']).filter_map(|(end, _)| address.get(..end));
        ends.into_iter().find(|prefix| plain(prefix) == parent).map(|prefix| (prefix.to_owned(), place.side))
    }

    /// What a step stands in, innermost first.
    pub(super) fn path(&self, address: &str) -> Vec<(String, Side)> {
        let above = |(address, _): &(String, Side)| self.up(address);
        std::iter::successors(self.up(address), above).collect()
    }

    /// Whether a step is done only when the whole run fails.
    fn is_of_the_run(&self, place: Place<'w>) -> bool {
        let top = std::iter::successors(Some(place), |place| self.get(place.parent?.address.as_str())).last();
        top.is_some_and(|top| top.side == Side::Handler)
    }

    /// The address of a step in these iterations; nothing where there are more or fewer loops.
    fn address(&self, place: Place<'w>, iterations: &[u32]) -> Option<String> {
        let own = place.step.address.as_str();
        let Some(parent) = place.parent else { return iterations.is_empty().then(|| own.to_owned()) };
        let below = own.get(parent.address.as_str().len()..)?;
        let outer = self.get(parent.address.as_str())?;
        if place.side == Side::Body && is_loop(parent) {
            let (index, rest) = iterations.split_last()?;
            return Some(format!("{}[{index}]{below}", self.address(outer, rest)?));
        }
        Some(format!("{}{below}", self.address(outer, iterations)?))
    }

    /// The loops that a step is in.
    fn loops(&self, place: Place<'w>) -> usize {
        let outer = place.parent.and_then(|parent| self.get(parent.address.as_str()));
        let own = usize::from(place.side == Side::Body && place.parent.is_some_and(is_loop));
        own + outer.map_or(0, |outer| self.loops(outer))
    }

    /// The step that a person means by an id or an address.
    pub(super) fn resolve(&self, workflow: &'w Workflow, text: &str, entries: &[Entry]) -> Result<Address, Refused> {
        let unknown = || Refused::Unknown { step: text.to_owned(), known: self.known(workflow) };
        let named = self.named(text);
        let place = named.or_else(|| self.get(text)).ok_or_else(unknown)?;
        if self.is_of_the_run(place) {
            return Err(Refused::OfTheRun { step: text.to_owned() });
        }
        let loops = self.loops(place);
        let wanted = if named.is_some() { Vec::new() } else { iterations(text) };
        let address = self.address(place, &wanted);
        match address {
            Some(address) if named.is_some() || address == text => Ok(Address::new(address)),
            _ if loops == 0 => Err(unknown()),
            _ => {
                let own = place.step.address.as_str();
                let last = entries.iter().rev().filter_map(|entry| entry.fact.step()).find(|step| plain(step.as_str()) == own);
                let example = last.map(|step| step.as_str().to_owned()).or_else(|| self.address(place, &vec![0; loops]));
                let example = example.unwrap_or_default();
                let outer = self.path(&example).into_iter().next_back().map_or_else(String::new, |(outer, _)| outer);
                Err(Refused::InLoop { step: text.to_owned(), example, outer })
            }
        }
    }

    /// The addresses that can be asked for, in the order of writing.
    fn known(&self, workflow: &'w Workflow) -> Vec<String> {
        let mut known = Vec::new();
        for_each_step(&[&workflow.steps], &mut |step| {
            let place = self.get(step.address.as_str());
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

fn is_loop(step: &Step) -> bool {
    matches!(step.kind, StepKind::Foreach { .. } | StepKind::Repeat { .. })
}
