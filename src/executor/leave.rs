//! What a step leaves behind when it begins to wait, or is over.

use super::drive::Driver;
use crate::domain::journal::Fact;
use crate::domain::next::{Task, Todo};

impl Driver<'_> {
    /// A step that waits begins with nothing seen; one that is over does not need its children any more.
    pub(super) fn leave(&mut self, todo: &Todo<'_>, fact: &Fact) {
        match todo.task {
            Task::TimeOut { .. } | Task::Retry { .. } | Task::Conclude { .. } => {
                self.cancels.extend(self.run.children_of(&todo.address));
            }
            Task::Evaluate
            | Task::Call { .. }
            | Task::GiveUp { .. }
            | Task::EndIteration { .. }
            | Task::EndRound { .. }
            | Task::Wake
            | Task::Listen(_)
            | Task::Expire => {}
        }
        if let Fact::EventAwaited { step, .. } | Fact::ApprovalAsked { step, .. } | Fact::ChildStarted { step, .. } = fact {
            self.seen.remove(step);
        }
    }
}
