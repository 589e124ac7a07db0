//! The bounded interpreter, put together by hand from what cannot reach the outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage, BasicStringPackage,
    LogicPackage, Package,
};
use rhai::{AST, Module};

use super::ambient;
use super::explain::{parse_words, run_words};
use super::limits::Limits;
use super::program::ProgramBuilder;
use super::{CompileError, library, room, size};

/// A file of script functions.
#[derive(Debug, Clone, Copy)]
pub struct ScriptFile<'a> {
    /// What its functions are called under: `lead` for `scripts/lead.rhai`.
    pub module: &'a str,
    /// Path below the project folder.
    pub file: &'a str,
    /// Its content.
    pub source: &'a str,
}

/// The bounded interpreter with every script registered. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine(pub(super) Arc<Bounded>);

/// A function that a script gives to expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptFunction {
    /// What it is called by, after `::`.
    pub name: String,
    /// How many arguments it takes.
    pub arguments: usize,
}

#[derive(Debug)]
pub(super) struct Bounded {
    pub(super) rhai: rhai::Engine,
    pub(super) limits: Limits,
    pub(super) scripts: Vec<Script>,
    functions: BTreeMap<String, Vec<ScriptFunction>>,
}

/// What errors tell of a script.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) file: String,
    pub(super) source: String,
    /// How its functions are called: `lead::score(body)`.
    pub(super) functions: Vec<String>,
}

impl Engine {
    /// Compiles the scripts. One that cannot be compiled is left out and reported; the others work.
    #[must_use]
    pub fn new(scripts: &[ScriptFile<'_>], limits: Limits) -> (Self, Vec<CompileError>) {
        let mut errors = Vec::new();
        let mut known = bounded(&limits);
        for script in scripts {
            // Scripts may call each other, so each has to know the names of all.
            known.register_static_module(script.module, Module::new().into());
        }
        let mut compiled = Vec::new();
        let mut told = Vec::new();
        for script in scripts {
            match compile(&known, script, &limits) {
                Ok(ast) => {
                    told.push(tell(script, &ast));
                    compiled.push(Loaded { module: script.module.to_owned(), file: script.file.to_owned(), ast });
                }
                Err(error) => errors.push(error),
            }
        }
        let functions = compiled.iter().map(|script| (script.module.clone(), functions(&script.ast))).collect();
        let engine = bounded(&limits);
        let own_limits = limits.clone();
        let rhai = match room::with(move || register(engine, compiled, &own_limits)) {
            Some((rhai, refused)) => {
                errors.extend(refused);
                rhai
            }
            None => {
                let why = "there is no thread to load scripts on; give the process more memory or threads, then reload";
                errors.extend(scripts.first().map(|script| refused(script.file, rhai::Position::NONE, why.to_owned())));
                bounded(&limits)
            }
        };
        (Self(Arc::new(Bounded { rhai, limits, scripts: told, functions })), errors)
    }

    /// What a script gives to expressions; nothing when there is no such script or it cannot be compiled.
    #[must_use]
    pub fn functions(&self, module: &str) -> Option<&[ScriptFunction]> {
        self.0.functions.get(module).map(Vec::as_slice)
    }

    /// Begins a program: the code of one workflow.
    #[must_use]
    pub fn builder(&self) -> ProgramBuilder {
        ProgramBuilder::new(self.clone())
    }
}

struct Loaded {
    module: String,
    file: String,
    ast: AST,
}

/// Closures are functions too; their names cannot be written.
fn functions(ast: &AST) -> Vec<ScriptFunction> {
    let shared = ast.iter_functions().filter(|function| function.access != rhai::FnAccess::Private && is_name(function.name));
    shared.map(|function| ScriptFunction { name: function.name.to_owned(), arguments: function.params.len() }).collect()
}

/// Runs each script's own statements, its constants, and makes its functions known.
fn register(mut rhai: rhai::Engine, scripts: Vec<Loaded>, limits: &Limits) -> (rhai::Engine, Vec<CompileError>) {
    let mut errors = Vec::new();
    for script in scripts {
        let _surroundings = ambient::enter(ambient::Moment::default());
        match Module::eval_ast_as_new(rhai::Scope::new(), &script.ast, &rhai) {
            Ok(module) => {
                rhai.register_static_module(script.module, module.into());
            }
            Err(error) => errors.push(refused(&script.file, error.position(), run_words(&error, limits, &[]))),
        }
    }
    (rhai, errors)
}

fn compile(engine: &rhai::Engine, script: &ScriptFile<'_>, limits: &Limits) -> Result<AST, CompileError> {
    if !is_name(script.module) {
        let message = format!("`{}` cannot be called from an expression; name the file with letters, digits and `_` only", script.module);
        return Err(refused(script.file, rhai::Position::NONE, message));
    }
    if limits.source_bytes < script.source.len() {
        return Err(refused(script.file, rhai::Position::NONE, too_long(script.source.len(), limits)));
    }
    let mut ast = engine.compile(script.source).map_err(|error| refused(script.file, error.position(), parse_words(&error)))?;
    ast.set_source(script.file);
    Ok(ast)
}

fn tell(script: &ScriptFile<'_>, ast: &AST) -> Script {
    let functions = ast.iter_functions().map(|function| format!("{}::{}({})", script.module, function.name, function.params.join(", ")));
    Script { file: script.file.to_owned(), source: script.source.to_owned(), functions: functions.collect() }
}

fn is_name(module: &str) -> bool {
    module.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && module.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The words for code over the limit, which is not even parsed: parsing takes more than linear time.
pub(super) fn too_long(len: usize, limits: &Limits) -> String {
    format!("this code has {len} bytes, over the limit of {}; split it", limits.source_bytes)
}

fn refused(file: &str, position: rhai::Position, message: String) -> CompileError {
    let count = |n: Option<usize>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
    CompileError { file: file.into(), line: count(position.line()), column: count(position.position()), message }
}

fn bounded(limits: &Limits) -> rhai::Engine {
    let mut engine = rhai::Engine::new_raw();
    // Not LanguageCorePackage: it sleeps and exits. Not MoreStringPackage: it allocates before it
    // looks at limits; `library::text` stands in for it. Not the blob and time packages.
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    BasicFnPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    library::register(&mut engine);
    for word in ["eval", "import", "export"] {
        engine.disable_symbol(word);
    }
    engine.set_module_resolver(rhai::module_resolvers::DummyModuleResolver::new());
    engine.on_print(|_text| {});
    engine.on_debug(|_text, _source, _position| {});
    engine.set_strict_variables(true);
    engine.set_max_string_size(limits.string_bytes);
    engine.set_max_array_size(limits.array_items);
    engine.set_max_map_size(limits.map_entries);
    engine.set_max_call_levels(limits.call_depth);
    engine.set_max_expr_depths(limits.expr_depth, limits.expr_depth);
    engine.set_max_variables(limits.variables);
    watch_variables(&mut engine, limits);
    let watched = limits.clone();
    engine.on_progress(move |_counted| ambient::operation(&watched).map(Into::into));
    engine
}

#[expect(deprecated, reason = "Rhai marks what may change with it; this one is not deprecated, says its text")]
fn watch_variables(engine: &mut rhai::Engine, limits: &Limits) {
    let limit = limits.held_bytes;
    // `list[i] = text` is not measured by Rhai, so now and then everything in sight is.
    engine.on_var(move |_name, _index, context| {
        if ambient::is_time_to_measure() && limit < size::scope_text_bytes(context.scope()) {
            let words = format!("its variables hold more than {} MiB of text, the limit; keep less data at once", limit >> 20);
            return Err(rhai::EvalAltResult::ErrorTerminated(words.into(), rhai::Position::NONE).into());
        }
        Ok(None)
    });
}
