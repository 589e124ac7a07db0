//! Expressions, scripts and templates of a workflow.

use std::sync::Arc;

use super::Compiler;
use crate::domain::Value;
use crate::domain::workflow::Code;
use crate::script::{CompileError, Origin, TemplateSource};
use crate::workflow::file::CodeText;
use crate::workflow::problem::{Problem, codes};
use crate::workflow::yaml::{Kind, Node, Place, trace};

impl Compiler<'_, '_> {
    fn origin(&self, place: Place, field: &str) -> Origin {
        let Place { line, column, next_column, .. } = place;
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
        let compiled = self.builder.expression(&code.text, origin);
        compiled.map_err(|error| self.failed(error, &[(code.place, &code.text)])).ok()
    }

    /// A script of several lines.
    pub(super) fn script(&mut self, code: &CodeText, field: &str) -> Option<Code> {
        let origin = self.origin(code.place, field);
        let compiled = self.builder.script(&code.text, origin);
        compiled.map_err(|error| self.failed(error, &[(code.place, &code.text)])).ok()
    }

    /// Text that may hold `${ }`.
    pub(super) fn text(&mut self, code: &CodeText, field: &str) -> Option<Code> {
        let source = TemplateSource::Text { text: code.text.as_ref().to_owned(), origin: self.origin(code.place, field) };
        self.template(&source, &[(code.place, &code.text)])
    }

    /// A tree of texts that may hold `${ }`; an empty map when it is not there.
    pub(super) fn tree(&mut self, node: Option<&Node>, field: &str) -> Option<Code> {
        let source = node.map_or_else(|| TemplateSource::Map(Vec::new()), |node| self.source(node, field));
        let mut scalars = Vec::new();
        if let Some(node) = node {
            node.for_each_text(&mut |text| scalars.push((text.place, &*text.raw)));
        }
        self.template(&source, &scalars)
    }

    fn template(&mut self, source: &TemplateSource, scalars: &[(Place, &str)]) -> Option<Code> {
        let compiled = self.builder.template(source);
        compiled.map_err(|errors| errors.into_iter().for_each(|error| self.failed(error, scalars))).ok()
    }

    /// Adds what the compiler said. Its place is that of the content laid out from its first character;
    /// folded text and escapes shift it.
    fn failed(&mut self, mut error: CompileError, scalars: &[(Place, &str)]) {
        let holds = |place: &Place, text: &str| {
            let lines = u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX);
            (place.line..=place.line.saturating_add(lines)).contains(&error.line)
                && (place.line < error.line || place.column <= error.column)
        };
        if let Some((place, text)) = scalars.iter().rev().find(|(place, text)| holds(place, text)) {
            (error.line, error.column) = trace(self.source, *place, text, error.line, error.column);
        }
        self.report.push(Problem::from_script(error));
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
