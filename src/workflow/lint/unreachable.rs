//! Steps behind one that always ends the run.

use super::{Subject, code};
use crate::workflow::file::{KindFile, OnErrorFile, Report, StepFile};
use crate::workflow::problem::codes;

/// Warns once in each list of steps.
pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    code::for_each_block(subject.file, &mut |steps| {
        let Some(last) = steps.iter().position(always_ends) else { return };
        let Some((first, others)) = steps.get(last + 1..).and_then(<[StepFile]>::split_first) else { return };
        let what = if others.is_empty() { "this step is".to_owned() } else { format!("this step and {} after it are", others.len()) };
        let line = steps.get(last).map_or(0, |step| step.span.line);
        let message = format!("{what} never done: the run always ends at line {line}");
        report.warning(codes::UNREACHABLE_STEP, first.span, message, "give the step that ends the run an `if`, or take this away");
    });
}

/// Whether the run never goes on behind these steps.
pub(super) fn ends(steps: &[StepFile]) -> bool {
    steps.iter().any(always_ends)
}

fn always_ends(step: &StepFile) -> bool {
    if step.condition.is_some() || step.on_error != OnErrorFile::Fail {
        return false;
    }
    match &step.kind {
        KindFile::Stop(_) | KindFile::Fail(_) => true,
        KindFile::If { then, otherwise, .. } => ends(then) && ends(otherwise),
        KindFile::Switch { cases, default, .. } => ends(default) && cases.iter().all(|(_, steps)| ends(steps)),
        KindFile::Call(_)
        | KindFile::Script(_)
        | KindFile::Set(_)
        | KindFile::Foreach { .. }
        | KindFile::Repeat { .. }
        | KindFile::Parallel { .. }
        | KindFile::Wait(_)
        | KindFile::Approve(_)
        | KindFile::Run(_)
        | KindFile::Emit(_)
        | KindFile::Respond(_) => false,
    }
}
