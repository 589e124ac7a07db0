//! Ids that nobody reads. An id also names a step in the history and in replays, so only scripts are
//! looked at: a script touches nothing, and without a reader it is done for nothing.

use std::collections::HashSet;

use super::steps_named::references;
use super::{Subject, code};
use crate::workflow::file::{KindFile, Report};
use crate::workflow::problem::codes;

/// Warns of every script whose output nobody reads. The last step of a list gives the list its output.
pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let (mut read, mut any) = (HashSet::new(), false);
    code::for_each_piece(subject.file, &mut |piece| {
        let found = references(piece);
        any |= found.any;
        read.extend(found.list.iter().map(|reference| reference.id.text));
    });
    if any {
        return;
    }
    code::for_each_block(subject.file, &mut |steps| {
        for step in steps.split_last().map(|(_, before)| before).unwrap_or_default() {
            let (Some(id), KindFile::Script(script)) = (&step.id, &step.kind) else { continue };
            // One that can throw is a check, and checks need no output.
            if !read.contains(&*id.value) && !script.text.contains("throw") {
                let message = format!("nothing reads `steps.{}`, so this script is done for nothing", id.value);
                report.warning(codes::UNUSED_ID, id.span, message, "use its output, or take the step away");
            }
        }
    });
}
