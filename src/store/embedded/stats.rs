//! Counts what is stored.

use std::sync::Arc;

use super::super::upkeep::SPAN_MS;
use super::super::{Stats, StoreError};
use super::record::RunRecord;
use super::snapshot::{END, Piece, piece, walk};
use super::{Core, Wanted, key};
use crate::domain::id::RunId;
use crate::domain::time::Timestamp;

/// A run whose facts are being counted.
struct Counted {
    id: [u8; 16],
    workflow: Arc<str>,
    ended: bool,
}

impl Core {
    pub(super) fn stats(&self, wanted: &Wanted) -> Result<Stats, StoreError> {
        let mut stats = Stats { disk_bytes: self.kv.disk_bytes()?, ..Stats::default() };
        walk(&*self.kv, (Vec::new(), END.to_vec()), wanted, &mut |key, value| {
            let bytes = key.len() + value.len();
            stats.kinds.entry(key::kind(key).unwrap_or("unknown")).or_default().add(bytes);
            if let Some("events" | "bodies" | "files") = key::kind(key) {
                let time_ms = key::leading_id(key).map_or(0, |id| RunId::from_bytes(id).time_ms());
                add_span(&mut stats, time_ms, bytes);
            }
            if let Some("events" | "runs") = key::kind(key) {
                let time = key::leading_id(key).and_then(|id| i64::try_from(RunId::from_bytes(id).time_ms()).ok()).map(Timestamp);
                stats.oldest = [stats.oldest, time].into_iter().flatten().min();
                stats.newest = stats.newest.max(time);
            }
            Ok(())
        })?;
        stats.live_bytes = stats.kinds.values().map(|tally| tally.bytes).sum();
        let (from, to) = key::all_runs();
        let mut cursor = Some(from);
        while let Some(from) = cursor {
            let (runs, next) = piece(&*self.kv, &from, &to)?;
            self.add_runs(&mut stats, &runs, wanted)?;
            cursor = next;
        }
        Ok(stats)
    }

    /// Heads and facts of some runs that lie one behind the other.
    fn add_runs(&self, stats: &mut Stats, runs: &Piece, wanted: &Wanted) -> Result<(), StoreError> {
        let mut counted = Vec::new();
        for (key, value) in runs {
            // `check` tells what cannot be read.
            let Some((id, run)) = key::leading_id(key).zip(RunRecord::read(value).ok()) else { continue };
            let Ok(head) = run.head(RunId::from_bytes(id)) else { continue };
            let run = Counted { id, workflow: head.workflow, ended: run.status.is_final() };
            let of = stats.workflows.entry(Arc::clone(&run.workflow)).or_default();
            of.runs += 1;
            of.open += u64::from(!run.ended);
            add_bytes(stats, &run, key.len() + value.len());
            counted.push(run);
        }
        let Some((first, last)) = counted.first().zip(counted.last()) else { return Ok(()) };
        let to = key::end_of(&key::run_facts(RunId::from_bytes(last.id)));
        walk(&*self.kv, (key::run_facts(RunId::from_bytes(first.id)), to), wanted, &mut |key, value| {
            let id = key::leading_id(key).unwrap_or_default();
            if let Some(run) = counted.binary_search_by_key(&id, |run| run.id).ok().and_then(|index| counted.get(index)) {
                add_bytes(stats, run, key.len() + value.len());
            }
            Ok(())
        })
    }
}

fn add_bytes(stats: &mut Stats, run: &Counted, bytes: usize) {
    stats.workflows.entry(Arc::clone(&run.workflow)).or_default().bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
    if run.ended {
        add_span(stats, RunId::from_bytes(run.id).time_ms(), bytes);
    }
}

fn add_span(stats: &mut Stats, time_ms: u64, bytes: usize) {
    *stats.spans.entry(time_ms / SPAN_MS).or_default() += u64::try_from(bytes).unwrap_or(u64::MAX);
}
