//! The lists of `deny.toml` hold, without a tool to install: every package of the lock file is under
//! an allowed licence, none is banned, all come from one registry.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use hence::domain::Value;

/// What `deny.toml` says. Only as much of TOML is read as that file uses.
struct Lists {
    allow: Vec<String>,
    exceptions: BTreeMap<String, String>,
    banned: Vec<String>,
}

fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}

fn lists(text: &str) -> Lists {
    let mut lists = Lists { allow: Vec::new(), exceptions: BTreeMap::new(), banned: Vec::new() };
    let (mut section, mut list) = ("", "");
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        } else if let Some(name) = line.strip_suffix("= [") {
            list = name.trim();
        } else {
            let mut words = quoted(line).map(str::to_owned);
            match (section, list, words.next()) {
                ("licenses", "allow", Some(licence)) => lists.allow.push(licence),
                ("licenses", "exceptions", Some(name)) => drop(lists.exceptions.insert(name, words.next().unwrap())),
                ("bans", "deny", Some(name)) => lists.banned.push(name),
                _ => {}
            }
        }
    }
    lists
}

/// Whether an SPDX expression can be met with the allowed licences. `/` is an old way to write `OR`.
fn met(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "_WITH_");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (result, rest) = either(&words, allowed);
    assert!(rest.is_empty(), "`{expression}` cannot be read");
    result
}

fn either<'w>(words: &'w [&'w str], allowed: &dyn Fn(&str) -> bool) -> (bool, &'w [&'w str]) {
    let (mut result, mut rest) = both(words, allowed);
    while let Some(("OR", after)) = rest.split_first().map(|(word, after)| (*word, after)) {
        let (other, after) = both(after, allowed);
        (result, rest) = (result | other, after);
    }
    (result, rest)
}

fn both<'w>(words: &'w [&'w str], allowed: &dyn Fn(&str) -> bool) -> (bool, &'w [&'w str]) {
    let (mut result, mut rest) = one(words, allowed);
    while let Some(("AND", after)) = rest.split_first().map(|(word, after)| (*word, after)) {
        let (other, after) = one(after, allowed);
        (result, rest) = (result & other, after);
    }
    (result, rest)
}

fn one<'w>(words: &'w [&'w str], allowed: &dyn Fn(&str) -> bool) -> (bool, &'w [&'w str]) {
    match words.split_first() {
        Some((&"(", rest)) => {
            let (result, rest) = either(rest, allowed);
            (result, rest.strip_prefix([")"].as_slice()).unwrap())
        }
        // `MPL-2.0+`: this version or a later one.
        Some((word, rest)) => (allowed(word.trim_end_matches('+').replace("_WITH_", " WITH ").as_str()), rest),
        None => (false, words),
    }
}

#[test]
fn every_dependency_keeps_to_the_lists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lists = lists(&fs::read_to_string(root.join("deny.toml")).unwrap());
    let arguments = ["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform=x86_64-unknown-linux-gnu"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let (mut found, mut sources) = (Vec::new(), BTreeSet::new());
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none");
        let allowed =
            |one: &str| lists.allow.iter().any(|allowed| allowed == one) || lists.exceptions.get(name).is_some_and(|own| own == one);
        if !met(licence, &allowed) {
            found.push(format!("{name}: the licence {licence} is not on the list"));
        }
        if lists.banned.iter().any(|banned| banned == name) {
            found.push(format!("{name} is banned"));
        }
        if let Some(source) = package["source"].as_str() {
            sources.insert(source);
            if !source.starts_with("registry+") {
                found.push(format!("{name} comes from {source}, not from a registry"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(sources.len(), 1, "packages come from more than one registry: {sources:?}");
    for name in lists.exceptions.keys() {
        assert!(packages.iter().any(|package| package["name"] == **name), "the exception for {name} is not needed any more");
    }
    assert!(lists.allow.len() > 5 && lists.banned.len() > 3, "deny.toml was not read");
}

#[test]
fn licence_expressions_are_read() {
    let check = |expression: &str, expected: bool| {
        assert_eq!(met(expression, &|one| matches!(one, "MIT" | "ISC" | "Apache-2.0 WITH LLVM-exception")), expected, "{expression}");
    };
    check("MIT", true);
    check("MIT/Apache-2.0", true);
    check("Unlicense OR MIT", true);
    check("Unlicense", false);
    check("MIT AND OpenSSL", false);
    check("MIT OR ISC AND OpenSSL", true);
    check("(GPL-3.0 OR MIT) AND ISC", true);
    check("(GPL-3.0 OR Apache-2.0) AND ISC", false);
    check("Apache-2.0 WITH LLVM-exception", true);
    check("none", false);
}

#[test]
fn every_direct_dependency_has_its_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/reference/dependencies.md")).unwrap();
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = matches!(line, "[dependencies]" | "[dev-dependencies]");
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| inside) {
            assert!(page.contains(&format!("| `{name}` |")), "no reason is given for {name}");
        }
    }
}
