//! Keys that change nothing where they stand: a constant `key`, a `retry` that cannot end otherwise, an answer to nobody.

use super::Subject;
use super::code::{Role, for_each_block, of_event};
use super::scan::Kind;
use crate::workflow::file::{KindFile, Report, StepFile, TriggerFile};
use crate::workflow::problem::codes;

/// Warns of each.
pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for piece in of_event(subject.file) {
        let (Role::Key(rule), [only]) = (piece.role, piece.tokens.as_slice()) else { continue };
        if matches!(only.kind, Kind::Text | Kind::Number) || ["true", "false"].iter().any(|word| only.is_name(word)) {
            let message = format!("this key is the same for every event: `{rule}` counts them all together");
            let help = "use what tells them apart, as in `key: event.body.customer`, or take `key` away";
            report.warning(codes::CONSTANT_KEY, piece.span(only, subject.source), message, help);
        }
    }
    // A child run answers nobody, and a webhook is what somebody waits at.
    let has_caller = subject.file.triggers.iter().any(|trigger| matches!(trigger, TriggerFile::Webhook(_)));
    let answers = subject.complete && !subject.file.triggers.is_empty() && !has_caller;
    for_each_block(subject.file, &mut |steps| {
        for step in steps {
            retry(step, report);
            if answers && matches!(step.kind, KindFile::Respond(_)) {
                let message = "nobody waits for this answer: the workflow has no `webhook` in `when`";
                report.warning(codes::NO_CALLER, step.span, message, "add a webhook, or give an output with `stop`");
            }
        }
    });
}

/// What touches nothing outside fails each time alike.
fn retry(step: &StepFile, report: &mut Report) {
    let Some(retry) = &step.retry else { return };
    let (word, alike) = match &step.kind {
        KindFile::Script(_) => ("script", true),
        KindFile::Set(_) => ("set", true),
        KindFile::Emit(_) => ("emit", true),
        KindFile::Respond(_) => ("respond", true),
        KindFile::Fail(_) => ("fail", true),
        KindFile::Stop(_) => ("stop", true),
        KindFile::Call(_)
        | KindFile::If { .. }
        | KindFile::Switch { .. }
        | KindFile::Foreach { .. }
        | KindFile::Repeat { .. }
        | KindFile::Parallel { .. }
        | KindFile::Wait(_)
        | KindFile::Approve(_)
        | KindFile::Run(_) => ("", false),
    };
    if alike {
        let message = format!("`retry` changes nothing here: `{word}` ends each time as it did before");
        report.warning(codes::USELESS_RETRY, retry.span, message, "take it away, or put it at a step around this one that makes calls");
    }
}
