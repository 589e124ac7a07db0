//! How deep values in facts may be nested. What is stored is JSON in JSON, and its reader has a bound of its own: a
//! value as deep as another system likes would be written, and could never be read again.

use std::sync::Arc;

use super::failure::Failure;
use super::journal::{Fact, Outcome};
use super::{Map, Value};

/// How deep lists and maps may be nested: well below the 128 of the JSON reader, with room for what is around a value.
pub const DEPTH_MAX: usize = 100;

impl Fact {
    /// The same with nothing nested deeper than [`DEPTH_MAX`]: what is deeper is kept as JSON text.
    #[must_use]
    pub fn within_depth(mut self) -> Self {
        match &mut self {
            Self::StepEvaluated { output, .. }
            | Self::IterationEnded { output, .. }
            | Self::EventTaken { output, .. }
            | Self::CallSucceeded { output, .. }
            | Self::RunStopped { output, .. }
            | Self::LoopBegan { items: output, .. }
            | Self::RunFinished { outcome: Outcome::Succeeded { output } } => cut_shared(output),
            Self::VarsSet { vars, .. } => cut_all(vars, DEPTH_MAX),
            Self::ConditionFailed { error }
            | Self::StepRetried { error, .. }
            | Self::CallRetried { error, .. }
            | Self::StepFailed { error, .. }
            | Self::RunTimedOut { error }
            | Self::RunFinished { outcome: Outcome::Failed { error, .. } } => cut_failure(error),
            Self::StepSkipped { .. }
            | Self::BranchTaken { .. }
            | Self::RoundEnded { .. }
            | Self::WaitBegan { .. }
            | Self::GatheringEnded { .. }
            | Self::RunBegan
            | Self::RunSkipped { .. }
            | Self::EventAwaited { .. }
            | Self::ApprovalAsked { .. }
            | Self::ChildStarted { .. }
            | Self::EventEmitted { .. }
            | Self::Responded { .. }
            | Self::CallStarted { .. }
            | Self::CancelRequested
            | Self::RunFinished { outcome: Outcome::Canceled } => {}
        }
        self
    }
}

/// Whether lists and maps are nested deeper than this.
#[must_use]
pub fn is_deeper(value: &Value, than: usize) -> bool {
    match value {
        Value::Array(items) => than == 0 || items.iter().any(|item| is_deeper(item, than - 1)),
        Value::Object(map) => than == 0 || map.values().any(|value| is_deeper(value, than - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn cut_shared(value: &mut Arc<Value>) {
    if is_deeper(value, DEPTH_MAX) {
        cut(Arc::make_mut(value), DEPTH_MAX);
    }
}

fn cut_failure(error: &mut Failure) {
    error.detail.iter_mut().for_each(|detail| cut(detail, DEPTH_MAX));
}

fn cut_all(map: &mut Map, room: usize) {
    map.iter_mut().for_each(|(_, value)| cut(value, room));
}

fn cut(value: &mut Value, room: usize) {
    match value {
        Value::Array(_) | Value::Object(_) if room == 0 => *value = Value::String(value.to_string()),
        Value::Array(items) => items.iter_mut().for_each(|item| cut(item, room - 1)),
        Value::Object(map) => cut_all(map, room - 1),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::journal::Address;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(Value::from(1), |inner, _| Value::Array(vec![inner]))
    }

    #[test]
    fn what_is_too_deep_is_kept_as_text() {
        assert!(!is_deeper(&nested(DEPTH_MAX), DEPTH_MAX) && is_deeper(&nested(DEPTH_MAX + 1), DEPTH_MAX));
        let evaluated = |depth| Fact::StepEvaluated { step: Address::new("a"), output: Arc::new(nested(depth)) };
        assert_eq!(evaluated(DEPTH_MAX).within_depth(), evaluated(DEPTH_MAX));
        let Fact::StepEvaluated { output, .. } = evaluated(DEPTH_MAX + 3).within_depth() else { unreachable!() };
        let inmost = (0..DEPTH_MAX).fold(&*output, |outer, _| &outer[0]);
        assert_eq!(inmost, &Value::from("[[[1]]]"));
        let error = Failure::new(crate::domain::failure::FailureKind::Status, "no").with_detail(nested(DEPTH_MAX + 1));
        let finished = Fact::RunFinished { outcome: Outcome::Failed { step: None, error } }.within_depth();
        let entry = crate::domain::journal::Entry { at: crate::domain::time::Timestamp(0), fact: finished };
        let stored = serde_json::to_vec(&[&entry]).unwrap();
        assert_eq!(serde_json::from_slice::<Vec<crate::domain::journal::Entry>>(&stored).unwrap(), [entry]);
    }
}
