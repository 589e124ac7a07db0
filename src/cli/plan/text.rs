//! The plan for people: `+` new, `~` other, `-` gone, `!` what somebody will notice.

use std::collections::BTreeSet;

use super::super::table::brief;
use super::Planned;
use crate::workflow::plan::{
    Change, Changed, Missing, Named, Plan, RouteChange, Runs, ScheduleChange, SettingChange, StepChange, TriggerChange, Workflows,
    is_digest,
};
use crate::workflow::problem::Problem;

/// The widest line.
const WIDTH_CHARS: usize = 80;
/// Lines about one workflow, at most.
const LINES_OF_ONE: usize = 40;
/// The longest value of a setting, in characters.
const VALUE_CHARS: usize = 40;
/// How much of a revision tells it from others.
const REVISION_CHARS: usize = 12;

/// Errors first, then what changes, section by section.
pub(super) fn report(planned: &Planned<'_>, problem: &dyn Fn(&Problem) -> String) -> String {
    let mut page = Page::default();
    let plan = &planned.plan;
    for error in &planned.errors {
        page.text.push_str(&problem(error));
        page.text.push('\n');
    }
    if !planned.errors.is_empty() {
        errors(&mut page, planned);
    }
    page.line(0, &format!("{} against {}", planned.dir.display(), planned.against));
    if planned.version != env!("CARGO_PKG_VERSION") {
        let own = env!("CARGO_PKG_VERSION");
        page.line(0, &format!("The server is hence {}, this is {own}: the two may read a file differently.", planned.version));
    }
    page.text.push('\n');
    if plan.is_empty() && planned.errors.is_empty() {
        page.line(0, "Nothing would change: this is what the server serves.");
    }
    workflows(&mut page, &plan.workflows);
    section(&mut page, "Routes", &plan.routes, route);
    section(&mut page, "Schedules", &plan.schedules, schedule);
    needs(&mut page, plan);
    if plan.settings_differ {
        page.head("Settings");
        page.line(2, "~ hence.yaml is not the one that the server has read");
        page.line(6, "! a server reads it at its start: restart it with this one");
    }
    runs(&mut page, plan, planned.runs_counted);
    page.text.truncate(page.text.trim_end().len());
    page.text
}

/// Text that grows line by line.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn head(&mut self, title: &str) {
        self.text.push('\n');
        self.line(0, title);
    }

    /// One line; what does not fit goes on below, further in.
    fn line(&mut self, indent: usize, words: &str) {
        let mut column = 0;
        for word in words.split(' ') {
            let width = word.chars().count();
            if column == 0 {
                self.text.push_str(&" ".repeat(indent));
                column = indent;
            } else if WIDTH_CHARS <= column + width {
                column = indent + 4;
                self.text.push('\n');
                self.text.push_str(&" ".repeat(column));
            } else {
                self.text.push(' ');
                column += 1;
            }
            // What a file or a server says must not steer the terminal.
            self.text.extend(word.chars().map(|c| if c.is_control() { ' ' } else { c }));
            column += width;
        }
        self.text.push('\n');
    }
}

fn section<T>(page: &mut Page, title: &str, changes: &[T], write: fn(&mut Page, &T)) {
    if !changes.is_empty() {
        page.head(title);
        changes.iter().for_each(|change| write(page, change));
    }
}

fn errors(page: &mut Page, planned: &Planned<'_>) {
    let kept: Vec<&str> = planned.plan.workflows.kept.iter().map(|kept| kept.name.as_str()).collect();
    let then = match kept.as_slice() {
        [] => "No workflow that is served now is concerned.".to_owned(),
        [one] => format!("1 workflow keeps its last good revision: {one}."),
        more => format!("{} workflows keep their last good revision: {}.", more.len(), more.join(", ")),
    };
    let restart = if kept.is_empty() { "" } else { " A restart has no such revision to fall back on." };
    page.line(0, &format!("{} in the files. {then}{restart}", count(planned.errors.len(), "error")));
    page.text.push('\n');
}

fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

fn mark(change: Change) -> char {
    match change {
        Change::Added => '+',
        Change::Changed => '~',
        Change::Removed => '-',
    }
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn short(revision: &str) -> &str {
    revision.get(..REVISION_CHARS).unwrap_or(revision)
}

fn workflows(page: &mut Page, workflows: &Workflows) {
    let Workflows { added, changed, removed, kept, unchanged } = workflows;
    let kept_words = if kept.is_empty() { String::new() } else { format!(", {} kept", kept.len()) };
    let (plus, other, minus) = (added.len(), changed.len(), removed.len());
    page.line(0, &format!("Workflows: {plus} added, {other} changed, {minus} removed, {unchanged} unchanged{kept_words}"));
    for workflow in added {
        page.line(2, &format!("+ {}", whole(workflow)));
    }
    for workflow in changed {
        one(page, workflow);
    }
    for workflow in removed {
        page.line(2, &format!("- {}", whole(workflow)));
    }
    for Named { name, file, .. } in kept {
        page.line(2, &format!("! {name} ({file}) has an error: what is served of it stays"));
    }
}

fn whole(workflow: &Named) -> String {
    let Named { name, file, revision: _, triggers, steps } = workflow;
    format!("{name} ({file}): {}; {}", triggers.join(", "), count(*steps, "step"))
}

fn one(page: &mut Page, workflow: &Changed) {
    let Changed { name, file, file_before, revision, revision_before, triggers, steps, reordered, settings, scripts } = workflow;
    page.line(2, &format!("~ {name} ({file}): revision {} → {}", short(revision_before), short(revision)));
    let mut lines: Vec<String> = Vec::new();
    lines.extend(file_before.iter().map(|before| format!("~ its file was {before}")));
    lines.extend(
        triggers.iter().map(|TriggerChange { change, trigger, settings }| format!("{} {trigger}{}", mark(*change), said(settings))),
    );
    lines.extend(settings.iter().map(|setting| format!("~ {}", self::setting(setting))));
    lines.extend(steps.iter().map(step));
    lines.extend(reordered.iter().map(|block| match block.as_str() {
        "" => "~ the steps are done in another order".to_owned(),
        block => format!("~ the steps of {block} are done in another order"),
    }));
    lines.extend(scripts.iter().map(script));
    if lines.is_empty() {
        lines.push("~ layout and comments alone".to_owned());
    } else if revision == revision_before {
        lines.push("! through hence.yaml, so from the server's next start on".to_owned());
    }
    for line in lines.iter().take(LINES_OF_ONE) {
        page.line(6, line);
    }
    if LINES_OF_ONE < lines.len() {
        page.line(6, &format!("… and {} more; --format json has all of them", lines.len() - LINES_OF_ONE));
    }
}

fn step(change: &StepChange) -> String {
    let StepChange { change, address, address_before, step, settings } = change;
    let was = address_before.as_ref().map(|before| format!(", {before} before")).unwrap_or_default();
    format!("{} step {address} ({step}{was}){}", mark(*change), said(settings))
}

fn script(change: &SettingChange) -> String {
    let mark = match (&change.before, &change.after) {
        (None, Some(_)) => '+',
        (Some(_), None) => '-',
        (Some(_), Some(_)) | (None, None) => '~',
    };
    format!("{mark} {}", change.key)
}

fn said(settings: &[SettingChange]) -> String {
    if settings.is_empty() {
        return String::new();
    }
    format!(": {}", settings.iter().map(setting).collect::<Vec<_>>().join("; "))
}

/// `timeout 10s → 30s`; what is too long to be shown is only named.
fn setting(change: &SettingChange) -> String {
    let SettingChange { key, before, after } = change;
    let value = |text: &str| if is_digest(text) { String::new() } else { format!(" {}", brief(text, VALUE_CHARS)) };
    match (before, after) {
        (Some(before), Some(after)) if is_digest(before) || is_digest(after) => format!("{key} changed"),
        (Some(before), Some(after)) => format!("{key}{} →{}", value(before), value(after)),
        (None, Some(after)) => format!("+{key}{}", value(after)),
        (Some(before), None) => format!("-{key}{}", value(before)),
        (None, None) => key.clone(),
    }
}

fn route(page: &mut Page, route: &RouteChange) {
    let RouteChange { change, method, path, verify, verify_before, workflows, workflows_before, effect } = route;
    let starts = match workflows_before {
        Some(before) => format!("starts {}, no longer {}", join(workflows), join(before)),
        None => format!("{} {}", if *change == Change::Removed { "started" } else { "starts" }, join(workflows)),
    };
    let verify = match verify_before {
        Some(before) => format!("verify {before} → {verify}"),
        None => format!("verify {verify}"),
    };
    page.line(2, &format!("{} {method} {path}: {starts}; {verify}", mark(*change)));
    if let Some(effect) = effect {
        page.line(6, &format!("! {effect}"));
    }
}

fn schedule(page: &mut Page, schedule: &ScheduleChange) {
    let ScheduleChange { change, workflow, rule, before, next } = schedule;
    let was = before.as_ref().map(|before| format!("{before} → ")).unwrap_or_default();
    page.line(2, &format!("{} {workflow}: {was}{rule}", mark(*change)));
    next.iter().for_each(|time| page.line(6, time));
    if next.is_empty() && *change != Change::Removed {
        page.line(6, "! never due again");
    }
}

fn needs(page: &mut Page, plan: &Plan) {
    let (secrets, connections) = (&plan.secrets, &plan.connections);
    page.head(&headed("Secrets", secrets.needed, secrets.missing.len(), "set at the server"));
    for missing in &secrets.missing {
        page.line(2, &format!("! {} is not set; needed by {}", missing.name, users(missing)));
        if !missing.connections.is_empty() {
            page.line(6, "! a server does not start while a connection's secret is not set");
        }
    }
    for name in &secrets.unused {
        page.line(2, &format!("- {name} is not used any more"));
    }
    page.head(&headed("Connections", connections.needed, connections.missing.len(), "known to the server"));
    for missing in &connections.missing {
        page.line(2, &format!("! {} is not known; needed by {}", missing.name, users(missing)));
    }
    for name in &connections.changed {
        page.line(2, &format!("~ {name} has other settings"));
    }
    for name in &connections.unused {
        page.line(2, &format!("- {name} is not used any more"));
    }
    if !plan.refused.is_empty() {
        page.text.push('\n');
        let names = join(&plan.refused);
        page.line(0, &format!("! Until it is started with what is missing, the server refuses {names}. What it serves of them now stays."));
    }
}

fn headed(title: &str, needed: usize, missing: usize, words: &str) -> String {
    match (needed, missing) {
        (0, _) => format!("{title}: none needed"),
        (needed, 0) => format!("{title}: {needed} needed, all {words}"),
        (needed, missing) => format!("{title}: {needed} needed, {missing} not {words}"),
    }
}

fn users(missing: &Missing) -> String {
    let connections = missing.connections.iter().map(|name| format!("the connection {name}"));
    missing.workflows.iter().cloned().chain(connections).collect::<Vec<_>>().join(", ")
}

fn runs(page: &mut Page, plan: &Plan, counted: usize) {
    let Runs { counts, complete } = &plan.runs;
    let concerned = !plan.workflows.changed.is_empty() || !plan.workflows.removed.is_empty();
    if counts.is_empty() && (*complete || !concerned) {
        return;
    }
    page.head("Runs in flight");
    for count in counts {
        let (verb, runs) = (if count.runs == 1 { "finishes" } else { "finish" }, self::count(count.runs, "run"));
        page.line(2, &format!("{runs} of {} {verb} on revision {}", count.workflow, short(&count.revision)));
    }
    if !complete {
        page.line(2, &format!("! the server counted its {counted} oldest runs in flight; there are more"));
    }
}
