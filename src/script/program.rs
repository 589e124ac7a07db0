//! Compiled code, and how it is evaluated.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rhai::{AST, Dynamic};

use super::engine::{Engine, too_long};
use super::explain::{compile_error, failure, failure_here};
use super::missing::was_there;
use super::scope::{self, Scope};
use super::template::{Hole, Node, Part, Template, TemplateSource};
use super::{CompileError, Origin, ambient, json, room};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::workflow::Code;
use crate::domain::{Map, Value};

/// Compiles the code of one workflow.
#[derive(Debug)]
pub struct ProgramBuilder {
    engine: Engine,
    codes: Vec<Compiled>,
    /// Names that the loops around the code give to their items.
    bound: Vec<String>,
}

/// Compiled code. Shared by all runs; cheap to clone.
#[derive(Debug, Clone)]
pub struct Program {
    pub(super) engine: Engine,
    codes: Arc<[Compiled]>,
}

#[derive(Debug)]
struct Compiled {
    what: What,
    needs_room: bool,
}

#[derive(Debug)]
pub(super) enum What {
    Piece(Piece),
    Template(Template),
}

/// One compiled expression or script.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) ast: AST,
    /// As written, for errors.
    pub(super) source: Box<str>,
    pub(super) origin: Origin,
}

impl ProgramBuilder {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, codes: Vec::new(), bound: Vec::new() }
    }

    /// Code compiled from now on may name a loop's item so, until [`Self::unbind`].
    pub fn bind(&mut self, name: &str) {
        self.bound.push(name.to_owned());
    }

    /// Ends the latest [`Self::bind`].
    pub fn unbind(&mut self) {
        self.bound.pop();
    }

    /// One expression, as in `if`, `key` and the values of `set`.
    ///
    /// # Errors
    /// When it is not one expression, or names a variable or script that is not there.
    pub fn expression(&mut self, text: &str, origin: Origin) -> Result<Code, CompileError> {
        let piece = self.piece(text, origin, true)?;
        Ok(self.add(What::Piece(piece), room::is_needed(text)))
    }

    /// Statements; the last one's value is the result.
    ///
    /// # Errors
    /// When it does not parse, or names a variable or script that is not there.
    pub fn script(&mut self, text: &str, origin: Origin) -> Result<Code, CompileError> {
        let piece = self.piece(text, origin, false)?;
        Ok(self.add(What::Piece(piece), room::is_needed(text)))
    }

    /// A value with `${ }` in its texts.
    ///
    /// # Errors
    /// Every hole that cannot be compiled.
    pub fn template(&mut self, source: &TemplateSource) -> Result<Code, Vec<CompileError>> {
        let mut needs_room = false;
        let template = Template::new(source, &mut |text, origin| {
            needs_room |= room::is_needed(text);
            self.piece(text, origin, true)
        })?;
        Ok(self.add(What::Template(template), needs_room))
    }

    /// The program, to be shared by runs.
    #[must_use]
    pub fn finish(self) -> Program {
        Program { engine: self.engine, codes: self.codes.into() }
    }

    fn piece(&self, text: &str, origin: Origin, one_expression: bool) -> Result<Piece, CompileError> {
        let bounded = &self.engine.0;
        if bounded.limits.source_bytes < text.len() {
            return Err(origin.error(format!("{}: {}", origin.field, too_long(text.len(), &bounded.limits))));
        }
        let names = scope::names(&self.bound);
        let compiled = if one_expression {
            bounded.rhai.compile_expression_with_scope(&names, text)
        } else {
            bounded.rhai.compile_with_scope(&names, text)
        };
        match compiled {
            Ok(ast) => Ok(Piece { ast, source: text.into(), origin }),
            Err(error) => Err(compile_error(&error, &origin)),
        }
    }

    fn add(&mut self, what: What, needs_room: bool) -> Code {
        let code = Code(u32::try_from(self.codes.len()).unwrap_or(u32::MAX));
        self.codes.push(Compiled { what, needs_room });
        code
    }
}

impl Program {
    /// What the code was compiled from: one text, or a value whose texts may hold `${ }`. Nothing for a code of another program.
    #[must_use]
    pub fn written(&self, code: Code) -> Value {
        match self.codes.get(usize::try_from(code.0).unwrap_or(usize::MAX)).map(|compiled| &compiled.what) {
            Some(What::Piece(piece)) => Value::from(&*piece.source),
            Some(What::Template(template)) => template.0.written(),
            None => Value::Null,
        }
    }

    /// The code's value.
    ///
    /// # Errors
    /// Of kind `Script`, with file, line, column, field and what is wrong.
    pub fn value(&self, code: Code, scope: &mut Scope) -> Result<Value, Failure> {
        self.evaluate(code, scope, Self::value_here)
    }

    /// The code's value, which has to be true or false.
    ///
    /// # Errors
    /// As `value`, and when it is neither: the message says what it is.
    pub fn truth(&self, code: Code, scope: &mut Scope) -> Result<bool, Failure> {
        self.evaluate(code, scope, Self::truth_here)
    }

    /// The code's value as a text, for keys and messages: texts, numbers, true and false.
    ///
    /// # Errors
    /// As `value`, and when it is missing or a list, map or function.
    pub fn text(&self, code: Code, scope: &mut Scope) -> Result<String, Failure> {
        self.evaluate(code, scope, Self::text_here)
    }

    fn value_here(&self, what: &What, scope: &mut Scope) -> Result<Value, Failure> {
        match what {
            What::Piece(piece) => self.piece_value(piece, scope),
            What::Template(template) => self.node(&template.0, scope),
        }
    }

    fn truth_here(&self, what: &What, scope: &mut Scope) -> Result<bool, Failure> {
        match what {
            What::Piece(piece) => self.piece_truth(piece, scope),
            What::Template(template) => match self.node(&template.0, scope)? {
                Value::Bool(value) => Ok(value),
                other => Err(Failure::new(FailureKind::Script, not_truth(&json::kind(&json::to_dynamic(&other))))),
            },
        }
    }

    fn text_here(&self, what: &What, scope: &mut Scope) -> Result<String, Failure> {
        match what {
            What::Piece(piece) => self.piece_text(piece, scope),
            What::Template(template) => match self.node(&template.0, scope)? {
                Value::String(text) => Ok(text),
                Value::Null => Err(Failure::new(FailureKind::Script, "the text is missing; `??` gives it a default")),
                other => {
                    json::to_text(&json::to_dynamic(&other)).map_err(|words| Failure::new(FailureKind::Script, format!("the text {words}")))
                }
            },
        }
    }

    /// Every evaluation goes through here, so that none leaves traces and none takes its thread down.
    pub(super) fn evaluate<T: Send + 'static>(
        &self,
        code: Code,
        scope: &mut Scope,
        work: impl FnOnce(&Self, &What, &mut Scope) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let index = usize::try_from(code.0).unwrap_or(usize::MAX);
        let Some(compiled) = self.codes.get(index) else {
            return Err(Failure::new(FailureKind::Internal, format!("there is no code {} in this program", code.0)));
        };
        if !compiled.needs_room || room::is_here() {
            return self.guarded(&compiled.what, scope, work);
        }
        let program = self.clone();
        let mut moved = std::mem::take(scope);
        let done = room::with(move || {
            let result = program.codes.get(index).map(|compiled| program.guarded(&compiled.what, &mut moved, work));
            (moved, result)
        });
        match done {
            Some((moved, Some(result))) => {
                *scope = moved;
                result
            }
            Some((_, None)) | None => Err(Failure::new(FailureKind::Internal, "there is no thread to run the script on; try again later")),
        }
    }

    fn guarded<T>(
        &self,
        what: &What,
        scope: &mut Scope,
        work: impl FnOnce(&Self, &What, &mut Scope) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _surroundings = ambient::enter(scope.moment);
        let done = catch_unwind(AssertUnwindSafe(|| work(self, what, scope)));
        scope.tidy();
        done.unwrap_or_else(|_panic| {
            Err(Failure::new(FailureKind::Script, "the script interpreter gave up on this code; please report it"))
        })
    }

    fn run(&self, piece: &Piece, scope: &mut Scope) -> Result<Dynamic, Failure> {
        let bounded = &self.engine.0;
        let value = bounded.rhai.eval_ast_with_scope::<Dynamic>(&mut scope.rhai, &piece.ast);
        let value = value.map_err(|error| failure(&error, piece, &scope.rhai, bounded))?;
        match ambient::overrun(&bounded.limits) {
            Some(words) => Err(failure_here(&piece.origin, &words)),
            None => Ok(value.flatten()),
        }
    }

    pub(super) fn piece_truth(&self, piece: &Piece, scope: &mut Scope) -> Result<bool, Failure> {
        let value = self.run(piece, scope)?;
        value.as_bool().map_err(|_type| failure_here(&piece.origin, &not_truth(&json::kind(&value))))
    }

    pub(super) fn piece_value(&self, piece: &Piece, scope: &mut Scope) -> Result<Value, Failure> {
        json::to_value(&self.run(piece, scope)?).map_err(|words| failure_here(&piece.origin, &words))
    }

    fn piece_text(&self, piece: &Piece, scope: &mut Scope) -> Result<String, Failure> {
        let value = self.run(piece, scope)?;
        if value.is_unit() {
            return Err(failure_here(&piece.origin, "the value is missing; `??` gives it a default"));
        }
        json::to_text(&value).map_err(|words| failure_here(&piece.origin, &format!("the value {words}")))
    }

    fn node(&self, node: &Node, scope: &mut Scope) -> Result<Value, Failure> {
        match node {
            Node::Literal(value) => Ok(value.clone()),
            Node::Whole(hole) => self.piece_value(&hole.piece, scope),
            Node::Text(parts) => self.text_of(parts, scope).map(Value::String),
            Node::List(items) => items.iter().map(|item| self.node(item, scope)).collect::<Result<_, _>>().map(Value::Array),
            Node::Map(entries) => {
                let entries = entries.iter().map(|(key, node)| Ok((key.clone(), self.node(node, scope)?)));
                entries.collect::<Result<Map, _>>().map(Value::Object)
            }
        }
    }

    fn text_of(&self, parts: &[Part], scope: &mut Scope) -> Result<String, Failure> {
        let limit = self.engine.0.limits.string_bytes;
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Hole(hole) => {
                    text.push_str(&self.hole_text(hole, scope)?);
                    if limit < text.len() {
                        return Err(failure_here(&hole.piece.origin, &format!("the text is longer than {limit} bytes, the limit")));
                    }
                }
            }
        }
        Ok(text)
    }

    fn hole_text(&self, hole: &Hole, scope: &mut Scope) -> Result<String, Failure> {
        let value = self.run(&hole.piece, scope)?;
        if value.is_unit() {
            let words =
                format!("${{{}}} is missing (use ?? \"\" to make it optional){}", hole.source, was_there(&hole.source, Some(&scope.rhai)));
            return Err(failure_here(&hole.piece.origin, &words));
        }
        json::to_text(&value).map_err(|words| failure_here(&hole.piece.origin, &format!("${{{}}} {words}", hole.source)))
    }
}

fn not_truth(kind: &str) -> String {
    format!("expected true or false, and this is {kind}")
}
