//! How runs begin: what they are given, how many go on at once, how events are gathered.

use std::sync::Arc;

use super::Compiler;
use super::steps::is_identifier;
use crate::domain::journal::Address;
use crate::domain::workflow::{Code, Concurrency, Gathering, Input, OnError, Step, StepKind, Throttle};
use crate::workflow::file::{At, CodeText, ConcurrencyFile, GatheringFile, InputFile, ThrottleFile};
use crate::workflow::problem::codes;
use crate::workflow::yaml::Node;

/// The address of what `vars` of a workflow does.
pub(crate) const VARS: &str = "vars";

impl Compiler<'_, '_> {
    pub(super) fn inputs(&mut self, files: &[InputFile]) -> Vec<Input> {
        files.iter().filter_map(|file| self.input(file)).collect()
    }

    fn input(&mut self, file: &InputFile) -> Option<Input> {
        self.check_name(&file.name, "input");
        let constant = file.default.as_ref().filter(|node| !node.holds_code());
        if let Some(default) = constant.filter(|node| !file.kind.fits(&node.to_value())) {
            let message = format!("the default of `{}` is {}, not of type {}", file.name.value, default.kind_name(), file.kind.word());
            self.report.error(codes::WRONG_TYPE, default.span, message, "let the two fit");
        }
        if let Some(wrong) = file.one_of.iter().find(|value| !file.kind.fits(value)) {
            let message = format!("`enum` of `{}` has {wrong}, which is not of type {}", file.name.value, file.kind.word());
            self.report.error(codes::WRONG_TYPE, file.name.span, message, "let the two fit");
        }
        if let Some(default) = constant.filter(|node| !file.one_of.is_empty() && !file.one_of.contains(&node.to_value())) {
            let message = format!("the default of `{}` is none of its `enum`", file.name.value);
            self.report.error(codes::BAD_VALUE, default.span, message, "let the two fit");
        }
        let default = file.default.as_ref().map(|node| self.tree(Some(node), &format!("input.{}.default", file.name.value)));
        let (name, one_of, description) = (Arc::clone(&file.name.value), file.one_of.clone(), file.description.clone());
        Some(Input { name, kind: file.kind, required: file.required, default: default.flatten(), one_of, description })
    }

    fn check_name(&mut self, name: &At<Arc<str>>, what: &str) {
        if !is_identifier(&name.value) {
            let message = format!("`{}` cannot be a name in `{what}`: `{what}.NAME` must be readable in expressions", name.value);
            self.report.error(codes::BAD_NAME, name.span, message, "use letters, digits and `_`");
        }
    }

    /// What `vars` holds at the beginning is set by a step before the first one.
    pub(super) fn vars(&mut self, files: &[(At<Arc<str>>, Node)]) -> Option<Step> {
        let set = |(name, node): &(At<Arc<str>>, Node)| {
            self.check_name(name, "vars");
            let code = self.tree(Some(node), &format!("vars.{}", name.value))?;
            Some((Arc::clone(&name.value), code))
        };
        let values: Vec<(Arc<str>, Code)> = files.iter().filter_map(set).collect();
        (!values.is_empty()).then(|| Step {
            address: Address::new(VARS),
            id: None,
            name: None,
            condition: None,
            timeout: None,
            retry: None,
            on_error: OnError::Fail,
            kind: StepKind::Set(values),
        })
    }

    pub(super) fn concurrency(&mut self, file: &ConcurrencyFile) -> Concurrency {
        Concurrency { key: self.key(file.key.as_ref(), "concurrency"), limit: file.limit, mode: file.mode }
    }

    pub(super) fn gathering(&mut self, file: &GatheringFile) -> Gathering {
        match file {
            GatheringFile::Debounce { key, quiet } => Gathering::Debounce { key: self.key(key.as_ref(), "debounce"), quiet: *quiet },
            GatheringFile::Batch { key, size, within } => {
                Gathering::Batch { key: self.key(key.as_ref(), "batch"), size: *size, within: *within }
            }
        }
    }

    pub(super) fn throttle(&mut self, file: &ThrottleFile) -> Throttle {
        Throttle { key: self.key(file.key.as_ref(), "throttle"), limit: file.limit, per: file.per }
    }

    fn key(&mut self, key: Option<&CodeText>, rule: &str) -> Option<Code> {
        key.and_then(|key| self.expression(key, &format!("{rule}.key")))
    }
}
