//! The files of a project, read with every bound checked.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use ring::digest;

use crate::workflow::problem::{Problem, codes};
use crate::workflow::selftest::TEST_STEM_END;
use crate::workflow::yaml::{FILE_BYTES, Span, too_large};

/// The most files of one folder.
pub const FILES: usize = 50_000;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path below the project folder, with `/`.
    pub path: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
}

impl SourceFile {
    /// The file's name without folder and ending.
    #[must_use]
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }
}

/// Workflows, scripts and schemas of a project, in the order of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    workflows: Vec<SourceFile>,
    scripts: Vec<SourceFile>,
    schemas: Vec<SourceFile>,
}

/// Changes when a file of the project is added, removed or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

const FOLDERS: [(&str, &[&str]); 3] = [("workflows", &["yaml", "yml"]), ("scripts", &["rhai"]), ("schemas", &["json"])];

impl Sources {
    /// Reads a project's folder. A file that cannot be read is a problem, and no more.
    #[must_use]
    pub fn read(dir: &Path) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut files = Vec::new();
        for (folder, endings) in FOLDERS {
            let found = list(dir, folder, endings, false, &mut problems);
            files.extend(read_all(dir, found, &mut problems));
        }
        (Self::from_files(files), problems)
    }

    /// Reads the test files, which lie beside the workflows and are no part of what is served.
    #[must_use]
    pub fn read_tests(dir: &Path) -> (Vec<SourceFile>, Vec<Problem>) {
        let mut problems = Vec::new();
        let [(folder, endings), ..] = FOLDERS;
        let found = list(dir, folder, endings, true, &mut problems);
        let files = read_all(dir, found, &mut problems);
        (files.into_iter().map(|(path, text)| SourceFile { path: path.into(), text: text.into() }).collect(), problems)
    }

    /// One file of the project, with the same bounds.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read_one(dir: &Path, path: &str) -> Result<String, String> {
        read_file(dir, path, &dir.join(path)).map_err(|problem| problem.message)
    }

    /// The same from memory: paths below the project folder, and texts.
    #[must_use]
    pub fn from_files(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all: Vec<SourceFile> = files.into_iter().map(|(path, text)| SourceFile { path: path.into(), text: text.into() }).collect();
        all.sort_by(|a, b| a.path.cmp(&b.path));
        let (scripts, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|file| file.path.ends_with(".rhai"));
        let (schemas, workflows) = rest.into_iter().partition(|file| file.path.ends_with(".json"));
        Self { workflows, scripts, schemas }
    }

    /// The workflow files.
    #[must_use]
    pub fn workflows(&self) -> &[SourceFile] {
        &self.workflows
    }

    /// The script files.
    #[must_use]
    pub fn scripts(&self) -> &[SourceFile] {
        &self.scripts
    }

    /// The JSON Schemas.
    #[must_use]
    pub fn schemas(&self) -> &[SourceFile] {
        &self.schemas
    }

    /// The text of a file, to show problems with.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.workflows.iter().chain(&self.scripts).chain(&self.schemas).find(|file| &*file.path == path).map(|file| &*file.text)
    }

    /// Paths, sizes and times of the files, hashed: cheap enough to ask for often.
    #[must_use]
    pub fn fingerprint(dir: &Path) -> Fingerprint {
        let mut hash = digest::Context::new(&digest::SHA256);
        for (folder, endings) in FOLDERS {
            for (path, place) in list(dir, folder, endings, false, &mut Vec::new()) {
                let meta = fs::metadata(&place).ok();
                let time = meta.as_ref().and_then(|meta| meta.modified().ok()).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                let size = meta.as_ref().map_or(u64::MAX, fs::Metadata::len);
                hash.update(path.as_bytes());
                hash.update(&[0]);
                hash.update(&size.to_be_bytes());
                hash.update(&time.map_or(0, |time| time.as_nanos()).to_be_bytes());
            }
        }
        let mut bytes = [0; 32];
        for (slot, byte) in bytes.iter_mut().zip(hash.finish().as_ref()) {
            *slot = *byte;
        }
        Fingerprint(bytes)
    }
}

fn read_all(dir: &Path, found: Vec<(String, PathBuf)>, problems: &mut Vec<Problem>) -> Vec<(String, String)> {
    let read = |(path, place): (String, PathBuf)| match read_file(dir, &path, &place) {
        Ok(text) => Some((path, text)),
        Err(problem) => {
            problems.push(*problem);
            None
        }
    };
    found.into_iter().filter_map(read).collect()
}

/// The files of a folder with one of these endings, tests or others, by path. No folder, no files.
fn list(dir: &Path, folder: &str, endings: &[&str], tests: bool, problems: &mut Vec<Problem>) -> Vec<(String, PathBuf)> {
    let entries = match fs::read_dir(dir.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.push(unreadable(folder, &format!("the folder cannot be read: {error}")));
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for entry in entries {
        let Ok(entry) = entry.map_err(|error| problems.push(unreadable(folder, &format!("the folder cannot be read: {error}")))) else {
            break;
        };
        let place = entry.path();
        let wanted = place.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| endings.contains(&ending));
        let name = entry.file_name().to_string_lossy().into_owned();
        let test = place.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(TEST_STEM_END));
        if !wanted || test != tests || name.starts_with('.') {
            continue;
        }
        if FILES <= found.len() {
            let message = format!("the folder has more than {FILES} files");
            let problem = Problem::error(codes::TOO_MANY, &folder.into(), Span::START, message);
            problems.push(problem.help("split the project into several"));
            break;
        }
        found.push((format!("{folder}/{name}"), place));
    }
    found.sort();
    found
}

fn unreadable(path: &str, message: &str) -> Problem {
    Problem::error(codes::UNREADABLE_FILE, &path.into(), Span::START, message).help("look at its owner and mode, and write it as UTF-8")
}

fn read_file(dir: &Path, path: &str, place: &Path) -> Result<String, Box<Problem>> {
    let failed = |error: std::io::Error| Box::new(unreadable(path, &format!("it cannot be read: {error}")));
    let (root, real) = (fs::canonicalize(dir).map_err(failed)?, fs::canonicalize(place).map_err(failed)?);
    if !real.starts_with(&root) {
        let problem = Problem::error(codes::OUTSIDE_PROJECT, &path.into(), Span::START, "this link leads out of the project folder");
        return Err(Box::new(problem.help("copy the file into the project")));
    }
    let meta = fs::metadata(&real).map_err(failed)?;
    if !meta.is_file() {
        return Err(Box::new(unreadable(path, "it is not a file")));
    }
    let limit = u64::try_from(FILE_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(&real).map_err(failed)?.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if FILE_BYTES < bytes.len() {
        let size = usize::try_from(meta.len()).unwrap_or(usize::MAX).max(bytes.len());
        return Err(Box::new(too_large(&path.into(), size)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Box::new(unreadable(path, &format!("it is not UTF-8: the byte at {at} is part of no character")))
    })
}
