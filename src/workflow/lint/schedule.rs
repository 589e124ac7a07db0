//! Schedules that are over.

use super::Subject;
use crate::workflow::compile::read_at;
use crate::workflow::file::{Report, RuleFile, TriggerFile};
use crate::workflow::problem::codes;

/// Warns of every `at` that is behind.
pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for trigger in &subject.file.triggers {
        let TriggerFile::Schedule(schedule) = trigger else { continue };
        let RuleFile::At(at) = &schedule.rule else { continue };
        let zone = schedule.timezone.as_ref().map(|zone| &*zone.value);
        if read_at(&at.value, zone).is_some_and(|time| time < subject.now) {
            let message = format!("`{}` has passed: this schedule fires no more, but for a time missed while nothing was served", at.value);
            report.warning(codes::SCHEDULE_IN_THE_PAST, at.span, message, "write a time that is still to come, or take the schedule away");
        }
    }
}
