//! Expressions, scripts and templates of a workflow.

use std::sync::Arc;

use super::Compiler;
use crate::domain::Value;
use crate::domain::workflow::Code;
use crate::script::{Origin, TemplateSource};
use crate::workflow::file::CodeText;
use crate::workflow::problem::{Problem, codes};
use crate::workflow::yaml::{Kind, Node, Place};

impl Compiler<'_, '_> {
    fn origin(&self, place: Place, field: &str) -> Origin {
        let Place { line, column, next_column } = place;
        Origin { file: Arc::clone(self.report.file()), line, column, next_column, field: field.into() }
    }

    /// A bare expression.
    pub(super) fn expression(&mut self, code: &CodeText, field: &str) -> Option<Code> {
        let text = code.text.trim();
        if text.starts_with("${") && text.ends_with('}') {
            let message = "this place is an expression already: `${ }` is for text";
            self.report.error(codes::HOLE_IN_EXPRESSION, code.span, message, "take `${` and `}` away");
            return None;
        }
        let origin = self.origin(code.place, field);
        self.builder.expression(&code.text, origin).map_err(|error| self.report.push(Problem::from_script(error))).ok()
    }

    /// A script of several lines.
    pub(super) fn script(&mut self, code: &CodeText, field: &str) -> Option<Code> {
        let origin = self.origin(code.place, field);
        self.builder.script(&code.text, origin).map_err(|error| self.report.push(Problem::from_script(error))).ok()
    }

    /// Text that may hold `${ }`.
    pub(super) fn text(&mut self, code: &CodeText, field: &str) -> Option<Code> {
        let source = TemplateSource::Text { text: code.text.as_ref().to_owned(), origin: self.origin(code.place, field) };
        self.template(&source)
    }

    /// A tree of texts that may hold `${ }`; an empty map when it is not there.
    pub(super) fn tree(&mut self, node: Option<&Node>, field: &str) -> Option<Code> {
        let source = node.map_or_else(|| TemplateSource::Map(Vec::new()), |node| self.source(node, field));
        self.template(&source)
    }

    fn template(&mut self, source: &TemplateSource) -> Option<Code> {
        let report = &mut *self.report;
        let failed = |errors: Vec<_>| errors.into_iter().map(Problem::from_script).for_each(|problem| report.push(problem));
        self.builder.template(source).map_err(failed).ok()
    }

    fn source(&self, node: &Node, field: &str) -> TemplateSource {
        match &node.kind {
            Kind::Null => TemplateSource::Literal(Value::Null),
            Kind::Bool(value) => TemplateSource::Literal(Value::from(*value)),
            Kind::Int(value) => TemplateSource::Literal(Value::from(*value)),
            Kind::Float(value) => TemplateSource::Literal(Value::from(*value)),
            Kind::Text => TemplateSource::Text { text: node.raw.as_ref().to_owned(), origin: self.origin(node.place, field) },
            Kind::List(items) => {
                let item = |(index, item): (usize, &Node)| self.source(item, &format!("{field}[{index}]"));
                TemplateSource::List(items.iter().enumerate().map(item).collect())
            }
            Kind::Map(entries) => {
                let entries = entries.iter().map(|e| (e.key.as_ref().to_owned(), self.source(&e.value, &format!("{field}.{}", e.key))));
                TemplateSource::Map(entries.collect())
            }
        }
    }
}
