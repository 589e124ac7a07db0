//! Secrets: a mounted folder (one file a secret), `secrets.env`, the environment. Later ones win.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use super::environment::Environment;
use crate::domain::secret::{Secret, Secrets};
use crate::workflow::problem::{Problem, codes};
use crate::workflow::yaml::Span;

const FILE: &str = "secrets.env";
/// The largest secret, in bytes.
const SECRET_LIMIT_BYTES: u64 = 64 * 1024;

pub(super) fn read(dir: &Path, environment: &Environment) -> (Secrets, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut values = BTreeMap::new();
    if let Some(folder) = &environment.secrets_dir {
        values.extend(read_folder(folder, &mut problems));
    }
    values.extend(read_file(&dir.join(FILE), &mut problems));
    values.extend(environment.secrets.clone());
    (Secrets::new(values), problems)
}

fn problem(file: &str, line: u32, message: String, help: &str) -> Problem {
    Problem::error(codes::UNREADABLE_FILE, &Arc::from(file), Span { line, column: 1, length: 1 }, message).help(help)
}

fn read_folder(folder: &Path, problems: &mut Vec<Problem>) -> BTreeMap<String, Secret> {
    let shown = folder.display().to_string();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(problem(&shown, 1, format!("the folder of secrets cannot be read: {error}"), "HENCE_SECRETS_DIR names it"));
            return BTreeMap::new();
        }
    };
    let mut values = BTreeMap::new();
    for entry in entries.flatten() {
        let path = entry.path();
        // Mounted secrets come with dot folders of their own (`..data`).
        let Some(name) = entry.file_name().to_str().filter(|name| !name.starts_with('.')).map(str::to_owned) else { continue };
        let small = path.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= SECRET_LIMIT_BYTES);
        if !small {
            continue;
        }
        match std::fs::read_to_string(&path) {
            Ok(value) => drop(values.insert(name, Secret::new(value.trim_end_matches(['\r', '\n'])))),
            Err(error) => problems.push(problem(
                &path.display().to_string(),
                1,
                format!("the secret cannot be read: {error}"),
                "it has to be UTF-8 text",
            )),
        }
    }
    values
}

fn read_file(path: &Path, problems: &mut Vec<Problem>) -> BTreeMap<String, Secret> {
    let Ok(meta) = path.metadata() else { return BTreeMap::new() };
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let message = format!("{FILE} can be read by others (mode {mode:03o}), so it is not used");
        problems.push(problem(FILE, 1, message, "chmod 600 secrets.env"));
        return BTreeMap::new();
    }
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            problems.push(problem(FILE, 1, format!("{FILE} cannot be read: {error}"), "it has to be UTF-8 text"));
            return BTreeMap::new();
        }
    };
    let mut values = BTreeMap::new();
    for (line, number) in text.lines().zip(1u32..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=') {
            Some((name, value)) if is_name(name.trim()) => drop(values.insert(name.trim().to_owned(), Secret::new(unquote(value.trim())))),
            // The line itself may be a secret: it is not shown.
            _ => problems.push(problem(FILE, number, "this line is not NAME=VALUE".to_owned(), "names have letters, digits and _")),
        }
    }
    values
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn unquote(value: &str) -> &str {
    let stripped = |quote: char| value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote));
    stripped('"').or_else(|| stripped('\'')).unwrap_or(value)
}
