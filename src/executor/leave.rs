//! What a step leaves behind when it begins to wait, or is over.

use super::drive::Driver;
use crate::domain::journal::{Address, Fact};
use crate::domain::next::{Task, Todo};

impl Driver<'_> {
    /// A step that waits begins with nothing seen; one that is over does not need its children any more, nor does an iteration.
    pub(super) fn leave(&mut self, todo: &Todo<'_>, fact: &Fact) {
        match todo.task {
            Task::TimeOut { .. } | Task::Retry { .. } | Task::Conclude { .. } => {
                self.cancels.extend(self.run.children_of(&todo.address));
            }
            Task::EndIteration { index: round, .. } | Task::EndRound { round, .. } => {
                let iteration = Address::new(format!("{}[{round}]", todo.address));
                self.cancels.extend(self.run.children_of(&iteration));
            }
            Task::Evaluate | Task::Call { .. } | Task::GiveUp { .. } | Task::Wake | Task::Listen(_) | Task::Expire => {}
        }
        if let Fact::EventAwaited { step, .. } | Fact::ApprovalAsked { step, .. } | Fact::ChildStarted { step, .. } = fact {
            self.seen.remove(step);
        }
    }
}
