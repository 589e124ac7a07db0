//! The project that is served: as many workflows as asked for, one of which is called.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hence::clock::{Clock, SystemClock};
use hence::store::embedded::{self, Settings};

use super::parked;

/// What the called workflow does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Its `if` is false: the event is stored, no run begins.
    NotMatched,
    /// The same with a verified signature and a key by which a repeat is recognised.
    Verified,
    /// A run with so many steps that call nothing.
    Steps(usize),
    /// A condition, a call and its history; the caller is answered at once.
    Call,
    /// A condition, so many calls one after the other, and their history; the caller is answered with the result.
    CallsAnswered(usize),
}

/// Writes the project; gives the path of the hook.
pub(crate) fn write(dir: &Path, work: Work, workflows: usize, sink: SocketAddr) -> &'static str {
    fs::create_dir_all(dir.join("workflows")).unwrap();
    let limits = "limits: {backlog: 10000000, running: 1024}\n";
    fs::write(dir.join("hence.yaml"), format!("{limits}egress: {{allow: [\"{sink}\"]}}\n")).unwrap();
    for n in 1..workflows {
        let text = format!("when: [{{webhook: {{path: other/{n}, verify: none}}}}]\nsteps: [{{script: 1 + {n}}}]\n");
        fs::write(dir.join(format!("workflows/other-{n}.yaml")), text).unwrap();
    }
    let respond = if matches!(work, Work::CallsAnswered(_)) { ", respond: {wait: 30s}" } else { "" };
    let verify = match work {
        Work::Verified => "{scheme: github, secret: BENCH}, dedupe: {key: 'event.headers[\"x-github-delivery\"]', within: 1h}",
        _ => "none",
    };
    let mut text = format!("when: [{{webhook: {{path: work, verify: {verify}{respond}}}}}]\n");
    match work {
        Work::NotMatched | Work::Verified => text.push_str("if: event.body.amount < 0\nsteps: [{stop: 1}]\n"),
        Work::Steps(count) => {
            text.push_str("if: event.body.amount > 10\nsteps:\n");
            for n in 0..count {
                writeln!(text, "  - script: event.body.amount + {n}").unwrap();
            }
        }
        Work::Call => text.push_str(&calls(1, sink)),
        Work::CallsAnswered(count) => text.push_str(&calls(count, sink)),
    }
    fs::write(dir.join("workflows/work.yaml"), text).unwrap();
    "/hooks/work"
}

fn calls(count: usize, sink: SocketAddr) -> String {
    let with =
        format!("{{url: \"http://{sink}/contacts\", json: {{email: \"${{event.body.email}}\", amount: \"${{event.body.amount}}\"}}}}");
    let mut text = "if: event.body.amount > 10\nsteps:\n".to_owned();
    for n in 1..=count {
        writeln!(text, "  - id: contact{n}\n    call: http.post\n    with: {with}").unwrap();
    }
    text
}

/// Lets so many runs wait in the project's redb store, for longer than anything is measured.
pub(crate) fn park(dir: &Path, data: &Path, runs: u64) {
    fs::write(dir.join(format!("workflows/{}.yaml", parked::NAME)), parked::WORKFLOW).unwrap();
    let due = SystemClock.now().after(Duration::from_secs(30 * 86_400));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = embedded::open(&format!("redb://{}", data.display()), Settings::default()).unwrap();
        let revision = parked::revision(dir, &store).await;
        parked::fill(&*store, revision, 0..runs, |_| due).await;
    });
}

/// A JSON body of about so many bytes.
pub(crate) fn body(bytes: usize) -> String {
    let fixed = r#"{"email":"ada@example.com","amount":5000,"items":[""#;
    let filler = "x".repeat(bytes.saturating_sub(fixed.len() + 3));
    format!("{fixed}{filler}\"]}}")
}
