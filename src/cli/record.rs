//! `hence record`

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::client::{Client, list, text};
use super::{Exit, ServerArgs, Trouble, note, say};
use crate::clock::{Clock, SystemClock};
use crate::domain::Value;
use crate::domain::time::parse_duration;
use crate::workflow::compile::path::{fits, shape};
use crate::workflow::words::{distance, nearest};

/// How often the server is asked what has come.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Events of one page.
const PAGE: &str = "200";
/// The highest number of a file's name.
const NUMBERS: u32 = 100_000;
/// How many hooks are told of in place of one that is not there.
const HOOKS_TOLD: usize = 10;

#[derive(Debug, Args)]
pub(super) struct RecordArgs {
    /// The webhook's path below /hooks/, as the workflow has it or as it is called: orders, orders/{id}, orders/7
    hook: String,
    /// Stop after so many deliveries [default: 1; with --for as many as come]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// Stop after this time, as in 10m
    #[arg(long = "for", value_name = "DURATION")]
    within: Option<String>,
    /// Take what has come already, the newest first, and do not wait
    #[arg(long, conflicts_with = "within")]
    past: bool,
    /// The folder for the files [default: PROJECT/fixtures]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: &RecordArgs) -> Result<Exit, Trouble> {
    let within = args.within.as_deref().map(|text| {
        let bad = |error| Trouble::new(Exit::Usage, format!("--for {text}: {error}; write a duration, as in --for 10m"));
        parse_duration(text).map_err(bad)
    });
    let within = within.transpose()?;
    let wanted = args.count.unwrap_or(if within.is_some() { u32::MAX } else { 1 });
    let hook = args.hook.trim_start_matches('/');
    let hook = hook.strip_prefix("hooks/").unwrap_or(hook);
    let client = Client::new(&args.server)?;
    if !args.past {
        must_be_there(&client, hook)?;
    }
    let folder = args.out.clone().unwrap_or_else(|| args.server.project.join("fixtures"));
    let mut book = Book { client: &client, hook, folder, wanted, recorded: 0, known: BTreeSet::new() };
    if args.past {
        for id in book.deliveries(true)?.into_iter().rev() {
            if book.is_full() {
                break;
            }
            book.record(&id)?;
        }
        return book.ended(&format!("no delivery to /hooks/{hook} is stored"));
    }
    // What is there now is not recorded.
    book.deliveries(false)?;
    let end = within.map(|within| SystemClock.now().after(within));
    note(&format!("waiting for deliveries to /hooks/{hook}"));
    loop {
        for id in book.deliveries(false)? {
            if book.is_full() {
                break;
            }
            book.record(&id)?;
        }
        if book.is_full() || end.is_some_and(|end| end <= SystemClock.now()) {
            return book.ended(&format!("nothing came to /hooks/{hook}"));
        }
        client.pause(ASK_EVERY);
    }
}

/// Whether a webhook has this path; else which there are, the nearest first.
fn must_be_there(client: &Client, hook: &str) -> Result<(), Trouble> {
    let loaded = client.get("/api/workflows", &[])?;
    let triggers: Vec<&Value> = list(&loaded, "workflows").iter().flat_map(|workflow| list(workflow, "triggers")).collect();
    let of = |kind: &str, folder: &str| -> BTreeSet<&str> {
        let paths = triggers.iter().filter(|trigger| text(trigger, "kind") == kind).map(|trigger| text(trigger, "path"));
        paths.map(|path| path.strip_prefix(folder).unwrap_or(path)).collect()
    };
    let hooks = of("webhook", "/hooks/");
    if hooks.iter().any(|path| shape(path).0 == shape(hook).0 || fits(path, hook)) {
        return Ok(());
    }
    let bad = list(&loaded, "problems").iter().any(|problem| text(problem, "severity") == "error");
    Err(Trouble::new(Exit::Usage, no_hook(hook, &hooks, &of("form", "/forms/"), bad)))
}

/// What is said of a hook that is not there.
fn no_hook(hook: &str, hooks: &BTreeSet<&str>, forms: &BTreeSet<&str>, bad: bool) -> String {
    let mut said = format!("the server has no webhook `{hook}`");
    if forms.contains(hook.strip_prefix("forms/").unwrap_or(hook)) {
        said.push_str(": that is a form, and only webhooks are recorded");
    } else if let Some(near) = nearest(hook, hooks.iter().copied()) {
        said.push_str(&format!("; did you mean `{near}`?"));
    }
    let mut sorted: Vec<&str> = hooks.iter().copied().collect();
    sorted.sort_by_key(|path| distance(hook, path));
    let more = sorted.len().saturating_sub(HOOKS_TOLD);
    sorted.truncate(HOOKS_TOLD);
    said.push_str(&match (sorted.is_empty(), more) {
        (true, _) => "\nno workflow that it serves has a webhook".to_owned(),
        (false, 0) => format!("\nwebhooks: {}", sorted.join(", ")),
        (false, more) => format!("\nwebhooks: {}, and {more} more", sorted.join(", ")),
    });
    if bad {
        said.push_str("\na workflow whose file has an error is not served: see `hence check`");
    }
    said
}

/// What has been recorded so far.
struct Book<'c> {
    client: &'c Client,
    hook: &'c str,
    folder: PathBuf,
    wanted: u32,
    recorded: u32,
    /// The newest events, those that were looked at last.
    known: BTreeSet<String>,
}

impl Book<'_> {
    fn is_full(&self) -> bool {
        self.wanted <= self.recorded
    }

    /// The deliveries to the hook that were not there the last time, oldest first; the first time those of the newest page.
    /// Only what they are is asked for, no body.
    fn deliveries(&mut self, all: bool) -> Result<Vec<String>, Trouble> {
        let (mut found, mut seen, mut before) = (Vec::new(), BTreeSet::new(), None::<String>);
        loop {
            let page = self.client.get("/api/events", &[("limit", Some(PAGE.to_owned())), ("before", before)])?;
            // An event may be stored after another one that came later: so a page is looked at to its end.
            let mut any_known = self.known.is_empty();
            for event in list(&page, "events") {
                let (id, path) = (text(event, "id"), text(event, "path"));
                seen.insert(id.to_owned());
                if self.known.contains(id) {
                    any_known = true;
                } else if text(event, "source") == "webhook" && (path == self.hook || fits(self.hook, path)) {
                    found.push(id.to_owned());
                }
            }
            before = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if before.is_none() || any_known && !all {
                break;
            }
        }
        self.known = seen;
        found.reverse();
        Ok(found)
    }

    fn record(&mut self, id: &str) -> Result<(), Trouble> {
        let fixture = self.client.get(&format!("/api/events/{id}/fixture"), &[])?;
        let text = serde_json::to_string_pretty(&fixture).unwrap_or_default();
        let file = write(&self.folder, &stem(self.hook), &format!("{text}\n"))?;
        say(&file.display().to_string());
        self.recorded = self.recorded.saturating_add(1);
        Ok(())
    }

    fn ended(&self, nothing: &str) -> Result<Exit, Trouble> {
        if self.recorded == 0 {
            return Err(Trouble::new(Exit::Problems, nothing));
        }
        Ok(Exit::Fine)
    }
}

/// `orders-id` of `orders/{id}`.
fn stem(hook: &str) -> String {
    let words = hook.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// Writes a file under the next free number; none is overwritten. Nobody else on the machine may read it: it is somebody's data.
fn write(folder: &Path, stem: &str, text: &str) -> Result<PathBuf, Trouble> {
    let failed = |path: &Path, error: &std::io::Error| Trouble::new(Exit::Usage, format!("{}: {error}", path.display()));
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    for number in 1..=NUMBERS {
        let path = folder.join(format!("{stem}-{number}.json"));
        let mut options = fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create_new(true), 0o600);
        match options.open(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes()).map_err(|error| failed(&path, &error))?;
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&path, &error)),
        }
    }
    Err(Trouble::new(Exit::Usage, format!("{}: there are {NUMBERS} files of {stem} already", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_that_is_not_there_is_answered_with_those_that_are() {
        let check = |hook: &str, hooks: &[&str], expected: &str| {
            let hooks = hooks.iter().copied().collect();
            assert_eq!(no_hook(hook, &hooks, &BTreeSet::from(["contact"]), false), format!("the server has no webhook `{hook}`{expected}"));
        };
        check("ordres", &["leads", "orders", "a"], "; did you mean `orders`?\nwebhooks: orders, leads, a");
        check("payments", &["leads"], "\nwebhooks: leads");
        check("orders", &[], "\nno workflow that it serves has a webhook");
        check("contact", &["leads"], ": that is a form, and only webhooks are recorded\nwebhooks: leads");
        let many: Vec<String> = (0..15).map(|n| format!("hook-{n:02}")).collect();
        let many: BTreeSet<&str> = many.iter().map(String::as_str).collect();
        let said = no_hook("hook-14x", &many, &BTreeSet::new(), true);
        assert!(said.contains("did you mean `hook-14`?\nwebhooks: hook-14, ") && said.contains(", and 5 more\n"), "{said}");
        assert!(said.ends_with("see `hence check`"), "{said}");
    }

    #[test]
    fn a_file_is_called_like_its_hook_and_none_is_overwritten() {
        assert_eq!((stem("orders"), stem("orders/{id}/paid")), ("orders".to_owned(), "orders-id-paid".to_owned()));
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("fixtures");
        let names: Vec<PathBuf> = (0..2).map(|_| write(&inner, "orders", "{}").unwrap()).collect();
        assert_eq!(names, [inner.join("orders-1.json"), inner.join("orders-2.json")]);
        fs::write(folder.path().join("file"), "").unwrap();
        let error = write(&folder.path().join("file/below"), "orders", "{}").unwrap_err();
        assert!(error.text.contains("file/below"), "{}", error.text);
    }
}
