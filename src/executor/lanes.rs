//! Lanes: how many runs of one workflow and key go on at once. A run holds its place from its beginning
//! to its end, waits included. Nothing of this is stored: it follows from which runs are open and begun.

use std::collections::{HashMap, VecDeque};

use crate::domain::admission::{Key, Lane};
use crate::domain::id::RunId;
use crate::domain::workflow::Mode;

/// All lanes that have a run.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: HashMap<Key, Places>,
    member: HashMap<RunId, Key>,
}

#[derive(Default)]
struct Places {
    limit: usize,
    active: Vec<RunId>,
    queue: VecDeque<RunId>,
}

/// What a run that asks for a place brings about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    /// These have a place now.
    pub(super) begin: Vec<RunId>,
    /// These have one, or wait for it, and are to end.
    pub(super) cancel: Vec<RunId>,
    /// For these there is none, and they are left undone.
    pub(super) skip: Vec<RunId>,
}

impl Lanes {
    /// A run that has begun holds a place, whatever the limit says now.
    pub(super) fn hold(&mut self, run: RunId, lane: Lane) {
        self.places(lane).active.push(run);
        self.member.insert(run, lane.key);
    }

    /// Asks for a place. A run that has one keeps it.
    pub(super) fn enter(&mut self, run: RunId, lane: Lane) -> Moves {
        let mut moves = Moves::default();
        if self.member.get(&run).and_then(|key| self.lanes.get(key)).is_some_and(|places| places.active.contains(&run)) {
            moves.begin.push(run);
            return moves;
        }
        let places = self.places(lane);
        if places.is_full() {
            match lane.mode {
                Mode::Skip => {
                    moves.skip.push(run);
                    return moves;
                }
                Mode::Queue => {}
                Mode::Restart => {
                    // As many of the oldest as it takes to have room for one.
                    let too_many = places.active.len().saturating_sub(places.limit.saturating_sub(1));
                    moves.cancel.extend(places.active.iter().take(too_many));
                    moves.skip.extend(places.queue.drain(..));
                }
            }
        }
        places.queue.push_back(run);
        moves.begin = places.promote();
        for skipped in &moves.skip {
            self.member.remove(skipped);
        }
        self.member.insert(run, lane.key);
        moves
    }

    /// A run that waits for a place waits no more: whether it did.
    pub(super) fn leave_queue(&mut self, run: RunId) -> bool {
        let Some(places) = self.member.get(&run).and_then(|key| self.lanes.get_mut(key)) else { return false };
        let Some(index) = places.queue.iter().position(|queued| *queued == run) else { return false };
        places.queue.remove(index);
        self.member.remove(&run);
        true
    }

    /// A run gives its place up: those that have one now.
    pub(super) fn leave(&mut self, run: RunId) -> Vec<RunId> {
        let Some(key) = self.member.remove(&run) else { return Vec::new() };
        let Some(places) = self.lanes.get_mut(&key) else { return Vec::new() };
        places.active.retain(|active| *active != run);
        let begin = places.promote();
        if places.active.is_empty() && places.queue.is_empty() {
            self.lanes.remove(&key);
        }
        begin
    }

    /// The limit of the newest run counts.
    fn places(&mut self, lane: Lane) -> &mut Places {
        let places = self.lanes.entry(lane.key).or_default();
        places.limit = usize::try_from(lane.limit).unwrap_or(usize::MAX).max(1);
        places
    }
}

impl Places {
    fn is_full(&self) -> bool {
        self.limit <= self.active.len()
    }

    fn promote(&mut self) -> Vec<RunId> {
        let mut begin = Vec::new();
        while !self.is_full() {
            let Some(next) = self.queue.pop_front() else { break };
            self.active.push(next);
            begin.push(next);
        }
        begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(n: u8) -> RunId {
        RunId::from_bytes([n; 16])
    }

    fn lane(limit: u32, mode: Mode) -> Lane {
        Lane { key: Key([1; 16]), limit, mode }
    }

    #[test]
    fn runs_of_a_lane_begin_in_order_as_places_come_free() {
        let mut lanes = Lanes::default();
        let entered: Vec<_> = (1..=4).map(|n| lanes.enter(run(n), lane(2, Mode::Queue)).begin).collect();
        assert_eq!(entered, [vec![run(1)], vec![run(2)], vec![], vec![]]);
        assert_eq!(lanes.leave(run(2)), [run(3)]);
        assert!(lanes.leave_queue(run(4)) && !lanes.leave_queue(run(4)));
        assert_eq!((lanes.leave(run(1)), lanes.leave(run(3))), (vec![], vec![]));
        assert!(lanes.lanes.is_empty() && lanes.member.is_empty());
    }

    #[test]
    fn a_run_too_many_is_left_undone() {
        let mut lanes = Lanes::default();
        lanes.enter(run(1), lane(1, Mode::Skip));
        assert_eq!(lanes.enter(run(2), lane(1, Mode::Skip)), Moves { skip: vec![run(2)], ..Moves::default() });
        assert_eq!(lanes.enter(run(1), lane(1, Mode::Skip)).begin, [run(1)]);
    }

    #[test]
    fn a_new_run_takes_the_place_of_those_before_it() {
        let mut lanes = Lanes::default();
        lanes.enter(run(1), lane(1, Mode::Restart));
        assert_eq!(lanes.enter(run(2), lane(1, Mode::Restart)), Moves { cancel: vec![run(1)], ..Moves::default() });
        let moves = lanes.enter(run(3), lane(1, Mode::Restart));
        assert_eq!(moves, Moves { cancel: vec![run(1)], skip: vec![run(2)], ..Moves::default() });
        assert_eq!(lanes.leave(run(1)), [run(3)]);
    }

    #[test]
    fn only_the_oldest_makes_room() {
        let mut lanes = Lanes::default();
        (1..=2).for_each(|n| drop(lanes.enter(run(n), lane(2, Mode::Restart))));
        assert_eq!(lanes.enter(run(3), lane(2, Mode::Restart)), Moves { cancel: vec![run(1)], ..Moves::default() });
        assert_eq!(lanes.leave(run(1)), [run(3)]);
    }

    #[test]
    fn a_run_that_has_begun_holds_a_place_beyond_the_limit() {
        let mut lanes = Lanes::default();
        lanes.hold(run(1), lane(1, Mode::Queue));
        lanes.hold(run(2), lane(1, Mode::Queue));
        assert_eq!(lanes.enter(run(3), lane(1, Mode::Queue)), Moves::default());
        assert!(lanes.leave(run(1)).is_empty());
        assert_eq!(lanes.leave(run(2)), [run(3)]);
    }
}
