//! Steps that hold steps: the segments of their blocks, and the names that loops give.

use std::sync::Arc;

use super::Compiler;
use super::steps::field;
use crate::domain::journal::Branch;
use crate::domain::workflow::{Case, StepKind};
use crate::workflow::file::{At, CodeText, StepFile};
use crate::workflow::problem::codes;

/// Variables that a loop's own name must not hide.
pub(crate) const TAKEN: [&str; 8] = ["event", "steps", "vars", "run", "error", "secrets", "index", "input"];

impl Compiler<'_, '_> {
    pub(super) fn switch(
        &mut self,
        on: &CodeText,
        cases: &[(At<Arc<str>>, Vec<StepFile>)],
        default: &[StepFile],
        address: &str,
    ) -> Option<StepKind> {
        let on = self.expression(on, &field(address, "switch"));
        let case = |compiler: &mut Self, index: usize, (value, steps): &(At<Arc<str>>, Vec<StepFile>)| {
            let segment = segment(&value.value, index);
            let steps = compiler.block(steps, &format!("{address}/{segment}"));
            Case { value: Arc::clone(&value.value), branch: Branch::case(segment), steps }
        };
        let cases = cases.iter().enumerate().map(|(index, named)| case(self, index, named)).collect();
        let default = self.block(default, &format!("{address}/{}", Branch::DEFAULT.as_str()));
        Some(StepKind::Switch { on: on?, cases, default })
    }

    pub(super) fn foreach(
        &mut self,
        items: &CodeText,
        name: Option<&At<Arc<str>>>,
        parallel: u32,
        steps: &[StepFile],
        address: &str,
    ) -> Option<StepKind> {
        let items = self.expression(items, &field(address, "foreach"));
        // `as: item` says what is so anyway.
        let name = name.filter(|name| &*name.value != "item" && self.check_loop_name(name));
        if let Some(name) = name {
            self.builder.bind(&name.value);
        }
        let steps = self.block(steps, address);
        if name.is_some() {
            self.builder.unbind();
        }
        Some(StepKind::Foreach { items: items?, name: name.map(|name| Arc::clone(&name.value)), parallel, steps })
    }

    fn check_loop_name(&mut self, name: &At<Arc<str>>) -> bool {
        let fine = super::steps::is_identifier(&name.value) && !TAKEN.contains(&&*name.value);
        if !fine {
            let message = format!("`{}` cannot be the name of a loop's item", name.value);
            self.report.error(
                codes::BAD_NAME,
                name.span,
                message,
                "use letters, digits and `_`, and no name that expressions have already, as in `as: order`",
            );
        }
        fine
    }

    /// A branch's name is a part of its steps' addresses.
    pub(super) fn check_segment(&mut self, name: &At<Arc<str>>) {
        if !super::steps::is_identifier(&name.value) || &*name.value == "on_error" {
            let message = format!("`{}` cannot be the name of a branch", name.value);
            self.report.error(codes::BAD_NAME, name.span, message, "use letters, digits and `_`, as in `notify`");
        }
    }
}

/// A case's segment: its value where that can stand in an address, else its place.
fn segment(value: &str, index: usize) -> String {
    let plain = !value.is_empty()
        && value.len() <= super::NAME_BYTES
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    // A case called `default` must not meet the default.
    if plain && value != Branch::DEFAULT.as_str() && value.parse::<usize>().is_err() {
        format!("case-{value}")
    } else {
        format!("case-{index}")
    }
}
