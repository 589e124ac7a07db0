//! The arrows of `docs/architecture.md`, enforced: which part of `src/` may name which, that the
//! core is pure, and that files stay small. Planted violations prove that it bites.

use std::fs;
use std::path::Path;

/// Part of `src/`, and the parts of ours it may name besides itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &["domain"]),
    ("script", &["domain"]),
    ("workflow", &["domain", "script"]),
    ("store", &["domain"]),
    ("connector", &["domain", "script", "clock"]),
    ("intake", &["domain", "workflow", "script", "store", "clock"]),
    ("executor", &["domain", "workflow", "script", "store", "connector", "clock"]),
    ("web", &["domain", "workflow", "store", "intake"]),
    ("config", &["domain", "workflow", "connector"]),
    ("telemetry", &["config"]),
    ("app", &["domain", "workflow", "script", "store", "intake", "executor", "connector", "web", "config", "clock"]),
    ("cli", &["domain", "workflow", "store", "config", "connector", "app", "clock", "telemetry"]),
];

/// Part of `src/`, and paths that must not be named there, with the reason.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("domain", "tokio", "the core does no I/O"),
    ("domain", "axum", "the core does no I/O"),
    ("domain", "reqwest", "the core does no I/O"),
    ("domain", "std::fs", "the core does no I/O"),
    ("domain", "std::env", "the core reads no environment"),
    ("domain", "std::net", "the core does no I/O"),
    ("domain", "std::thread", "the core does no I/O"),
    ("domain", "rhai", "the core holds handles to code, not code"),
    ("domain", "async fn", "the core awaits nothing"),
    ("domain", ".await", "the core awaits nothing"),
    ("script", "tokio", "evaluation is synchronous and touches nothing outside"),
    ("script", "std::fs", "evaluation touches nothing outside"),
    ("script", "std::env", "evaluation touches nothing outside"),
    ("workflow", "async fn", "loading is synchronous"),
    ("store", "axum", "the store knows no web"),
    ("executor", "axum", "the executor knows no web"),
    ("executor", "embedded::", "the executor knows the store's trait alone"),
    ("executor", "connector::http", "the executor knows the connector's trait alone"),
    ("intake", "embedded::", "intake knows the store's trait alone"),
    ("web", "embedded::", "the web knows the store's trait alone"),
    ("cli", "embedded::", "the CLI asks the server or app"),
    ("cli", "redb", "the CLI asks the server or app"),
];

const LINES_LIMIT: usize = 500;

/// What a file does against the rules. `path` is below `src/`.
fn violations(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if LINES_LIMIT < text.lines().count() {
        found.push(format!("{path}: more than {LINES_LIMIT} lines"));
    }
    let part = path.split('/').next().unwrap_or(path).trim_end_matches(".rs");
    if matches!(part, "main" | "lib") {
        return found;
    }
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == part) else {
        found.push(format!("{path}: `{part}` has no place in the layout; see docs/architecture.md"));
        return found;
    };
    for (number, line) in code_lines(text) {
        for named in crate_parts(line) {
            if named != part && !allowed.contains(&named) && ARROWS.iter().any(|(name, _)| *name == named) {
                found.push(format!("{path}:{number}: `{part}` must not name `{named}`"));
            }
        }
        for (_, word, why) in FORBIDDEN.iter().filter(|(of, ..)| *of == part) {
            if line.contains(word) {
                found.push(format!("{path}:{number}: `{part}` must not name `{word}`: {why}"));
            }
        }
    }
    found
}

/// Lines of code with their numbers: comments and unit tests are left out.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.find("#[cfg(test)]\nmod ").map_or(text.len(), |at| match text[at..].find("mod tests;") {
        Some(offset) if offset < 20 => text.len(),
        _ => at,
    });
    text[..end].lines().enumerate().filter_map(|(index, line)| {
        let line = line.trim_start();
        (!line.starts_with("//")).then_some((index + 1, line))
    })
}

/// The first segments after every `crate::`, also of `crate::{a::…, b::…}`.
fn crate_parts(line: &str) -> Vec<&str> {
    let ident = |text: &'_ str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    line.match_indices("crate::")
        .flat_map(|(at, prefix)| {
            let rest = &line[at + prefix.len()..];
            match rest.strip_prefix('{') {
                Some(list) => {
                    list.split(',').map(|item| item.trim().split("::").next().unwrap_or("").trim_end_matches(['}', ';'])).collect()
                }
                None => vec![&rest[..ident(rest)]],
            }
        })
        .collect()
}

fn walk(dir: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, visit);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            visit(&path);
        }
    }
}

#[test]
fn the_source_keeps_to_the_arrows() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&src, &mut |path| {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap();
        if !name.ends_with("tests.rs") && !name.contains("/tests/") {
            found.extend(violations(name, &fs::read_to_string(path).unwrap()));
        }
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn planted_violations_are_found() {
    let planted = [
        ("domain/run.rs", "use crate::store::Store;"),
        ("domain/run.rs", "    let now = crate::clock::now();"),
        ("domain/next.rs", "use tokio::sync::mpsc;"),
        ("domain/next.rs", "pub async fn next() {}"),
        ("domain/next.rs", "let x = std::fs::read(p);"),
        ("workflow/compile/mod.rs", "use crate::connector::Registry;"),
        ("workflow/compile/mod.rs", "use crate::{domain::Value, executor::Executor};"),
        ("script/engine.rs", "use crate::store;"),
        ("store/mod.rs", "use crate::executor::Executor;"),
        ("connector/http.rs", "use crate::intake::Intake;"),
        ("intake/webhook.rs", "use crate::executor::Executor;"),
        ("intake/webhook.rs", "use crate::store::embedded::open;"),
        ("executor/drive.rs", "use crate::intake::Intake;"),
        ("executor/drive.rs", "use crate::connector::http::HttpConnector;"),
        ("web/hooks.rs", "use crate::executor::Executor;"),
        ("web/hooks.rs", "use crate::connector::Registry;"),
        ("helpers/misc.rs", "fn f() {}"),
    ];
    for (path, text) in planted {
        assert_eq!(violations(path, text).len(), 1, "{path}: {text}");
    }
    assert_eq!(violations("domain/long.rs", &"\n".repeat(LINES_LIMIT + 1)).len(), 1);
}

#[test]
fn what_is_allowed_passes() {
    let fine = [
        ("domain/run.rs", "// use crate::store::Store;\nuse super::failure::Failure;"),
        ("executor/drive.rs", "use crate::connector::{Connector, Request};\nuse crate::store::Journal;"),
        ("domain/id.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}"),
        ("app/mod.rs", "use crate::{store, web};"),
        ("main.rs", "hence::cli::run()"),
    ];
    for (path, text) in fine {
        assert_eq!(violations(path, text), Vec::<String>::new(), "{path}");
    }
}
